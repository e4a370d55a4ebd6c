//! `cargo xtask cluster`: a whole cluster to try Hama with.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use xtask::cluster::{Cluster, up};
use xtask::hdfs;

use crate::services::{exit_code, launch, set_up, shell, told};
use crate::steps::{Steps, cargo, root};

/// What `cargo xtask cluster` was asked for.
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
            [] => Err("cluster wants up, status or down".to_owned()),
            _ => Err(format!("cluster has no {}", words.join(" "))),
        }
    }
}

/// Does it.
pub(crate) fn run(steps: &mut Steps, verb: &Verb) -> Result<ExitCode, String> {
    match verb {
        Verb::Up => {
            set_up(steps)?;
            let state = match up::status()? {
                Some(state) => state,
                None => {
                    build(steps)?;
                    launch::<up::State>("cluster")?
                }
            };
            eprintln!("{state}\n\nend it     cargo xtask cluster down (all of it goes)");
        }
        Verb::Hosts(command) => {
            hdfs::may_make_hosts()?;
            set_up(steps)?;
            build(steps)?;
            let failed = |error| format!("cannot start ourselves: {error}");
            let program = std::env::current_exe().map_err(failed)?;
            let mut inside = hdfs::on_hosts(&program);
            let status = inside.args(["cluster", "hosts-inside"]).args(command).status().map_err(failed)?;
            return Ok(exit_code(status.code()));
        }
        Verb::Status => match up::status()? {
            Some(state) => eprintln!("{state}"),
            None => return Err("no cluster is up: cargo xtask cluster up".to_owned()),
        },
        Verb::Down if up::down()? => eprintln!("the cluster is down, and its files are removed"),
        Verb::Down => eprintln!("no cluster was up"),
        Verb::Hold => told(|tell| up::hold(&hama(), tell)),
        Verb::HostsInside(command) => return inside(command),
    }
    Ok(ExitCode::SUCCESS)
}

/// The command, optimised, and a program to submit.
fn build(steps: &mut Steps) -> Result<(), String> {
    steps.run("building hama", &mut cargo(["build", "--release", "--bin", "hama", "--example", "pi"]))
}

/// Where cargo has put it: beside us or our debugging build.
fn hama() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path));
    target.join("release/hama")
}

/// A cluster on hosts that are seen in here alone, and a shell beside it.
fn inside(command: &[String]) -> Result<ExitCode, String> {
    let cluster = Cluster::start(&hama(), true)?;
    let state = up::State::of(&cluster);
    eprintln!(
        "{state}\n\nThe three exports are set here. All of it goes when the shell ends; there is no other network."
    );
    let mut command: Command = shell(command);
    let status = command.envs(state.variables()).status();
    let status =
        status.map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    Ok(exit_code(status.code()))
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
        let run = vec!["hama".to_owned(), "groom".to_owned(), "list".to_owned()];
        assert_eq!(parse("up --hosts -- hama groom list"), Ok(Verb::Hosts(run)));
        assert_eq!(parse("status"), Ok(Verb::Status));
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
