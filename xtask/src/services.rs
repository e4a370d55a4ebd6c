//! `cargo xtask hdfs`: a real HDFS to try Hama with, and what it needs, set up.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use xtask::hdfs::{self, Hdfs, Options, Services, up};
use xtask::zookeeper;

use crate::steps::{Steps, root};

/// What Debian calls it. The last one makes hosts.
const PACKAGES: [&str; 3] = ["default-jre-headless", "maven", "iproute2"];

/// Fetches the servers where they are missing, and installs Java and Maven where that is possible.
pub(crate) fn set_up(steps: &mut Steps) -> Result<(), String> {
    if Services::found().is_ok() {
        return Ok(());
    }
    let fetching = format!("HDFS: fetching {} (50 MB, it may take minutes)", hdfs::describe());
    let outcome = steps.time(&fetching, Services::set_up);
    match outcome {
        Err(why) if why.contains(hdfs::INSTALL) && may_install() => {
            eprintln!("xtask: {why}");
            steps.run("HDFS: apt-get update", apt().args(["-qq", "update"]))?;
            steps.run("HDFS: apt-get install", apt().args(["-qq", "-y", "install"]).args(PACKAGES))?;
            steps.time(&fetching, Services::set_up).map(drop)
        }
        outcome => outcome.map(drop),
    }
}

/// Tells the tests files, which are not there, for the lines that say what they ran against.
pub(crate) fn summaries(tests: &mut Command) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for (variable, name) in [(hdfs::SUMMARY, "hdfs-tests.txt"), (zookeeper::SUMMARY, "cluster-tests.txt")] {
        let file = root().join("target").join(name);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(format!("cannot remove {}: {error}", file.display()));
            }
            _ => tests.env(variable, &file),
        };
        files.push(file);
    }
    Ok(files)
}

/// Whether we are root on a Debian.
fn may_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// What `cargo xtask hdfs` was asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Verb {
    Up,
    /// With the command to run on hosts; empty: a shell.
    Hosts(Vec<String>),
    Status,
    Down,
    /// The process behind `up`.
    Hold,
    /// The process behind `up --hosts`.
    HostsInside(Vec<String>),
}

impl Verb {
    pub(crate) fn parse(arguments: &[String]) -> Result<Verb, String> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let command = |rest: &[&str]| rest.iter().map(|word| (*word).to_owned()).collect();
        match &words[..] {
            ["up"] => Ok(Verb::Up),
            ["up", "--hosts"] => Ok(Verb::Hosts(Vec::new())),
            ["up", "--hosts", "--", rest @ ..] if !rest.is_empty() => Ok(Verb::Hosts(command(rest))),
            ["status"] => Ok(Verb::Status),
            ["down"] => Ok(Verb::Down),
            ["hold"] => Ok(Verb::Hold),
            ["hosts-inside", rest @ ..] => Ok(Verb::HostsInside(command(rest))),
            [] => Err("hdfs wants up, status or down".to_owned()),
            _ => Err(format!("hdfs has no {}", words.join(" "))),
        }
    }
}

/// Does it.
pub(crate) fn run(steps: &mut Steps, verb: &Verb) -> Result<ExitCode, String> {
    match verb {
        Verb::Up => {
            set_up(steps)?;
            let state = match up::status()? {
                Some((state, _)) => state,
                None => launch("hdfs")?,
            };
            eprintln!("{state}");
        }
        Verb::Hosts(command) => {
            set_up(steps)?;
            return open_hosts(command);
        }
        Verb::Status => match up::status()? {
            Some((state, alive)) => eprintln!("{state}\nalive   {alive} DataNodes"),
            None => return Err("no HDFS is up: cargo xtask hdfs up".to_owned()),
        },
        Verb::Down if up::down()? => eprintln!("HDFS is down, and its files are removed"),
        Verb::Down => eprintln!("no HDFS was up"),
        Verb::Hold => told(|tell| up::hold(tell)),
        Verb::HostsInside(command) => return inside(command),
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the process that holds what there is once (`cargo xtask WHAT hold`), apart from this terminal, and waits for its
/// one line.
pub(crate) fn launch<S: DeserializeOwned>(what: &str) -> Result<S, String> {
    let failed = |error| format!("cannot start the process that holds it: {error}");
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args([what, "hold"]).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line).map_err(failed)?;
    let told: Value = serde_json::from_str(&line).unwrap_or_default();
    match told["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => serde_json::from_value(told)
            .map_err(|_| format!("the process that holds it said only {line:?}: it has ended")),
    }
}

/// Holds something in this process, and says on standard output what it is, or why it is not.
pub(crate) fn told<S: Serialize>(hold: impl FnOnce(&dyn Fn(&S) -> Result<(), String>) -> Result<(), String>) {
    let tell = |line: String| {
        let mut out = std::io::stdout();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("nobody listens: {error}"))
    };
    let outcome = hold(&|state| tell(json!(state).to_string()));
    if let Err(message) = outcome {
        // Where nobody listens there is nobody to be told.
        let _ = tell(json!({ "error": message }).to_string());
    }
}

/// Runs ourselves where 127.0.0.2 and so on are hosts.
fn open_hosts(command: &[String]) -> Result<ExitCode, String> {
    hdfs::may_make_hosts()?;
    let failed = |error| format!("cannot start ourselves: {error}");
    let program = std::env::current_exe().map_err(failed)?;
    let status =
        hdfs::on_hosts(&program).args(["hdfs", "hosts-inside"]).args(command).status().map_err(failed)?;
    Ok(exit_code(status.code()))
}

fn inside(command: &[String]) -> Result<ExitCode, String> {
    let hdfs = Hdfs::start(Options { hosts: true, ..Options::default() })?;
    eprintln!(
        "HDFS    Hadoop {} on {} hosts, which only this shell sees",
        hdfs.version()?,
        hdfs.options().datanodes
    );
    for index in 0..hdfs.options().datanodes {
        eprintln!("        --store {}/hama-data   as on the host {}", hdfs.url_on(index), hdfs.host(index));
    }
    eprintln!("        --store {}/hama-data   as on none of them", hdfs.url());
    eprintln!("web     http://{}", hdfs.web());
    eprintln!("        there is no other network; all of it goes when the shell ends");
    let mut command = shell(command);
    let status = command.status();
    let status =
        status.map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    Ok(exit_code(status.code()))
}

/// These words as a command; of none the user's shell.
pub(crate) fn shell(words: &[String]) -> Command {
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "sh".to_owned());
    let (program, rest) = words.split_first().map_or((&shell, &[][..]), |(program, rest)| (program, rest));
    let mut command = Command::new(program);
    command.args(rest);
    command
}

pub(crate) fn exit_code(code: Option<i32>) -> ExitCode {
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Verb, String> {
        Verb::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn verbs_are_read() {
        assert_eq!(parse("up"), Ok(Verb::Up));
        assert_eq!(parse("up --hosts"), Ok(Verb::Hosts(Vec::new())));
        let run = vec!["hama".to_owned(), "--version".to_owned()];
        assert_eq!(parse("up --hosts -- hama --version"), Ok(Verb::Hosts(run)));
        assert_eq!(parse("down"), Ok(Verb::Down));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in ["", "start", "up down", "up --hosts --", "up --hosts ls", "down --hosts", "status -- ls"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
