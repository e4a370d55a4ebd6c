//! The labels of a table's rows and columns, in its generation.

use hama_core::{Error, Result};

use super::Table;
use super::files::{read_whole, write_whole};
use super::layout::Layout;
use super::update::Changes;
use super::write::TableTarget;
use crate::labels::{Dimension, LABELS_BYTES_MAX, LabelRecord, LabelRecords, Labels};
use crate::store::Store;
use crate::zarr;

/// The labels of rows and of columns that a version has, as they are written.
pub(super) type WrittenLabels = [Option<(LabelRecord, Labels)>; 2];

impl Table {
    /// The labels along one dimension, where there are any.
    ///
    /// # Cost
    /// Reads a file of at most 64 MiB.
    ///
    /// # Errors
    /// `Data` where the file is missing or damaged; those of the store.
    pub fn labels(&self, dimension: Dimension) -> Result<Option<Labels>> {
        let manifest = &self.inner.manifest;
        let Some(record) = manifest.labels.of(dimension) else { return Ok(None) };
        let dir = Layout::new(self.name()).labels(manifest.generation, dimension);
        let path = dir.child(zarr::LABELS_CHUNK)?;
        let damaged = |why: String| Error::data(format!("cannot read table {}: {path} {why}", self.name()));
        let bytes = read_whole(&**self.store(), &path, LABELS_BYTES_MAX)
            .map_err(|e| damaged("cannot be read".to_owned()).with_source(e))?;
        let is = crc32c::crc32c(&bytes);
        if bytes.len() as u64 != record.len || is != record.crc32c {
            return Err(damaged(format!(
                "is damaged: it has {} bytes with the checksum {is:08x} and should have {} with {:08x}",
                bytes.len(),
                record.len,
                record.crc32c
            )));
        }
        Labels::decode(&bytes, record.kind, self.count(dimension), &path).map(Some)
    }

    /// Whether there are labels along one dimension.
    pub fn has_labels(&self, dimension: Dimension) -> bool {
        self.inner.manifest.labels.of(dimension).is_some()
    }

    /// How many rows or columns there are.
    fn count(&self, dimension: Dimension) -> u64 {
        let shape = self.spec().shape;
        match dimension {
            Dimension::Rows => shape.rows,
            Dimension::Columns => shape.cols,
        }
    }
}

/// The labels that a version after `table` has.
pub(super) fn changed_labels(table: &Table, changes: &Changes) -> Result<WrittenLabels> {
    let labels = |dimension, changed: &Option<Option<Labels>>| {
        let labels = match changed {
            Some(labels) => labels.clone(),
            None => table.labels(dimension)?,
        };
        labels.map(|labels| recorded(table, dimension, labels)).transpose()
    };
    Ok([labels(Dimension::Rows, &changes.row_labels)?, labels(Dimension::Columns, &changes.column_labels)?])
}

/// The labels of a table, to be written with another one.
pub(super) fn same_labels(table: &Table) -> Result<WrittenLabels> {
    changed_labels(table, &Changes::default())
}

fn recorded(table: &Table, dimension: Dimension, labels: Labels) -> Result<(LabelRecord, Labels)> {
    let count = table.count(dimension);
    if labels.len() as u64 != count {
        return Err(Error::invalid(format!(
            "cannot label each {} of table {}: there are {} labels and should be {count}",
            dimension.name(),
            table.name(),
            labels.len()
        )));
    }
    let bytes = labels.encode()?;
    let (kind, len, crc32c) = (labels.kind(), bytes.len() as u64, crc32c::crc32c(&bytes));
    Ok((LabelRecord { kind, len, crc32c }, labels))
}

/// What a manifest says of them.
pub(super) fn records(labels: &WrittenLabels) -> LabelRecords {
    let record = |labels: &Option<(LabelRecord, Labels)>| labels.as_ref().map(|(record, _)| *record);
    LabelRecords { row: record(&labels[0]), column: record(&labels[1]) }
}

/// Writes the coordinate array of one dimension.
pub(super) fn write_labels(
    store: &dyn Store,
    target: &TableTarget,
    dimension: Dimension,
    labels: &Labels,
) -> Result<()> {
    let dir = Layout::new(&target.name).labels(target.generation, dimension);
    write_whole(store, &dir.child(zarr::METADATA)?, &zarr::labels(dimension, labels)?, target.durability)?;
    write_whole(store, &dir.child(zarr::LABELS_CHUNK)?, &labels.encode()?, target.durability)
}
