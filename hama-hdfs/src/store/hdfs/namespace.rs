//! What sessions and locks ask of the NameNode, so that they can be tested without one.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use hama_core::{ErrorKind, Result};
use hdfs_native::WriteOptions;

use super::names::Names;
use crate::path::StorePath;

/// The names in an HDFS, below the store's directory. Each call is one step there, or two for [`put`](Namespace::put).
pub(super) trait Namespace: Send + Sync + Debug {
    /// Makes an empty file in place of what has the name, and the directories above it. Its time is the NameNode's.
    fn put(&self, path: &StorePath) -> Result<()>;

    /// Makes a directory with those above it; fine where it is there.
    fn make_dir(&self, path: &StorePath) -> Result<()>;

    /// All that lies in a directory, what other listings hide too. `NotFound` where it is not there.
    fn entries(&self, dir: &StorePath) -> Result<Vec<Named>>;

    /// Whether something has the name.
    fn exists(&self, path: &StorePath) -> Result<bool>;

    /// Removes a file, also an unfinished one, or an empty directory; fine where nothing is there. `Invalid` where it is a
    /// directory with something in it.
    fn remove(&self, path: &StorePath) -> Result<()>;
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Its name there.
    pub(super) name: String,
    /// When it was made or changed, in milliseconds by the NameNode's clock.
    pub(super) modified_ms: u64,
}

/// The names of a real one.
#[derive(Debug)]
pub(super) struct HdfsNamespace {
    names: Arc<Names>,
    /// Who may write in the store's directory may write in those that are made here.
    mode: OnceLock<u32>,
}

impl HdfsNamespace {
    pub(super) fn new(names: &Arc<Names>) -> HdfsNamespace {
        HdfsNamespace { names: Arc::clone(names), mode: OnceLock::new() }
    }

    fn mode(&self) -> Result<u32> {
        if let Some(mode) = self.mode.get() {
            return Ok(*mode);
        }
        let mode = u32::from(self.names.look(&StorePath::root())?.permission);
        Ok(*self.mode.get_or_init(|| mode))
    }
}

impl Namespace for HdfsNamespace {
    fn put(&self, path: &StorePath) -> Result<()> {
        let full = self.names.full(path);
        let options = WriteOptions { overwrite: true, create_parent: true, ..WriteOptions::default() };
        self.names.namenode().repeat(
            || format!("cannot make {}", self.names.shown(path)),
            move |client| {
                let (full, options) = (full.clone(), options.clone());
                async move { client.create(&full, options).await?.close().await }
            },
        )
    }

    fn make_dir(&self, path: &StorePath) -> Result<()> {
        let (full, mode) = (self.names.full(path), self.mode()?);
        self.names.namenode().repeat(
            || format!("cannot make the directory {}", self.names.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.mkdirs(&full, mode, true).await }
            },
        )
    }

    fn entries(&self, dir: &StorePath) -> Result<Vec<Named>> {
        let found = self.names.entries(dir)?;
        Ok(found
            .into_iter()
            .map(|(name, status)| Named { name, modified_ms: status.modification_time })
            .collect())
    }

    fn exists(&self, path: &StorePath) -> Result<bool> {
        match self.names.look(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, path: &StorePath) -> Result<()> {
        self.names.delete(path, false)
    }
}

#[cfg(test)]
pub(super) mod fake;
