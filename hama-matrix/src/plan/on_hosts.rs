//! The planner for several hosts, of which each holds some of what is read.

use hama_core::{Error, Result};

use super::search::{GRIDS_IN_VAIN, grids_by_time, too_little_memory};
use super::{Plan, Rates, Resources, plan};
use crate::placement::{Nodes, Operands, Placement, place_bricks};
use crate::problem::Problem;

/// Seconds for a byte from one host to another where nobody has measured it: 10 Gbit/s.
const NETWORK_S_PER_BYTE: f64 = 0.8e-9;

/// The fastest plan for peers on several hosts, and where its bricks are placed. `resources` are of all hosts together, but
/// its memory is that of one; errors call the operands by `names`. Pure, as [`plan`] is.
///
/// # Errors
/// Those of [`plan`].
pub(crate) fn plan_on_hosts(
    (problem, names): (Problem, [&str; 2]),
    resources: &Resources,
    nodes: &Nodes,
    operands: &Operands,
) -> Result<(Plan, Placement)> {
    if resources.peers == 0 {
        return Err(Error::invalid("cannot plan for 0 peers: at least 1 is needed"));
    }
    resources.rates.check()?;
    // What peers receive is counted by host once they are placed.
    let free = Rates { seconds_per_byte: 0.0, ..resources.rates };
    let network = resources.rates.seconds_per_byte.max(NETWORK_S_PER_BYTE);
    let resources = Resources { rates: free, hosts: nodes.computing().len() as u64, ..*resources };
    let mut best: Option<(Plan, Placement)> = None;
    let mut in_vain = 0;
    for (least_s, grid) in grids_by_time(&problem, &resources)? {
        let best_s = best.as_ref().map_or(f64::INFINITY, |(plan, _)| plan.estimate.total_s);
        if best_s <= least_s || in_vain == GRIDS_IN_VAIN {
            break;
        }
        // As much memory for each peer as there is where most of them are.
        let peers = grid.peer_count();
        let memory_bytes = resources.memory_bytes / peers.div_ceil(resources.hosts) * peers;
        let on_grid = Resources { grid: Some(grid), memory_bytes, ..resources };
        let Ok(mut plan) = plan(problem, &on_grid) else { continue };
        in_vain += 1;
        if plan.estimate.total_s >= best_s {
            continue;
        }
        let placement = place_bricks(&plan, nodes, operands);
        plan.estimate = plan.estimate.receiving(placement.busiest_bytes as f64 * network);
        if plan.estimate.total_s < best_s {
            (best, in_vain) = (Some((plan, placement)), 0);
        }
    }
    best.ok_or_else(|| too_little_memory(&problem, &resources, names))
}
