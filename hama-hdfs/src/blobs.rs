//! Values of the cluster's daemons in a store.

use std::sync::Arc;

use hama_core::{Blobs, ErrorKind, Result};

use crate::path::StorePath;
use crate::store::{Durability, EntryKind, Store};
use crate::table::{read_whole, repeated, write_whole};

/// Values by folder and name in a store, which holds nothing else.
#[derive(Clone, Debug)]
pub struct StoreBlobs(Arc<dyn Store>);

impl StoreBlobs {
    /// Those in `store`.
    pub fn new(store: Arc<dyn Store>) -> StoreBlobs {
        StoreBlobs(store)
    }
}

fn path(folder: &str, name: &str) -> Result<StorePath> {
    StorePath::new(&format!("{folder}/{name}"))
}

impl Blobs for StoreBlobs {
    fn put(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let path = path(folder, name)?;
        repeated(|| self.0.delete(&path))?;
        write_whole(&*self.0, &path, bytes, Durability::Full)?;
        repeated(|| self.0.sync(&StorePath::new(folder)?))
    }

    fn get(&self, folder: &str, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>> {
        match read_whole(&*self.0, &path(folder, name)?, bytes_max as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn folders(&self) -> Result<Vec<String>> {
        let entries = match self.0.list(&StorePath::root()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            listed => listed?,
        };
        let folders = entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
        Ok(folders.map(|entry| entry.name).collect())
    }

    fn remove(&self, folder: &str) -> Result<()> {
        repeated(|| self.0.delete_all(&StorePath::new(folder)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_conform() {
        let folder = tempfile::tempdir().unwrap();
        for url in [format!("file:{}", folder.path().join("a").display()), "strict:blobs".to_owned()] {
            let store = crate::store::create(&url.parse().unwrap()).unwrap();
            hama_core::testing::blobs(&StoreBlobs::new(store));
        }
    }
}
