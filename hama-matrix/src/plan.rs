//! The plan of a product: which peer computes what, in which order, out of which tiles.
//!
//! The loop bounds stand in the plan; everything else, down to the peer that reads a tile, follows from them
//! by pure functions.

mod bounds;
mod cost;
mod explain;
mod memory;
mod on_hosts;
mod search;
pub(crate) mod steps;

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::Extent;
use serde::{Deserialize, Serialize};

use crate::bytes::format_bytes;
use crate::grid::{Grid, Runs};
use crate::kernel::KernelId;
use crate::problem::Problem;

pub use bounds::Bounds;
pub use cost::{Estimate, Rates};
pub use explain::Walk;
pub use memory::MemoryUse;
pub use on_hosts::Sharing;
pub(crate) use on_hosts::{MemoryOf, plan_on_hosts};
pub(crate) use search::plan_named;
pub use search::{Resources, plan, smallest_memory};
pub use steps::Brick;

/// Which matrix stays in memory while the others pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stationary {
    /// A strip of A as high as a piece stays while the pieces along it are computed.
    A,
    /// A strip of B as wide as a piece stays while the pieces along it are computed.
    B,
    /// Only the piece of C that is being computed stays.
    C,
}

/// A plan of a product: a value that can be printed, compared, sent, saved and run again.
///
/// Every peer of the grid has a **brick**: runs of tiles along m, n and k. It computes the brick piece by
/// piece, where a **piece** is a rectangle of tiles of C, and a piece **panel** by panel along k: one panel a
/// superstep. All peers walk through the same steps; one whose brick is smaller has nothing to do in some.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is multiplied.
    pub problem: Problem,
    /// The peers that were there to be used.
    pub peers_given: u64,
    /// The memory that was there to be used, in bytes, by all peers of a process together.
    pub memory_given_bytes: u64,
    /// Whether peers hand tiles over by reference, as threads of a process do: then a tile that several of them
    /// need is in memory once.
    pub by_reference: bool,
    /// The peers that are used.
    pub grid: Grid,
    /// What stays in memory.
    pub stationary: Stationary,
    /// Tiles of a piece of C.
    pub piece: Extent,
    /// Tiles of a panel along k.
    pub panel: u64,
    /// Tiles of a shard of C. No shard crosses a brick or a piece.
    pub shard: Extent,
    /// What computes.
    pub kernel: KernelId,
    /// Bytes that a peer holds.
    pub memory: MemoryUse,
    /// Bytes that move and seconds that it takes.
    pub estimate: Estimate,
    /// What no plan can be better than.
    pub bounds: Bounds,
}

impl Plan {
    /// Floating-point operations of the product.
    pub fn flop(&self) -> u64 {
        self.problem.flop()
    }

    /// Peers that compute.
    pub fn peer_count(&self) -> usize {
        usize::try_from(self.grid.peer_count()).expect("a plan has no more peers than were given")
    }

    /// Whether it is a plan of `problem` that this host can run within `memory_bytes`, with peers that hand tiles over
    /// `by_reference` or not: one that was saved may come from another host, or be damaged.
    ///
    /// # Errors
    /// `Invalid` where it is of another product, another kernel, for peers that share more, or no plan;
    /// `OutOfMemory` where it needs more.
    pub fn check(&self, problem: &Problem, memory_bytes: u64, by_reference: bool) -> Result<()> {
        self.check_for(problem, memory_bytes, by_reference, KernelId::of_this_host())
    }

    /// The same for peers on hosts whose fastest kernel is `best`.
    pub(crate) fn check_for(
        &self,
        problem: &Problem,
        memory_bytes: u64,
        by_reference: bool,
        best: KernelId,
    ) -> Result<()> {
        let wrong = |why: String| Err(Error::invalid(format!("cannot run the plan: {why}")));
        // All of a symmetric product may be computed as well.
        let whole = Problem { symmetric: false, ..*problem };
        let own = self.problem_here(problem);
        if own != *problem && own != whole {
            return wrong(format!("it is of {}, not of {problem}", self.problem));
        }
        if !self.kernel.runs_beside(best) {
            return wrong(format!("it was made for the kernel {}, and this host runs {best}", self.kernel));
        }
        if self.by_reference && !by_reference {
            return wrong("its peers hand tiles over by reference, and here they are copied".into());
        }
        if !self.loops().are_valid(&self.problem) {
            return wrong(format!("its loop bounds do not fit {problem}"));
        }
        let cuts = self.loops().cuts(&self.problem);
        let peer = MemoryUse::of(&own, &self.loops(), &cuts, self.by_reference).total_bytes();
        let needed = peer.saturating_mul(self.grid.peer_count());
        if needed > memory_bytes {
            let (needed, given) = (format_bytes(needed), format_bytes(memory_bytes));
            let message = format!(
                "cannot run the plan: it needs {needed}, and {given} are given; try --memory {needed}"
            );
            return Err(Error::new(ErrorKind::OutOfMemory, message));
        }
        Ok(())
    }

