//! Versions that only a manifest makes: how a table is blocked, without touching its elements.

use std::sync::Arc;

use hama_core::{Error, Result};

use super::Table;
use super::collect::collect_quietly;
use super::open::point_or_warn;
use super::pending::{Base, Pending};
use super::write::unix_seconds;
use crate::extent::Extent;
use crate::generation::GenerationId;
use crate::index::GenerationIndex;
use crate::manifest::Manifest;
use crate::store::Durability;

impl Table {
    /// Commits a version of this table with so many blocks along rows and columns, or without blocking, over the same
    /// elements. A placed copy with other blocks goes.
    ///
    /// # Cost
    /// One small file; no element is moved.
    ///
    /// # Errors
    /// `Invalid` where there are 0 blocks or more than elements, or the table was opened by a reference; `Conflict` where this is no longer the latest
    /// version; those of the store.
    pub fn set_blocking(&self, blocking: Option<Extent>) -> Result<Table> {
        let spec = self.inner.manifest.spec.clone().with_blocking(blocking)?;
        // Who blocked it otherwise meanwhile is not overruled.
        let rebased = self.rebased()?;
        let same = rebased.inner.manifest.spec.blocking == self.inner.manifest.spec.blocking;
        let latest = if same { rebased } else { self.clone() };
        let dense = latest.dense()?;
        let change = match blocking {
            Some(blocks) => format!("{blocks} blocks"),
            None => "no blocks".to_owned(),
        };
        let pending = latest.begin_next(Durability::Full, |manifest, _| {
            manifest.spec = spec.clone();
            manifest.change.clone_from(&change);
            manifest.copies.retain(|copy| Some(copy.blocking) == blocking);
            if manifest.copies.is_empty() {
                manifest.borrowed = latest.borrowed(&[], dense.shards());
            }
        })?;
        latest.commit_next(pending, Arc::clone(&dense.inner.index))
    }

    /// Lays the pending file of the version after this one, which `change` makes of this one's manifest and the new id.
    pub(super) fn begin_next(
        &self,
        durability: Durability,
        change: impl Fn(&mut Manifest, GenerationId),
    ) -> Result<Pending> {
        if self.inner.lock.is_none() {
            // Without a lock the table may have been removed and made anew, with the same number.
            return Err(Error::invalid(format!(
                "cannot change table {}: it was opened by a reference, open it by its name",
                self.name()
            )));
        }
        let is_settled = durability == Durability::Full;
        if is_settled {
            self.settle()?;
        }
        let created_unix = unix_seconds();
        let base = Base::Version(self.version());
        Pending::begin(&self.inner.store, self.name(), base, durability, |number, id| {
            let mut manifest = self.inner.manifest.next(number, id, created_unix);
            change(&mut manifest, id);
            manifest.is_settled = is_settled;
            manifest
        })
    }

    /// Commits a version whose generation was written before.
    pub(super) fn commit_next(&self, mut pending: Pending, index: Arc<GenerationIndex>) -> Result<Table> {
        pending.publish()?;
        let (manifest, lock) = (pending.manifest().clone(), pending.take_lock());
        let store = &self.inner.store;
        point_or_warn(store, &manifest);
        collect_quietly(&**store, self.name());
        Ok(Table::assemble(Arc::clone(store), manifest, index, lock))
    }
}
