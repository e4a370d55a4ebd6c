//! Writes one shard, tile by tile, straight to its file.

use std::sync::Arc;

use hama_core::{Error, ErrorKind, Host, Result};

use super::files;
use super::layout::Layout;
use super::pending::ended_or;
use super::write::TableTarget;
use crate::extent::{ShardIndex, TileIndex};
use crate::index::{ShardRecord, shard_file};
use crate::path::StorePath;
use crate::shard::{self, ShardPlan};
use crate::store::{self, CreateHint, Store, StoreWriter};

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
        let path = Layout::new(&target.name).values(target.generation).child(&shard.key())?;
        let tiles = target.spec.tiles_of(shard).count() as u64;
        let len = tiles * shard::slot_bytes(target.spec.tile_bytes())
            + shard::index_bytes(shard::places(&target.spec)) as u64;
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

    /// How many shards may best be [finished](Self::finish) at once, by threads of their own.
    pub fn files_at_once(&self) -> usize {
        self.store.files_at_once()
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

/// Whether the file has this length and ends with this index. A file appears whole or not at all, and no other writer
/// has this name, so that tells whether an ambiguous close took place.
fn is_whole(store: &dyn Store, path: &StorePath, len: u64, index: &[u8]) -> Result<bool> {
    let reader = match store.open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let Some(start) = reader.len().checked_sub(index.len() as u64).filter(|_| reader.len() == len) else {
        return Err(Error::data(format!(
            "cannot finish {path}: it has {} bytes and should have {len}",
            reader.len()
        )));
    };
    let mut found = vec![0; index.len()];
    reader.read_at(start, &mut found)?;
    Ok(found == index)
}
