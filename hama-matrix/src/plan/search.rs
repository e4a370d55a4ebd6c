//! The planner: the fastest plan within the peers and the memory given, by branch and bound.

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::{Extent, tiles_per_shard};

use super::cost::{Hosts, least_s};
use super::{Bounds, Cuts, Estimate, Loops, MemoryUse, Plan, Rates, Stationary};
use crate::bytes::format_bytes;
use crate::grid::{Grid, Runs};
use crate::kernel::KernelId;
use crate::problem::{Box3, Problem};

/// The most tiles of a shard along one dimension: more of them would fill it only with tiny tiles.
const SHARD_TILES_MAX: u64 = 64;

/// The most files that a symmetric product may have open at once: a process may often open no more than 1024.
const OPEN_SHARDS_MAX: u64 = 256;

/// After so many grids that gave no better plan, the rest, whose least time is longer, is not tried.
pub(super) const GRIDS_IN_VAIN: u32 = 16;

/// Of equals the first.
const KINDS: [Stationary; 3] = [Stationary::C, Stationary::A, Stationary::B];

/// What a plan may use.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Peers, at least one.
    pub peers: u64,
    /// Hosts that the peers are spread over, at least one.
    pub hosts: u64,
    /// Bytes of buffers, of all peers together.
    pub memory_bytes: u64,
    /// Whether peers hand tiles over by reference, as threads of a process do.
    pub by_reference: bool,
    /// What the machine does in a second.
    pub rates: Rates,
    /// The kernel that computes.
    pub kernel: KernelId,
    /// The grid, where the user names one.
    pub grid: Option<Grid>,
}

/// A fast plan of a product by the cost model. Pure: the same arguments give the same plan.
///
/// # Cost
/// Milliseconds for a thousand peers: grids are tried in the order of the least time that they can take, until
/// that exceeds the best plan found, or a number of them in a row gave no better one.
///
/// # Errors
/// `Invalid` for a grid that the product or the peers cannot fill and for rates that no machine has, `OutOfMemory` where no plan fits; the
/// message names the memory that the smallest plan needs.
pub fn plan(problem: Problem, resources: &Resources) -> Result<Plan> {
    plan_named(problem, resources, ["a", "b"])
}

/// The same, where errors call the factors by these names.
pub(crate) fn plan_named(problem: Problem, resources: &Resources, factors: [&str; 2]) -> Result<Plan> {
    let whole = plan_as_it_is(Problem { symmetric: false, ..problem }, resources, factors);
    if !problem.symmetric {
        return whole;
    }
    // Mirroring takes a few tiles of memory, and where it is scarce more peers may be worth more.
    match (plan_as_it_is(problem, resources, factors), whole) {
        (Ok(half), Ok(whole)) if whole.estimate.total_s < half.estimate.total_s => Ok(whole),
        (Ok(half), _) => Ok(half),
        (Err(_), whole) => whole,
    }
}

fn plan_as_it_is(problem: Problem, resources: &Resources, factors: [&str; 2]) -> Result<Plan> {
    let mut best: Option<(Loops, MemoryUse, Estimate)> = None;
    if resources.peers == 0 {
        return Err(Error::invalid("cannot plan for 0 peers: at least 1 is needed"));
    }
    resources.rates.check()?;
    let mut in_vain = 0;
    for (least_s, grid) in grids_by_time(&problem, resources)? {
        let best_s = best.as_ref().map_or(f64::INFINITY, |(_, _, estimate)| estimate.total_s);
        if best_s <= least_s || in_vain == GRIDS_IN_VAIN {
            break;
        }
        match best_on_grid(&problem, grid, resources) {
            Some(found) if found.2.total_s < best_s => (best, in_vain) = (Some(found), 0),
            Some(_) => in_vain += 1,
            None => (),
        }
    }
    let (loops, memory, estimate) = best.ok_or_else(|| too_little_memory(&problem, resources, factors))?;
    let peers = loops.grid.peer_count();
    Ok(Plan {
        problem,
        peers_given: resources.peers,
        memory_given_bytes: resources.memory_bytes,
        by_reference: resources.by_reference,
        grid: loops.grid,
        stationary: loops.stationary,
        piece: loops.piece,
        panel: loops.panel,
        shard: loops.shard,
        kernel: resources.kernel,
        memory,
        estimate,
        bounds: Bounds::of(&problem, peers, resources.memory_bytes),
    })
}

/// The memory that the smallest plan on `grid` needs, in bytes, of all its peers together, which hand tiles over
/// `by_reference` or not.
pub fn smallest_memory(problem: &Problem, grid: Grid, by_reference: bool) -> u64 {
    least_bytes_of_all(problem, grid, by_reference).saturating_mul(grid.peer_count())
}

