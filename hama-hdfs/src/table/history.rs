//! The versions of a table that there are, and the way back to one of them.

use std::sync::Arc;

use hama_core::{Error, Result};

use super::Table;
use super::collect::read_if_there;
use super::layout::Layout;
use super::versions::Versions;
use crate::extent::Extent;
use crate::manifest::Manifest;
use crate::name::TableName;
use crate::store::{Durability, Store};

/// One version of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number, counted from 1.
    pub number: u64,
    /// When it was made, in seconds since 1970 (UTC), by the clock of who made it.
    pub created_unix: u64,
    /// What it changed, for people.
    pub change: String,
    /// Its extent in elements.
    pub shape: Extent,
}

/// The versions of a table, the latest first. Older ones than those of the last replacement may be among them while
/// somebody has them open.
///
/// # Cost
/// Reads a small file for each.
///
/// # Errors
/// `NotFound` where there is no such table; `Data` where a manifest is damaged; those of the store.
pub fn versions(store: &Arc<dyn Store>, name: &TableName) -> Result<Vec<Version>> {
    // A table that is not there is told as everywhere.
    let latest = Table::open(store, name)?;
    let layout = Layout::new(name);
    let mut found = Vec::new();
    for number in Versions::list(&**store, &layout)?.manifests.iter().rev() {
        if let Some(manifest) = read_if_there(&**store, name, &layout.manifest(*number))? {
            found.push(version(manifest));
        }
    }
    drop(latest);
    Ok(found)
}

fn version(manifest: Manifest) -> Version {
    let Manifest { number, created_unix, change, spec, .. } = manifest;
    Version { number, created_unix, change, shape: spec.shape }
}

impl Table {
    /// Commits a version that is as this one, an older one, was. Those between stay in the history.
    ///
    /// # Cost
    /// One small file; no element is moved.
    ///
    /// # Errors
    /// `Invalid` where this is the latest version, or was opened by a reference; `Conflict` where somebody commits another
    /// meanwhile; those of the store.
    pub fn restore(&self) -> Result<Table> {
        if self.inner.lock.is_none() {
            // Nobody may hold it any more, and then what it names goes.
            return Err(Error::invalid(format!(
                "cannot restore table {}: it was opened by a reference, open it by its name",
                self.name()
            )));
        }
        self.settle()?;
        let latest = Table::open(self.store(), self.name())?;
        if latest.version() == self.version() {
            return Err(Error::invalid(format!(
                "cannot restore version {} of table {}: it is the latest",
                self.version(),
                self.name()
            )));
        }
        let dense = self.dense()?;
        let pending = latest.begin_next(Durability::Full, |manifest, _| {
            let old = self.inner.manifest.clone();
            manifest.generation = old.generation;
            manifest.spec = old.spec;
            manifest.copies = old.copies;
            manifest.borrowed = old.borrowed;
            manifest.labels = old.labels;
            manifest.change = format!("restored version {}", old.number);
        })?;
        latest.commit_next(pending, Arc::clone(&dense.inner.index))
    }
}
