//! The versions of a table, as the names in its directory tell them.

use hama_core::{Error, ErrorKind, Result};

use super::files::read_whole;
use super::layout::{Layout, TableFile, table_file};
use crate::generation::GenerationId;
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{EntryKind, Store};

/// How often a directory is listed until two listings agree.
const LIST_TRIES: usize = 1000;

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
    ///
    /// A listing is no snapshot: it may miss a file that is renamed meanwhile under both of its names, and a version that
    /// was replaced together with the one that replaced it. So the directory is listed until two listings agree.
    pub(super) fn list(store: &dyn Store, layout: &Layout) -> Result<Versions> {
        let Some(mut last) = Versions::list_once(store, layout)? else { return Ok(Versions::default()) };
        for _ in 0..LIST_TRIES {
            let Some(next) = Versions::list_once(store, layout)? else { return Ok(Versions::default()) };
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("cannot list the versions of table {}: they keep changing", layout.dir()),
        ))
    }

    /// What one listing shows; `None` where there is no directory.
    fn list_once(store: &dyn Store, layout: &Layout) -> Result<Option<Versions>> {
        let entries = match store.list(layout.dir()) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            // Something that has the name and is no directory is no table.
            Err(e) if e.kind() == ErrorKind::Invalid && store.open(layout.dir()).is_ok() => return Ok(None),
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
        Ok(Some(versions))
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
