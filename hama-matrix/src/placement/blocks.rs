//! Which host owns which blocks of a placed copy, and whether a copy pays.

use hama_core::Host;
use hama_hdfs::{Extent, ShardIndex, TableSpec};
use serde::Serialize;

use super::faces::{Lying, Operands};
use super::node::Nodes;
use super::traffic::{Data, Work};
use super::{Payoff, Reads, faces, search};
use crate::plan::Plan;
use crate::problem::Operand;

/// Who owns the blocks of a placed copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owners {
    /// The hosts, by name, and how many blocks each owns.
    pub hosts: Vec<(Host, u64)>,
    /// The number of the host that owns each shard of the copy, row by row.
    #[serde(skip)]
    pub(crate) of_shards: Vec<usize>,
}

/// A placed copy of an operand that would make more of it local.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// Whose copy.
    pub operand: Operand,
    /// The matrix.
    pub name: String,
    /// Blocks along each dimension.
    pub blocks: u64,
    /// The hosts that would own them, by name.
    pub hosts: Vec<Host>,
    /// Bytes of the product's reads that would be local and are not.
    pub local_bytes_more: u64,
    /// Bytes that making it reads and writes, once, those of all replicas.
    pub rewrite_bytes: u64,
    /// The least number of such products that it pays for.
    pub pays_after: u64,
}

/// Gives each block of a copy, which will be `spec`, to a host: to that which holds most of what will be in it, as many
/// blocks to each host as to any other, or one more. Where the rows of blocks can be dealt out evenly, they are given whole: a
/// brick needs a band of a factor, and its peer reads all of it from its own host then. And what they read now, each its
/// blocks once.
pub(crate) fn owners(spec: &TableSpec, blocking: Extent, lying: &Lying, nodes: &Nodes) -> (Owners, Reads) {
    let tiles = spec.tile_grid();
    let block = tiles.div_ceil(blocking.min(tiles));
    let blocks = tiles.div_ceil(block);
    let hosts = nodes.computing().len();
    // How many blocks of a row go to one host together.
    let together = if blocks.rows.is_multiple_of(hosts as u64) { blocks.cols } else { 1 };
    // A shard may cross the edge of the block that it begins in.
    let given = |shard: ShardIndex| {
        let (row, col) = (shard.row * spec.shard.rows / block.rows, shard.col * spec.shard.cols / block.cols);
        ((row * blocks.cols + col) / together) as usize
    };
    let mut work = Work {
        bricks: (blocks.rows * blocks.cols / together) as usize,
        hosts,
        racks: nodes.racks(),
        data: Vec::new(),
        passes: Vec::new(),
    };
    let (height, width) = (spec.shard.rows * spec.tile.rows, spec.shard.cols * spec.tile.cols);
    for shard in spec.shards() {
        let rows = shard.row * height..((shard.row + 1) * height).min(spec.shape.rows);
        let cols = shard.col * width..((shard.col + 1) * width).min(spec.shape.cols);
        let users = vec![given(shard)];
        let data = lying.elements(&rows, &cols).into_iter().map(|(holders, elements)| Data {
            bytes: elements * spec.element.size_bytes() as u64,
            holders: holders.to_vec(),
            users: users.clone(),
        });
        work.data.extend(data);
    }
    let places = search::place(&work);
    let count = |number: usize| places.iter().filter(|place| **place == number).count() as u64 * together;
    let hosts = nodes.computing().iter().zip(0..).map(|(node, number)| (node.host.clone(), count(number)));
    let of_shards = spec.shards().map(|shard| places[given(shard)]).collect();
    (Owners { hosts: hosts.collect(), of_shards }, work.traffic(&places).all_reads(false))
}

/// A factor as it is stored, of which a copy could be made.
pub(crate) struct Copyable<'a> {
    pub(crate) operand: Operand,
    pub(crate) name: &'a str,
    /// Of the other operand too: it is the same table.
    pub(crate) both: bool,
    pub(crate) bytes: u64,
    /// How many replicas of a copy are written.
    pub(crate) replicas: u64,
    /// What a copy with so many blocks would be, where there can be one.
    pub(crate) copy: &'a dyn Fn(Extent) -> Option<TableSpec>,
}

/// The copy of a factor that makes most of a plan's reads local, where any makes more than `now`.
pub(crate) fn advice(
    plan: &Plan,
    nodes: &Nodes,
    operands: &Operands,
    now: &Reads,
    of: &Copyable<'_>,
) -> Option<Advice> {
    let grid = plan.grid;
    let own = match of.operand {
        Operand::A => [grid.m, grid.k],
        Operand::B => [grid.k, grid.n],
    };
    let mut sizes = [own[0], own[1], nodes.computing().len() as u64];
    sizes.sort_unstable();
    let mut best: Option<(u64, u64)> = None;
    for blocks in sizes.into_iter().filter(|&blocks| blocks > 1) {
        let blocking = Extent::new(blocks, blocks);
        let Some(spec) = (of.copy)(blocking) else { continue };
        let lying = if of.operand == Operand::A { &operands.a } else { &operands.b };
        let owners = owners(&spec, blocking, lying, nodes).0.of_shards;
        let copy = Lying::held(&spec, owners.into_iter().map(|host| vec![host]).collect());
        let mut copied = operands.clone();
        if of.operand == Operand::A || of.both {
            copied.a = copy.clone();
        }
        if of.operand == Operand::B || of.both {
            copied.b = copy;
        }
        let work = faces::work(plan, nodes, &copied);
        let local = work.traffic(&search::place(&work)).all_reads(false).local_bytes;
        let more = local.saturating_sub(now.local_bytes);
        if more > best.map_or(0, |(_, more)| more) {
            best = Some((blocks, more));
        }
    }
    let (blocks, more) = best?;
    let payoff = Payoff::new(nodes.computing().len(), more, of.bytes, of.replicas);
    Some(Advice {
        operand: of.operand,
        name: of.name.to_owned(),
        blocks,
        hosts: nodes.computing().iter().map(|node| node.host.clone()).collect(),
        local_bytes_more: more,
        rewrite_bytes: payoff.rewrite_bytes(),
        pays_after: payoff.pays_after?,
    })
}
