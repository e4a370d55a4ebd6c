//! Lists the tables of a store.

use hama_core::Result;

use super::layout::Layout;
use super::versions::Versions;
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{EntryKind, Store};

/// The names of all tables in a store, sorted.
///
/// # Cost
/// Lists the directory of each twice; reads no file.
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
