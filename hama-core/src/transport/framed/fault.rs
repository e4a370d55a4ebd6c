//! What goes wrong on a connection between two peers.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::error::{Error, ErrorKind};
use crate::ids::PeerId;
use crate::transport::framed::header::Malformed;
use crate::transport::framed::protocol::Violation;
use crate::transport::framed::wire::Wire;

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
    #[error("it took nothing and said nothing for {:.1} s, with frames on their way to it", .0.as_secs_f64())]
    Silent(Duration),
    #[error("{0}")]
    Memory(Error),
}

impl Fault {
    /// The error of the peer `me` on a connection to another.
    pub(crate) fn on(self, me: PeerId, wire: &Wire) -> Error {
        let other = wire.name();
        let kind = match &self {
            Fault::Violation(Violation::Unanswered { .. }) => ErrorKind::PeerLost,
            Fault::Malformed(_) | Fault::Violation(_) => ErrorKind::Data,
            Fault::Io(_) | Fault::Closed | Fault::Left | Fault::Silent(_) => ErrorKind::PeerLost,
            Fault::Memory(error) => error.kind(),
        };
        let message = match kind {
            ErrorKind::PeerLost => format!("peer {me} lost {other}"),
            _ => format!("peer {me} cannot receive from {other}"),
        };
        Error::new(kind, message).with_source(self)
    }
}
