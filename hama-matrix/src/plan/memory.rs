//! The memory of a peer, in bytes, known before the run.

use hama_core::Pool;
use serde::{Deserialize, Serialize};

use super::{Cuts, Loops, Stationary};
use crate::grid::Runs;
use crate::multiply::PART_BYTES;
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
    /// What a tile is read into, part by part, before it is packed.
    pub packing_bytes: u64,
}

impl MemoryUse {
    /// All of it, in bytes.
    pub fn total_bytes(&self) -> u64 {
        [self.sums_bytes, self.resident_bytes, self.panels_bytes, self.reduce_bytes, self.packing_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
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
            // Of a resident operand, the panel that is being multiplied is counted with the strip.
            let panels = cuts.steps().min(if resident > 0 { 1 } else { 2 });
            let ahead = if cuts.steps() > 2 { own_share(rows, cols, sharers) } else { 0 };
            product([panels, rows * cols, tile]).saturating_add(product([ahead, tile]))
        };
        let tiles = problem.tiles();
        let sharers = (
            sharers(loops.grid.n, tiles.n, loops.piece.cols),
            sharers(loops.grid.m, tiles.m, loops.piece.rows),
        );
        let panels_a = held(piece_rows, panel, sharers.0, tile_a, resident_a);
        let panels_b = held(panel, piece_cols, sharers.1, tile_b, resident_b);
        let summed = summed_tiles(loops, piece_rows, piece_cols);
        MemoryUse {
            sums_bytes: piece.saturating_mul(cuts.pieces().min(2)),
            resident_bytes: resident_a.saturating_add(resident_b),
            panels_bytes: panels_a.saturating_add(panels_b),
            reduce_bytes: product([loops.grid.k.saturating_sub(1), summed, tile_c]),
            packing_bytes: pooled(PART_BYTES as u64),
        }
    }
}

/// The fewest peers that share a tile in a step, of `bricks` along a dimension of `tiles` that are walked in
/// pieces: the last brick may be shorter and have fewer pieces.
fn sharers(bricks: u64, tiles: u64, piece: u64) -> u64 {
    let runs = Runs::at_most(bricks, tiles);
    let pieces = |index| {
        let brick = runs.range(index);
        Runs::of(piece, brick.end - brick.start).count()
    };
    if pieces(bricks - 1) < pieces(0) { bricks - 1 } else { bricks }
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
    product([shards, loops.shard.rows, loops.shard.cols]).min(product([piece_rows, piece_cols]))
}

fn pooled(bytes: u64) -> u64 {
    usize::try_from(bytes).map_or(u64::MAX, |bytes| Pool::cost(bytes) as u64)
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}
