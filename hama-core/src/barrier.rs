//! The seam where all peers meet at the end of a superstep, and what they agree on there.

#[cfg(any(test, all(feature = "cluster", feature = "testing")))]
pub(crate) mod conformance;
#[cfg(feature = "cluster")]
pub(crate) mod groom;
pub(crate) mod threads;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::PeerId;

/// Where all peers of a job meet, in two phases: a peer arrives when it has sent all that it sends in the superstep,
/// and may go on computing until it waits for the others.
pub(crate) trait Barrier: Send + Sync {
    /// Casts a peer's vote for a superstep. It does not wait for other peers.
    ///
    /// # Errors
    /// `Invalid` when peers end the superstep in different ways; `Cancelled` when the job has ended.
    fn arrive(&self, peer: PeerId, superstep: u64, vote: Vote) -> Result<()>;

    /// Waits until all peers have arrived at the end of this superstep. To be called once by each of them, after it
    /// has arrived and before it arrives at the next. Meanwhile it calls `help` until that finds nothing to do, and
    /// again after each [`wake`](Barrier::wake).
    ///
    /// # Errors
    /// `Cancelled` when the job ends before all are there.
    fn wait(&self, superstep: u64, help: &dyn Fn() -> bool) -> Result<Tally>;

    /// Tells those who wait that there is something to do.
    fn wake(&self);
}

/// What one peer says at the barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vote {
    /// How it ends the superstep. All must say the same.
    pub(crate) ending: Ending,
    /// Whether it would halt.
    pub(crate) halt: bool,
    /// How many messages it sent.
    pub(crate) messages: u64,
}

/// What all said together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Whether all would halt.
    pub(crate) halt: bool,
    /// How many messages were sent.
    pub(crate) messages: u64,
}

/// How a peer ends a superstep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Sync,
    Broadcast { root: PeerId },
    Gather { root: PeerId },
    Reduce { root: PeerId },
    AllReduce,
    Return,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Sync => write!(f, "sync"),
            Ending::Broadcast { root } => write!(f, "a broadcast from peer {root}"),
            Ending::Gather { root } => write!(f, "a gather to peer {root}"),
            Ending::Reduce { root } => write!(f, "a reduce to peer {root}"),
            Ending::AllReduce => write!(f, "an all-reduce"),
            Ending::Return => write!(f, "its return"),
        }
    }
}

/// Counts the votes of one superstep.
#[derive(Debug)]
pub(crate) struct Count {
    superstep: u64,
    arrived: usize,
    first: Option<(PeerId, Ending)>,
    tally: Tally,
}

impl Count {
    pub(crate) fn new(superstep: u64) -> Count {
        Count { superstep, arrived: 0, first: None, tally: Tally { halt: true, messages: 0 } }
    }

    /// Adds a vote. Returns the tally where it was the last of `count`.
    pub(crate) fn add(
        &mut self,
        count: usize,
        peer: PeerId,
        superstep: u64,
        vote: Vote,
    ) -> Result<Option<Tally>> {
        if superstep != self.superstep {
            let expected = self.superstep;
            return Err(Error::internal(format!(
                "peer {peer} is at the barrier of superstep {superstep}, the others at that of {expected}"
            )));
        }
        let &mut (first, ending) = self.first.get_or_insert((peer, vote.ending));
        if ending != vote.ending {
            return Err(Error::invalid(format!(
                "peer {peer} ended the superstep with {}, peer {first} with {ending}",
                vote.ending
            )));
        }
        self.arrived += 1;
        self.tally.halt &= vote.halt;
        self.tally.messages = self.tally.messages.saturating_add(vote.messages);
        Ok((self.arrived == count).then_some(self.tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn vote(ending: Ending) -> Vote {
        Vote { ending, halt: true, messages: 2 }
    }

    #[test]
    fn the_last_vote_brings_the_tally() {
        let mut count = Count::new(5);
        let peers: Vec<_> = (0..3).map(PeerId::from_index).collect();
        assert_eq!(count.add(3, peers[2], 5, vote(Ending::Sync)).unwrap(), None);
        assert_eq!(count.add(3, peers[0], 5, Vote { halt: false, ..vote(Ending::Sync) }).unwrap(), None);
        let tally = count.add(3, peers[1], 5, vote(Ending::Sync)).unwrap().unwrap();
        assert_eq!(tally, Tally { halt: false, messages: 6 });
    }

    #[test]
    fn different_endings_are_an_error_that_names_both() {
        let root = PeerId::from_index(0);
        let endings = [
            Ending::Sync,
            Ending::Broadcast { root },
            Ending::Broadcast { root: PeerId::from_index(1) },
            Ending::Gather { root },
            Ending::Reduce { root },
            Ending::AllReduce,
            Ending::Return,
        ];
        for (i, one) in endings.into_iter().enumerate() {
            for (j, other) in endings.into_iter().enumerate() {
                let mut count = Count::new(0);
                count.add(2, PeerId::from_index(0), 0, vote(one)).unwrap();
                let result = count.add(2, PeerId::from_index(1), 0, vote(other));
                assert_eq!(result.is_ok(), i == j);
                if let Err(error) = result {
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    let says = format!("peer 1 ended the superstep with {other}, peer 0 with {one}");
                    assert_eq!(error.to_string(), says);
                }
            }
        }
    }

    #[test]
    fn a_vote_for_another_superstep_is_refused() {
        let error = Count::new(3).add(2, PeerId::from_index(0), 4, vote(Ending::Sync)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
