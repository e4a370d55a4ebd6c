//! Checks every byte of a table against its checksums.

use hama_core::{Cancel, Error, ErrorKind, Result};

use super::Table;
use crate::extent::TileIndex;
use crate::index::ShardRecord;
use crate::shard::{CHECKSUM_BYTES, encode_index, index_bytes, place_of};
use crate::store::StoreReader;

/// The most faults that a report lists; a disk full of them is one fault.
const FAULTS_MAX: usize = 100;

/// What [`Table::check`] found.
#[derive(Debug)]
pub struct CheckReport {
    /// The bytes that were read.
    pub bytes: u64,
    /// The tiles that were checked.
    pub tiles: u64,
    /// What is wrong, each of kind `Data`, at most 100.
    pub faults: Vec<Error>,
}

impl Table {
    /// Reads all tiles, the checksums that follow them and the shards' indexes, and compares them with the generation
    /// index. `progress` is told the bytes read so far, after each tile.
    ///
    /// # Cost
    /// Reads the table once, on this thread, through one tile of memory.
    ///
    /// # Errors
    /// `Cancelled`; those of the store. Damage is no error of the check: it is in the report.
    pub fn check(&self, progress: &dyn Fn(u64), cancel: &Cancel) -> Result<CheckReport> {
        let mut check = Check { table: self, progress, cancel, tile: Vec::new(), report: CheckReport::new() };
        check.tile.resize(self.spec().tile_bytes() + CHECKSUM_BYTES, 0);
        for number in 0..self.shards().len() {
            check.shard(number)?;
        }
        Ok(check.report)
    }
}

impl CheckReport {
    fn new() -> CheckReport {
        CheckReport { bytes: 0, tiles: 0, faults: Vec::new() }
    }

    /// Takes damage into the report; other errors end the check.
    fn note(&mut self, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::Data {
            return Err(error);
        }
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(error);
        }
        Ok(())
    }
}

struct Check<'a> {
    table: &'a Table,
    progress: &'a dyn Fn(u64),
    cancel: &'a Cancel,
    tile: Vec<u8>,
    report: CheckReport,
}

impl Check<'_> {
    fn shard(&mut self, number: usize) -> Result<()> {
        let table = self.table;
        let record = &table.shards()[number];
        let reader = match table.shard_reader(number) {
            Ok(reader) => reader,
            Err(e) => return self.report.note(e),
        };
        for tile in table.spec().tiles_of(record.shard) {
            self.cancel.check()?;
            if let Err(e) = self.tile(&*reader, record, tile) {
                self.report.note(e)?;
            }
            (self.progress)(self.report.bytes);
        }
        self.index(&*reader, record).or_else(|e| self.report.note(e))
    }

    fn tile(&mut self, reader: &dyn StoreReader, record: &ShardRecord, tile: TileIndex) -> Result<()> {
        let place =
            record.tiles[place_of(self.table.spec().shard, tile)].expect("the index was checked to have it");
        reader.read_at(place.offset, &mut self.tile)?;
        self.report.bytes += self.tile.len() as u64;
        self.report.tiles += 1;
        let (bytes, stored) = self.tile.split_at(self.table.spec().tile_bytes());
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
