//! An error as it travels: its kind by name, all that it says, and where it happened.

use serde::{Deserialize, Serialize};

use crate::cluster::model::bounds::{self, MESSAGE_BYTES_MAX};
use crate::cluster::model::ids::validate_host;
use crate::error::{At, Error, ErrorKind, Result};
use crate::ids::{Host, PeerId};

/// An [`Error`] as data. Its causes are part of its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireError {
    /// As [`ErrorKind::name`] says it.
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) at: Option<WireAt>,
}

/// An [`At`] as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireAt {
    pub(crate) host: Host,
    pub(crate) peer: PeerId,
    pub(crate) superstep: u64,
}

impl WireError {
    /// The same error with where it happened, unless it says so already.
    pub(crate) fn at(mut self, at: WireAt) -> WireError {
        self.at.get_or_insert(at);
        self
    }

    /// What to do about it. A name that a later version made up stands for a defect.
    pub(crate) fn kind(&self) -> ErrorKind {
        ErrorKind::of_name(&self.kind).unwrap_or(ErrorKind::Internal)
    }

    /// Whether it is short enough and names a host.
    pub(crate) fn validate(&self) -> Result<()> {
        bounds::text("the kind of an error", &self.kind, bounds::NAME_BYTES_MAX)?;
        bounds::at_most("the message of an error", self.message.len(), MESSAGE_BYTES_MAX)?;
        self.at.as_ref().map_or(Ok(()), |at| validate_host(&at.host))
    }
}

impl From<&Error> for WireError {
    fn from(error: &Error) -> WireError {
        let mut message = error.with_causes();
        if message.len() > MESSAGE_BYTES_MAX {
            let end = (0..=MESSAGE_BYTES_MAX - 4).rev().find(|end| message.is_char_boundary(*end));
            message.truncate(end.unwrap_or_default());
            message.push_str(" ...");
        }
        let at =
            error.place().map(|at| WireAt { host: at.host.clone(), peer: at.peer, superstep: at.superstep });
        WireError { kind: error.kind().name().to_owned(), message, at }
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Error {
        let made = match ErrorKind::of_name(&error.kind) {
            Some(kind) => Error::new(kind, error.message),
            None => Error::internal(format!("{} (of the unknown kind {:?})", error.message, error.kind)),
        };
        match error.at {
            Some(WireAt { host, peer, superstep }) => made.at(At { host, peer, superstep }),
            None => made,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_with_kind_causes_and_place() {
        let at = At { host: Host::new("dn1"), peer: PeerId::from_index(3), superstep: 9 };
        let io = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = Error::io("cannot write a", io).at(at.clone());
        let wire = WireError::from(&error);
        assert!(wire.validate().is_ok());
        let back = Error::from(wire);
        assert_eq!(back.kind(), ErrorKind::OutOfSpace);
        assert_eq!(back.place(), Some(&at));
        assert_eq!(back.to_string(), error.to_string());
    }

    #[test]
    fn every_kind_has_a_name_that_is_read() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::of_name(kind.name()), Some(kind));
        }
        let odd = WireError { kind: "out-of-luck".to_owned(), message: "it rained".to_owned(), at: None };
        assert_eq!(odd.kind(), ErrorKind::Internal);
        assert_eq!(Error::from(odd).to_string(), "it rained (of the unknown kind \"out-of-luck\")");
    }

    #[test]
    fn messages_are_cut_between_letters() {
        let wire = WireError::from(&Error::data("\u{f6}".repeat(MESSAGE_BYTES_MAX)));
        assert!(wire.validate().is_ok(), "{}", wire.message.len());
        assert!(wire.message.ends_with("\u{f6} ..."));
        let long = WireError { message: "x".repeat(MESSAGE_BYTES_MAX + 1), ..wire.clone() };
        assert!(long.validate().is_err());
        let nowhere = WireAt { host: Host::new("a b"), peer: PeerId::from_index(0), superstep: 0 };
        assert!(wire.at(nowhere).validate().is_err());
    }
}