/// The least bytes that a peer needs, for pieces of any size: either of one tile, or as long as the brick, so that all
/// of a factor is one strip.
pub(super) fn least_bytes_of_all(problem: &Problem, grid: Grid, by_reference: bool) -> u64 {
    let brick = Loops { grid, stationary: Stationary::C, piece: ONE, panel: 1, shard: ONE }.cuts(problem);
    let pieces =
        [1, brick.rows].into_iter().flat_map(|rows| [1, brick.cols].map(|cols| Extent { rows, cols }));
    pieces.map(|piece| least_bytes(problem, grid, piece, by_reference)).min().unwrap_or(u64::MAX)
}

/// A piece or a shard of one tile.
const ONE: Extent = Extent { rows: 1, cols: 1 };

/// The least bytes that a peer needs for pieces of this size. Where there are few panels, one strip may be less than
/// the panels at hand and ahead.
fn least_bytes(problem: &Problem, grid: Grid, piece: Extent, by_reference: bool) -> u64 {
    let bytes = |stationary| {
        let loops = Loops { grid, stationary, piece, panel: 1, shard: ONE };
        MemoryUse::of(problem, &loops, &loops.cuts(problem), by_reference).total_bytes()
    };
    KINDS.into_iter().map(bytes).min().unwrap_or(u64::MAX)
}

pub(super) fn grids_by_time(problem: &Problem, resources: &Resources) -> Result<Vec<(f64, Grid)>> {
    let grids = match resources.grid {
        Some(grid) => vec![checked(grid, problem, resources.peers)?],
        None => all_grids(problem.tiles(), resources.peers),
    };
    let hosts = resources.hosts();
    let mut timed: Vec<_> = grids.into_iter().map(|grid| (least_s(problem, grid, &hosts), grid)).collect();
    // Of equals, fewer peers, then the fewest cuts of the inner dimension: those cost a reduction.
    timed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| order(a.1).cmp(&order(b.1))));
    Ok(timed)
}

fn order(grid: Grid) -> (u64, u64, Grid) {
    (grid.peer_count(), grid.k, grid)
}

/// Every grid of at most `peers` peers that leaves no peer of it without tiles.
fn all_grids(tiles: Box3, peers: u64) -> Vec<Grid> {
    let mut grids = Vec::new();
    for m in cuts_of(tiles.m, peers) {
        for n in cuts_of(tiles.n, peers / m) {
            for k in cuts_of(tiles.k, peers / m / n) {
                grids.push(Grid { m, n, k });
            }
        }
    }
    grids
}

/// The numbers of runs that `tiles` tiles can be cut into so that none is empty, up to `most`.
fn cuts_of(tiles: u64, most: u64) -> impl Iterator<Item = u64> {
    (1..=most.min(tiles)).filter(move |&count| Runs::at_most(count, tiles).count() == count)
}

fn checked(grid: Grid, problem: &Problem, peers: u64) -> Result<Grid> {
    let tiles = problem.tiles();
    for (name, count, tiles) in [("m", grid.m, tiles.m), ("n", grid.n, tiles.n), ("k", grid.k, tiles.k)] {
        if Runs::at_most(count, tiles).count() != count {
            return Err(Error::invalid(format!(
                "the grid {grid} leaves peers without work: {tiles} tiles along {name} make no {count} runs of equal length; try {}",
                cuts_of(tiles, count).last().unwrap_or(1)
            )));
        }
    }
    if grid.peer_count() > peers {
        return Err(Error::invalid(format!(
            "the grid {grid} has {} peers, but there are {peers}: try --peers {}",
            grid.peer_count(),
            grid.peer_count()
        )));
    }
    Ok(grid)
}

impl Resources {
    pub(super) fn hosts(&self) -> Hosts<'_> {
        Hosts { count: self.hosts, rates: &self.rates }
    }
}

type Found = (Loops, MemoryUse, Estimate);

fn best_on_grid(problem: &Problem, grid: Grid, resources: &Resources) -> Option<Found> {
    let limit = resources.memory_bytes / grid.peer_count();
    let smallest = Loops { grid, stationary: Stationary::C, piece: ONE, panel: 1, shard: ONE };
    if least_bytes_of_all(problem, grid, resources.by_reference) > limit {
        return None;
    }
    let brick = smallest.cuts(problem);
    let along = |count, brick, piece| (piece, shard_lengths(count, brick, piece));
    let down: Vec<_> = lengths(brick.rows).map(|rows| along(grid.m, brick.rows, rows)).collect();
    let across: Vec<_> = lengths(brick.cols).map(|cols| along(grid.n, brick.cols, cols)).collect();
    let mut best: Option<Found> = None;
    for (rows, down) in &down {
        for (cols, across) in &across {
            let piece = Extent { rows: *rows, cols: *cols };
            if least_bytes(problem, grid, piece, resources.by_reference) > limit {
                continue;
            }
            // Where p_k > 1 one peer adds up a shard: small ones may take less memory.
            let shards = [shard(problem, grid, &brick, (down, across)), ONE];
            let found = shards.into_iter().find_map(|shard| {
                let loops = Loops { piece, shard, ..smallest };
                best_of_piece(problem, loops, brick.inner, limit, resources)
            });
            best = best.into_iter().chain(found).reduce(faster);
        }
    }
    best
}

