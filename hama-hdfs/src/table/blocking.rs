//! Changes how a table is blocked, without touching its elements.

use std::sync::Arc;

use hama_core::{Error, Result};

use super::Table;
use super::collect::collect_quietly;
use super::pending::{Base, Pending};
use super::write::unix_seconds;
use crate::extent::Extent;
use crate::manifest::Manifest;

impl Table {
    /// Commits a version of this table with so many blocks along rows and columns, or without blocking, over the same
    /// elements.
    ///
    /// # Cost
    /// One small file; no element is moved.
    ///
    /// # Errors
    /// `Invalid` where there are 0 blocks or more than elements, or the table was opened by a reference; `Conflict` where this is no longer the latest
    /// version; those of the store.
    pub fn set_blocking(&self, blocking: Option<Extent>) -> Result<Table> {
        let spec = self.spec().clone().with_blocking(blocking)?;
        if self.inner.lock.is_none() {
            // Without a lock the table may have been removed and made anew, with the same number.
            return Err(Error::invalid(format!(
                "cannot change the blocking of table {}: it was opened by a reference, open it by its name",
                self.name()
            )));
        }
        let store = &self.inner.store;
        let created_unix = unix_seconds();
        let base = Base::Version(self.version());
        let mut pending = Pending::begin(store, self.name(), base, |number, id| Manifest {
            number,
            id,
            created_unix,
            spec: spec.clone(),
            ..self.inner.manifest.clone()
        })?;
        pending.publish()?;
        let (manifest, lock) = (pending.manifest().clone(), pending.take_lock());
        collect_quietly(&**store, self.name());
        Ok(Table::assemble(Arc::clone(store), manifest, Arc::clone(&self.inner.index), lock))
    }
}
