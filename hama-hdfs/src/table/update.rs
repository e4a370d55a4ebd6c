//! Writes the next version of a table: some shards anew, the others shared.

use std::collections::BTreeSet;

use hama_core::{Error, Result};

use super::Table;
use super::labels::{changed_labels, records};
use super::write::{TableTarget, TableWriter, check_room};
use crate::attributes::Attributes;
use crate::extent::ShardIndex;
use crate::index::ShardRecord;
use crate::labels::{Dimension, Labels};
use crate::store::Durability;

/// What a new version of a table changes; everything else is shared with the version before.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The shards that will be written anew.
    pub shards: BTreeSet<ShardIndex>,
    /// The attributes, where they change.
    pub attributes: Option<Attributes>,
    /// The labels of rows, where they change; `Some(None)` takes them away.
    pub row_labels: Option<Option<Labels>>,
    /// The labels of columns, where they change; `Some(None)` takes them away.
    pub column_labels: Option<Option<Labels>>,
    /// What of the new version survives a power loss.
    pub durability: Durability,
}

impl TableWriter {
    /// Begins to write the next version of `table`, with some shards written anew and the others shared: under another
    /// name where the store has links, else under their own. Its placed copies know from then on which of their shards
    /// are out of date.
    ///
    /// # Cost
    /// A link for each shard that is shared; no element is moved.
    ///
    /// # Errors
    /// `Invalid` where there is no such shard, what changes is not allowed, or the table was opened by a reference;
    /// `Conflict` where another version has other elements since; `OutOfSpace`, and those of the store.
    pub fn update(table: &Table, changes: Changes) -> Result<TableWriter> {
        let table = &table.rebased()?;
        let Changes { shards, attributes, durability, .. } = &changes;
        let mut spec = table.inner.manifest.spec.clone();
        if let Some(attributes) = attributes {
            spec.attributes.clone_from(attributes);
        }
        spec.validate()?;
        if let Some(shard) = shards.iter().find(|shard| !spec.has_shard(**shard)) {
            return Err(Error::invalid(format!(
                "cannot write shard {shard} of table {} anew: it has {}",
                table.name(),
                spec.shard_grid()
            )));
        }
        let labels = changed_labels(table, &changes)?;
        let kept = |record: &&ShardRecord| !shards.contains(&record.shard);
        let shared: Vec<ShardRecord> = table.dense()?.shards().iter().filter(kept).cloned().collect();
        let store = table.store();
        check_room(&**store, table.name(), spec.stored_bytes_of(shards.len() as u64))?;
        let width = spec.shard_grid().cols;
        let changed: Vec<u64> = shards.iter().map(|shard| shard.row * width + shard.col).collect();
        let all = spec.shards().count();
        let copy = table.copy_to_keep()?;
        let borrowed = table.borrowed(&shared, copy.iter().flat_map(Table::shards));
        let pending = table.begin_next(*durability, |manifest, id| {
            manifest.generation = id;
            manifest.spec = spec.clone();
            manifest.change = described(&changes, all);
            manifest.borrowed.clone_from(&borrowed);
            manifest
                .copies
                .retain(|kept| copy.as_ref().is_some_and(|copy| copy.generation() == kept.generation));
            for copy in &mut manifest.copies {
                copy.add_stale(changed.iter().copied());
                copy.source = id;
            }
            manifest.labels = records(&labels);
        })?;
        let target = TableTarget {
            url: store.url().clone(),
            name: table.name().clone(),
            generation: pending.manifest().generation,
            spec,
            durability: *durability,
        };
        let writer = TableWriter::start(store, pending, target, Some(table.clone()), shared)?;
        writer.write_labels(&labels)?;
        Ok(writer)
    }
}

/// What a version changes, for people.
fn described(changes: &Changes, all: usize) -> String {
    let mut parts = Vec::new();
    if !changes.shards.is_empty() {
        parts.push(format!("updated {} of {all} shards", changes.shards.len()));
    }
    if changes.attributes.is_some() && changes.shards.is_empty() {
        parts.push("annotated".to_owned());
    }
    for (dimension, labels) in Dimension::ALL.iter().zip([&changes.row_labels, &changes.column_labels]) {
        match labels {
            Some(Some(_)) => parts.push(format!("labelled each {}", dimension.name())),
            Some(None) => parts.push(format!("took the labels of each {} away", dimension.name())),
            None => {}
        }
    }
    parts.join(", ")
}
