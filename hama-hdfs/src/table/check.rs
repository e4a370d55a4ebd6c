//! Checks every byte of a table against its checksums.

use std::cell::Cell;
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
/// The bytes between tiles that are read at once.
const GAP_BYTES: usize = 64 << 10;

/// What [`Table::check`] found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// The bytes of the shards' files that were read: all of them, where nothing is wrong.
    pub bytes: u64,
    /// The tiles that were checked.
    pub tiles: u64,
    /// What is wrong, each of kind `Data`, at most [`LISTED_MAX`](Self::LISTED_MAX).
    pub faults: Vec<Error>,
    /// What cannot be read now, each of kind `Unavailable`, at most as many: nobody knows whether that is sound.
    pub unreachable: Vec<Error>,
}

impl CheckReport {
    /// The most faults that a report lists; a disk full of them is one fault.
    pub const LISTED_MAX: usize = 100;

    /// This one and then the other.
    #[must_use]
    pub fn and(mut self, other: CheckReport) -> CheckReport {
        self.bytes += other.bytes;
        self.tiles += other.tiles;
        self.faults.extend(other.faults);
        self.unreachable.extend(other.unreachable);
        self.faults.truncate(Self::LISTED_MAX);
        self.unreachable.truncate(Self::LISTED_MAX);
        self
    }

    /// Takes in that `what` is damaged or cannot be read; what says nothing of the table ends the check. Says whether it could
    /// be reached.
    fn note(&mut self, what: &dyn Display, found: Result<()>) -> Result<bool> {
        let Err(error) = found else { return Ok(true) };
        let kind = match error.kind() {
            ErrorKind::Cancelled | ErrorKind::OutOfMemory | ErrorKind::Internal => return Err(error),
            ErrorKind::Unavailable => ErrorKind::Unavailable,
            _ => ErrorKind::Data,
        };
        // Told in one message, since the command shows no causes of faults.
        let message =
            if error.kind() == ErrorKind::Data { error.to_string() } else { format!("{what}: {error}") };
        let list = if kind == ErrorKind::Unavailable { &mut self.unreachable } else { &mut self.faults };
        if list.len() < Self::LISTED_MAX {
            list.push(Error::new(kind, message));
        }
        Ok(kind != ErrorKind::Unavailable)
    }
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
        let mut buffer = vec![0; self.check_buffer_bytes()];
        let read = Cell::new(0);
        let mut all_of = |table: &Table| -> Result<CheckReport> {
            let mut report = CheckReport::default();
            for number in 0..table.shards().len() {
                let told = |bytes| {
                    read.set(read.get() + bytes);
                    progress(read.get());
                };
                report = report.and(table.check_shard(number, &mut buffer, &told, cancel)?);
            }
            Ok(report)
        };
        self.check_with(|copy| {
            Ok((all_of(self)?, copy.map_or_else(|| Ok(CheckReport::default()), &mut all_of)?))
        })
    }

    /// The same where somebody else reads the shards: `shards` is given the placed copy, where there is one, and says what
    /// it found in all shards of this table and in those of the copy.
    ///
    /// # Cost
    /// Reads a few small files, and what `shards` does.
    ///
    /// # Errors
    /// Those of `shards`; `OutOfMemory`.
    pub fn check_with(
        &self,
        shards: impl FnOnce(Option<&Table>) -> Result<(CheckReport, CheckReport)>,
    ) -> Result<CheckReport> {
        let metadata = self.check_metadata()?;
        // One that cannot be opened is told, and does not end the check of the table.
        let (copy, unopened) = match self.any_copy() {
            Ok(copy) => (copy, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let (own, mut of_copy) = shards(copy.as_ref())?;
        of_copy.note(&"its placed copy", unopened)?;
        Ok(metadata.and(own).and(self.check_labels()?).and(of_copy))
    }

    /// The bytes of the buffer that [`check_shard`](Self::check_shard) reads through.
    pub fn check_buffer_bytes(&self) -> usize {
        (self.spec().tile_bytes() + CHECKSUM_BYTES).max(GAP_BYTES)
    }

    /// Reads every byte of shard `number`, counted in the order of [`shards`](Self::shards), as [`check`](Self::check) does,
    /// through a buffer of [`check_buffer_bytes`](Self::check_buffer_bytes). `progress` is told the bytes of each read.
    ///
    /// # Errors
    /// Those of `check`; `Invalid` where there is no such shard, or the buffer is too small.
    pub fn check_shard(
        &self,
        number: usize,
        buffer: &mut [u8],
        progress: &dyn Fn(u64),
        cancel: &Cancel,
    ) -> Result<CheckReport> {
        let (count, needed, given) = (self.shards().len(), self.check_buffer_bytes(), buffer.len());
        let Some(record) = self.shards().get(number).filter(|_| given >= needed) else {
            return Err(Error::invalid(format!(
                "cannot check shard {number} of table {} through {given} bytes: it has {count} shards and needs {needed}",
                self.name()
            )));
        };
        let mut check =
            ShardCheck { table: self, record, progress, cancel, buffer, report: CheckReport::default() };
        match self.shard_reader(number) {
            Ok(reader) => check.read(&*reader)?,
            Err(error) => check.report.note(&record.shard, Err(error)).map(drop)?,
        }
        Ok(check.report)
    }

    /// What other programs open the array by.
    fn check_metadata(&self) -> Result<CheckReport> {
        let (layout, generation) = (Layout::new(self.name()), self.generation());
        let mut report = CheckReport::default();
        for (path, should) in [
            (layout.group_metadata(generation), zarr::group()?),
            (layout.values_metadata(generation), zarr::values(self.spec())?),
        ] {
            report.note(&path, self.compare_json(&path, &should))?;
        }
        Ok(report)
    }

    /// The labels, and what other programs open them by.
    fn check_labels(&self) -> Result<CheckReport> {
        let layout = Layout::new(self.name());
        let mut report = CheckReport::default();
        for dimension in Dimension::ALL {
            let found = self.labels(dimension).and_then(|labels| match labels {
                None => Ok(()),
                Some(labels) => {
                    let metadata = layout.labels(self.generation(), dimension).child(zarr::METADATA)?;
                    self.compare_json(&metadata, &zarr::labels(dimension, &labels)?)
                }
            });
            report.note(&format_args!("the labels of each {}", dimension.name()), found)?;
        }
        Ok(report)
    }

    /// Whether a file says what it should, however it is written.
    fn compare_json(&self, path: &StorePath, should: &[u8]) -> Result<()> {
        let found = read_whole(&**self.store(), path, METADATA_BYTES_MAX)?;
        let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        if found != should && (value(&found).is_none() || value(&found) != value(should)) {
            return Err(Error::data(format!(
                "cannot read table {}: {path} is damaged: it has {} bytes with the checksum {:08x} and should have {} \
                 with {:08x}",
                self.name(),
                found.len(),
                crc32c::crc32c(&found),
                should.len(),
                crc32c::crc32c(should)
            )));
        }
        Ok(())
    }
}

/// A shard that is being checked.
struct ShardCheck<'a> {
    table: &'a Table,
    record: &'a ShardRecord,
    progress: &'a dyn Fn(u64),
    cancel: &'a Cancel,
    buffer: &'a mut [u8],
    report: CheckReport,
}

