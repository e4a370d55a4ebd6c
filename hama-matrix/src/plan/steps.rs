//! What follows from a plan: the brick of a peer, the pieces and panels of a step, and who reads each tile.

use std::ops::Range;
use std::sync::Arc;

use hama_hdfs::{ShardIndex, TileIndex};

use super::{Plan, Stationary, memory};
use crate::grid::{Coordinates, Runs};
use crate::problem::Operand;

/// Runs of tiles along m, n and k.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brick {
    /// Rows of tiles of C and op(A).
    pub rows: Range<u64>,
    /// Columns of tiles of C and op(B).
    pub cols: Range<u64>,
    /// Tiles along the inner dimension.
    pub inner: Range<u64>,
}

/// A place in the walk through the pieces and panels of a brick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) piece_row: u64,
    pub(crate) piece_col: u64,
    pub(crate) panel: u64,
}

/// A tile of op(A) or op(B) that a peer needs, and how it gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) operand: Operand,
    /// Where it lies in op(X).
    pub(crate) tile: TileIndex,
    /// The one that reads it.
    pub(crate) reader: u64,
    /// All that need it in this step, the reader among them, ascending.
    pub(crate) sharers: Arc<[u64]>,
}

impl Plan {
    /// Steps of the product, each a superstep: one a panel of a piece of the largest brick.
    pub fn step_count(&self) -> u64 {
        self.loops().cuts(&self.problem).steps()
    }

    /// What a peer computes.
    pub fn brick(&self, peer: u64) -> Brick {
        let at = self.grid.coordinates(peer);
        Brick {
            rows: self.row_runs().range(at.m),
            cols: self.col_runs().range(at.n),
            inner: self.inner_runs().range(at.k),
        }
    }

    /// Step `index` of the walk.
    pub(crate) fn step(&self, index: u64) -> Step {
        let cuts = self.loops().cuts(&self.problem);
        let (piece, panel) = (index / cuts.panels, index % cuts.panels);
        let (piece_row, piece_col) = match self.stationary {
            // The strip of B stays while the pieces go down along it.
            Stationary::B => (piece % cuts.piece_rows, piece / cuts.piece_rows),
            Stationary::A | Stationary::C => (piece / cuts.piece_cols, piece % cuts.piece_cols),
        };
        Step { piece_row, piece_col, panel }
    }

    /// What of its brick a peer works on in a step. Empty runs where its brick is smaller than the largest.
    pub(crate) fn work(&self, peer: u64, step: Step) -> Brick {
        let brick = self.brick(peer);
        Brick {
            rows: part(&brick.rows, self.piece.rows, step.piece_row),
            cols: part(&brick.cols, self.piece.cols, step.piece_col),
            inner: part(&brick.inner, self.panel, step.panel),
        }
    }

    /// Whether a step is the last of a piece.
    pub(crate) fn ends_piece(&self, step: Step) -> bool {
        step.panel + 1 == self.loops().cuts(&self.problem).panels
    }

    /// Whether a step may end with tiles of C that go to other peers.
    pub(crate) fn sends_results(&self, step: Step) -> bool {
        self.ends_piece(step) && self.loops().sends_results(&self.problem)
    }

    /// The tiles that a peer needs in a step and does not hold from an earlier one: those of A first, each
    /// operand in ascending order.
    pub(crate) fn needs(&self, peer: u64, step: Step) -> Vec<Need> {
        let work = self.work(peer, step);
        if work.is_empty() {
            return Vec::new();
        }
        let at = self.grid.coordinates(peer);
        let mut needs = Vec::new();
        if !self.keeps(Operand::A) || step.piece_col == 0 {
            let sharers = self.peers_with_work(step, |n| Coordinates { n, ..at }, self.grid.n);
            push_needs(&mut needs, Operand::A, &work.rows, &work.inner, &sharers);
        }
        if !self.keeps(Operand::B) || step.piece_row == 0 {
            let sharers = self.peers_with_work(step, |m| Coordinates { m, ..at }, self.grid.m);
            push_needs(&mut needs, Operand::B, &work.inner, &work.cols, &sharers);
        }
        needs
    }

