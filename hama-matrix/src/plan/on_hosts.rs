//! The planner for several hosts, of which each holds some of what is read.

use std::fmt;

use hama_core::{Error, ErrorKind, Result};
use serde::Serialize;

use super::search::{GRIDS_IN_VAIN, grids_by_time, least_bytes_of_all, too_little_memory};
use super::{Plan, Rates, Resources, plan};
use crate::bytes::format_bytes;
use crate::placement::{Nodes, Operands, Placement, place_bricks};
use crate::problem::Problem;

/// Seconds for a byte from one host to another where nobody has measured it: 10 Gbit/s.
const NETWORK_S_PER_BYTE: f64 = 0.8e-9;

/// Whose memory the bytes of resources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryOf {
    /// Of one host: its peers share it.
    Host,
    /// Of one peer, which has an equal part of what was given to this many. More peers than slots, where they may share
    /// them, share cores too.
    Peer { of: u64, shared_slots: Option<u64> },
}

/// More peers than slots, and what that comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sharing {
    /// The peers of the plan.
    pub peers: u64,
    /// The slots of the cluster.
    pub slots: u64,
    /// The most peers on one slot.
    pub peers_a_slot: u64,
    /// The memory of a peer.
    pub peer_bytes: u64,
}

impl Sharing {
    /// Where some of so many peers share a slot.
    fn of(memory_of: MemoryOf, peers: u64, peer_bytes: u64) -> Option<Sharing> {
        let MemoryOf::Peer { shared_slots: Some(slots), .. } = memory_of else { return None };
        let peers_a_slot = peers.div_ceil(slots.max(1));
        (peers_a_slot > 1).then_some(Sharing { peers, slots, peers_a_slot, peer_bytes })
    }

    /// What is left for a peer of what a core does.
    fn share(self, rates: Rates) -> Rates {
        let share = self.peers_a_slot as f64;
        let (flop_per_s, touch_bytes_per_s) = (rates.flop_per_s / share, rates.touch_bytes_per_s / share);
        Rates { flop_per_s, touch_bytes_per_s, ..rates }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sharing { peers, slots, peers_a_slot, peer_bytes } = *self;
        write!(
            f,
            "{peers} peers on {slots} slots, up to {peers_a_slot} on one: each computes at 1/{peers_a_slot} of r, with {} of \
             memory",
            format_bytes(peer_bytes)
        )
    }
}

/// The fastest plan for peers on several hosts, and where its bricks are placed. `resources` are of all hosts together, but
/// its memory is that of one, or of one peer; errors call the operands by `names`. Pure, as [`plan`] is.
///
/// # Errors
/// Those of [`plan`].
pub(crate) fn plan_on_hosts(
    (problem, names): (Problem, [&str; 2]),
    (resources, memory_of): (&Resources, MemoryOf),
    nodes: &Nodes,
    operands: &Operands,
) -> Result<(Plan, Placement, Option<Sharing>)> {
    if resources.peers == 0 {
        return Err(Error::invalid("cannot plan for 0 peers: at least 1 is needed"));
    }
    resources.rates.check()?;
    // What peers receive is counted by host once they are placed.
    let free = Rates { seconds_per_byte: 0.0, ..resources.rates };
    let measured = Some(resources.rates.seconds_per_byte).filter(|seconds| *seconds > 0.0);
    let network = measured.unwrap_or(NETWORK_S_PER_BYTE);
    let resources = Resources { rates: free, hosts: nodes.computing().len() as u64, ..*resources };
    let mut best: Option<(Plan, Placement, Option<Sharing>)> = None;
    let mut in_vain = 0;
    for (least_s, grid) in grids_by_time(&problem, &resources)? {
        let best_s = best.as_ref().map_or(f64::INFINITY, |(plan, ..)| plan.estimate.total_s);
        if best_s <= least_s || in_vain == GRIDS_IN_VAIN {
            break;
        }
        let peers = grid.peer_count();
        let memory_bytes = match memory_of {
            // As much memory for each peer as there is where most of them are.
            MemoryOf::Host => resources.memory_bytes / peers.div_ceil(resources.hosts) * peers,
            MemoryOf::Peer { .. } => resources.memory_bytes.saturating_mul(peers),
        };
        let sharing = Sharing::of(memory_of, peers, resources.memory_bytes);
        let rates = sharing.map_or(resources.rates, |sharing| sharing.share(resources.rates));
        let on_grid = Resources { grid: Some(grid), memory_bytes, rates, ..resources };
        let Ok(mut plan) = plan(problem, &on_grid) else { continue };
        in_vain += 1;
        if plan.estimate.total_s >= best_s {
            continue;
        }
        let placement = place_bricks(&plan, nodes, operands);
        plan.estimate = plan.estimate.receiving(placement.busiest_bytes as f64 * network);
        if plan.estimate.total_s < best_s {
            (best, in_vain) = (Some((plan, placement, sharing)), 0);
        }
    }
    best.ok_or_else(|| match memory_of {
        MemoryOf::Host => too_little_memory(&problem, &resources, names),
        MemoryOf::Peer { of, .. } => too_little_for_a_peer(&problem, &resources, names, of),
    })
}

/// The error where no peer has memory enough, whatever the grid, when `of` peers share what is given.
fn too_little_for_a_peer(problem: &Problem, resources: &Resources, [a, b]: [&str; 2], of: u64) -> Error {
    let grids = grids_by_time(problem, resources).unwrap_or_default();
    let least = grids.into_iter().map(|(_, grid)| least_bytes_of_all(problem, grid, resources.by_reference));
    let least = least.min().unwrap_or(u64::MAX);
    let Problem { m, n, k, .. } = *problem;
    let message = format!(
        "--memory {} is too small for {a} ({m} x {k}) by {b} ({k} x {n}) on a cluster, where each of {of} peers has {}: in \
         the smallest plan one needs {}; try --memory {}",
        format_bytes(resources.memory_bytes.saturating_mul(of)),
        format_bytes(resources.memory_bytes),
        format_bytes(least),
        format_bytes(least.saturating_mul(of)),
    );
    Error::new(ErrorKind::OutOfMemory, message)
}
