//! The memory of a peer, in bytes, known before the run.

use hama_core::pool::Pool;
use serde::{Deserialize, Serialize};

use super::{Cuts, Loops, Stationary};
use crate::problem::Problem;

/// The most bytes of buffers that a peer holds at once, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Pieces of C: the one that is summed up, and the one that is being written.
    pub sums_bytes: u64,
    /// The strip of A or B that stays.
    pub resident_bytes: u64,
    /// Two panels, and the peer's own share of a third.
    pub panels_bytes: u64,
    /// Partial sums of other peers.
    pub reduce_bytes: u64,
}

impl MemoryUse {
    /// All of it, in bytes.
    pub fn total_bytes(&self) -> u64 {
        [self.sums_bytes, self.resident_bytes, self.panels_bytes, self.reduce_bytes]
            .iter()
            .fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    pub(super) fn of(problem: &Problem, loops: &Loops, cuts: &Cuts) -> MemoryUse {
        let [tile_a, tile_b, tile_c] = problem.tile_bytes().map(pooled);
        let piece_rows = loops.piece.rows.min(cuts.rows);
        let piece_cols = loops.piece.cols.min(cuts.cols);
        let panel = loops.panel.min(cuts.inner);
        let piece = product([piece_rows, piece_cols, tile_c]);
        let (resident_a, resident_b) = match loops.stationary {
            Stationary::A => (product([piece_rows, cuts.inner, tile_a]), 0),
            Stationary::B => (0, product([piece_cols, cuts.inner, tile_b])),
            Stationary::C => (0, 0),
        };
        let held = |rows, cols, sharers, tile, resident| {
            let share = own_share(rows, cols, sharers);
            // Of a resident operand, the panel that is being multiplied is counted with the strip.
            let panels = if resident > 0 { 1 } else { 2 };
            product([panels.min(cuts.steps()), rows * cols, tile]).saturating_add(product([
                u64::from(cuts.steps() > 2),
                share,
                tile,
            ]))
        };
        MemoryUse {
            sums_bytes: piece.saturating_mul(cuts.pieces().min(2)),
            resident_bytes: resident_a.saturating_add(resident_b),
            panels_bytes: held(piece_rows, panel, loops.grid.n, tile_a, resident_a).saturating_add(held(
                panel,
                piece_cols,
                loops.grid.m,
                tile_b,
                resident_b,
            )),
            reduce_bytes: product([loops.grid.k - 1, summed_tiles(loops, piece_rows, piece_cols), tile_c]),
        }
    }
}

/// The most tiles of a rectangle that one of `sharers` reads: they take turns along rows and columns.
fn own_share(rows: u64, cols: u64, sharers: u64) -> u64 {
    let sharers = sharers.max(1);
    (rows * cols.div_ceil(sharers)).min(cols * rows.div_ceil(sharers))
}

/// The most tiles of a piece that one of the p_k peers adds up: whole shards, in turns.
fn summed_tiles(loops: &Loops, piece_rows: u64, piece_cols: u64) -> u64 {
    let (down, across) = (piece_rows.div_ceil(loops.shard.rows), piece_cols.div_ceil(loops.shard.cols));
    // Along a row of shards the turns are even; from one row to the next they may meet.
    let shards = down * across.div_ceil(loops.grid.k);
    (shards * loops.shard.rows * loops.shard.cols).min(piece_rows * piece_cols)
}

fn pooled(bytes: u64) -> u64 {
    usize::try_from(bytes).map_or(u64::MAX, |bytes| Pool::cost(bytes) as u64)
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}
