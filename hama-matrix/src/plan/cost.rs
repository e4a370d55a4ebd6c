//! The cost of a plan: bytes that move, and seconds that it takes.

use std::ops::RangeInclusive;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Cuts, Loops};
use crate::grid::{Grid, Runs};
use crate::problem::{Box3, Problem};
use crate::symmetric::diagonal_elements;

/// What the machine does in a second, as the planner assumes it. Plans are compared by their ratios.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Floating-point operations of f64 that the kernel of one peer does; twice as many of f32.
    pub flop_per_s: f64,
    /// Bytes that all peers of a host together read from the store.
    pub read_bytes_per_s: f64,
    /// Bytes that all peers of a host together write to the store.
    pub write_bytes_per_s: f64,
    /// Bytes that a peer copies and checksums a second while its kernel waits for the core: a copy out of the
    /// page cache and a crc32c run at 9 and 14 GB/s each when nothing else does, and at a fraction beside a kernel.
    pub touch_bytes_per_s: f64,
    /// g: seconds for a byte from one peer to another; 0 where references are handed over.
    pub seconds_per_byte: f64,
    /// l: seconds of a superstep.
    pub superstep_s: f64,
    /// Seconds to start, and to make a result durable.
    pub fixed_s: f64,
}

impl Default for Rates {
    /// Peers that are threads of one process with a store on a local disk.
    fn default() -> Rates {
        Rates {
            flop_per_s: 50e9,
            read_bytes_per_s: 3e9,
            write_bytes_per_s: 1e9,
            touch_bytes_per_s: 2e9,
            seconds_per_byte: 0.0,
            superstep_s: 50e-6,
            fixed_s: 0.02,
        }
    }
}

impl Rates {
    /// What is assumed of peers that are processes on hosts of a cluster, where nobody has measured it: the hosts as by
    /// [default](Rates::default), between them 10 Gbit/s, a superstep over ZooKeeper, and a job that starts processes.
    pub fn of_cluster() -> Rates {
        Rates { seconds_per_byte: 0.8e-9, superstep_s: 1.5e-3, fixed_s: 0.3, ..Rates::default() }
    }
}

/// What a machine may do in a second: a byte a second is as wrong a measurement as a billion of billions.
const PER_SECOND: RangeInclusive<f64> = 1e3..=1e18;
/// What anything may take: more than a day is a wrong measurement.
const SECONDS: RangeInclusive<f64> = 0.0..=1e5;

impl Rates {
    /// Whether a machine may have them: estimates stay finite with every rate from 1e3 to 1e18 and every time
    /// from 0 to 1e5.
    ///
    /// # Errors
    /// `Invalid`, with the first one that none has.
    pub fn check(&self) -> Result<()> {
        for (name, value, range) in [
            ("flop_per_s", self.flop_per_s, PER_SECOND),
            ("read_bytes_per_s", self.read_bytes_per_s, PER_SECOND),
            ("write_bytes_per_s", self.write_bytes_per_s, PER_SECOND),
            ("touch_bytes_per_s", self.touch_bytes_per_s, PER_SECOND),
            ("seconds_per_byte", self.seconds_per_byte, SECONDS),
            ("superstep_s", self.superstep_s, SECONDS),
            ("fixed_s", self.fixed_s, SECONDS),
        ] {
            if !range.contains(&value) {
                let (least, most) = (range.start(), range.end());
                return Err(Error::invalid(format!(
                    "cannot plan with the rate {name} {value}: a number from {least:e} to {most:e} is wanted"
                )));
            }
        }
        Ok(())
    }
}

/// How fast memory is used for the first time on huge pages: the kernel zeroes them, at about the speed of a copy.
const FRESH_BYTES_PER_S: f64 = 10e9;

/// How much of what runs beside something longer is not hidden by it. Without this, of plans that wait for a slow disk
/// one peer would be as good as all, and reading twice as good as once, though the page cache may have the bytes.
const NOT_HIDDEN: f64 = 1.0 / 16.0;

/// What the last of several peers is behind the others at a barrier, on cores that other work takes now and then. A
/// step that ends with tiles of C for other peers waits for it; before the others a peer arrives when it begins to
/// compute.
const BEHIND_S: f64 = 2e-3;

/// The hosts that peers are spread over, evenly, and what each does in a second.
pub(super) struct Hosts<'a> {
    pub(super) count: u64,
    pub(super) rates: &'a Rates,
}

impl Hosts<'_> {
    /// How many of them the peers of a grid use.
    fn used(&self, grid: Grid) -> f64 {
        self.count.min(grid.peer_count()).max(1) as f64
    }
}

