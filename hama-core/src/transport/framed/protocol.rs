//! The protocol between two peers, pure: what is sent, kept, sent again, accepted and refused.
//!
//! The frames of a route that carry something have consecutive sequence numbers. The sender keeps each until
//! the receiver says that it and all before it have arrived; the receiver accepts them in any order, each once,
//! and asks for a repetition where one is missing or damaged. Where acknowledgement or request is lost too, the
//! sender repeats by itself when nothing was heard for a while.

pub(crate) mod receiver;
pub(crate) mod sender;

#[cfg(any(test, feature = "testing"))]
pub(crate) mod simulation;

use thiserror::Error;

use crate::ids::PeerId;

/// A frame that does not get through when it is sent again this many times never will.
pub(crate) const REPETITIONS_MAX: u32 = 16;

/// What a peer that keeps to the protocol never does. The connection is of no use after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Violation {
    #[error("peer {from} sent frame {sequence} of superstep {superstep} in superstep {current}")]
    Superstep { from: PeerId, sequence: u64, superstep: u64, current: u64 },
    #[error("peer {from} acknowledged {acknowledged} frames, {sent} were sent")]
    Acknowledged { from: PeerId, acknowledged: u64, sent: u64 },
    #[error("peer {from} sent frame {sequence} of superstep {superstep} out of the order of supersteps")]
    Order { from: PeerId, sequence: u64, superstep: u64 },
    #[error("frame {sequence} of superstep {superstep} from peer {from} was damaged {times} times")]
    Damaged { from: PeerId, sequence: u64, superstep: u64, times: u32 },
    #[error("peer {to} did not acknowledge frame {sequence} of superstep {superstep}, sent {times} times")]
    Unanswered { to: PeerId, sequence: u64, superstep: u64, times: u32 },
}
