//! Placement: which host computes which bricks of a product, or owns which blocks of a copy, by the bytes that it holds.
//!
//! All of it is a pure function of a plan and of where shards lie. A tile is read by one of the peers that need it, on a
//! host that holds it where there is one, and passed on to the others; a byte costs nothing within a host, 1 within a
//! rack and 2 beyond it, as HDFS counts distances.

mod blocks;
mod explain;
mod faces;
mod node;
mod payoff;
mod search;
mod sites;
mod traffic;

use hama_core::{Host, Result};
use hama_hdfs::ShardLocation;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Sharing};

pub use blocks::{Advice, Owners};
pub(crate) use blocks::{Copyable, advice, owners};
pub(crate) use faces::{Lying, Operands};
pub use node::Node;
pub(crate) use node::Nodes;
pub use payoff::Payoff;
pub(crate) use sites::Sites;

/// Which host computes which bricks of a plan, and what that moves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Placement {
    /// The hosts that compute, by name, and then those that only hold what is read.
    pub hosts: Vec<HostShare>,
    /// Bytes that all hosts read from the store.
    pub reads: Reads,
    /// The same where peers are put on the hosts in their order, without looking at what these hold.
    pub reads_unplaced: Reads,
    /// Bytes that all peers send each other.
    pub passed: Passed,
    /// h: the most bytes that a host sends or receives, reads from other hosts' DataNodes included.
    pub busiest_bytes: u64,
}

/// Bytes of tiles that peers send each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// From one host to another.
    pub between_hosts_bytes: u64,
    /// Between peers of one host.
    pub within_hosts_bytes: u64,
}

impl Placement {
    /// The number of the host of each peer, among [`hosts`](Placement::hosts).
    fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.hosts.iter().map(|share| share.peers.len()).sum()];
        for (number, HostShare { peers, .. }) in self.hosts.iter().enumerate() {
            for &peer in peers {
                if let Some(place) = places.get_mut(peer as usize) {
                    *place = number;
                }
            }
        }
        places
    }

    /// The host of each peer, by its number.
    pub(crate) fn hosts_of_peers(&self) -> Vec<Option<Host>> {
        let host = |place: usize| self.hosts.get(place).map(|share| share.host.clone());
        self.places().into_iter().map(host).collect()
    }
}

/// What a host computes and moves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostShare {
    /// The host.
    pub host: Host,
    /// The rack it stands in, where that is known.
    pub rack: Option<String>,
    /// The peers there, each of which computes the brick of its number.
    pub peers: Vec<u64>,
    /// Bytes that they read from the store.
    pub reads: Reads,
    /// Bytes that go from here to other hosts.
    pub sent_bytes: u64,
    /// Bytes that come here from other hosts, and from nobody knows where.
    pub received_bytes: u64,
}

/// Bytes that are read from the store, by where they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reads {
    /// On the host that reads them.
    pub local_bytes: u64,
    /// On another one of its rack; `None` where no racks are known.
    pub rack_bytes: Option<u64>,
    /// On others.
    pub remote_bytes: u64,
    /// Nobody knows where.
    pub unknown_bytes: u64,
}

impl Reads {
    /// All of them.
    pub fn bytes(&self) -> u64 {
        [self.local_bytes, self.rack_bytes.unwrap_or(0), self.remote_bytes, self.unknown_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// A plan for several hosts: which of them computes what, and what a copy with another placement would save.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostPlan {
    /// What is computed in which order, by all peers of all hosts.
    pub plan: Plan,
    /// Where.
    pub placement: Placement,
    /// What it costs that there are more peers than slots, where they are.
    pub sharing: Option<Sharing>,
    /// The placed copies that would make more of the operands local.
    pub advice: Vec<Advice>,
}

/// Places the bricks of a plan.
pub(crate) fn place_bricks(plan: &Plan, nodes: &Nodes, operands: &Operands) -> Placement {
    let work = faces::work(plan, nodes, operands);
    let places = search::place(&work);
    let (traffic, unplaced) = (work.traffic(&places), work.traffic(&work.spread()));
    let racks = nodes.have_racks();
    let share = |(index, node): (usize, &Node)| HostShare {
        host: node.host.clone(),
        rack: node.rack.clone(),
        peers: places.iter().zip(0..).filter(|(place, _)| **place == index).map(|(_, peer)| peer).collect(),
        reads: traffic.reads(index, racks),
        sent_bytes: traffic.sent(index),
        received_bytes: traffic.received(index),
    };
    Placement {
        hosts: nodes.all().iter().enumerate().map(share).collect(),
        reads: traffic.all_reads(racks),
        reads_unplaced: unplaced.all_reads(racks),
        passed: work.passed(&places),
        busiest_bytes: traffic.busiest(),
    }
}

/// The hosts that compute and those that hold shards.
///
/// # Errors
/// `Invalid` where none computes, or one is named twice.
pub(crate) fn nodes(computing: &[Node], locations: &[&[ShardLocation]]) -> Result<Nodes> {
    Nodes::new(computing, locations.iter().flat_map(|of_table| of_table.iter()))
}

#[cfg(test)]
mod tests;