impl ShardCheck<'_> {
    /// Reads all of it, or up to what cannot be reached: the rest is not there either, and each read takes its time to find
    /// that out.
    fn read(&mut self, reader: &dyn StoreReader) -> Result<()> {
        let (table, record) = (self.table, self.record);
        for tile in table.spec().tiles_of(record.shard) {
            self.cancel.check()?;
            let found = self.tile(reader, tile);
            if !self.report.note(&format_args!("tile {tile} in shard {}", record.shard), found)? {
                return Ok(());
            }
        }
        for (start, end) in gaps(record, table.spec().tile_bytes()) {
            let found = self.gap(reader, start, end);
            let what = format_args!("the bytes from {start} to {end} of shard {}", record.shard);
            if !self.report.note(&what, found)? {
                return Ok(());
            }
        }
        let found = self.index(reader);
        self.report.note(&format_args!("the index of shard {}", record.shard), found).map(drop)
    }

    /// Counts bytes that were read.
    fn count(&mut self, bytes: usize) {
        self.report.bytes += bytes as u64;
        (self.progress)(bytes as u64);
    }

    fn tile(&mut self, reader: &dyn StoreReader, tile: TileIndex) -> Result<()> {
        let record = self.record;
        let tile_bytes = self.table.spec().tile_bytes();
        let place =
            record.tiles[place_of(self.table.spec().shard, tile)].expect("the index was checked to have it");
        let len = tile_bytes + CHECKSUM_BYTES;
        reader.read_at(place.offset, &mut self.buffer[..len]).map_err(|e| self.table.unread(record, e))?;
        self.count(len);
        self.report.tiles += 1;
        let (bytes, stored) = self.buffer[..len].split_at(tile_bytes);
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
    fn gap(&mut self, reader: &dyn StoreReader, start: u64, end: u64) -> Result<()> {
        let (record, mut at) = (self.record, start);
        while at < end {
            self.cancel.check()?;
            let len = (end - at).min(self.buffer.len() as u64) as usize;
            reader.read_at(at, &mut self.buffer[..len]).map_err(|e| self.table.unread(record, e))?;
            self.count(len);
            let buffer = &self.buffer[..len];
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
    fn index(&mut self, reader: &dyn StoreReader) -> Result<()> {
        let record = self.record;
        let should = encode_index(&record.tiles, self.table.spec().tile_bytes());
        let mut found = vec![0; index_bytes(record.tiles.len())];
        let at = record.len - found.len() as u64;
        reader.read_at(at, &mut found).map_err(|e| self.table.unread(record, e))?;
        self.count(found.len());
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