/// The best panel and stationary matrix for pieces of this size.
fn best_of_piece(
    problem: &Problem,
    loops: Loops,
    inner: u64,
    limit_bytes: u64,
    resources: &Resources,
) -> Option<Found> {
    let orders =
        lengths(inner).flat_map(|panel| KINDS.map(|stationary| Loops { stationary, panel, ..loops }));
    orders
        .filter_map(|loops| {
            let cuts = loops.cuts(problem);
            let memory = MemoryUse::of(problem, &loops, &cuts, resources.by_reference);
            if memory.total_bytes() > limit_bytes {
                return None;
            }
            let total = memory.total_bytes() * loops.grid.peer_count();
            Some((loops, memory, Estimate::of(problem, &loops, &cuts, total, &resources.hosts())))
        })
        .reduce(faster)
}

/// Of equals the first.
fn faster(a: Found, b: Found) -> Found {
    if b.2.total_s < a.2.total_s { b } else { a }
}

/// Lengths of a run worth trying, descending: those that cut it into 1, 2, 3, 4, 6, 8, 12, 16, ... nearly equal
/// parts.
fn lengths(run: u64) -> impl Iterator<Item = u64> {
    // A run of one part, then of 2^i and 3 * 2^(i - 1) parts; the last part is a single thing.
    let counts = std::iter::once(1).chain((1..63).flat_map(|power| [1u64 << power, 3u64 << (power - 1)]));
    let mut last = u64::MAX;
    counts
        .map(move |count| run.div_ceil(count))
        .take_while(move |&length| std::mem::replace(&mut last, length) > 1)
}

/// The largest shards that cross no brick and no piece, hold at most 128 MiB, and give each of the p_k peers
/// of a brick one to write where there are enough tiles.
fn shard(problem: &Problem, grid: Grid, brick: &Cuts, (down, across): (&[u64], &[u64])) -> Extent {
    let fit = usize::try_from(problem.tile_bytes()[2]).map_or(1, tiles_per_shard);
    let most = fit.min((brick.rows * brick.cols).div_ceil(grid.k));
    let widest = |rows: &u64| across.iter().rfind(|&&cols| rows * cols <= most);
    let fitting = down.iter().filter_map(|rows| Some(Extent { rows: *rows, cols: *widest(rows)? }));
    // Of equally large ones the squarest.
    let size = |shard: &Extent| (shard.rows * shard.cols, shard.rows.min(shard.cols), shard.cols);
    let (largest, one) = (fitting.max_by_key(size), Extent { rows: 1, cols: 1 });
    let tiles = problem.tiles();
    let files = |shard: &Extent| tiles.m.div_ceil(shard.rows).saturating_mul(tiles.n.div_ceil(shard.cols));
    // Tiles that are mirrored come late, and a shard is open until it has all of its tiles.
    largest.filter(|shard| !problem.symmetric || files(shard) <= OPEN_SHARDS_MAX).unwrap_or(one)
}

/// The lengths of shards along a dimension that cross nothing, ascending.
fn shard_lengths(bricks: u64, brick: u64, piece: u64) -> Vec<u64> {
    let most = piece.min(brick).min(SHARD_TILES_MAX);
    (1..=most).filter(|&length| shard_fits(bricks, brick, piece, length)).collect()
}

/// Whether shards of `length` tiles along a dimension cross neither a brick nor a piece: bricks begin at
/// multiples of `brick` where there are several, and the pieces of a brick at multiples of `piece`.
pub(super) fn shard_fits(bricks: u64, brick: u64, piece: u64, length: u64) -> bool {
    (bricks == 1 || brick.is_multiple_of(length)) && (piece >= brick || piece.is_multiple_of(length))
}

pub(super) fn too_little_memory(problem: &Problem, resources: &Resources, [a, b]: [&str; 2]) -> Error {
    // Of one host: its share of the peers.
    let smallest = |grid: Grid| {
        let peers = grid.peer_count().div_ceil(resources.hosts.max(1));
        least_bytes_of_all(problem, grid, resources.by_reference).saturating_mul(peers)
    };
    let alone = smallest(Grid { m: 1, n: 1, k: 1 });
    let needed = resources.grid.map_or(alone, smallest);
    let Problem { m, n, k, .. } = *problem;
    let mut message = format!(
        "--memory {} is too small for {a} ({m} x {k}) by {b} ({k} x {n}) with {} peers: the smallest plan needs {needed}; \
         try --memory {needed}",
        format_bytes(resources.memory_bytes),
        resources.grid.map_or(resources.peers, Grid::peer_count),
        needed = format_bytes(needed),
    );
    if resources.grid.is_some() && alone <= resources.memory_bytes {
        message.push_str(" or leave out --grid");
    }
    Error::new(ErrorKind::OutOfMemory, message)
}
