//! Reads tiles, straight from their files into the caller's buffer, and checks them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use hama_core::{Error, ErrorKind, Result};

use super::Table;
use super::write::path_of;
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
        if let Some((_, other)) = readers.iter().find(|(n, _)| *n == number) {
            return Ok(Arc::clone(other));
        }
        if readers.len() >= OPEN_MAX {
            readers.pop_front();
        }
        readers.push_back((number, Arc::clone(&reader)));
        Ok(reader)
    }
}

/// A tile that is being read.
struct OpenTile<'a> {
    table: &'a Table,
    tile: TileIndex,
    record: &'a ShardRecord,
    place: TileRecord,
    reader: Arc<dyn StoreReader>,
}

impl OpenTile<'_> {
    /// Fills `into` with its bytes, in parts that the checksum finds in the second cache, where parts cost nothing.
    fn read(&self, into: &mut [u8]) -> Result<u32> {
        let (mut offset, mut is) = (self.place.offset, 0);
        for part in into.chunks_mut(self.reader.part_bytes()) {
            self.reader.read_at(offset, part).map_err(|e| self.table.unread(self.record, e))?;
            is = crc32c::crc32c_append(is, part);
            offset += part.len() as u64;
        }
        Ok(is)
    }

    fn check(&self, is: u32) -> Result<()> {
        let should = self.place.crc32c;
        if is == should { Ok(()) } else { Err(self.table.damaged(self.record, self.tile, is, should)) }
    }
}

impl Table {
    /// Fills `into`, which has [`tile_bytes`](crate::TableSpec::tile_bytes), with a tile, padding included.
    ///
    /// # Cost
    /// One read of the tile's bytes into `into`, in parts, with their checksum taken while they are in the cache.
    /// The last 32 shards stay open.
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
        let opened = self.open_tile(tile)?;
        opened.check(opened.read(into)?)
    }

    /// Reads a tile part by part into `part` and hands each to `take`, with the offset of its first byte, for
    /// those who put the bytes into another order.
    ///
    /// # Cost
    /// That of [`read_tile`](Self::read_tile), in the memory of one part.
    ///
    /// # Errors
    /// Those of `read_tile`; `Invalid` for a part of no bytes. **What `take` has got may be damaged** until this
    /// returns `Ok`.
    pub fn read_tile_in_parts(
        &self,
        tile: TileIndex,
        part: &mut [u8],
        mut take: impl FnMut(usize, &[u8]),
    ) -> Result<()> {
        if part.is_empty() {
            return Err(Error::invalid("cannot read a tile in parts of 0 bytes"));
        }
        let opened = self.open_tile(tile)?;
        let (mut offset, mut is) = (0, 0);
        let read =
            opened.reader.read_through(opened.place.offset, self.spec().tile_bytes(), part, &mut |part| {
                is = crc32c::crc32c_append(is, part);
                take(offset, part);
                offset += part.len();
            });
        read.map_err(|e| self.unread(opened.record, e))?;
        opened.check(is)
    }

    fn open_tile(&self, tile: TileIndex) -> Result<OpenTile<'_>> {
        let (number, record, place) = self.find(tile)?;
        Ok(OpenTile { table: self, tile, record, place, reader: self.shard_reader(number)? })
    }

    pub(super) fn damaged(&self, record: &ShardRecord, tile: TileIndex, is: u32, should: u32) -> Error {
        Error::data(format!(
            "cannot read table {}: tile {tile} in shard {} is damaged: its checksum is {is:08x} and should be \
             {should:08x}",
            self.name(),
            record.shard
        ))
    }

    /// What a store says of a shard whose bytes it does not give, with whose bytes they are.
    pub(super) fn unread(&self, record: &ShardRecord, error: Error) -> Error {
        let (name, shard, host) = (self.name(), record.shard, record.host.name());
        let message = format!("cannot read table {name}: shard {shard}, which {host} wrote");
        Error::new(error.kind(), message).with_source(error)
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
            ErrorKind::Invalid => bad("is no file that can be read".to_owned()).with_source(e),
            _ => self.unread(record, e),
        })?;
        if reader.len() != record.len {
            return Err(bad(format!("has {} bytes and should have {}", reader.len(), record.len)));
        }
        Ok(Arc::from(reader))
    }

    fn shard_path(&self, record: &ShardRecord) -> Result<StorePath> {
        path_of(self.name(), &record.file)
    }
}