/// Bytes that move and seconds that it takes, as planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Supersteps, prologue and reduction included.
    pub supersteps: u64,
    /// Bytes that the busiest peer receives.
    pub received_bytes: f64,
    /// Bytes that are read from the store, by all peers.
    pub read_bytes: f64,
    /// Bytes that are written to the store, by all peers.
    pub written_bytes: f64,
    /// Seconds that the busiest kernel computes.
    pub compute_s: f64,
    /// Seconds that it waits while the bytes of its peer are copied and checksummed on the same core.
    pub touch_s: f64,
    /// Seconds that the store of a host reads and writes, beside the kernels.
    pub io_s: f64,
    /// Seconds that the busiest peer receives, beside its kernel.
    pub receive_s: f64,
    /// Seconds that supersteps cost by themselves.
    pub sync_s: f64,
    /// Seconds until the first panel is there, first use of the memory included.
    pub prologue_s: f64,
    /// Seconds from the last product to the durable result.
    pub tail_s: f64,
    /// Seconds in all.
    pub total_s: f64,
}

impl Estimate {
    /// prologue + max(compute + touch, g h, I/O), and a sixteenth of the two others, + l a superstep + tail:
    /// reading, sending and writing run beside the kernel, but the bytes of all that are touched on the same cores.
    pub(super) fn of(
        problem: &Problem,
        loops: &Loops,
        cuts: &Cuts,
        memory_bytes: u64,
        hosts: &Hosts<'_>,
    ) -> Self {
        let rates = hosts.rates;
        let word = problem.element.size_bytes() as f64;
        let [a, b, c] = problem.elements().map(|elements| elements * word);
        let (repeat_a, repeat_b) = cuts.repeats(loops.stationary);
        let read_bytes = a * repeat_a as f64 + b * repeat_b as f64;
        let Grid { m, n, k } = loops.grid;
        let (m, n, k) = (m as f64, n as f64, k as f64);
        let [face_a, face_b, face_c] = largest_faces(problem, loops.grid).map(|elements| elements * word);
        let Share { summed, mirrored } = Share::of(problem);
        // A brick as high or as wide as C has the mirror images of some of its own tiles.
        let own = if loops.grid.m == 1 || loops.grid.n == 1 { 1.0 / (m * n * k) } else { 0.0 };
        // Of each operand a peer reads its share itself and receives the rest.
        let received_bytes = face_a * repeat_a as f64 * (1.0 - 1.0 / n)
            + face_b * repeat_b as f64 * (1.0 - 1.0 / m)
            + face_c * summed * (1.0 - 1.0 / k)
            + face_c * mirrored / k * (1.0 - own);
        let compute_s = compute_s(problem, loops.grid, computed_share(problem, loops, cuts), rates);
        let supersteps = cuts.steps() + 1 + loops.steps_after(problem);
        let hosts = hosts.used(loops.grid);
        let io_s = (read_bytes / rates.read_bytes_per_s + c / rates.write_bytes_per_s) / hosts;
        let first_panel = read_bytes / cuts.steps().max(1) as f64;
        let last_piece = c / cuts.pieces().max(1) as f64;
        // Of two equal plans the one of less memory is faster: its pages are used for the first time.
        let fresh_s = memory_bytes as f64 / hosts / FRESH_BYTES_PER_S;
        let prologue_s = first_panel / rates.read_bytes_per_s / hosts + rates.fixed_s + fresh_s;
        let tail_s = last_piece / rates.write_bytes_per_s / hosts;
        let touched = (read_bytes + c + c * mirrored) / (m * n * k) + c / (m * n) * summed * (k - 1.0);
        let touch_s = touched / rates.touch_bytes_per_s;
        let receive_s = received_bytes * rates.seconds_per_byte;
        let waits = if loops.sends_results(problem) { cuts.pieces() + loops.steps_after(problem) } else { 1 };
        let behind_s = if loops.grid.peer_count() > 1 { waits as f64 * BEHIND_S } else { 0.0 };
        let sync_s = supersteps as f64 * rates.superstep_s + behind_s;
        let beside = beside_s([compute_s + touch_s, receive_s, io_s]);
        Estimate {
            supersteps,
            received_bytes,
            read_bytes,
            written_bytes: c,
            compute_s,
            touch_s,
            io_s,
            receive_s,
            sync_s,
            prologue_s,
            tail_s,
            total_s: prologue_s + beside + sync_s + tail_s,
        }
    }

    /// The same where the busiest host takes so many seconds to receive, or to send.
    pub(super) fn receiving(self, receive_s: f64) -> Estimate {
        let beside = |receive_s| beside_s([self.compute_s + self.touch_s, receive_s, self.io_s]);
        let total_s = self.total_s - beside(self.receive_s) + beside(receive_s);
        Estimate { receive_s, total_s, ..self }
    }
}

