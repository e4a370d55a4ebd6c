//! What goes wrong on a connection between two peers.

use std::io;

use thiserror::Error;

use crate::error::{Error, ErrorKind};
use crate::ids::PeerId;
use crate::transport::framed::header::Malformed;
use crate::transport::framed::protocol::Violation;

/// Why a connection cannot go on.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("it left before it had everything")]
    Left,
    #[error("{0}")]
    Memory(Error),
}

impl Fault {
    /// The error of the peer `me` on its connection to `other`.
    pub(crate) fn between(self, me: PeerId, other: PeerId) -> Error {
        let kind = match &self {
            Fault::Violation(Violation::Unanswered { .. }) => ErrorKind::PeerLost,
            Fault::Malformed(_) | Fault::Violation(_) => ErrorKind::Data,
            Fault::Io(_) | Fault::Closed | Fault::Left => ErrorKind::PeerLost,
            Fault::Memory(error) => error.kind(),
        };
        let message = match kind {
            ErrorKind::PeerLost => format!("peer {me} lost peer {other}"),
            _ => format!("peer {me} cannot receive from peer {other}"),
        };
        Error::new(kind, message).with_source(self)
    }
}
