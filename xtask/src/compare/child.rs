//! A candidate that lives on: a process that answers every line of its input with one run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The process. It ends when this is dropped.
pub(crate) struct Process {
    /// What it says that it is.
    pub(crate) about: String,
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command` and waits until it is ready.
    pub(crate) fn start(mut command: Command) -> Result<Process, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let questions = process.stdin.take().ok_or("a child without standard input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("a child without standard output")?);
        let mut process = Process { about: String::new(), process, questions, answers };
        let about = process.answer()?;
        process.about = about["about"].as_str().unwrap_or_default().to_owned();
        Ok(process)
    }

    /// One run.
    pub(crate) fn run(&mut self) -> Result<Value, String> {
        // Where it has ended, the answer says so.
        let _ = self.questions.write_all(b"run\n").and_then(|()| self.questions.flush());
        self.answer()
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        let count = self.answers.read_line(&mut line).map_err(|error| format!("cannot hear it: {error}"))?;
        if count == 0 {
            let status = self.process.wait().map_err(|error| format!("cannot wait for it: {error}"))?;
            return Err(format!("it ended ({status}) instead of answering"));
        }
        serde_json::from_str(&line).map_err(|error| format!("it answered {line:?}: {error}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Process, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command)
    }

    #[test]
    fn every_line_is_one_run() {
        let script =
            r#"echo '{"about": "a shell"}'; for i in 1 2; do read x; echo "{\"seconds\": $i}"; done"#;
        let mut process = shell(script).unwrap();
        assert_eq!(process.about, "a shell");
        assert_eq!(process.run().unwrap()["seconds"], 1);
        assert_eq!(process.run().unwrap()["seconds"], 2);
        assert!(process.run().unwrap_err().contains("ended (exit status: 0)"));
    }

    #[test]
    fn what_does_not_start_or_answer_is_an_error() {
        assert!(Process::start(Command::new("/nowhere/at/all")).is_err());
        assert!(shell("exit 3").err().unwrap().contains("exit status: 3"));
        assert!(shell("echo ready").err().unwrap().contains("ready"));
    }
}
