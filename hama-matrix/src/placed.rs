//! Placed copies of blocked matrices: made, brought up to date after an update, and used.

use std::collections::{BTreeMap, BTreeSet};

use hama_core::{BoxError, Bsp, Error, ErrorKind, Host, Peer, Result};
use hama_hdfs::{
    Extent, LocationSource, ShardIndex, ShardLocation, ShardRecord, Table, TableRef, TableTarget, TableWriter,
};
use serde::{Deserialize, Serialize};

use crate::dense::DenseMatrix;
use crate::fill::HELD_TILES;
use crate::hama::Hama;
use crate::placement::{Lying, Node, Owners, Payoff, Sites, nodes, owners};
use crate::scalar::Scalar;
use crate::shares::{Shares, dealt, dealt_by_host};
use crate::source::Source;
use crate::write_behind::WriteBehind;

/// What bringing a placed copy up to date took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The shards that were copied.
    pub shards: u64,
    /// Those that the copy has.
    pub of: u64,
    /// The bytes that were written for that; as many were read.
    pub bytes: u64,
}

impl Copied {
    /// Nothing, of a copy of so many shards.
    fn nothing(of: u64) -> Copied {
        Copied { shards: 0, of, bytes: 0 }
    }
}

/// Who will own which blocks of a copy, and what comes of it.
struct Placing {
    owners: Owners,
    /// The host that writes each shard.
    wanted: BTreeMap<ShardIndex, Host>,
    /// Shards that the copy has elsewhere.
    moving: BTreeSet<ShardIndex>,
    payoff: Payoff,
}

impl<T: Scalar> DenseMatrix<T> {
    /// Makes a placed copy of this blocked matrix, whose shards follow the blocks, or brings the one that there is up to
    /// date: only the shards that an update touched are copied again. Products read the copy from then on. On a cluster its
    /// hosts own the blocks of a new copy, as by [`blocking_with_copy_on`](Self::blocking_with_copy_on).
    ///
    /// # Cost
    /// The elements of the shards that are copied are read and written; two tiles of memory a peer.
    ///
    /// # Errors
    /// `Invalid` where the matrix has no blocks; `Conflict` where somebody else changed it since it was opened;
    /// `OutOfSpace`, and those of the store.
    pub fn copy(&self) -> Result<(Self, Copied)> {
        let blocks = self.table()?.spec().blocking.ok_or_else(|| {
            Error::invalid(format!("cannot place blocks of {}: call blocking(n) first", self.name()))
        })?;
        self.copy_blocks(blocks)
    }

    /// The same with n x n blocks, whatever blocks it has now.
    ///
    /// # Errors
    /// Those of [`copy`](Self::copy); `Invalid` for 0 blocks or more than rows or columns.
    pub fn blocking_with_copy(&self, n: u64) -> Result<(Self, Copied)> {
        self.copy_blocks(Extent { rows: n, cols: n })
    }

    /// The same, where these hosts own the blocks, as many each or one more: each gets those of which it holds most. What
    /// they own already stays where it is. The first replica of a shard lies with the host that owns it, where the store
    /// can see to that; else it is only recorded.
    ///
    /// # Cost
    /// That of [`copy`](Self::copy), and the store is asked where each shard lies.
    ///
    /// # Errors
    /// Those of [`blocking_with_copy`](Self::blocking_with_copy); `Invalid` where no hosts are named or one twice; `Data`
    /// where a shard is missing.
    pub fn blocking_with_copy_on(&self, n: u64, hosts: &[Node]) -> Result<(Self, Copied, Owners)> {
        let blocking = Extent { rows: n, cols: n };
        let Placing { owners, wanted, moving, .. } = self.placing(blocking, hosts)?;
        let (matrix, copied) = self.copy_blocks_to(blocking, &moving, &wanted)?;
        Ok((matrix, copied, owners))
    }

    /// What such a copy would save and cost. A use of it is that each of these hosts reads the blocks that it would own,
    /// once. Nothing is written.
    ///
    /// # Cost
    /// The store is asked where each shard lies.
    ///
    /// # Errors
    /// Those of [`blocking_with_copy_on`](Self::blocking_with_copy_on).
    pub fn payoff_of_copy_on(&self, n: u64, hosts: &[Node]) -> Result<Payoff> {
        Ok(self.placing(Extent { rows: n, cols: n }, hosts)?.payoff)
    }

