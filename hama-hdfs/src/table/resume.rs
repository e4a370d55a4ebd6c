//! Goes on with a table that another writer began and left: the shards that are there stay.

use std::sync::Arc;

use hama_core::Result;

use super::collect::sweep_generation;
use super::files::is_file;
use super::labels::{WrittenLabels, records};
use super::layout::Layout;
use super::pending::Pending;
use super::versions::Versions;
use super::write::{TableTarget, TableWriter, WriteOptions};
use crate::labels::Dimension;
use crate::manifest::Manifest;
use crate::name::TableName;
use crate::spec::TableSpec;
use crate::store::{Durability, Store};
use crate::zarr;

impl TableWriter {
    /// Takes over a table that a writer was writing and left, where it was to become the same.
    pub(super) fn resume(
        store: &Arc<dyn Store>,
        name: &TableName,
        spec: &TableSpec,
        options: WriteOptions,
        labels: &WrittenLabels,
    ) -> Result<Option<TableWriter>> {
        let is_settled = options.durability == Durability::Full;
        let fits = |manifest: &Manifest| {
            manifest.spec == *spec
                && manifest.labels == records(labels)
                && manifest.borrowed.is_empty()
                && manifest.generation == manifest.id
                && manifest.is_settled == is_settled
        };
        for id in Versions::list(&**store, &Layout::new(name))?.pendings {
            let Some(pending) = Pending::adopt(store, name, options.on_exists.base(), id, fits)? else {
                continue;
            };
            let (url, durability) = (store.url().clone(), options.durability);
            let target =
                TableTarget { url, name: name.clone(), generation: id, spec: spec.clone(), durability };
            let mut writer = TableWriter::taken_over(store, pending, target);
            if has_metadata(&**store, writer.target(), labels)? {
                // What the one before had begun would stay in the table.
                sweep_generation(&**store, &Layout::new(name), id)?;
                return Ok(Some(writer));
            }
            writer.pending().leave();
        }
        Ok(None)
    }

    /// Ends without a table, and leaves what was written to be taken over.
    pub(super) fn leave(mut self) {
        self.pending().leave();
    }
}

/// Whether all that is written before the shards was.
fn has_metadata(store: &dyn Store, target: &TableTarget, labels: &WrittenLabels) -> Result<bool> {
    let (layout, id) = (Layout::new(&target.name), target.generation);
    let mut files = vec![
        (layout.group_metadata(id), zarr::group()?),
        (layout.values_metadata(id), zarr::values(&target.spec)?),
    ];
    for (dimension, labels) in Dimension::ALL.into_iter().zip(labels) {
        if let Some((_, labels)) = labels {
            let dir = layout.labels(id, dimension);
            files.push((dir.child(zarr::METADATA)?, zarr::labels(dimension, labels)?));
            files.push((dir.child(zarr::LABELS_CHUNK)?, labels.encode()?));
        }
    }
    for (path, bytes) in files {
        if !is_file(store, &path, &bytes)? {
            return Ok(false);
        }
    }
    Ok(true)
}
