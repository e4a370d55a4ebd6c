//! Steps: commands run one after another, each with its name and its time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The steps done so far.
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    pub(crate) fn new() -> Steps {
        Steps { done: Vec::new() }
    }

    /// Runs `command` as the step `name`. What it prints goes where ours does.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) -> Result<(), String> {
        let status = self.time(name, || command.status());
        let status = status.map_err(|error| format!("{name}: cannot start {command:?}: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{name} failed ({status}): {}", line(command))) }
    }

    /// Does `work` as the step `name`.
    pub(crate) fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        eprintln!("== {name}");
        let start = Instant::now();
        let outcome = work();
        self.done.push((name.to_owned(), start.elapsed()));
        outcome
    }

    /// Says how long each step took.
    pub(crate) fn report(&self) {
        let total: Duration = self.done.iter().map(|(_, time)| time).sum();
        eprintln!();
        for (name, time) in &self.done {
            eprintln!("{:8.1} s  {name}", time.as_secs_f64());
        }
        eprintln!("{:8.1} s  in all", total.as_secs_f64());
    }
}

/// A command as a person would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map(Path::to_owned).unwrap_or(here)
}

/// The cargo that runs us, in the workspace's folder.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root()).args(arguments);
    command
}