    fn placing(&self, blocking: Extent, hosts: &[Node]) -> Result<Placing> {
        let table = self.table()?.rebased()?;
        let (spec, placed) = (table.copy_spec(blocking)?, table.placed(blocking)?);
        let cancel = self.hama().cancel();
        let lies = placed.as_ref().unwrap_or(&table);
        let locations = lies.locations(cancel)?;
        let nodes = nodes(hosts, &[locations])?;
        let lying = Lying::table(lies.spec(), locations, &nodes);
        let (owners, reads) = owners(&spec, blocking, &lying, &nodes);
        let host = |number: usize| nodes.computing()[number].host.clone();
        let wanted: BTreeMap<ShardIndex, Host> =
            spec.shards().zip(owners.of_shards.iter().map(|&number| host(number))).collect();
        let written = placed.iter().flat_map(|copy| copy.shards());
        let elsewhere: Vec<_> =
            written.filter(|record| wanted.get(&record.shard) != Some(&record.host)).collect();
        let bytes = match (&placed, table.stale_copy_shards()?) {
            (Some(copy), Some((stale, of))) => {
                let moved: u64 = elsewhere.iter().map(|record| record.len).sum();
                (copy.bytes() / of.max(1) * stale).saturating_add(moved).min(copy.bytes())
            }
            _ => table.bytes(),
        };
        let remote = reads.bytes().saturating_sub(reads.local_bytes);
        let payoff = Payoff::new(nodes.computing().len(), remote, bytes, replicas(&table, locations));
        let moving = elsewhere.iter().map(|record| record.shard).collect();
        Ok(Placing { owners, wanted, moving, payoff })
    }

    fn copy_blocks(&self, blocks: Extent) -> Result<(Self, Copied)> {
        // Who owns a block keeps it.
        let placed = self.table()?.rebased()?.placed(blocks)?;
        let cluster = self.hama().hosts()?;
        if placed.is_none() && !cluster.is_empty() {
            let Placing { wanted, moving, .. } = self.placing(blocks, &cluster)?;
            return self.copy_blocks_to(blocks, &moving, &wanted);
        }
        let records = placed.iter().flat_map(|copy| copy.shards());
        let hosts = records.map(|record| (record.shard, record.host.clone())).collect();
        self.copy_blocks_to(blocks, &BTreeSet::new(), &hosts)
    }

    /// Copies what is out of date and what is to move; each shard is written as the host that is named for it, else as
    /// this one.
    fn copy_blocks_to(
        &self,
        blocks: Extent,
        moving: &BTreeSet<ShardIndex>,
        hosts: &BTreeMap<ShardIndex, Host>,
    ) -> Result<(Self, Copied)> {
        let hama = self.hama();
        let table = self.table()?.rebased()?;
        let Some(writer) = table.begin_copy_moving(blocks, hama.durability(), moving)? else {
            let of = table.stale_copy_shards()?.map_or(0, |(_, of)| of);
            let latest = Self::of_table(hama, table)?;
            return Ok((if self.is_transposed() { latest.t() } else { latest }, Copied::nothing(of)));
        };
        let of = writer.target().spec.shards().count() as u64;
        let (shards, records) = copied(hama, self.table()?, &writer, hosts)?;
        let bytes = records.iter().map(|record| record.len).sum();
        hama.cancel().check()?;
        let matrix = Self::of_table(hama, writer.commit(records)?)?;
        let matrix = if self.is_transposed() { matrix.t() } else { matrix };
        Ok((matrix, Copied { shards, of, bytes }))
    }

