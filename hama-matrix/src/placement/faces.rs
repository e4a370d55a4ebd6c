//! What the bricks of a plan need of tables whose shards lie somewhere, and what they pass on to each other.

use std::collections::BTreeMap;
use std::ops::Range;

use hama_hdfs::{ShardLocation, TableSpec};
use serde::{Deserialize, Serialize};

use super::node::Nodes;
use super::traffic::{Data, Pass, Work};
use crate::grid::{Coordinates, Grid, Runs};
use crate::plan::Plan;
use crate::problem::{Box3, Operand, Problem};

/// Where a matrix lies: cut into shards of so many elements, whose holders are known or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lying {
    /// Elements of a shard along rows and columns.
    shard: (u64, u64),
    shape: (u64, u64),
    /// By shard, row by row.
    holders: Vec<Vec<usize>>,
}

/// Where both factors of a product lie.
#[derive(Clone, Debug)]
pub(crate) struct Operands {
    pub(crate) a: Lying,
    pub(crate) b: Lying,
}

impl Lying {
    /// A table, by the locations of its shards.
    pub(crate) fn table(spec: &TableSpec, locations: &[ShardLocation], nodes: &Nodes) -> Lying {
        Lying::held(spec, locations.iter().map(|location| nodes.holders(location)).collect())
    }

    /// A table of which each shard has these holders.
    pub(super) fn held(spec: &TableSpec, holders: Vec<Vec<usize>>) -> Lying {
        let shard = (spec.shard.rows * spec.tile.rows, spec.shard.cols * spec.tile.cols);
        Lying { shard, shape: (spec.shape.rows, spec.shape.cols), holders }
    }

    /// What nobody knows the place of: a file.
    pub(crate) fn unknown(spec: &TableSpec) -> Lying {
        let shape = (spec.shape.rows, spec.shape.cols);
        Lying { shard: (shape.0.max(1), shape.1.max(1)), shape, holders: vec![Vec::new()] }
    }

    /// The hosts that hold the shard of an element; none where nobody knows.
    pub(super) fn holders_of(&self, row: u64, col: u64) -> &[usize] {
        let across = self.shape.1.div_ceil(self.shard.1.max(1));
        let (row, col) = (row / self.shard.0.max(1), col / self.shard.1.max(1));
        let index = row.saturating_mul(across).saturating_add(col);
        usize::try_from(index).ok().and_then(|index| self.holders.get(index)).map_or(&[][..], Vec::as_slice)
    }

    /// Elements of a region by the hosts that hold them.
    pub(super) fn elements(&self, rows: &Range<u64>, cols: &Range<u64>) -> BTreeMap<&[usize], u64> {
        let mut found: BTreeMap<&[usize], u64> = BTreeMap::new();
        let across = self.shape.1.div_ceil(self.shard.1);
        for (row, height) in cuts(rows, self.shard.0) {
            for (col, width) in cuts(cols, self.shard.1) {
                let holders = self.holders.get((row * across + col) as usize).map_or(&[][..], Vec::as_slice);
                *found.entry(holders).or_default() += height * width;
            }
        }
        found
    }
}

/// The parts of a run that multiples of `length` cut it into: their numbers and lengths.
fn cuts(run: &Range<u64>, length: u64) -> impl Iterator<Item = (u64, u64)> + use<> {
    let (start, end) = (run.start, run.end);
    let numbers = if start < end { start / length..end.div_ceil(length) } else { 0..0 };
    numbers.map(move |number| {
        (number, end.min((number + 1).saturating_mul(length)) - start.max(number * length))
    })
}

/// The bricks of a plan with what they need and pass on.
pub(super) fn work(plan: &Plan, nodes: &Nodes, operands: &Operands) -> Work {
    let bricks = plan.peer_count();
    let (hosts, racks) = (nodes.computing().len(), nodes.racks());
    let mut work = Work { bricks, hosts, racks, data: Vec::new(), passes: Vec::new() };
    let cut = Cut::of(plan);
    let (a, b) = plan.repeats();
    cut.add_faces(&mut work, Operand::A, &operands.a, a);
    cut.add_faces(&mut work, Operand::B, &operands.b, b);
    cut.add_sums(&mut work);
    if plan.problem.has_mirror_images() {
        cut.add_mirrored(&mut work);
    }
    work
}

/// A product cut into bricks, in elements.
struct Cut {
    problem: Problem,
    grid: Grid,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    M,
    N,
    K,
}

impl Cut {
    fn of(plan: &Plan) -> Cut {
        Cut { problem: plan.problem, grid: plan.grid }
    }

    fn count(&self, side: Side) -> u64 {
        match side {
            Side::M => self.grid.m,
            Side::N => self.grid.n,
            Side::K => self.grid.k,
        }
    }

