//! Where the tiles of a result go: into the shards of a table, or into a `.npy` file.

use hama_core::{Error, Result};
use hama_hdfs::{ShardRecord, TableSpec, TableTarget};
use serde::{Deserialize, Serialize};

use crate::npy::NpyTarget;

/// Where the tiles of a result go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Target {
    /// Into a table that is being written.
    Table(TableTarget),
    /// Into a file that is being made.
    Npy(NpyTarget),
}

impl Target {
    /// The shape of the result, its elements and its tiles.
    pub(crate) fn spec(&self) -> &TableSpec {
        match self {
            Target::Table(table) => &table.spec,
            Target::Npy(file) => &file.spec,
        }
    }
}

/// What was written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Written {
    /// What a table's commit needs.
    pub(crate) shards: Vec<ShardRecord>,
    pub(crate) tiles: u64,
    pub(crate) bytes: u64,
}

impl Written {
    /// What several peers have written of one result.
    ///
    /// # Errors
    /// `Internal` where that are not as many tiles as it has: a file shows no hole where one is missing.
    pub(crate) fn all(parts: Vec<Written>, spec: &TableSpec) -> Result<Vec<ShardRecord>> {
        let (tiles, wanted) = (parts.iter().map(|part| part.tiles).sum::<u64>(), spec.tile_grid().count());
        if Some(tiles) != wanted {
            let message = format!("{tiles} tiles of a result were written, and it has {}", spec.tile_grid());
            return Err(Error::internal(message));
        }
        Ok(parts.into_iter().flat_map(|part| part.shards).collect())
    }
}
