//! `hama matrix remove`: matrices that go.

use std::fmt;

use hama::table::{self, TableName};
use hama::{Error, ErrorKind};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::session::{Access, Session, not_a_file};

/// Remove matrices, without asking
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hama matrix remove demo-a demo-b demo-c")]
pub(crate) struct Remove {
    /// The matrices
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Serialize)]
struct RemoveReport {
    removed: Vec<String>,
}

impl Remove {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        self.names.iter().try_for_each(|name| not_a_file(name))?;
        let session = Session::open(global, Access::Existing)?;
        let mut names: Vec<TableName> = Vec::new();
        for name in &self.names {
            let name = TableName::new(name)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let there = table::list(&**session.hama.store())?;
        let (there, missing): (Vec<_>, Vec<_>) = names.iter().partition(|name| there.contains(name));
        let mut removed: Vec<String> = Vec::new();
        // Before anything goes: a name may be wrong, or that of a matrix whose first writing was killed.
        for name in missing {
            table::remove(&**session.hama.store(), name)
                .map_err(|error| gone(&session, name, after(&removed, error)))?;
            tracing::info!(table = %name, "removed what an unfinished writing left");
            removed.push(name.to_string());
        }
        for name in there {
            table::remove(&**session.hama.store(), name)
                .map_err(|error| session.unknown(name.as_str(), after(&removed, error)))?;
            tracing::info!(table = %name, "removed");
            removed.push(name.to_string());
        }
        output.report(&RemoveReport { removed })
    }
}

/// The failure of a name that means nothing.
fn gone(session: &Session<'_>, name: &TableName, error: Error) -> Failure {
    let error = match error.kind() {
        ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("cannot remove {name}: there is no such matrix"))
        }
        _ => error,
    };
    session.unknown(name.as_str(), error)
}

/// The error of a removal, with what went before it.
fn after(removed: &[String], error: Error) -> Error {
    if removed.is_empty() {
        return error;
    }
    Error::new(error.kind(), format!("{error}; removed before: {}", removed.join(", ")))
}

impl fmt::Display for RemoveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.removed.iter().try_for_each(|name| writeln!(f, "removed {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_went_before() {
        let error = || Error::new(ErrorKind::Unavailable, "cannot remove c");
        assert_eq!(after(&[], error()).message(), "cannot remove c");
        let later = after(&["a".into(), "b".into()], error());
        assert_eq!(
            (later.kind(), later.message()),
            (ErrorKind::Unavailable, "cannot remove c; removed before: a, b")
        );
    }
}