    /// The table that a product reads, for who wants to know where it lies: its placed copy, where that is up to date.
    /// `None` of a file.
    pub(crate) fn as_read(&self) -> Result<Option<Table>> {
        let Source::Table(table) = self.source() else { return Ok(None) };
        match table.through_copy() {
            Ok(copy) => Ok(Some(copy.unwrap_or_else(|| table.clone()))),
            Err(error) if error.kind() == ErrorKind::Data => {
                tracing::warn!(matrix = self.name(), %error, "planned without its placed copy");
                Ok(Some(table.clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// This matrix as a product reads it: through its placed copy, which is brought up to date before, where there is one.
    pub(crate) fn in_use(&self) -> Result<(Self, Copied)> {
        let nothing = Copied::nothing(0);
        // A file has no copies.
        let Source::Table(table) = self.source() else { return Ok((self.clone(), nothing)) };
        match self.through_copy(table) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Ok((self.clone(), nothing)),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            // The elements of the matrix itself are where they are: of an older version, in a store that is only read, on
            // a full disk, beside a damaged copy.
            Err(error) => {
                tracing::warn!(matrix = self.name(), %error, "read without its placed copy");
                Ok((self.clone(), nothing))
            }
        }
    }

    fn through_copy(&self, table: &Table) -> Result<Option<(Self, Copied)>> {
        let table = table.rebased()?;
        let Some((stale, of)) = table.stale_copy_shards()? else { return Ok(None) };
        let (table, copied) = match stale {
            0 => (table, Copied::nothing(of)),
            _ => {
                let (matrix, copied) = Self::of_table(self.hama(), table)?.copy()?;
                (matrix.table()?.clone(), copied)
            }
        };
        let Some(table) = table.through_copy()? else { return Ok(None) };
        let through = Self::of_table(self.hama(), table)?;
        Ok(Some((if self.is_transposed() { through.t() } else { through }, copied)))
    }
}

/// How many replicas of a table's files will be written: as its store was told, else as many as its shards have.
pub(crate) fn replicas(table: &Table, locations: &[ShardLocation]) -> u64 {
    let by_store = locations.iter().filter(|location| location.source == LocationSource::Store);
    let most = by_store.map(|location| location.replicas.len() as u64).max();
    table.store().replicas().or(most).unwrap_or(1).max(1)
}

/// Lets the peers write what the writer has to have written; how many shards that are.
fn copied(
    hama: &Hama,
    table: &Table,
    writer: &TableWriter,
    hosts: &BTreeMap<ShardIndex, Host>,
) -> Result<(u64, Vec<ShardRecord>)> {
    let (target, shards) = (writer.target().clone(), writer.shards());
    let count = shards.len();
    if count == 0 {
        return Ok((0, Vec::new()));
    }
    hama.check_tiles(target.name.as_str(), &target.spec, HELD_TILES)?;
    let held = HELD_TILES * hama_core::Pool::cost(target.spec.tile_bytes()) as u64;
    let peers = hama.peers_holding(held).clamp(1, hama.peers() as u64).min(count as u64) as usize;
    let _turn = hama.turn()?;
    let host = |shard: &ShardIndex| hosts.get(shard).unwrap_or_else(|| hama.host()).clone();
    let mut shards: Vec<(Host, ShardIndex)> = shards.into_iter().map(|shard| (host(&shard), shard)).collect();
    shards.sort();
    let (shares, preferred) = match hama.has_hosts() {
        true => dealt_by_host(&shards, peers),
        false => (dealt(&shards, peers), Vec::new()),
    };
    let (from, as_it_is, sites) = (table.to_ref(), hama.has_hosts(), sites(hama, table)?);
    let program = CopyTiles { from, target, shares, as_it_is, sites };
    let outcome = hama.run(&program).preferred(preferred).peers(peers)?;
    Ok((count as u64, outcome.outputs.into_iter().flatten().collect()))
}

/// Where a table lies, for peers on a cluster that read it.
fn sites(hama: &Hama, table: &Table) -> Result<Option<Sites>> {
    let hosts = hama.hosts()?;
    if hosts.is_empty() {
        return Ok(None);
    }
    let locations = table.locations(hama.cancel())?;
    let nodes = nodes(&hosts, &[locations])?;
    let lying = Lying::table(table.spec(), locations, &nodes);
    Ok(Some(Sites::of(&nodes, vec![lying])))
}

/// The program that copies tiles of a table into shards that are cut otherwise.
#[derive(Serialize, Deserialize)]
pub(crate) struct CopyTiles {
    from: TableRef,
    target: TableTarget,
    /// What each peer copies, sorted by the hosts that the shards are for.
    shares: Shares<ShardIndex>,
    /// Whether a shard is written as the host that the peer is on; else as the one that it is for.
    as_it_is: bool,
    /// On a cluster.
    sites: Option<Sites>,
}

impl Bsp for CopyTiles {
    const NAME: &'static str = "copy-tiles";
    type Message = ();
    type Output = Vec<ShardRecord>;

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<Vec<ShardRecord>, BoxError> {
        let table = Table::open_ref(&self.from)?;
        let own = self.shares.get(peer.index()).map_or(&[][..], Vec::as_slice);
        let mut records = Vec::new();
        for of_host in own.chunk_by(|one, next| one.0 == next.0) {
            records.extend(self.copy(peer, &table, of_host)?);
        }
        Ok(records)
    }
}

impl CopyTiles {
    /// Copies shards that are written as one host.
    fn copy(
        &self,
        peer: &Peer<()>,
        table: &Table,
        shards: &[(Host, ShardIndex)],
    ) -> Result<Vec<ShardRecord>> {
        let spec = &self.target.spec;
        let Some((host, _)) = shards.first() else { return Ok(Vec::new()) };
        let host = if self.as_it_is { peer.host() } else { host };
        let mut writer = WriteBehind::start(self.target.clone(), host.clone())?;
        for tile in shards.iter().flat_map(|(_, shard)| spec.tiles_of(*shard)) {
            peer.cancel().check()?;
            writer.wait_for_at_most(HELD_TILES as usize - 1)?;
            let mut buffer = peer.pool().take(spec.tile_bytes())?;
            table.read_tile(tile, &mut buffer)?;
            self.sites.iter().for_each(|sites| sites.count_tile(peer, spec, tile));
            writer.write(tile, buffer)?;
            peer.progress(spec.tile_bytes() as u64);
        }
        Ok(writer.finish()?.shards)
    }
}
