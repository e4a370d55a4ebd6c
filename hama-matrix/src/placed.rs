//! Placed copies of blocked matrices: made, brought up to date after an update, and used.

use hama_core::{BoxError, Bsp, Error, ErrorKind, Peer, Result};
use hama_hdfs::{Extent, ShardIndex, ShardRecord, Table, TableRef, TableTarget, TableWriter};
use serde::{Deserialize, Serialize};

use crate::dense::DenseMatrix;
use crate::fill::HELD_TILES;
use crate::hama::Hama;
use crate::scalar::Scalar;
use crate::source::Source;
use crate::write_behind::WriteBehind;

/// What bringing a placed copy up to date took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The shards that were copied.
    pub shards: u64,
    /// Those that the copy has.
    pub of: u64,
}

impl<T: Scalar> DenseMatrix<T> {
    /// Makes a placed copy of this blocked matrix, whose shards follow the blocks, or brings the one that there is up to
    /// date: only the shards that an update touched are copied again. Products read the copy from then on.
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

    fn copy_blocks(&self, blocks: Extent) -> Result<(Self, Copied)> {
        let hama = self.hama();
        let table = self.table()?.rebased()?;
        let Some(writer) = table.begin_copy(blocks, hama.durability())? else {
            let of = table.stale_copy_shards()?.map_or(0, |(_, of)| of);
            let latest = Self::of_table(hama, table)?;
            return Ok((if self.is_transposed() { latest.t() } else { latest }, Copied { shards: 0, of }));
        };
        let of = writer.target().spec.shards().count() as u64;
        let (shards, records) = copied(hama, self.table()?, &writer)?;
        hama.cancel().check()?;
        let matrix = Self::of_table(hama, writer.commit(records)?)?;
        let matrix = if self.is_transposed() { matrix.t() } else { matrix };
        Ok((matrix, Copied { shards, of }))
    }

    /// This matrix as a product reads it: through its placed copy, which is brought up to date before, where there is one.
    pub(crate) fn in_use(&self) -> Result<(Self, Copied)> {
        let nothing = Copied { shards: 0, of: 0 };
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
            0 => (table, Copied { shards: 0, of }),
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

/// Lets the peers write what the writer has to have written; how many shards that are.
fn copied(hama: &Hama, table: &Table, writer: &TableWriter) -> Result<(u64, Vec<ShardRecord>)> {
    let (target, shards) = (writer.target().clone(), writer.shards());
    let count = shards.len();
    if count == 0 {
        return Ok((0, Vec::new()));
    }
    drop(hama.tile_buffer(target.name.as_str(), &target.spec, HELD_TILES)?);
    let held = HELD_TILES * hama_core::Pool::cost(target.spec.tile_bytes()) as u64;
    let peers = (hama.memory() / held).clamp(1, hama.peers() as u64).min(count as u64);
    let _turn = hama.turn()?;
    let program = CopyTiles { from: table.to_ref(), target, shards };
    let outcome = hama.run(&program).peers(peers as usize)?;
    Ok((count as u64, outcome.outputs.into_iter().flatten().collect()))
}

/// The program that copies tiles of a table into shards that are cut otherwise: the peers take turns at the shards.
#[derive(Serialize, Deserialize)]
struct CopyTiles {
    from: TableRef,
    target: TableTarget,
    shards: Vec<ShardIndex>,
}

impl Bsp for CopyTiles {
    const NAME: &'static str = "copy-tiles";
    type Message = ();
    type Output = Vec<ShardRecord>;

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<Vec<ShardRecord>, BoxError> {
        let (table, spec) = (Table::open_ref(&self.from)?, &self.target.spec);
        let mut writer = WriteBehind::start(self.target.clone(), peer.host().clone())?;
        let own = self.shards.iter().enumerate().filter(|(index, _)| index % peer.count() == peer.index());
        for tile in own.flat_map(|(_, shard)| spec.tiles_of(*shard)) {
            peer.cancel().check()?;
            writer.wait_for_at_most(HELD_TILES as usize - 1)?;
            let mut buffer = peer.pool().take(spec.tile_bytes())?;
            table.read_tile(tile, &mut buffer)?;
            writer.write(tile, buffer)?;
            peer.progress(spec.tile_bytes() as u64);
        }
        Ok(writer.finish()?.shards)
    }
}
