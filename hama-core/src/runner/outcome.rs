//! What a job leaves.

use std::collections::BTreeMap;

use crate::metrics::SuperstepRecord;

/// What a job that ended well leaves.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// What each peer returned, by index.
    pub outputs: Vec<T>,
    /// The counters of all peers, summed by name.
    pub counters: BTreeMap<String, u64>,
    /// How many supersteps ended at the barrier: the calls of sync and of collectives.
    pub supersteps: u64,
    /// What each superstep cost each peer, ordered by superstep, then by peer. After 65,536 supersteps a peer
    /// adds the further ones to its last record.
    pub records: Vec<SuperstepRecord>,
}

/// What one peer leaves.
#[derive(Debug)]
pub(crate) struct PeerOutcome<T, N = &'static str> {
    pub(crate) output: T,
    pub(crate) counters: BTreeMap<N, u64>,
    pub(crate) supersteps: u64,
    pub(crate) records: Vec<SuperstepRecord>,
}

impl<T> Outcome<T> {
    /// Puts together what the peers left, given by index.
    pub(crate) fn of<N: Into<String>>(peers: impl IntoIterator<Item = PeerOutcome<T, N>>) -> Outcome<T> {
        let mut outcome =
            Outcome { outputs: Vec::new(), counters: BTreeMap::new(), supersteps: 0, records: Vec::new() };
        for peer in peers {
            outcome.outputs.push(peer.output);
            for (name, n) in peer.counters {
                *outcome.counters.entry(name.into()).or_default() += n;
            }
            outcome.supersteps = outcome.supersteps.max(peer.supersteps);
            outcome.records.extend(peer.records);
        }
        outcome.records.sort_by_key(|record| (record.superstep, record.peer));
        outcome
    }
}
