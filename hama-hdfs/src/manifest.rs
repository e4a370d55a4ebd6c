//! The manifest: what a table is at one version of it.

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::checked::{self, Format};
use crate::extent::Extent;
use crate::generation::GenerationId;
use crate::name::TableName;
use crate::spec::TableSpec;

/// The longest manifest that is read: attributes have 64 KiB, copies a few hundred bytes each.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// The highest number of a version: what a double holds exactly, as readers of JSON may use.
pub(crate) const NUMBER_MAX: u64 = 1 << 53;
const FORMAT: Format = Format { name: "hama-table", version: 1 };

/// What a table is at one version of it. Its file is small and never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The name of the table.
    pub(crate) table: TableName,
    /// Which version of the table this is, counted from 1: the number in its file's name.
    pub(crate) number: u64,
    /// What tells this manifest from every other: the id in its pending file's name.
    pub(crate) id: GenerationId,
    /// The generation that holds the elements.
    pub(crate) generation: GenerationId,
    /// What the table is.
    #[serde(flatten)]
    pub(crate) spec: TableSpec,
    /// Copies of the table with a placement of their own.
    pub(crate) copies: Vec<PlacedCopy>,
    /// When it was made, in seconds since 1970 (UTC).
    pub(crate) created_unix: u64,
    /// The program that made it.
    pub(crate) writer: String,
}

/// A copy of the table whose shards lie with the hosts that own the blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlacedCopy {
    /// The generation that holds it.
    pub(crate) generation: GenerationId,
    /// The generation that it was made from. Where that is not the table's own, the copy is out of date.
    pub(crate) source: GenerationId,
    /// How many blocks along rows and columns.
    pub(crate) blocking: Extent,
    /// The extent of its shards in tiles.
    pub(crate) shard: Extent,
}

/// What sets one manifest apart from the others of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ManifestIds {
    pub(crate) number: u64,
    pub(crate) id: GenerationId,
    pub(crate) generation: GenerationId,
    pub(crate) created_unix: u64,
}

impl Manifest {
    pub(crate) fn new(table: TableName, spec: &TableSpec, ids: ManifestIds) -> Manifest {
        Manifest {
            table,
            number: ids.number,
            id: ids.id,
            generation: ids.generation,
            spec: spec.clone(),
            copies: Vec::new(),
            created_unix: ids.created_unix,
            writer: concat!("hama ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The bytes of its file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let bytes = checked::encode(FORMAT, self)?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(Error::invalid(format!(
                "cannot write a manifest of {} bytes: {MANIFEST_BYTES_MAX} are the most",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// The manifest in these bytes of the file `shown`, which lies in the directory of `table`.
    pub(crate) fn decode(bytes: &[u8], table: &TableName, shown: &dyn std::fmt::Display) -> Result<Manifest> {
        let manifest: Manifest = checked::decode(FORMAT, bytes, shown)?;
        if !(1..=NUMBER_MAX).contains(&manifest.number) {
            return Err(Error::data(format!(
                "cannot read {shown}: its number is {}, not 1 to {NUMBER_MAX}",
                manifest.number
            )));
        }
        if manifest.table != *table {
            return Err(Error::data(format!(
                "cannot read {shown}: it is of a table {}, not of {table}",
                manifest.table
            )));
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests;
