//! The generation index: every shard of a generation with its file, and every tile with its place and checksum.

use hama_core::{Error, Host, Result};
use serde::{Deserialize, Serialize};

use crate::generation::GenerationId;

use crate::checked::{self, Format};
use crate::extent::ShardIndex;
use crate::name::TableName;
use crate::path::StorePath;
use crate::shard::{self, TileRecord};
use crate::spec::TableSpec;

const FORMAT: Format = Format { name: "hama-generation", version: 1 };
const HEAD_BYTES_MAX: u64 = 4096;
const SHARD_BYTES_MAX: u64 = 4096;
/// `[18446744073709551615,4294967295],`
const TILE_BYTES_MAX: u64 = 34;
const HOST_BYTES_MAX: usize = 255;

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
            .saturating_add(shards.saturating_mul(SHARD_BYTES_MAX))
            .saturating_add(tile_places.saturating_mul(TILE_BYTES_MAX))
    }

    /// The bytes of its file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        checked::encode(FORMAT, self)
    }

    /// The index in these bytes of the file `shown`, checked against what the manifest says.
    pub(crate) fn decode(
        bytes: &[u8],
        (table, generation, spec): (&TableName, GenerationId, &TableSpec),
        shown: &dyn std::fmt::Display,
    ) -> Result<GenerationIndex> {
        let index: GenerationIndex = checked::decode(FORMAT, bytes, shown)?;
        if index.table != *table || index.generation != generation {
            return Err(Error::data(format!(
                "cannot read {shown}: it is of generation {} of table {}, not of {generation} of {table}",
                index.generation, index.table
            )));
        }
        check_shards(spec, &index.shards).map_err(|e| {
            Error::data(format!("cannot read {shown}: it does not fit the manifest")).with_source(e)
        })?;
        Ok(index)
    }
}

/// Checks that the shards are all those of the table, row by row, each with all of its tiles inside its file.
pub(crate) fn check_shards(spec: &TableSpec, shards: &[ShardRecord]) -> Result<()> {
    let count = spec.shard_grid().count().unwrap_or(u64::MAX);
    if shards.len() as u64 != count {
        return Err(Error::invalid(format!("there are {} shards and should be {count}", shards.len())));
    }
    for (record, shard) in shards.iter().zip(spec.shards()) {
        if record.shard != shard {
            return Err(Error::invalid(format!("shard {} is where {shard} should be", record.shard)));
        }
        check_shard(spec, record)?;
    }
    Ok(())
}

fn check_shard(spec: &TableSpec, record: &ShardRecord) -> Result<()> {
    let bad = |what: String| Err(Error::invalid(format!("shard {}: {what}", record.shard)));
    let file = StorePath::new(&record.file)?;
    let (name, dir) = (file.name().unwrap_or_default(), file.as_str());
    if name != record.shard.key() || !dir.starts_with("generations/") {
        return bad(format!("its file is {dir:?}"));
    }
    if record.host.name().len() > HOST_BYTES_MAX {
        return bad(format!(
            "its host's name has {} bytes, {HOST_BYTES_MAX} are the most",
            record.host.name().len()
        ));
    }
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