/// Seconds that no plan on this grid takes less than: its kernels compute, every byte is read and written once
/// and touched.
pub(super) fn least_s(problem: &Problem, grid: Grid, hosts: &Hosts<'_>) -> f64 {
    let word = problem.element.size_bytes() as f64;
    let [a, b, c] = problem.elements().map(|elements| elements * word);
    let Rates { read_bytes_per_s, write_bytes_per_s, touch_bytes_per_s, superstep_s, fixed_s, .. } =
        *hosts.rates;
    let tiles = problem.tiles();
    let (rows, cols) = (Runs::at_most(grid.m, tiles.m).longest(), Runs::at_most(grid.n, tiles.n).longest());
    let share = share_of_brick(problem, grid, (rows, cols));
    let busy_s = compute_s(problem, grid, share, hosts.rates)
        + (a + b + c) / grid.peer_count() as f64 / touch_bytes_per_s;
    let io_s = ((a + b) / read_bytes_per_s + c / write_bytes_per_s) / hosts.used(grid);
    beside_s([busy_s, 0.0, io_s]) + fixed_s + superstep_s
}

/// Seconds of things that run beside each other.
fn beside_s(seconds: [f64; 3]) -> f64 {
    let longest = seconds.into_iter().fold(0.0, f64::max);
    longest + NOT_HIDDEN * (seconds.into_iter().sum::<f64>() - longest)
}

/// Seconds that the kernel of the largest brick computes, which computes a share of its products.
fn compute_s(problem: &Problem, grid: Grid, share: f64, rates: &Rates) -> f64 {
    let Box3 { m, n, k } = largest_brick(problem, grid);
    let flop = 2.0 * m as f64 * n as f64 * k as f64 * share;
    flop / (rates.flop_per_s * 8.0 / problem.element.size_bytes() as f64)
}

/// The share of its brick that the busiest peer computes at least, and where peers wait for the one whose piece
/// happens to have more: pieces of even length differ little.
fn computed_share(problem: &Problem, loops: &Loops, cuts: &Cuts) -> f64 {
    let of_brick = share_of_brick(problem, loops.grid, (cuts.rows, cuts.cols));
    if loops.grid.m == 1 && loops.grid.n == 1 {
        return of_brick;
    }
    // While one peer is at the diagonal another one is beside it.
    let piece = (loops.piece.rows, loops.piece.cols);
    of_brick.max(share_on_diagonal(problem, piece)).max(share_beside(problem, piece))
}

/// The share of the largest brick that is computed at most, which lies on the diagonal or, where there are bricks
/// that do not, beside it.
fn share_of_brick(problem: &Problem, grid: Grid, tiles: (u64, u64)) -> f64 {
    let beside = if grid.m > 1 && grid.n > 1 { share_beside(problem, tiles) } else { 0.0 };
    share_on_diagonal(problem, tiles).max(beside)
}

/// The share of so many tiles, down and across, that is computed with as long a piece of the diagonal in them as can
/// be.
fn share_on_diagonal(problem: &Problem, (rows, cols): (u64, u64)) -> f64 {
    if !problem.symmetric {
        return 1.0;
    }
    let tile = problem.tile().m;
    let half = diagonal_elements(tile) as f64 / tile as f64 / tile as f64;
    let (all, on_diagonal) = (rows.saturating_mul(cols), rows.min(cols));
    ((all - on_diagonal).div_ceil(2) as f64 + half * on_diagonal as f64) / all as f64
}

/// The share of so many tiles beside the diagonal that is computed at most.
fn share_beside(problem: &Problem, (rows, cols): (u64, u64)) -> f64 {
    let all = rows.saturating_mul(cols);
    if problem.symmetric { all.div_ceil(2) as f64 / all as f64 } else { 1.0 }
}

/// The share of the tiles of C that are summed up, and of those that mirror them.
struct Share {
    summed: f64,
    mirrored: f64,
}

impl Share {
    fn of(problem: &Problem) -> Share {
        if !problem.symmetric {
            return Share { summed: 1.0, mirrored: 0.0 };
        }
        let Box3 { m, n, .. } = problem.tiles();
        let all = m as f64 * n as f64;
        Share { summed: (all + m as f64) / 2.0 / all, mirrored: (all - m as f64) / 2.0 / all }
    }
}

/// Elements of the faces of A, B and C of the largest brick.
fn largest_faces(problem: &Problem, grid: Grid) -> [f64; 3] {
    let Box3 { m, n, k } = largest_brick(problem, grid);
    let (m, n, k) = (m as f64, n as f64, k as f64);
    [m * k, k * n, m * n]
}

/// Elements of the largest brick along each dimension.
fn largest_brick(problem: &Problem, grid: Grid) -> Box3 {
    let (tile, tiles) = (problem.tile(), problem.tiles());
    let longest = |parts: u64, tiles: u64, tile: u64, extent: u64| {
        (Runs::at_most(parts, tiles).longest() * tile).min(extent)
    };
    Box3 {
        m: longest(grid.m, tiles.m, tile.m, problem.m),
        n: longest(grid.n, tiles.n, tile.n, problem.n),
        k: longest(grid.k, tiles.k, tile.k, problem.k),
    }
}
