//! Reads tiles, straight from their files into the caller's buffer, and checks them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use hama_core::{Error, ErrorKind, Host, Result};

use super::Table;
use crate::extent::TileIndex;
use crate::index::ShardRecord;
use crate::path::StorePath;
use crate::shard::{TileRecord, place_of};
use crate::store::StoreReader;

/// How many shards are held open: a process may have 1024 files, and peers share them.
const OPEN_MAX: usize = 32;

/// The shards that were read last, open.
#[derive(Debug, Default)]
pub(super) struct OpenShards(Mutex<VecDeque<(usize, Arc<dyn StoreReader>)>>);

impl OpenShards {
    /// The open file of shard `number`, opened where it is not.
    fn get(
        &self,
        number: usize,
        open: impl Fn() -> Result<Arc<dyn StoreReader>>,
    ) -> Result<Arc<dyn StoreReader>> {
        let locked = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reader)) = locked().iter().find(|(n, _)| *n == number) {
            return Ok(Arc::clone(reader));
        }
        // Two threads may open the same file: better than to open all files one after another.
        let reader = open()?;
        let mut readers = locked();
        if readers.len() >= OPEN_MAX {
            readers.pop_front();
        }
        readers.push_back((number, Arc::clone(&reader)));
        Ok(reader)
    }
}

impl Table {
    /// Fills `into`, which has [`tile_bytes`](crate::TableSpec::tile_bytes), with a tile, padding included.
    ///
    /// # Cost
    /// One read of the tile's bytes into `into`, and one pass over them for the checksum. The last 32 shards stay open.
    ///
    /// # Errors
    /// `Invalid` where there is no such tile or the buffer has another size; `Data` where the shard is missing, of
    /// another length, or the bytes do not have their checksum; those of the store.
    pub fn read_tile(&self, tile: TileIndex, into: &mut [u8]) -> Result<()> {
        let spec = self.spec();
        if into.len() != spec.tile_bytes() {
            return Err(Error::invalid(format!(
                "cannot read a tile of table {} into {} bytes: it has {}",
                self.name(),
                into.len(),
                spec.tile_bytes()
            )));
        }
        let (number, record, place) = self.find(tile)?;
        let reader = self.shard_reader(number)?;
        reader.read_at(place.offset, into)?;
        let is = crc32c::crc32c(into);
        if is != place.crc32c {
            return Err(self.damaged(record, tile, is, place.crc32c));
        }
        Ok(())
    }

    /// The hosts that hold a tile, the best first: as far as the store knows, else the one that wrote it.
    pub fn hosts(&self, tile: TileIndex) -> Vec<Host> {
        let Ok((number, record, place)) = self.find(tile) else { return Vec::new() };
        let blocks = self.inner.hosts[number].get_or_init(|| {
            let hosts = self.shard_path(record).and_then(|path| self.inner.store.hosts(&path));
            hosts.unwrap_or_default()
        });
        let block = blocks.iter().rfind(|block| block.offset <= place.offset && !block.hosts.is_empty());
        block.map_or_else(|| vec![record.host.clone()], |block| block.hosts.clone())
    }

    pub(super) fn damaged(&self, record: &ShardRecord, tile: TileIndex, is: u32, should: u32) -> Error {
        Error::data(format!(
            "cannot read table {}: tile {tile} in shard {} is damaged: its checksum is {is:08x} and should be \
             {should:08x}",
            self.name(),
            record.shard
        ))
    }

    /// The shard that a tile lies in, by its number and record, and the tile's place there.
    fn find(&self, tile: TileIndex) -> Result<(usize, &ShardRecord, TileRecord)> {
        let spec = self.spec();
        if !spec.has_tile(tile) {
            return Err(Error::invalid(format!(
                "cannot read tile {tile} of table {}: it has {} tiles",
                self.name(),
                spec.tile_grid()
            )));
        }
        let shard = spec.shard_of(tile);
        let number = (shard.row * spec.shard_grid().cols + shard.col) as usize;
        let record = &self.shards()[number];
        let place = record.tiles[place_of(spec.shard, tile)].expect("the index was checked to have it");
        Ok((number, record, place))
    }

    /// The open file of shard `number`, which has the length that the index says.
    pub(super) fn shard_reader(&self, number: usize) -> Result<Arc<dyn StoreReader>> {
        self.inner.open_shards.get(number, || self.open_shard(&self.shards()[number]))
    }

    fn open_shard(&self, record: &ShardRecord) -> Result<Arc<dyn StoreReader>> {
        let bad = |what: String| {
            Error::data(format!("cannot read table {}: shard {} {what}", self.name(), record.shard))
        };
        let reader = self.inner.store.open(&self.shard_path(record)?).map_err(|e| match e.kind() {
            ErrorKind::NotFound => bad("is missing".to_owned()).with_source(e),
            _ => e,
        })?;
        if reader.len() != record.len {
            return Err(bad(format!("has {} bytes and should have {}", reader.len(), record.len)));
        }
        Ok(Arc::from(reader))
    }

    fn shard_path(&self, record: &ShardRecord) -> Result<StorePath> {
        StorePath::new(&format!("{}/{}", self.name(), record.file))
    }
}
