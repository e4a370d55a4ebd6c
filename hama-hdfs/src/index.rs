//! The generation index: every shard of a generation with its file, and every tile with its place and checksum.

use std::collections::BTreeSet;

use hama_core::{Error, Host, Result};
use serde::{Deserialize, Serialize};

use crate::checked::{self, Format};
use crate::extent::ShardIndex;
use crate::generation::GenerationId;
use crate::name::TableName;
use crate::shard::{self, TileRecord};
use crate::spec::TableSpec;
use crate::zarr;

const FORMAT: Format = Format { name: "hama-generation", version: 2 };
/// The most bytes of an index, whatever the table: a table that needs more cannot be written.
const INDEX_BYTES_MAX: u64 = 1 << 30;
const HEAD_BYTES_MAX: u64 = 4096;
/// What a shard's record has besides its tiles: 27 bytes for its place, 83 for its file, 20 for its length, 267 for its
/// host, and little more.
const RECORD_BYTES_MAX: u64 = 512;
/// `[8796093022207,4294967295],`
const TILE_BYTES_MAX: u64 = 27;
const HOST_BYTES_MAX: usize = 255;
/// The length of a shard's file is less: twice the most tiles of the most bytes. With the most shards that there may be,
/// all files together have less than 2^63 bytes.
const SHARD_LEN_END: u64 = 1 << 43;

/// A shard that was written: what a peer tells whoever commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Which one.
    pub shard: ShardIndex,
    /// Its file, from the table's directory on.
    pub file: String,
    /// The length of its file.
    pub len: u64,
    /// The host that wrote it.
    pub host: Host,
    /// Its tiles row by row, `None` for those outside of the table.
    pub tiles: Vec<Option<TileRecord>>,
}

/// All shards of a generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GenerationIndex {
    pub(crate) table: TableName,
    pub(crate) generation: GenerationId,
    /// Row by row.
    pub(crate) shards: Vec<ShardRecord>,
}

impl GenerationIndex {
    /// The most bytes that the index of a table can have.
    pub(crate) fn bytes_max(spec: &TableSpec) -> u64 {
        let shards = spec.shard_grid().count().unwrap_or(u64::MAX);
        let tile_places = shards.saturating_mul(shard::places(spec) as u64);
        HEAD_BYTES_MAX
            .saturating_add(shards.saturating_mul(RECORD_BYTES_MAX))
            .saturating_add(tile_places.saturating_mul(TILE_BYTES_MAX))
            .min(INDEX_BYTES_MAX)
    }

