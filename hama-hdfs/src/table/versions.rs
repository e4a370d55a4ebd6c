//! The versions of a table, as the names in its directory tell them.

use hama_core::{ErrorKind, Result};

use super::files::read_whole;
use super::layout::{Layout, TableFile, table_file};
use crate::generation::GenerationId;
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{EntryKind, Store};

/// The manifests and the pending files of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    /// The numbers of its manifests, ascending.
    pub(super) manifests: Vec<u64>,
    /// The ids of its pending files.
    pub(super) pendings: Vec<GenerationId>,
}

impl Versions {
    /// Those in the directory; none where there is no directory.
    pub(super) fn list(store: &dyn Store, layout: &Layout) -> Result<Versions> {
        let entries = match store.list(layout.dir()) {
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut versions = Versions::default();
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            match table_file(&entry.name) {
                Some(TableFile::Manifest(number)) => versions.manifests.push(number),
                Some(TableFile::Pending(id)) => versions.pendings.push(id),
                None => {}
            }
        }
        versions.manifests.sort_unstable();
        Ok(versions)
    }

    /// The number of the manifest that counts.
    pub(super) fn latest(&self) -> Option<u64> {
        self.manifests.last().copied()
    }
}

/// Reads a manifest or a pending file.
pub(super) fn read_manifest(store: &dyn Store, path: &StorePath, table: &TableName) -> Result<Manifest> {
    let bytes = read_whole(store, path, MANIFEST_BYTES_MAX)?;
    Manifest::decode(&bytes, table, &format_args!("{path} in {}", store.url()))
}
