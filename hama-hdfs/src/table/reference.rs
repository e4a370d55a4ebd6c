//! Which files make up a version of a table, for readers that take a list of files for a Zarr group.

use hama_core::{Error, Result};

use super::Table;
use super::files::read_whole;
use super::layout::Layout;
use super::write::{owners, path_of};
use crate::labels::Dimension;
use crate::path::StorePath;
use crate::zarr;

/// The most that a file of metadata has; attributes are far below it.
const METADATA_BYTES_MAX: u64 = 16 << 20;

/// What a key of a Zarr group stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// This text.
    Text(String),
    /// The bytes of this file.
    File(StorePath),
}

impl Table {
    /// The keys of this version's Zarr group, with what each stands for: the group's and the arrays' metadata as text,
    /// shards and labels as files, wherever those lie. On a store without links a version uses files of those before it, so
    /// its own directory is no whole array; this is. It holds as long as the version does.
    ///
    /// # Cost
    /// Reads one to three small files; a key for each shard in memory.
    ///
    /// # Errors
    /// `Data` where a file of metadata is damaged; those of the store.
    pub fn references(&self) -> Result<Vec<(String, Reference)>> {
        let (layout, id) = (Layout::new(self.name()), self.inner.manifest.generation);
        let values = layout.values_metadata(self.generation());
        let mut keys = vec![
            (zarr::METADATA.to_owned(), Reference::Text(utf8(zarr::group()?, &layout.group_metadata(id))?)),
            (format!("{}/{}", zarr::VALUES, zarr::METADATA), self.metadata(&values)?),
        ];
        for dimension in Dimension::ALL.into_iter().filter(|dimension| self.has_labels(*dimension)) {
            let dir = layout.labels(id, dimension);
            let key = |file: &str| format!("{}/{file}", dimension.name());
            keys.push((key(zarr::METADATA), self.metadata(&dir.child(zarr::METADATA)?)?));
            keys.push((key(zarr::LABELS_CHUNK), Reference::File(dir.child(zarr::LABELS_CHUNK)?)));
        }
        for record in self.shards() {
            let key = format!("{}/{}", zarr::VALUES, record.shard.key());
            keys.push((key, Reference::File(path_of(self.name(), &record.file)?)));
        }
        Ok(keys)
    }

    /// Whether it uses files that lie in the directories of older versions.
    pub fn borrows(&self) -> bool {
        owners(self.shards()).iter().any(|owner| *owner != self.generation())
    }

    fn metadata(&self, path: &StorePath) -> Result<Reference> {
        utf8(read_whole(&**self.store(), path, METADATA_BYTES_MAX)?, path).map(Reference::Text)
    }
}

fn utf8(bytes: Vec<u8>, path: &StorePath) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|e| Error::data(format!("cannot read {path}: it is no UTF-8")).with_source(e))
}
