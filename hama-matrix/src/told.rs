//! An error that a peer has found out and tells the client, where it does not end the job.

use hama_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The kind of an error, and its message with all causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    kind: ErrorKind,
    message: String,
}

impl From<Error> for Told {
    fn from(error: Error) -> Told {
        Told { kind: error.kind(), message: error.to_string() }
    }
}

impl From<Told> for Error {
    fn from(Told { kind, message }: Told) -> Error {
        Error::new(kind, message)
    }
}
