//! Standard output and standard error: what a command answers, for people or as one JSON document.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use hama::Error;
use serde::Serialize;

use super::failure::{Description, Failure};

/// The version of what `--json` prints. It rises when a field goes or changes its meaning.
const SCHEMA: u32 = 1;

/// What a command answers with: for people by its `Display`, for programs by its fields.
pub(crate) trait Report: Serialize + Display {}

impl<T: Serialize + Display> Report for T {}

/// The answer of one command.
pub(crate) struct Output {
    command: Option<&'static str>,
    json: bool,
    closed: bool,
}

#[derive(Serialize)]
struct Document<'a, R> {
    schema: u32,
    command: Option<&'static str>,
    #[serde(flatten)]
    report: &'a R,
}

#[derive(Serialize)]
struct ErrorReport<'a> {
    error: Description<'a>,
    exit_code: u8,
}

impl Output {
    pub(crate) fn new(command: &'static str, json: bool) -> Output {
        Output { command: Some(command), json, closed: false }
    }

    /// The answer, in JSON, to a command line that cannot be read.
    pub(crate) fn of_no_command() -> Output {
        Output { command: None, json: true, closed: false }
    }

    /// What people are told on the way. The JSON document holds it at its end.
    pub(crate) fn tell(&mut self, text: impl Display) -> Result<(), Failure> {
        if self.json { Ok(()) } else { self.write(&text.to_string()) }
    }

    /// The answer.
    pub(crate) fn report(&mut self, report: &impl Report) -> Result<(), Failure> {
        if self.json { self.document(report) } else { self.write(&report.to_string()) }
    }

    fn document(&mut self, report: &impl Serialize) -> Result<(), Failure> {
        let document = Document { schema: SCHEMA, command: self.command, report };
        let text = serde_json::to_string(&document)
            .map_err(|error| Error::internal("cannot write the answer as JSON").with_source(error))?;
        self.write(&format!("{text}\n"))
    }

    /// Tells how the command ended, and gives its exit status.
    pub(crate) fn end(mut self, outcome: Result<(), Failure>) -> ExitCode {
        let Err(failure) = outcome else { return ExitCode::SUCCESS };
        let exit_code = failure.exit_code();
        if failure.is_reported() {
            return ExitCode::from(exit_code);
        }
        if self.json {
            // Where that cannot be written either, the exit status is what is left.
            drop(self.document(&ErrorReport { error: failure.description(), exit_code }));
        } else {
            warn(&failure.text());
        }
        ExitCode::from(exit_code)
    }

    /// Writes to standard output. A reader that has gone away (`hama matrix list | head -1`) wants no more, which is no
    /// error.
    fn write(&mut self, text: &str) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Error::io("cannot write to standard output", error).into()),
        }
    }
}

/// Writes to standard error, where that is possible.
pub(crate) fn warn(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

/// Answers a command line that asks for help or cannot be read.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(lost) if lost.kind() != ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ if error.use_stderr() => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}
