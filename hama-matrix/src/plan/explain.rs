//! A plan in words: what `--explain` prints.

use std::fmt;

use super::{MemoryUse, Plan, Stationary};
use crate::bytes::format_bytes;
use crate::problem::Problem;
use crate::symmetric::computed;

impl fmt::Display for Stationary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stationary::A => "A",
            Stationary::B => "B",
            Stationary::C => "C",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = |transposed| if transposed { " transposed" } else { "" };
        write!(
            f,
            "C ({} x {}) = A{} ({} x {}) {}{} ({} x {}), {}",
            self.m,
            self.n,
            t(self.transpose_a),
            self.m,
            self.k,
            // The table on the right is that on the left.
            if self.symmetric { "A" } else { "B" },
            t(self.transpose_b),
            self.k,
            self.n,
            self.element.name()
        )
    }
}

impl fmt::Display for MemoryUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} a peer: sums {}, resident {}, panels {}, reduction {}, packing {}",
            format_bytes(self.total_bytes()),
            format_bytes(self.sums_bytes),
            format_bytes(self.resident_bytes),
            format_bytes(self.panels_bytes),
            format_bytes(self.reduce_bytes),
            format_bytes(self.packing_bytes)
        )?;
        match self.mirror_bytes {
            0 => Ok(()),
            bytes => write!(f, ", mirroring {}", format_bytes(bytes)),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tile, tiles) = (self.problem.tile(), self.problem.tiles());
        let cuts = self.loops().cuts(&self.problem);
        let (e, peers) = (&self.estimate, self.grid.peer_count());
        let bytes = |count: f64| format_bytes(count as u64);
        writeln!(f, "product   {}: {:.3} GFLOP", self.problem, self.flop() as f64 / 1e9)?;
        writeln!(
            f,
            "tiles     {} x {} x {} of {} x {} x {} elements along m, n, k",
            tiles.m, tiles.n, tiles.k, tile.m, tile.n, tile.k
        )?;
        if self.problem.symmetric {
            writeln!(
                f,
                "symmetric {} of {} tiles of C are computed, {} of them on the diagonal by about half; the rest is mirrored",
                computed(&(0..tiles.m), &(0..tiles.n)),
                tiles.m * tiles.n,
                tiles.m
            )?;
        }
        writeln!(
            f,
            "grid      {} (p_m x p_n x p_k): {peers} of {}, each a brick of {} x {} x {} tiles",
            self.grid,
            many(self.peers_given, "peer"),
            cuts.rows,
            cuts.cols,
            cuts.inner
        )?;
        writeln!(
            f,
            "order     {} stationary: {} of {} x {} tiles of C, {} of {} along k each: {}",
            self.stationary,
            many(cuts.pieces(), "piece"),
            self.piece.rows,
            self.piece.cols,
            many(cuts.panels, "panel"),
            many(self.panel, "tile"),
            many(e.supersteps, "superstep")
        )?;
        writeln!(f, "shards    {} x {} tiles of C a file", self.shard.rows, self.shard.cols)?;
        writeln!(f, "kernel    {}", self.kernel)?;
        writeln!(
            f,
            "memory    {} of {} given; {}",
            format_bytes(self.memory.total_bytes().saturating_mul(peers)),
            format_bytes(self.memory_given_bytes),
            self.memory
        )?;
        writeln!(
            f,
            "store     read {}, write {}: {} moved, at least {} for this memory",
            bytes(e.read_bytes),
            bytes(e.written_bytes),
            bytes(e.read_bytes + e.written_bytes),
            bytes(self.bounds.moved_bytes)
        )?;
        writeln!(
            f,
            "peers     the busiest receives {}, at least {} on {}",
            bytes(e.received_bytes),
            bytes(self.bounds.received_bytes),
            many(peers, "peer")
        )?;
        write!(
            f,
            "time      {:.3} s: prologue {:.3}, compute {:.3} and touching bytes {:.3} (beside them store {:.3}, receiving {:.3}), \
             supersteps {:.3}, tail {:.3}",
            e.total_s, e.prologue_s, e.compute_s, e.touch_s, e.io_s, e.receive_s, e.sync_s, e.tail_s
        )
    }
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Every step of a plan as a line a peer: its piece, its panel, the tiles that it reads and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a>(pub(super) &'a Plan);

impl Plan {
    /// Every step of the plan in words, a line a step and peer.
    pub fn walk(&self) -> Walk<'_> {
        Walk(self)
    }
}

impl fmt::Display for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.0;
        for index in 0..plan.step_count() {
            let step = plan.step(index);
            for peer in 0..plan.grid.peer_count() {
                let work = plan.work(peer, step);
                if work.is_empty() {
                    continue;
                }
                write!(
                    f,
                    "step {index} peer {peer}: C[{}..{}, {}..{}] += over k {}..{}; reads",
                    work.rows.start,
                    work.rows.end,
                    work.cols.start,
                    work.cols.end,
                    work.inner.start,
                    work.inner.end
                )?;
                for need in plan.needs(peer, step).into_iter().filter(|need| need.reader == peer) {
                    write!(f, " {:?}({},{})", need.operand, need.tile.row, need.tile.col)?;
                    let others: Vec<String> =
                        need.sharers.iter().filter(|&&p| p != peer).map(u64::to_string).collect();
                    if !others.is_empty() {
                        write!(f, "->{}", others.join(","))?;
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