    /// The same loops with what they take here: what a saved plan says of its cost and its memory is of elsewhere, or
    /// not even that.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and `Invalid` for rates that no machine has.
    pub fn again(&self, problem: &Problem, resources: &Resources) -> Result<Plan> {
        self.check_for(problem, resources.memory_bytes, resources.by_reference, resources.kernel)?;
        resources.rates.check()?;
        let (loops, peers) = (self.loops(), self.grid.peer_count());
        let own = self.problem_here(problem);
        let cuts = loops.cuts(&own);
        let memory = MemoryUse::of(&own, &loops, &cuts, self.by_reference);
        let total = memory.total_bytes().saturating_mul(peers);
        Ok(Plan {
            problem: own,
            peers_given: resources.peers,
            memory_given_bytes: resources.memory_bytes,
            memory,
            estimate: Estimate::of(&own, &loops, &cuts, total, &resources.hosts()),
            bounds: Bounds::of(&own, peers, resources.memory_bytes),
            ..self.clone()
        })
    }

    /// Its problem with operands that are read as those of `problem` are: from tables, or from files.
    fn problem_here(&self, problem: &Problem) -> Problem {
        Problem { chunk_bytes: problem.chunk_bytes, ..self.problem }
    }

    /// How often A and B are read.
    pub(crate) fn repeats(&self) -> (u64, u64) {
        self.loops().cuts(&self.problem).repeats(self.stationary)
    }

    fn loops(&self) -> Loops {
        Loops {
            grid: self.grid,
            stationary: self.stationary,
            piece: self.piece,
            panel: self.panel,
            shard: self.shard,
        }
    }
}

/// The numbers of a plan that decide about everything else in it.
#[derive(Clone, Copy, Debug)]
struct Loops {
    grid: Grid,
    stationary: Stationary,
    piece: Extent,
    panel: u64,
    shard: Extent,
}

/// The longest brick, and how it is cut.
#[derive(Clone, Copy, Debug)]
struct Cuts {
    rows: u64,
    cols: u64,
    inner: u64,
    piece_rows: u64,
    piece_cols: u64,
    panels: u64,
}

impl Loops {
    fn are_valid(&self, problem: &Problem) -> bool {
        let (grid, tiles) = (self.grid, problem.tiles());
        let fills = |count: u64, tiles| count > 0 && Runs::at_most(count, tiles).count() == count;
        let bounds = [self.piece.rows, self.piece.cols, self.panel, self.shard.rows, self.shard.cols];
        if bounds.contains(&0)
            || !fills(grid.m, tiles.m)
            || !fills(grid.n, tiles.n)
            || !fills(grid.k, tiles.k)
        {
            return false;
        }
        let cuts = self.cuts(problem);
        if self.piece.rows > cuts.rows || self.piece.cols > cuts.cols || self.panel > cuts.inner {
            return false;
        }
        if self.shard.rows > self.piece.rows || self.shard.cols > self.piece.cols {
            return false;
        }
        search::shard_fits(grid.m, cuts.rows, self.piece.rows, self.shard.rows)
            && search::shard_fits(grid.n, cuts.cols, self.piece.cols, self.shard.cols)
    }

    /// Supersteps after the last step: for partial sums, and for tiles that mirror those of other peers.
    fn steps_after(&self, problem: &Problem) -> u64 {
        let mirrored = problem.has_mirror_images() && self.grid.peer_count() > 1;
        u64::from(self.grid.k > 1) + u64::from(mirrored)
    }

    /// Whether pieces end with tiles of C that go to other peers.
    fn sends_results(&self, problem: &Problem) -> bool {
        self.grid.k > 1 || problem.has_mirror_images()
    }

    fn cuts(&self, problem: &Problem) -> Cuts {
        let tiles = problem.tiles();
        let rows = Runs::at_most(self.grid.m, tiles.m).longest();
        let cols = Runs::at_most(self.grid.n, tiles.n).longest();
        let inner = Runs::at_most(self.grid.k, tiles.k).longest();
        Cuts {
            rows,
            cols,
            inner,
            piece_rows: Runs::of(self.piece.rows, rows).count(),
            piece_cols: Runs::of(self.piece.cols, cols).count(),
            panels: Runs::of(self.panel, inner).count(),
        }
    }
}

impl Cuts {
    fn pieces(&self) -> u64 {
        self.piece_rows * self.piece_cols
    }

    /// Steps of a brick: one a panel of a piece.
    fn steps(&self) -> u64 {
        self.pieces() * self.panels
    }

    /// How often A and B are read.
    fn repeats(&self, stationary: Stationary) -> (u64, u64) {
        match stationary {
            Stationary::A => (1, self.piece_rows),
            Stationary::B => (self.piece_cols, 1),
            Stationary::C => (self.piece_cols, self.piece_rows),
        }
    }
}

#[cfg(test)]
mod tests;
