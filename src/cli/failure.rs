//! How a command fails: with an error, an exit status that follows from its kind, and what to try next.

use hama::{Error, ErrorKind};
use serde::Serialize;

use super::interrupt;

/// An error, and what its reader may try.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Error,
    hint: Option<String>,
    is_reported: bool,
}

/// An error as a program reads it.
#[derive(Serialize)]
pub(crate) struct Description<'a> {
    kind: &'static str,
    message: String,
    at: Option<Place<'a>>,
    r#try: Option<&'a str>,
}

/// Where in a job an error happened.
#[derive(Serialize)]
struct Place<'a> {
    host: &'a str,
    peer: usize,
    superstep: u64,
}

impl Failure {
    /// The failure of a job that others wait for too: who killed it is said.
    pub(crate) fn of_job(error: Error) -> Failure {
        Failure { error, hint: None, is_reported: false }
    }

    /// The same with what to try.
    pub(crate) fn or_try(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// The same of a command that has given its answer, which says all of it.
    pub(crate) fn after_report(mut self) -> Failure {
        self.is_reported = true;
        self
    }

    /// Whether there is anything to say beside the exit status.
    pub(crate) fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// The error of a command line that cannot be read.
    pub(crate) fn of_usage(error: &clap::Error) -> Failure {
        let text = error.render().to_string();
        let message = text.split("\n\n").next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let message: Vec<&str> = message.split_whitespace().collect();
        // Such as "tip: a similar argument exists: '--output'".
        let tip = text.lines().find_map(|line| {
            let tip = line.trim().strip_prefix("tip: ")?;
            let near = || tip.split_once(" similar ")?.1.split_once(": '")?.1.strip_suffix('\'');
            tip.strip_prefix("try `").and_then(|line| line.strip_suffix('`')).or_else(near)
        });
        Failure::from(Error::invalid(message.join(" "))).or_try(tip.unwrap_or("--help"))
    }

    /// The exit status: 1 failed, 2 wrong use, 3 exists or conflict, 4 unreachable, 5 damaged or different,
    /// 130 interrupted.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.error.kind() {
            ErrorKind::Invalid => 2,
            ErrorKind::Exists | ErrorKind::Conflict => 3,
            ErrorKind::Unavailable => 4,
            ErrorKind::Data => 5,
            ErrorKind::Cancelled => 130,
            _ => 1,
        }
    }

    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("hama: {}\n  try: {hint}\n", self.error),
            None => format!("hama: {}\n", self.error),
        }
    }

    /// What a program reads.
    pub(crate) fn description(&self) -> Description<'_> {
        let at = self.error.place();
        Description {
            kind: self.error.kind().name(),
            message: self.error.to_string(),
            at: at.map(|at| Place { host: at.host.name(), peer: at.peer.index(), superstep: at.superstep }),
            r#try: self.hint.as_deref(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        // Whoever asked for the end knows which job that was, and by which number would help nobody.
        let error = match error.kind() {
            ErrorKind::Cancelled if interrupt::was_asked() => Error::new(ErrorKind::Cancelled, "cancelled"),
            _ => error,
        };
        Failure { error, hint: None, is_reported: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_follows_the_kind() {
        let code = |kind| Failure::from(Error::new(kind, "")).exit_code();
        let expected = [
            (ErrorKind::Invalid, 2),
            (ErrorKind::NotFound, 1),
            (ErrorKind::Exists, 3),
            (ErrorKind::Conflict, 3),
            (ErrorKind::Unavailable, 4),
            (ErrorKind::OutOfMemory, 1),
            (ErrorKind::OutOfSpace, 1),
            (ErrorKind::Data, 5),
            (ErrorKind::Cancelled, 130),
            (ErrorKind::Program, 1),
            (ErrorKind::PeerLost, 1),
            (ErrorKind::Internal, 1),
        ];
        for (kind, exit_code) in expected {
            assert_eq!(code(kind), exit_code, "{kind:?}");
        }
    }
}