    /// Whether the tiles of an operand stay for later pieces.
    pub(crate) fn keeps(&self, operand: Operand) -> bool {
        matches!((self.stationary, operand), (Stationary::A, Operand::A) | (Stationary::B, Operand::B))
    }

    /// Whether a peer needs its resident tiles of this panel in no later step: it works on the last piece
    /// along the strip.
    pub(crate) fn ends_strip(&self, peer: u64, step: Step) -> bool {
        let brick = self.brick(peer);
        match self.stationary {
            Stationary::A => (step.piece_col + 1) * self.piece.cols >= brick.cols.end - brick.cols.start,
            Stationary::B => (step.piece_row + 1) * self.piece.rows >= brick.rows.end - brick.rows.start,
            Stationary::C => true,
        }
    }

    /// The peer that writes a shard of C, and adds up its partial sums where there are several.
    pub(crate) fn writer(&self, shard: ShardIndex) -> u64 {
        let (row, col) = (shard.row * self.shard.rows, shard.col * self.shard.cols);
        let (m, n) = (self.row_runs().index_of(row), self.col_runs().index_of(col));
        let (rows, cols) = (self.row_runs().range(m), self.col_runs().range(n));
        let shards_across = (cols.end - cols.start).div_ceil(self.shard.cols);
        let (down, across) = ((row - rows.start) / self.shard.rows, (col - cols.start) / self.shard.cols);
        self.grid.peer(Coordinates { m, n, k: (down * shards_across + across) % self.grid.k })
    }

    /// The peer that writes tile (row, col) of C, and adds up its partial sums where there are several.
    pub(crate) fn tile_writer(&self, row: u64, col: u64) -> u64 {
        self.writer(ShardIndex { row: row / self.shard.rows, col: col / self.shard.cols })
    }

    /// Whether peer `from` hands tile (row, col) of C to peer `to` to be mirrored.
    pub(crate) fn mirrors(&self, from: usize, (row, col): (u64, u64), to: u64) -> bool {
        let tiles = self.problem.tiles();
        self.problem.has_mirror_images()
            && row < tiles.m
            && col < tiles.n
            && row != col
            && self.problem.computes(row, col)
            && self.tile_writer(row, col) == from as u64
            && self.tile_writer(col, row) == to
    }

    /// Supersteps after the last step: for partial sums, and for tiles that mirror those of other peers.
    pub(crate) fn steps_after(&self) -> u64 {
        self.loops().steps_after(&self.problem)
    }

    /// The most tiles that may wait to be written when a peer begins a piece.
    pub(crate) fn waiting_at_most(&self) -> u64 {
        let loops = self.loops();
        memory::Tiles::of(&self.problem, &loops, &loops.cuts(&self.problem)).waiting
    }

    fn peers_with_work(&self, step: Step, along: impl Fn(u64) -> Coordinates, count: u64) -> Arc<[u64]> {
        (0..count)
            .map(|index| self.grid.peer(along(index)))
            .filter(|&peer| !self.work(peer, step).is_empty())
            .collect()
    }

    fn row_runs(&self) -> Runs {
        Runs::at_most(self.grid.m, self.problem.tiles().m)
    }

    fn col_runs(&self) -> Runs {
        Runs::at_most(self.grid.n, self.problem.tiles().n)
    }

    fn inner_runs(&self) -> Runs {
        Runs::at_most(self.grid.k, self.problem.tiles().k)
    }
}

impl Brick {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.cols.is_empty() || self.inner.is_empty()
    }
}

/// Part `index` of a run that is cut into parts of `length`.
fn part(run: &Range<u64>, length: u64, index: u64) -> Range<u64> {
    let inner = Runs::of(length, run.end - run.start).range(index);
    run.start + inner.start..run.start + inner.end
}

/// The sharers take turns reading, so that each reads an equal part.
fn push_needs(
    needs: &mut Vec<Need>,
    operand: Operand,
    rows: &Range<u64>,
    cols: &Range<u64>,
    sharers: &Arc<[u64]>,
) {
    for row in rows.clone() {
        for col in cols.clone() {
            let turn = ((row + col) % sharers.len() as u64) as usize;
            let (tile, sharers) = (TileIndex { row, col }, Arc::clone(sharers));
            needs.push(Need { operand, tile, reader: sharers[turn], sharers });
        }
    }
}
