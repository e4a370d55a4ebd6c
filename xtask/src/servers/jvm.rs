//! One server: a Java virtual machine of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::keeper::Keeper;
use super::services::Services;

/// Small, and quick to start rather than to run.
pub(crate) const FLAGS: [&str; 5] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    // Else a file below the system's folder of temporary ones, which a killed server leaves there.
    "-XX:-UsePerfData",
    "-Djava.net.preferIPv4Stack=true",
    "-Dfile.encoding=UTF-8",
];

/// The program that runs the servers.
pub(crate) fn java() -> PathBuf {
    match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

/// Runs `class` with the settings of the folder `home`, in at most so much heap.
pub(crate) fn command(services: &Services, home: &Path, heap_mib: u32, class: &str) -> Command {
    let mut command = java_alone();
    command.args(FLAGS).arg(format!("-Xmx{heap_mib}m")).arg(&services.classes);
    in_home(command, services, home, class)
}

/// Runs `class` as Hadoop's own scripts do, which leave heap and compiler to Java.
pub(crate) fn plain(services: &Services, home: &Path, class: &str) -> Command {
    let mut command = java_alone();
    command.args(["-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"]);
    in_home(command, services, home, class)
}

fn java_alone() -> Command {
    let mut command = Command::new(java());
    // A cluster of the person at this machine is not for us.
    for (name, _) in std::env::vars_os() {
        if ["HADOOP_", "HDFS_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

fn in_home(mut command: Command, services: &Services, home: &Path, class: &str) -> Command {
    command.current_dir(home);
    command.arg(format!("-Djava.io.tmpdir={}", home.join("tmp").display()));
    command.arg("-cp").arg(services.class_path(&home.join("conf"))).arg(class);
    command
}

/// A server that was started.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Server {
    /// Starts it. What it says is added to the file `log`.
    pub(crate) fn start(
        keeper: &Keeper,
        name: &str,
        log: &Path,
        command: &mut Command,
    ) -> Result<Server, String> {
        let failed = |error| format!("cannot open {}: {error}", log.display());
        let file = fs::OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
        command.stderr(Stdio::from(file.try_clone().map_err(failed)?)).stdout(Stdio::from(file));
        let child = keeper.spawn(command)?;
        Ok(Server { name: name.to_owned(), log: log.to_owned(), child })
    }

    /// Fails where it has ended, with the last of what it said.
    pub(crate) fn is_alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} has ended ({status}){}", self.name, self.tail())),
            Err(error) => Err(format!("cannot ask for {}: {error}", self.name)),
        }
    }

    /// The last lines of its log, to be put behind an error.
    pub(crate) fn tail(&self) -> String {
        const LINES: usize = 8;
        let said = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        // Of a stack trace its beginning is enough.
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("\tat ")).collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        if last.is_empty() { String::new() } else { format!(":\n    {}", last.join("\n    ")) }
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), String> {
        let sent = kill_process(Pid::from_child(&self.child), signal);
        sent.map_err(|error| format!("cannot send {signal:?} to {}: {error}", self.name))
    }

    /// kill -9, and waits for its end.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        // Fails where it has ended already.
        let _ = self.child.kill();
        self.child.wait().map(drop).map_err(|error| format!("cannot wait for {}: {error}", self.name))
    }
}

/// What a Java program prints, when it goes well.
pub(crate) fn run(
    mut command: Command,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String, String> {
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start {}: {error}", java().display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let shown = arguments[arguments.len().saturating_sub(4)..].join(" ");
    Err(format!("{shown}: {}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
