//! A Python that stays open while a page is followed, as a notebook does.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::command::Place;

/// Reads `[source, kind]` a line and answers `[what it printed, whether it worked]`. What programs that it starts print
/// goes to standard error, so that it does not mix with the answers.
const SERVE: &str = r#"
import contextlib, io, json, os, sys, traceback
asked, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)
names = {"__name__": "__main__"}
for line in asked:
    source, kind = json.loads(line)
    said, worked = io.StringIO(), True
    with contextlib.redirect_stdout(said):
        try:
            exec(compile(source, "page", kind), names)
        except Exception:
            worked = False
            said.write(traceback.format_exc())
    print(json.dumps([said.getvalue(), worked]), file=answers, flush=True)
"#;

pub(crate) struct Notebook {
    python: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Notebook {
    pub(crate) fn open(python: &Path, place: &Place, path: &str) -> Notebook {
        let mut python = Command::new(python);
        for (name, value) in place.command("").get_envs() {
            python.env(name, value.unwrap_or_default());
        }
        let mut python = python
            .current_dir(place.path())
            .env("PATH", path)
            .args(["-W", "error::UserWarning", "-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (asked, answers) = (python.stdin.take().unwrap(), BufReader::new(python.stdout.take().unwrap()));
        Notebook { python, asked, answers }
    }

    /// Runs a program, or one statement whose value is printed: what it prints, and whether it went well.
    pub(crate) fn run(&mut self, source: &str, at_the_prompt: bool) -> (String, bool) {
        let kind = if at_the_prompt { "single" } else { "exec" };
        writeln!(self.asked, "{}", serde_json::json!([source, kind])).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{source}: {error}: {answer:?}"))
    }
}

impl Drop for Notebook {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}
