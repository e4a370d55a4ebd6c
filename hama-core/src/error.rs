//! The error that every crate of Hama returns: a coarse kind, a message, and where in a job it happened.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Host, PeerId};

/// An error of any type, as programs return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A result with Hama's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call is wrong: fix it.
    Invalid,
    /// What was asked for is not there.
    NotFound,
    /// What was to be made is there already.
    Exists,
    /// Somebody else changed it meanwhile: read again, try again.
    Conflict,
    /// A service or a device does not answer: try again later.
    Unavailable,
    /// The memory given does not suffice.
    OutOfMemory,
    /// The store is full or over its quota.
    OutOfSpace,
    /// Stored or received bytes are bad.
    Data,
    /// Somebody asked for the end of it.
    Cancelled,
    /// The user's program failed.
    Program,
    /// A peer went away: submit again.
    PeerLost,
    /// A defect of Hama: report it.
    Internal,
}

impl ErrorKind {
    /// The kind's name as it stands in machine-readable output, such as `not-found`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Invalid => "invalid",
            ErrorKind::NotFound => "not-found",
            ErrorKind::Exists => "exists",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::OutOfMemory => "out-of-memory",
            ErrorKind::OutOfSpace => "out-of-space",
            ErrorKind::Data => "data",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Program => "program",
            ErrorKind::PeerLost => "peer-lost",
            ErrorKind::Internal => "internal",
        }
    }

    /// All kinds.
    #[cfg(feature = "cluster")]
    pub(crate) const ALL: [ErrorKind; 12] = [
        ErrorKind::Invalid,
        ErrorKind::NotFound,
        ErrorKind::Exists,
        ErrorKind::Conflict,
        ErrorKind::Unavailable,
        ErrorKind::OutOfMemory,
        ErrorKind::OutOfSpace,
        ErrorKind::Data,
        ErrorKind::Cancelled,
        ErrorKind::Program,
        ErrorKind::PeerLost,
        ErrorKind::Internal,
    ];

    /// The kind with this name.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_name(name: &str) -> Option<ErrorKind> {
        ErrorKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of an operating system's error.
    pub fn of_io(error: &std::io::Error) -> ErrorKind {
        use std::io::ErrorKind as Io;
        match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::AlreadyExists => ErrorKind::Exists,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::OutOfSpace,
            Io::OutOfMemory => ErrorKind::OutOfMemory,
            Io::InvalidData | Io::UnexpectedEof => ErrorKind::Data,
            Io::InvalidInput
            | Io::InvalidFilename
            | Io::NotADirectory
            | Io::IsADirectory
            | Io::PermissionDenied
            | Io::ReadOnlyFilesystem => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        }
    }
}

/// What went wrong, where, and (by its kind) what to do about it.
///
/// The message is a lower-case fragment that says what was attempted, on which thing, with both numbers.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    at: Option<At>,
    source: Option<BoxError>,
}

/// Where in a job an error happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The host of the peer.
    pub host: Host,
    /// The peer.
    pub peer: PeerId,
    /// The superstep, counted from 0.
    pub superstep: u64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {} on {} in superstep {}", self.peer, self.host, self.superstep)
    }
}

impl Error {
    /// An error of `kind` with a `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), at: None, source: None }))
    }

    /// A call that is wrong.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// Bytes that are bad.
    pub fn data(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Data, message)
    }

    /// A defect of Hama.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Internal, message)
    }

    /// An operating system's error, met while `doing` something to some thing, such as
    /// `cannot read /data/a`.
    pub fn io(doing: impl Into<String>, error: std::io::Error) -> Error {
        Error::new(ErrorKind::of_io(&error), doing).with_source(error)
    }

    /// The same error with what caused it.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// The same error with where in a job it happened, unless it says so already.
    pub fn at(mut self, at: At) -> Error {
        self.0.at.get_or_insert(at);
        self
    }

    /// The same error with `more` said after its message.
    pub(crate) fn and(mut self, more: &str) -> Error {
        self.0.message.push_str(more);
        self
    }

    /// Another error that says the same, for the second of two who need it. Its causes are text only.
    pub(crate) fn twin(&self) -> Error {
        let message = self.with_causes();
        Error(Box::new(Inner { kind: self.0.kind, message, at: self.0.at.clone(), source: None }))
    }

    /// The message with all that caused it, without the place.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = self.0.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            // Hama's own error prints its causes itself.
            cause = if error.is::<Error>() { None } else { error.source() };
        }
        text
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in a job it happened, if it did in one.
    pub fn place(&self) -> Option<&At> {
        self.0.at.as_ref()
    }

    /// The message alone, without place and cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.0.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&self.with_causes())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_what_and_why() {
        let at = At { host: Host::local(), peer: PeerId::from_index(2), superstep: 7 };
        let io = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::io("cannot read a/manifest-1", io).at(at);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            "peer 2 on localhost in superstep 7: cannot read a/manifest-1: entity not found"
        );
    }

    #[test]
    fn a_twin_says_all_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("the outer cause")]
        struct Outer(#[source] std::io::Error);
        let inner = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::invalid("it failed").with_source(Outer(inner));
        assert_eq!(error.to_string(), "it failed: the outer cause: entity not found");
        assert_eq!(error.twin().to_string(), error.to_string());
        let wrapped = Error::data("it was read").with_source(error);
        assert_eq!(wrapped.twin().to_string(), wrapped.to_string());
    }

    #[test]
    fn the_first_place_stays() {
        let at = |index| At { host: Host::local(), peer: PeerId::from_index(index), superstep: 0 };
        let error = Error::invalid("no").at(at(1)).at(at(2));
        assert_eq!(error.place().unwrap().peer, PeerId::from_index(1));
    }
}
