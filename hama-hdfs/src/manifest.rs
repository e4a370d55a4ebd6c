//! The manifest: what a table is at one version of it.

use std::collections::BTreeSet;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::checked::{self, Format};
use crate::extent::Extent;
use crate::generation::GenerationId;
use crate::labels::LabelRecords;
use crate::name::TableName;
use crate::spec::TableSpec;

/// The longest manifest that is read: attributes have 64 KiB, what is borrowed or out of date some ten bytes a shard at
/// most.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// The highest number of a version: what a double holds exactly, as readers of JSON may use.
pub(crate) const NUMBER_MAX: u64 = 1 << 53;
const FORMAT: Format = Format { name: "hama-table", version: 2 };
/// The most runs of shards of which a copy remembers that they are out of date; beyond them it is all that lies between.
const STALE_RUNS_MAX: usize = 1024;

/// What a table is at one version of it. Its file is small and never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The name of the table.
    pub(crate) table: TableName,
    /// Which version of the table this is, counted from 1: the number in its file's name.
    pub(crate) number: u64,
    /// The first version of its history: what came before was replaced. 0, as in files of version 1, means itself.
    #[serde(default)]
    pub(crate) since: u64,
    /// What tells this manifest from every other: the id in its pending file's name.
    pub(crate) id: GenerationId,
    /// The generation that holds the elements.
    pub(crate) generation: GenerationId,
    /// What the table is.
    #[serde(flatten)]
    pub(crate) spec: TableSpec,
    /// Copies of the table with a placement of their own.
    pub(crate) copies: Vec<PlacedCopy>,
    /// Generations before whose files these generations use, on a store without links.
    #[serde(default)]
    pub(crate) borrowed: BTreeSet<GenerationId>,
    /// The labels of rows and columns.
    #[serde(default)]
    pub(crate) labels: LabelRecords,
    /// Whether all that it names survives a power loss.
    #[serde(default = "yes")]
    pub(crate) is_settled: bool,
    /// What this version changed, for people.
    #[serde(default)]
    pub(crate) change: String,
    /// When it was made, in seconds since 1970 (UTC).
    pub(crate) created_unix: u64,
    /// The program that made it.
    pub(crate) writer: String,
}

fn yes() -> bool {
    true
}

/// A copy of the table whose shards lie with the hosts that own the blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlacedCopy {
    /// The generation that holds it.
    pub(crate) generation: GenerationId,
    /// The generation that it is known to be a copy of, but for what is `stale`. Where that is not the table's own, nothing
    /// is known of it.
    pub(crate) source: GenerationId,
    /// How many blocks along rows and columns.
    pub(crate) blocking: Extent,
    /// The extent of its shards in tiles.
    pub(crate) shard: Extent,
    /// The table's shards that were written anew since: runs of their numbers, row by row, from the first to before the
    /// second, ascending.
    #[serde(default)]
    pub(crate) stale: Vec<(u64, u64)>,
}

impl PlacedCopy {
    /// Notes that these shards of the table, by their numbers, were written anew.
    pub(crate) fn add_stale(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let mut runs = std::mem::take(&mut self.stale);
        runs.extend(numbers.into_iter().map(|number| (number, number + 1)));
        runs.sort_unstable();
        for (start, end) in runs {
            match self.stale.last_mut() {
                Some((_, last)) if start <= *last => *last = end.max(*last),
                _ => self.stale.push((start, end)),
            }
        }
        if self.stale.len() > STALE_RUNS_MAX
            && let (Some((start, _)), Some((_, end))) = (self.stale.first(), self.stale.last())
        {
            self.stale = vec![(*start, *end)];
        }
    }

    /// Whether this shard of the table, by its number, was written anew.
    pub(crate) fn is_stale(&self, number: u64) -> bool {
        self.stale.iter().any(|(start, end)| (*start..*end).contains(&number))
    }
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
            since: ids.number,
            id: ids.id,
            generation: ids.generation,
            spec: spec.clone(),
            copies: Vec::new(),
            borrowed: BTreeSet::new(),
            labels: LabelRecords::default(),
            is_settled: true,
            change: "written".to_owned(),
            created_unix: ids.created_unix,
            writer: concat!("hama ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The next version of the same table, with the same elements until it is told otherwise.
    pub(crate) fn next(&self, number: u64, id: GenerationId, created_unix: u64) -> Manifest {
        let writer = concat!("hama ", env!("CARGO_PKG_VERSION")).to_owned();
        Manifest { number, id, created_unix, writer, ..self.clone() }
    }

    /// The generations that it names as the table's and the copy's.
    pub(crate) fn generations_of_its_own(&self) -> BTreeSet<GenerationId> {
        self.copies.iter().map(|copy| copy.generation).chain([self.generation]).collect()
    }

    /// The generations that have to stay for it.
    pub(crate) fn generations(&self) -> impl Iterator<Item = GenerationId> {
        let copies = self.copies.iter().map(|copy| copy.generation);
        copies.chain(self.borrowed.iter().copied()).chain([self.generation])
    }

    /// The bytes of its file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let bytes = checked::encode(FORMAT, self)?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(Error::invalid(format!(
                "cannot write a manifest of {} bytes: {MANIFEST_BYTES_MAX} are the most; a table that was updated so \
                 often that it uses too many generations is made new by copying it to another store",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// The manifest in these bytes of the file `shown`, which lies in the directory of `table`.
    pub(crate) fn decode(bytes: &[u8], table: &TableName, shown: &dyn std::fmt::Display) -> Result<Manifest> {
        let mut manifest: Manifest = checked::decode(FORMAT, bytes, shown)?;
        if !(1..=NUMBER_MAX).contains(&manifest.number) {
            return Err(Error::data(format!(
                "cannot read {shown}: its number is {}, not 1 to {NUMBER_MAX}",
                manifest.number
            )));
        }
        if manifest.since == 0 {
            manifest.since = manifest.number;
        }
        if manifest.since > manifest.number {
            return Err(Error::data(format!(
                "cannot read {shown}: its history begins at {}, after its number {}",
                manifest.since, manifest.number
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