    /// The bytes of its file, for a table that is `spec`.
    pub(crate) fn encode(&self, spec: &TableSpec) -> Result<Vec<u8>> {
        let bytes = checked::encode(FORMAT, self)?;
        let most = GenerationIndex::bytes_max(spec);
        if bytes.len() as u64 > most {
            return Err(Error::invalid(format!(
                "cannot write a generation index of {} bytes: {most} are the most",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// The index in these bytes of the file `shown`, checked against what the manifest says.
    pub(crate) fn decode(
        bytes: &[u8],
        (table, generation, spec): (&TableName, GenerationId, &TableSpec),
        borrowed: &BTreeSet<GenerationId>,
        shown: &dyn std::fmt::Display,
    ) -> Result<GenerationIndex> {
        let index: GenerationIndex = checked::decode(FORMAT, bytes, shown)?;
        if index.table != *table || index.generation != generation {
            return Err(Error::data(format!(
                "cannot read {shown}: it is of generation {} of table {}, not of {generation} of {table}",
                index.generation, index.table
            )));
        }
        check_shards(spec, generation, borrowed, &index.shards).map_err(|e| {
            Error::data(format!("cannot read {shown}: it does not fit the manifest")).with_source(e)
        })?;
        Ok(index)
    }
}

/// Whether a file that begins with these bytes is a generation index, sound or not.
pub(crate) fn is_index(head: &[u8]) -> bool {
    let name = format!("\"format\":\"{}\"", FORMAT.name);
    head.windows(name.len()).any(|part| part == name.as_bytes())
}

/// The file of a shard, from its table's directory on.
pub(crate) fn shard_file(generation: GenerationId, shard: ShardIndex) -> String {
    format!("generations/{generation}/{}/{}", zarr::VALUES, shard.key())
}

/// The generation in whose directory a shard's file lies; `None` where it is no file of that shard.
pub(crate) fn generation_of_file(record: &ShardRecord) -> Option<GenerationId> {
    let id = record.file.strip_prefix("generations/")?.get(..36)?.parse().ok()?;
    (record.file == shard_file(id, record.shard)).then_some(id)
}

/// Checks that the shards are all those of the generation, row by row, each with all of its tiles inside its file, which
/// is the generation's own or one of the `borrowed`.
pub(crate) fn check_shards(
    spec: &TableSpec,
    generation: GenerationId,
    borrowed: &BTreeSet<GenerationId>,
    shards: &[ShardRecord],
) -> Result<()> {
    let count = spec.shard_grid().count().unwrap_or(u64::MAX);
    if shards.len() as u64 != count {
        return Err(Error::invalid(format!("there are {} shards and should be {count}", shards.len())));
    }
    for (record, shard) in shards.iter().zip(spec.shards()) {
        if record.shard != shard {
            return Err(Error::invalid(format!("shard {} is where {shard} should be", record.shard)));
        }
        check_shard(spec, generation, borrowed, record)?;
    }
    Ok(())
}

fn check_shard(
    spec: &TableSpec,
    generation: GenerationId,
    borrowed: &BTreeSet<GenerationId>,
    record: &ShardRecord,
) -> Result<()> {
    let bad = |what: String| Err(Error::invalid(format!("shard {}: {what}", record.shard)));
    // A file of a generation that the manifest does not name would go when that does.
    let owner = generation_of_file(record).filter(|id| *id == generation || borrowed.contains(id));
    if owner.is_none() {
        let file = shard_file(generation, record.shard);
        return bad(format!("its file is {:.200?} and should be {file:?}", record.file));
    }
    check_host(record)?;
    if record.len >= SHARD_LEN_END {
        return bad(format!("it has {} bytes, less than {SHARD_LEN_END} are allowed", record.len));
    }
    check_places(spec, record)
}

fn check_host(record: &ShardRecord) -> Result<()> {
    let host = record.host.name();
    if host.len() > HOST_BYTES_MAX {
        return Err(Error::invalid(format!(
            "shard {}: its host's name has {} bytes, {HOST_BYTES_MAX} are the most",
            record.shard,
            host.len()
        )));
    }
    // Nothing that JSON would escape: the bound of the index counts on it.
    if !host.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        return Err(Error::invalid(format!("shard {}: its host cannot be {host:?}", record.shard)));
    }
    Ok(())
}

/// Checks that each place inside of the table has a tile inside of the file, and no other has one.
fn check_places(spec: &TableSpec, record: &ShardRecord) -> Result<()> {
    let bad = |what: String| Err(Error::invalid(format!("shard {}: {what}", record.shard)));
    let places = shard::places(spec);
    if record.tiles.len() != places {
        return bad(format!("it lists {} tiles and should {places}", record.tiles.len()));
    }
    let Some(end) = record.len.checked_sub(shard::index_bytes(places) as u64) else {
        return bad(format!("its {} bytes do not hold an index", record.len));
    };
    let mut inside = vec![false; places];
    for tile in spec.tiles_of(record.shard) {
        inside[shard::place_of(spec.shard, tile)] = true;
    }
    let tile_bytes = (spec.tile_bytes() + shard::CHECKSUM_BYTES) as u64;
    for (place, (tile, inside)) in record.tiles.iter().zip(inside).enumerate() {
        let fits = match tile {
            Some(tile) => {
                inside && tile.offset.checked_add(tile_bytes).is_some_and(|tile_end| tile_end <= end)
            }
            None => !inside,
        };
        if !fits {
            return bad(format!("its place {place} says {tile:?}, of a file of {} bytes", record.len));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
