//! Lists the tables of a store, and removes them.

use hama_core::{Error, ErrorKind, Result};

use super::collect::{collect, lock_exclusively};
use super::files::repeated;
use super::layout::Layout;
use super::versions::Versions;
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{EntryKind, Store};

/// The names of all tables in a store, sorted.
///
/// # Cost
/// Lists one directory for each; reads no file.
///
/// # Errors
/// Those of the store.
pub fn list(store: &dyn Store) -> Result<Vec<TableName>> {
    let mut names = Vec::new();
    for entry in store.list(&StorePath::root())? {
        let Ok(name) = TableName::new(&entry.name) else { continue };
        if entry.kind == EntryKind::Directory
            && Versions::list(store, &Layout::new(&name))?.latest().is_some()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes a table. One that is being written at the time is made anew by its writer's commit.
///
/// # Cost
/// A few small files, and the deletion of the shards.
///
/// # Errors
/// `NotFound`; `Conflict` where somebody reads it; those of the store.
pub fn remove(store: &dyn Store, name: &TableName) -> Result<()> {
    let layout = Layout::new(name);
    let versions = Versions::list(store, &layout)?;
    if versions.latest().is_none() {
        // What a writer that was killed left behind is no table, but takes room.
        collect(store, name)?;
        remove_empty(store, &layout)?;
        return Err(Error::new(ErrorKind::NotFound, format!("no table {name} in the store {}", store.url())));
    }
    let mut locks = Vec::new();
    for number in &versions.manifests {
        let lock = lock_exclusively(store, &layout.manifest(*number))?.ok_or_else(|| {
            Error::new(
                ErrorKind::Conflict,
                format!("cannot remove table {name}: version {number} is being read"),
            )
        })?;
        locks.push(lock);
    }
    // The latest last, so that no older version ever is the table.
    for number in &versions.manifests {
        repeated(|| store.delete(&layout.manifest(*number)))?;
    }
    drop(locks);
    collect(store, name)?;
    remove_empty(store, &layout)
}

/// Removes the directories, unless a writer or something foreign is in them.
fn remove_empty(store: &dyn Store, layout: &Layout) -> Result<()> {
    if Versions::list(store, layout)?.latest().is_none() {
        repeated(|| store.delete(&layout.current()))?;
    }
    for dir in [&layout.generations(), layout.dir()] {
        match repeated(|| store.delete(dir)) {
            Err(e) if e.kind() == ErrorKind::Invalid => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}
