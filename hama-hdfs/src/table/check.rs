//! Checks every byte of a table against its checksums.

use std::fmt::Display;

use hama_core::{Cancel, Error, ErrorKind, Result};
use serde_json::Value;

use super::Table;
use super::files::read_whole;
use super::layout::Layout;
use crate::extent::TileIndex;
use crate::index::ShardRecord;
use crate::labels::Dimension;
use crate::path::StorePath;
use crate::shard::{CHECKSUM_BYTES, encode_index, index_bytes, place_of};
use crate::store::StoreReader;
use crate::zarr;

/// The longest Zarr metadata that is compared: attributes have 64 KiB.
const METADATA_BYTES_MAX: u64 = 1 << 20;
/// The most faults that a report lists; a disk full of them is one fault.
const FAULTS_MAX: usize = 100;

/// The bytes between tiles that are read at once.
const GAP_BYTES: usize = 64 << 10;

/// What [`Table::check`] found.
#[derive(Debug)]
pub struct CheckReport {
    /// The bytes of the shards' files that were read: all of them, where nothing is wrong.
    pub bytes: u64,
    /// The tiles that were checked.
    pub tiles: u64,
    /// What is wrong, each of kind `Data`, at most 100.
    pub faults: Vec<Error>,
}

impl Table {
    /// Reads every byte of the generation and of the placed copy: the tiles, the checksums that follow them, what lies between, the shards'
    /// indexes and the Zarr metadata, and compares them with the manifest and the generation index. `progress` is told
    /// the bytes of shards read so far, after each tile.
    ///
    /// # Cost
    /// Reads the table once, on this thread, through one tile of memory.
    ///
    /// # Errors
    /// `Cancelled`; `OutOfMemory`. Damage is no error of the check, nor is what cannot be read: both are in the report.
    pub fn check(&self, progress: &dyn Fn(u64), cancel: &Cancel) -> Result<CheckReport> {
        let report = CheckReport { bytes: 0, tiles: 0, faults: Vec::new() };
        let mut check = Check { table: self, progress, cancel, buffer: Vec::new(), report };
        check.buffer.resize((self.spec().tile_bytes() + CHECKSUM_BYTES).max(GAP_BYTES), 0);
        check.metadata()?;
        check.shards()?;
        check.labels()?;
        // One that cannot be opened is told here, and does not end the check of the table.
        match self.any_copy() {
            Ok(None) => {}
            Ok(Some(copy)) => {
                let mut of_copy = Check { table: &copy, ..check };
                of_copy.shards()?;
                return Ok(of_copy.report);
            }
            Err(error) => check.note(&"its placed copy", Err(error))?,
        }
        Ok(check.report)
    }
}

struct Check<'a> {
    table: &'a Table,
    progress: &'a dyn Fn(u64),
    cancel: &'a Cancel,
    buffer: Vec<u8>,
    report: CheckReport,
}

