//! The memory of a peer, in bytes, known before the run.

use hama_core::Pool;
use hama_hdfs::Extent;
use serde::{Deserialize, Serialize};

use super::{Cuts, Loops, Stationary};
use crate::grid::Grid;
use crate::multiply::PART_BYTES;
use crate::problem::Problem;
use crate::symmetric::{computed_at_most, mirrored_at_most};

/// The most bytes of buffers that a peer holds at once, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Pieces of C: the one that is summed up, and the one that is being written.
    pub sums_bytes: u64,
    /// The strip of A or B that stays.
    pub resident_bytes: u64,
    /// Panels at hand and ahead.
    pub panels_bytes: u64,
    /// Partial sums of other peers.
    pub reduce_bytes: u64,
    /// Tiles of C that come from other peers to be written transposed, in two pieces, and the one that they are
    /// transposed into.
    pub mirror_bytes: u64,
    /// What a tile is read into, part by part, before it is packed. The 64 MiB that a process has beside its pool
    /// hold that of some peers; with more of them it counts. And what chunks of operands that are files take.
    pub packing_bytes: u64,
}

/// So many peers read beside the pool: 8 MiB in all.
const PEERS_BESIDE: u64 = 32;

impl MemoryUse {
    /// All of it, in bytes.
    pub fn total_bytes(&self) -> u64 {
        [
            self.sums_bytes,
            self.resident_bytes,
            self.panels_bytes,
            self.reduce_bytes,
            self.mirror_bytes,
            self.packing_bytes,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    pub(super) fn of(problem: &Problem, loops: &Loops, cuts: &Cuts, by_reference: bool) -> MemoryUse {
        let [tile_a, tile_b, tile_c] = problem.tile_bytes().map(pooled);
        let (rows, cols) = (loops.piece.rows.min(cuts.rows), loops.piece.cols.min(cuts.cols));
        let panel = loops.panel.min(cuts.inner);
        let a = Factor {
            tile_bytes: tile_a,
            panel: (rows, panel),
            strip: (rows, cuts.inner),
            strips: (loops.stationary == Stationary::A).then_some(cuts.piece_rows),
            sharers: loops.grid.n,
        };
        let b = Factor {
            tile_bytes: tile_b,
            panel: (panel, cols),
            strip: (cuts.inner, cols),
            strips: (loops.stationary == Stationary::B).then_some(cuts.piece_cols),
            sharers: loops.grid.m,
        };
        let (a, b) = (a.held(cuts, by_reference), b.held(cuts, by_reference));
        let count = Tiles::of(problem, loops, cuts);
        let pieces = cuts.pieces().min(2);
        let mirror = u64::from(problem.has_mirror_images());
        let parts = if loops.grid.peer_count() > PEERS_BESIDE { PART_BYTES as u64 } else { 0 };
        MemoryUse {
            sums_bytes: product([count.sums, pieces, tile_c]),
            resident_bytes: a.resident.saturating_add(b.resident),
            panels_bytes: a.panels.saturating_add(b.panels),
            reduce_bytes: product([loops.grid.k.saturating_sub(1), count.summed, tile_c]),
            mirror_bytes: product([count.mirrored, pieces, tile_c]).saturating_add(product([mirror, tile_c])),
            packing_bytes: parts.saturating_add(problem.chunk_bytes),
        }
    }
}

/// A factor, as a peer takes it in.
struct Factor {
    tile_bytes: u64,
    /// Tiles of a panel, down and across.
    panel: (u64, u64),
    /// Tiles of all panels of a piece, down and across.
    strip: (u64, u64),
    /// How many such strips stay, one after the other, if they stay.
    strips: Option<u64>,
    /// Peers that share its tiles.
    sharers: u64,
}

/// Bytes of a factor that a peer holds at most.
struct Held {
    resident: u64,
    panels: u64,
}

impl Factor {
    /// Peers are at most a superstep apart. One holds the panel at hand, the next one, which has come, and the one after
    /// that, of which it reads its share, and those ahead of it have sent theirs.
    ///
    /// Where tiles are handed over by reference, those who share them hold them together: those that are ahead begin
    /// with a third panel while those behind are at the one before. Each counts its part.
    fn held(&self, cuts: &Cuts, by_reference: bool) -> Held {
        let (sharers, ahead) = match by_reference && self.sharers > 1 {
            true => (self.sharers, 4),
            false => (1, 3),
        };
        let part = |count, (down, across)| product([count, down, across, self.tile_bytes]).div_ceil(sharers);
        let panels = |count: u64| part(cuts.steps().min(count), self.panel);
        match self.strips {
            None => Held { resident: 0, panels: panels(ahead) },
            // All of it is read once.
            Some(1) => Held { resident: part(1, self.strip), panels: 0 },
            // The panel at hand is counted with the strip.
            Some(_) => Held { resident: part(1, self.strip), panels: panels(ahead - 1) },
        }
    }
}

/// Tiles of C that a peer holds at most, by what for.
pub(super) struct Tiles {
    /// Those of a piece that are computed.
    pub(super) sums: u64,
    /// Those of a piece that one of the p_k peers adds up.
    pub(super) summed: u64,
    /// Those that come from other peers in one superstep to be mirrored.
    pub(super) mirrored: u64,
    /// Those that may wait to be written when a piece begins.
    pub(super) waiting: u64,
}

impl Tiles {
    pub(super) fn of(problem: &Problem, loops: &Loops, cuts: &Cuts) -> Tiles {
        let piece = Extent { rows: loops.piece.rows.min(cuts.rows), cols: loops.piece.cols.min(cuts.cols) };
        let computed = |rows: u64, cols: u64| {
            if problem.symmetric { computed_at_most(rows, cols) } else { rows.saturating_mul(cols) }
        };
        let sums = computed(piece.rows, piece.cols);
        let shards = summed_shards(loops, piece);
        let summed = product([shards, computed(loops.shard.rows, loops.shard.cols)]).min(sums);
        let mirrored = if problem.symmetric { mirrored_tiles(problem, loops, cuts, piece) } else { 0 };
        // Tiles to be mirrored come in the step after a piece, except where p_k > 1, when the sums come first. There,
        // and where a piece is one step, the next ones may come before those before it are written.
        let early = loops.grid.k > 1 || cuts.panels == 1;
        Tiles { sums, summed, mirrored, waiting: if early { sums } else { sums + mirrored } }
    }
}

/// The most shards of a piece that one of the p_k peers adds up: they take turns.
fn summed_shards(loops: &Loops, piece: Extent) -> u64 {
    let (down, across) = (piece.rows.div_ceil(loops.shard.rows), piece.cols.div_ceil(loops.shard.cols));
    // Along a row of shards the turns are even; from one row to the next they may meet.
    down * across.div_ceil(loops.grid.k)
}

/// The most tiles that a peer gets from others in one superstep to write their mirror images: those of their
/// pieces that, mirrored, lie in its brick.
fn mirrored_tiles(problem: &Problem, loops: &Loops, cuts: &Cuts, piece: Extent) -> u64 {
    if problem.tiles().m < 2 || loops.grid.peer_count() < 2 {
        return 0;
    }
    let (Cuts { rows, cols, .. }, Grid { m, n, k }) = (*cuts, loops.grid);
    // Pieces of all bricks lie a brick apart. Their columns are rows when mirrored, and are counted along the rows
    // of a brick.
    let overlap = |brick: u64, apart: u64, length: u64, bricks: u64| {
        let tiles = brick / apart * length + length.min(brick % apart);
        (tiles.min(bricks.saturating_mul(length)), bricks.min(brick / apart + 2))
    };
    let (down, pieces_down) = overlap(rows, cols, piece.cols, n);
    let (across, pieces_across) = overlap(cols, rows, piece.rows, m);
    // Each of so many rectangles may have half a tile more than half of its tiles.
    let in_brick = product([down, across]).saturating_add(product([pieces_down, pieces_across])) / 2;
    let others = product([m, n]) - u64::from(k == 1);
    in_brick.min(product([others, mirrored_at_most(piece.rows, piece.cols)]))
}

fn pooled(bytes: u64) -> u64 {
    usize::try_from(bytes).map_or(u64::MAX, |bytes| Pool::cost(bytes) as u64)
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}
