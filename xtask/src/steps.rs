//! Steps: commands run one after another, each with its name and its time.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) use xtask::root;

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

/// What `command` prints. Where it fails, the error ends with the last lines of what it complained of.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{} ended with {}{}", line(command), output.status, tail(&output.stderr)))
}

/// The last lines of what a program complained of, to be put behind an error; nothing of nothing.
pub(crate) fn tail(stderr: &[u8]) -> String {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    if last.is_empty() { String::new() } else { format!(":\n    {}", last.join("\n    ")) }
}

/// A command as a person would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The cargo that runs us, in the workspace's folder.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root()).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, String> {
        output(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn an_error_says_what_the_program_complained_of() {
        assert_eq!(shell("echo one").unwrap(), "one\n");
        let error = shell("echo asked for too much >&2; exit 3").unwrap_err();
        assert!(error.contains("exit status: 3:\n    asked for too much"), "{error}");
        assert!(shell("exit 3").unwrap_err().ends_with("exit status: 3"));
        assert!(output(&mut Command::new("/nowhere/at/all")).unwrap_err().contains("cannot start"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let error =
            shell("i=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo line $i >&2; done; exit 1").unwrap_err();
        assert!(
            error.ends_with("line 50") && error.contains("line 31\n") && !error.contains("line 30\n"),
            "{error}"
        );
    }
}