    /// Elements of run `index` along a side.
    fn run(&self, side: Side, index: u64) -> Range<u64> {
        let Problem { m, n, k, .. } = self.problem;
        let of = |extent: fn(Box3) -> u64, elements: u64| {
            let (tile, tiles) = (extent(self.problem.tile()), extent(self.problem.tiles()));
            let run = Runs::at_most(self.count(side), tiles).range(index);
            run.start.saturating_mul(tile).min(elements)..run.end.saturating_mul(tile).min(elements)
        };
        match side {
            Side::M => of(|extent| extent.m, m),
            Side::N => of(|extent| extent.n, n),
            Side::K => of(|extent| extent.k, k),
        }
    }

    /// The faces of an operand: each is read and shared by the bricks that lie along the third side.
    fn add_faces(&self, work: &mut Work, operand: Operand, lying: &Lying, repeats: u64) {
        // As the operand enters the product.
        let (down, across, along, transposed) = match operand {
            Operand::A => (Side::M, Side::K, Side::N, self.problem.transpose_a),
            Operand::B => (Side::K, Side::N, Side::M, self.problem.transpose_b),
        };
        let bytes_of = |elements: u64| self.bytes(elements).saturating_mul(repeats);
        for i in 0..self.count(down) {
            for j in 0..self.count(across) {
                let (rows, cols) = (self.run(down, i), self.run(across, j));
                let (rows, cols) = if transposed { (cols, rows) } else { (rows, cols) };
                let at = |l: u64| self.grid.peer(self.at([(down, i), (across, j), (along, l)])) as usize;
                let mut users: Vec<usize> = (0..self.count(along)).map(at).collect();
                users.sort_unstable();
                let data = lying.elements(&rows, &cols).into_iter().map(|(holders, elements)| Data {
                    bytes: bytes_of(elements),
                    holders: holders.to_vec(),
                    users: users.clone(),
                });
                work.data.extend(data);
            }
        }
    }

    fn at(&self, indexes: [(Side, u64); 3]) -> Coordinates {
        let of = |wanted| indexes.iter().find(|(side, _)| *side == wanted).map_or(0, |(_, index)| *index);
        Coordinates { m: of(Side::M), n: of(Side::N), k: of(Side::K) }
    }

    /// Partial sums: each of the p_k bricks of a part of C adds up an equal share of it. About half of it where only half
    /// is computed.
    fn add_sums(&self, work: &mut Work) {
        let half = if self.problem.symmetric { 2 } else { 1 };
        self.for_each_part(|m, n, rows, cols| {
            let bytes = self.bytes(length(&rows) * length(&cols)) / self.grid.k / half;
            for from in 0..self.grid.k {
                for to in (0..self.grid.k).filter(|&to| to != from) {
                    let peer = |k| self.grid.peer(Coordinates { m, n, k }) as usize;
                    work.passes.push(Pass { bytes, from: peer(from), to: peer(to) });
                }
            }
        });
    }

    /// Tiles of C that mirror others: about half of each part goes to where its mirror image is written.
    fn add_mirrored(&self, work: &mut Work) {
        let runs = |side| (0..self.count(side)).map(|index| self.run(side, index)).collect::<Vec<_>>();
        let (down, across) = (runs(Side::M), runs(Side::N));
        self.for_each_part(|m, n, rows, cols| {
            // Column m' of the image is in rows m', and row n' in columns n'.
            for (to_m, rows_of) in (0..).zip(&down) {
                let height = length(&shared(rows_of, &cols));
                for (to_n, cols_of) in (0..).zip(&across).filter(|_| height > 0) {
                    let width = length(&shared(cols_of, &rows));
                    let bytes = self.bytes(height * width) / 2 / self.grid.k / self.grid.k;
                    if (to_m, to_n) == (m, n) || bytes == 0 {
                        continue;
                    }
                    for k in 0..self.grid.k * self.grid.k {
                        let peer = |m, n, k| self.grid.peer(Coordinates { m, n, k }) as usize;
                        let (from, to) = (peer(m, n, k / self.grid.k), peer(to_m, to_n, k % self.grid.k));
                        work.passes.push(Pass { bytes, from, to });
                    }
                }
            }
        });
    }

    fn for_each_part(&self, mut part: impl FnMut(u64, u64, Range<u64>, Range<u64>)) {
        for m in 0..self.grid.m {
            for n in 0..self.grid.n {
                part(m, n, self.run(Side::M, m), self.run(Side::N, n));
            }
        }
    }

    fn bytes(&self, elements: u64) -> u64 {
        elements.saturating_mul(self.problem.element.size_bytes() as u64)
    }
}

fn shared(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

fn length(run: &Range<u64>) -> u64 {
    run.end - run.start
}
