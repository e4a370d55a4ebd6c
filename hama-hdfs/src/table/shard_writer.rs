//! Writes one shard, tile by tile, straight to its file.

use std::sync::Arc;

use hama_core::{Cancel, Error, ErrorKind, Host, Result};

use super::files;
use super::layout::Layout;
use super::pending::ended_or;
use super::write::TableTarget;
use crate::extent::{ShardIndex, TileIndex};
use crate::index::{ShardRecord, shard_file};
use crate::path::StorePath;
use crate::shard::{self, ShardPlan, TileRecord, place_of};
use crate::store::{self, CreateHint, Store, StoreReader, StoreWriter};

/// A shard that is being written, by one writer. Dropped before [`finish`](ShardWriter::finish), it leaves nothing.
#[derive(Debug)]
pub struct ShardWriter {
    store: Arc<dyn Store>,
    target: TableTarget,
    shard: ShardIndex,
    host: Host,
    path: StorePath,
    plan: ShardPlan,
    file: Box<dyn StoreWriter>,
}

impl ShardWriter {
    /// Begins to write `shard` of `target` on `host`.
    ///
    /// # Errors
    /// `Invalid` where the table has no such shard; `Exists` where it was written already; those of the store.
    pub fn create(target: &TableTarget, shard: ShardIndex, host: &Host) -> Result<ShardWriter> {
        target.spec.validate()?;
        let plan = ShardPlan::new(&target.spec, shard)?;
        let store = store::open(&target.url)?;
        let (path, len) = (path_of(target, shard)?, file_bytes(target, shard));
        let file = files::create(&*store, &path, CreateHint { len, host, durability: target.durability })?;
        Ok(ShardWriter { store, target: target.clone(), shard, host: host.clone(), path, plan, file })
    }

    /// Writes a tile, in any order, each once: all of its [`tile_bytes`](crate::TableSpec::tile_bytes), row by row,
    /// padding included.
    ///
    /// # Errors
    /// `Invalid` where the tile is not of this shard, was written before, or has another size; those of the store.
    pub fn write_tile(&mut self, tile: TileIndex, bytes: &[u8]) -> Result<()> {
        let end = self.plan.place(&self.target.spec, tile, bytes)?;
        self.file.write(bytes)?;
        self.file.write(end.bytes())
    }

    /// Whether all of its tiles were written.
    pub fn is_complete(&self) -> bool {
        self.plan.is_complete()
    }

    /// Ends the shard; its file is durable then. What it returns is what the commit needs.
    ///
    /// # Errors
    /// `Invalid` where tiles are missing; `Conflict` where somebody ended the table's writer; those of the store.
    pub fn finish(mut self) -> Result<ShardRecord> {
        let (index, len, tiles) = self.plan.finish()?;
        self.file.write(&index)?;
        match self.file.close() {
            Err(e) if e.kind() == ErrorKind::Unavailable => {
                if !is_whole(&*self.store, &self.path, len, &index)? {
                    return Err(e);
                }
            }
            other => {
                other.map_err(|e| ended_or(&*self.store, &self.target.name, self.target.generation, e))?
            }
        }
        let file = shard_file(self.target.generation, self.shard);
        Ok(ShardRecord { shard: self.shard, file, len, host: self.host, tiles })
    }
}

impl ShardWriter {
    /// The shard that an earlier writer of `target` left under the name of `like`, a shard of another table that is cut in
    /// the same way: where it is whole and each tile has the checksum that `like` says.
    pub(super) fn left(
        target: &TableTarget,
        like: &ShardRecord,
        buffer: &mut [u8],
        cancel: &Cancel,
    ) -> Result<Option<ShardRecord>> {
        let store = store::open(&target.url)?;
        let (path, len) = (path_of(target, like.shard)?, file_bytes(target, like.shard));
        let reader = match store.open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let (spec, slot) = (&target.spec, shard::slot_bytes(target.spec.tile_bytes()));
        let mut tiles = vec![None; like.tiles.len()];
        for (tile, offset) in spec.tiles_of(like.shard).zip((0..).step_by(slot as usize)) {
            let place = place_of(spec.shard, tile);
            let crc32c = like.tiles.get(place).copied().flatten().map(|tile| tile.crc32c);
            tiles[place] = crc32c.map(|crc32c| TileRecord { offset, crc32c });
        }
        let index = shard::encode_index(&tiles, spec.tile_bytes());
        if reader.len() != len || !ends_with(&*reader, &index)? {
            return Ok(None);
        }
        for record in tiles.iter().flatten() {
            cancel.check()?;
            reader.read_at(record.offset, buffer)?;
            if crc32c::crc32c(buffer) != record.crc32c {
                return Ok(None);
            }
        }
        let file = shard_file(target.generation, like.shard);
        Ok(Some(ShardRecord { shard: like.shard, file, len, host: Host::local(), tiles }))
    }

    /// Deletes what lies where a shard is to be written.
    pub(super) fn clear(target: &TableTarget, shard: ShardIndex) -> Result<()> {
        let (store, path) = (store::open(&target.url)?, path_of(target, shard)?);
        files::repeated(|| store.delete(&path))
    }
}

fn path_of(target: &TableTarget, shard: ShardIndex) -> Result<StorePath> {
    Layout::new(&target.name).values(target.generation).child(&shard.key())
}

/// How long the file of a shard is.
fn file_bytes(target: &TableTarget, shard: ShardIndex) -> u64 {
    let tiles = target.spec.tiles_of(shard).count() as u64;
    tiles * shard::slot_bytes(target.spec.tile_bytes())
        + shard::index_bytes(shard::places(&target.spec)) as u64
}

/// Whether the file has this length and ends with this index. A file appears whole or not at all, and no other writer
/// has this name, so that tells whether an ambiguous close took place.
fn is_whole(store: &dyn Store, path: &StorePath, len: u64, index: &[u8]) -> Result<bool> {
    let reader = match store.open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    if reader.len() != len {
        return Err(Error::data(format!(
            "cannot finish {path}: it has {} bytes and should have {len}",
            reader.len()
        )));
    }
    ends_with(&*reader, index)
}

/// Whether a file ends with this index.
fn ends_with(reader: &dyn StoreReader, index: &[u8]) -> Result<bool> {
    let Some(start) = reader.len().checked_sub(index.len() as u64) else { return Ok(false) };
    let mut found = vec![0; index.len()];
    reader.read_at(start, &mut found)?;
    Ok(found == index)
}
