//! What the peers of one groom say together at a barrier.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::barrier::{Count, Ending, Tally, Vote};
use crate::error::{Error, Result};
use crate::ids::{Host, PeerId};

/// What the peers of one groom say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// How they end the superstep.
    pub(crate) ending: Ending,
    /// One of them, to be named where others end it in another way.
    pub(crate) first: PeerId,
    /// Whether all would halt.
    pub(crate) halt: bool,
    /// How many messages they sent.
    pub(crate) messages: u64,
    /// How many they are.
    pub(crate) peers: u32,
}

/// One groom's part of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Participant {
    /// Where it is.
    pub(crate) host: Host,
    /// How many peers of the job it has.
    pub(crate) peers: u32,
}

/// Counts the votes of the peers that are on one groom, superstep by superstep.
#[derive(Debug)]
pub(crate) struct Gather {
    // With what each has said in this superstep.
    votes: BTreeMap<PeerId, Option<Vote>>,
    superstep: u64,
    count: Count,
}

impl Gather {
    /// Of these peers, from superstep 0 on.
    pub(crate) fn new(peers: impl IntoIterator<Item = PeerId>) -> Gather {
        let votes = peers.into_iter().map(|peer| (peer, None)).collect();
        Gather { votes, superstep: 0, count: Count::new(0) }
    }

    /// Adds a vote. Returns what all say where it was the last one.
    ///
    /// # Errors
    /// `Invalid` when peers end the superstep in different ways; `Data` for a peer that is not here or says it twice;
    /// `Internal` for another superstep.
    pub(crate) fn add(&mut self, peer: PeerId, superstep: u64, vote: Vote) -> Result<Option<Summary>> {
        let peers = self.votes.len();
        match self.votes.get_mut(&peer) {
            None => {
                return Err(Error::data(format!(
                    "peer {peer} is at the barrier of a groom that does not run it"
                )));
            }
            Some(Some(_)) if superstep == self.superstep => {
                return Err(Error::data(format!(
                    "peer {peer} is twice at the barrier of superstep {superstep}"
                )));
            }
            Some(said) => *said = Some(vote),
        }
        let Some(Tally { halt, messages }) = self.count.add(peers, peer, superstep, vote)? else {
            return Ok(None);
        };
        let first = self.votes.keys().next().copied().unwrap_or(peer);
        self.votes.values_mut().for_each(|said| *said = None);
        self.superstep += 1;
        self.count = Count::new(self.superstep);
        let peers = u32::try_from(peers).unwrap_or(u32::MAX);
        Ok(Some(Summary { ending: vote.ending, first, halt, messages, peers }))
    }
}

/// What all grooms say together, in the order of the participants.
///
/// # Errors
/// `Invalid` when they end the superstep in different ways, naming a peer of each side; `Internal` when one counted more or
/// fewer peers than it has.
pub(crate) fn tally(superstep: u64, participants: &[Participant], said: &[Summary]) -> Result<Tally> {
    let mut count = Count::new(superstep);
    let mut all = None;
    for (Participant { host, peers }, said) in participants.iter().zip(said) {
        if *peers != said.peers {
            return Err(Error::internal(format!(
                "the groom on {host} counted {} peers at the barrier of superstep {superstep}, it has {peers}",
                said.peers
            )));
        }
        let &Summary { ending, first, halt, messages, .. } = said;
        all = count.add(participants.len(), first, superstep, Vote { ending, halt, messages })?;
    }
    all.ok_or_else(|| {
        let (said, expected) = (said.len(), participants.len());
        Error::internal(format!("{said} of {expected} grooms are at the barrier of superstep {superstep}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn peer(index: u32) -> PeerId {
        PeerId::from_index(index)
    }

    fn vote(messages: u64) -> Vote {
        Vote { ending: Ending::Sync, halt: messages > 0, messages }
    }

    fn participants(counts: &[u32]) -> Vec<Participant> {
        let host = |index| Host::new(format!("dn{index}"));
        counts
            .iter()
            .enumerate()
            .map(|(index, peers)| Participant { host: host(index), peers: *peers })
            .collect()
    }

    fn summary(first: u32, peers: u32) -> Summary {
        Summary { ending: Ending::Sync, first: peer(first), halt: true, messages: 5, peers }
    }

    #[test]
    fn the_last_vote_brings_what_all_say_superstep_by_superstep() {
        let mut gather = Gather::new([7, 3, 5].map(peer));
        for superstep in 0..3 {
            assert_eq!(gather.add(peer(5), superstep, vote(1)).unwrap(), None);
            assert_eq!(gather.add(peer(3), superstep, vote(superstep)).unwrap(), None);
            let said = gather.add(peer(7), superstep, vote(4)).unwrap().unwrap();
            let expected = Summary { first: peer(3), halt: superstep > 0, ..summary(3, 3) };
            assert_eq!(said, Summary { messages: 5 + superstep, ..expected });
        }
    }

    #[test]
    fn who_does_not_belong_here_is_refused() {
        let mut gather = Gather::new([0, 1].map(peer));
        assert_eq!(gather.add(peer(2), 0, vote(0)).unwrap_err().kind(), ErrorKind::Data);
        assert_eq!(gather.add(peer(0), 1, vote(0)).unwrap_err().kind(), ErrorKind::Internal);
        let mut gather = Gather::new([0, 1].map(peer));
        gather.add(peer(0), 0, vote(0)).unwrap();
        assert_eq!(gather.add(peer(0), 0, vote(0)).unwrap_err().kind(), ErrorKind::Data);
        let other = Vote { ending: Ending::Return, ..vote(0) };
        let error = gather.add(peer(1), 0, other).unwrap_err();
        assert_eq!(error.to_string(), "peer 1 ended the superstep with its return, peer 0 with sync");
    }

    #[test]
    fn grooms_say_together_what_their_peers_say() {
        let said = [summary(0, 2), Summary { halt: false, ..summary(2, 1) }];
        assert_eq!(tally(9, &participants(&[2, 1]), &said).unwrap(), Tally { halt: false, messages: 10 });
        let most = Summary { messages: u64::MAX, ..summary(0, 2) };
        assert_eq!(tally(9, &participants(&[2, 1]), &[most, said[1]]).unwrap().messages, u64::MAX);
    }

    #[test]
    fn grooms_that_do_not_fit_are_named() {
        let both = participants(&[2, 1]);
        let other = Summary { ending: Ending::AllReduce, ..summary(2, 1) };
        let error = tally(9, &both, &[summary(0, 2), other]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.to_string(), "peer 2 ended the superstep with an all-reduce, peer 0 with sync");
        let error = tally(9, &both, &[summary(0, 2), summary(2, 3)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(
            error.message().contains("dn1 counted 3 peers") && error.message().contains("it has 1"),
            "{error}"
        );
        assert_eq!(tally(9, &both, &[summary(0, 2)]).unwrap_err().kind(), ErrorKind::Internal);
    }
}