impl Check<'_> {
    /// Takes into the report that `what` is damaged or cannot be read; what says nothing of the table ends the check.
    fn note(&mut self, what: &dyn Display, found: Result<()>) -> Result<()> {
        let Err(error) = found else { return Ok(()) };
        let fault = match error.kind() {
            ErrorKind::Data => error,
            ErrorKind::Cancelled | ErrorKind::OutOfMemory | ErrorKind::Internal => return Err(error),
            // Told in one message, since the command shows no causes of faults.
            _ => Error::data(format!("cannot read table {}: {what}: {error}", self.table.name())),
        };
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(fault);
        }
        Ok(())
    }

    /// What other programs open the array by.
    fn metadata(&mut self) -> Result<()> {
        let (layout, generation) = (Layout::new(self.table.name()), self.table.generation());
        for (path, should) in [
            (layout.group_metadata(generation), zarr::group()?),
            (layout.values_metadata(generation), zarr::values(self.table.spec())?),
        ] {
            let found = self.compare_json(&path, &should);
            self.note(&path, found)?;
        }
        Ok(())
    }

    fn shards(&mut self) -> Result<()> {
        (0..self.table.shards().len()).try_for_each(|number| self.shard(number))
    }

    /// The labels, and what other programs open them by.
    fn labels(&mut self) -> Result<()> {
        let layout = Layout::new(self.table.name());
        for dimension in Dimension::ALL {
            let found = self.table.labels(dimension).and_then(|labels| match labels {
                None => Ok(()),
                Some(labels) => {
                    let metadata = layout.labels(self.table.generation(), dimension).child(zarr::METADATA)?;
                    self.compare_json(&metadata, &zarr::labels(dimension, &labels)?)
                }
            });
            self.note(&format_args!("the labels of each {}", dimension.name()), found)?;
        }
        Ok(())
    }

    /// Whether a file says what it should, however it is written.
    fn compare_json(&self, path: &StorePath, should: &[u8]) -> Result<()> {
        let found = read_whole(&**self.table.store(), path, METADATA_BYTES_MAX)?;
        let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        if found != should && (value(&found).is_none() || value(&found) != value(should)) {
            return Err(Error::data(format!(
                "cannot read table {}: {path} is damaged: it has {} bytes with the checksum {:08x} and should have {} \
                 with {:08x}",
                self.table.name(),
                found.len(),
                crc32c::crc32c(&found),
                should.len(),
                crc32c::crc32c(should)
            )));
        }
        Ok(())
    }

    fn shard(&mut self, number: usize) -> Result<()> {
        let table = self.table;
        let record = &table.shards()[number];
        let reader = match table.shard_reader(number) {
            Ok(reader) => reader,
            Err(e) => return self.note(&record.shard, Err(e)),
        };
        for tile in table.spec().tiles_of(record.shard) {
            self.cancel.check()?;
            let found = self.tile(&*reader, record, tile);
            self.note(&format_args!("tile {tile} in shard {}", record.shard), found)?;
            (self.progress)(self.report.bytes);
        }
        for (start, end) in gaps(record, table.spec().tile_bytes()) {
            let found = self.gap(&*reader, record, start, end);
            self.note(&format_args!("the bytes from {start} to {end} of shard {}", record.shard), found)?;
        }
        let found = self.index(&*reader, record);
        self.note(&format_args!("the index of shard {}", record.shard), found)?;
        (self.progress)(self.report.bytes);
        Ok(())
    }

    fn tile(&mut self, reader: &dyn StoreReader, record: &ShardRecord, tile: TileIndex) -> Result<()> {
        let tile_bytes = self.table.spec().tile_bytes();
        let place =
            record.tiles[place_of(self.table.spec().shard, tile)].expect("the index was checked to have it");
        let buffer = &mut self.buffer[..tile_bytes + CHECKSUM_BYTES];
        reader.read_at(place.offset, buffer)?;
        self.report.bytes += buffer.len() as u64;
        self.report.tiles += 1;
        let (bytes, stored) = buffer.split_at(tile_bytes);
        let is = crc32c::crc32c(bytes);
        if is != place.crc32c {
            return Err(self.table.damaged(record, tile, is, place.crc32c));
        }
        if stored != is.to_le_bytes() {
            return Err(Error::data(format!(
                "cannot read table {}: the checksum after tile {tile} in shard {} is damaged: {} should be {}",
                self.table.name(),
                record.shard,
                hex(stored),
                hex(&is.to_le_bytes())
            )));
        }
        Ok(())
    }

    /// Between tiles there are zeros.
    fn gap(&mut self, reader: &dyn StoreReader, record: &ShardRecord, start: u64, end: u64) -> Result<()> {
        let mut at = start;
        while at < end {
            self.cancel.check()?;
            let len = (end - at).min(self.buffer.len() as u64) as usize;
            let buffer = &mut self.buffer[..len];
            reader.read_at(at, buffer)?;
            self.report.bytes += len as u64;
            if let Some(wrong) = buffer.iter().position(|byte| *byte != 0) {
                return Err(Error::data(format!(
                    "cannot read table {}: byte {} between the tiles of shard {} is damaged: it is {} and should be 0",
                    self.table.name(),
                    at + wrong as u64,
                    record.shard,
                    buffer[wrong]
                )));
            }
            at += len as u64;
        }
        Ok(())
    }

    /// The index is wholly known from the generation index.
    fn index(&mut self, reader: &dyn StoreReader, record: &ShardRecord) -> Result<()> {
        let should = encode_index(&record.tiles, self.table.spec().tile_bytes());
        let mut found = vec![0; index_bytes(record.tiles.len())];
        reader.read_at(record.len - found.len() as u64, &mut found)?;
        self.report.bytes += found.len() as u64;
        if found != should {
            return Err(Error::data(format!(
                "cannot read table {}: the index of shard {} is damaged: its checksum is {:08x} and should be {:08x}",
                self.table.name(),
                record.shard,
                crc32c::crc32c(&found),
                crc32c::crc32c(&should)
            )));
        }
        Ok(())
    }
}

/// What of a shard's file is neither a tile with its checksum nor the index, in order.
fn gaps(record: &ShardRecord, tile_bytes: usize) -> Vec<(u64, u64)> {
    let mut offsets: Vec<u64> = record.tiles.iter().flatten().map(|tile| tile.offset).collect();
    offsets.sort_unstable();
    offsets.push(record.len - index_bytes(record.tiles.len()) as u64);
    let mut end = 0;
    let mut gaps = Vec::new();
    for offset in offsets {
        if offset > end {
            gaps.push((end, offset));
        }
        end = end.max(offset + (tile_bytes + CHECKSUM_BYTES) as u64);
    }
    gaps
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
