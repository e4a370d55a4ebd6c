//! The names of a store in HDFS: what is asked of the NameNode about directories and files.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};
use hdfs_native::WriteOptions;
use hdfs_native::client::FileStatus;

use super::call::NameNode;
use super::namespace::{Named, Namespace};
use crate::path::StorePath;
use crate::store::{Entry, EntryKind};

/// How often a name is given whose answer was lost, while the file has the old one.
const OWN_TRIES: usize = 3;
/// The permissions of a directory where nothing else is known.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_BITS: u32 = 0o666;

/// The names below the directory of a store.
#[derive(Debug)]
pub(super) struct Names {
    namenode: Arc<NameNode>,
    /// The directory in HDFS, `/` or `/a/b`.
    root: String,
    /// The permissions of the store's directory, which all below it get: who may write there shares the store.
    mode: Arc<OnceLock<u32>>,
}

impl Names {
    pub(super) fn new(namenode: Arc<NameNode>, root: String) -> Names {
        Names { namenode, root, mode: Arc::default() }
    }

    /// The same names, by calls of their own connection that take no longer than `limit`.
    pub(super) fn within(&self, limit: Duration) -> Result<Names> {
        let mut configuration = self.namenode.configuration().clone();
        configuration.timeout = configuration.timeout.min(limit);
        let (namenode, mode) = (Arc::new(NameNode::new(configuration)?), Arc::clone(&self.mode));
        Ok(Names { namenode, root: self.root.clone(), mode })
    }

    pub(super) fn namenode(&self) -> &Arc<NameNode> {
        &self.namenode
    }

    /// The path in HDFS.
    pub(super) fn full(&self, path: &StorePath) -> String {
        let root = self.root.trim_end_matches('/');
        match path.as_str() {
            "" => self.root.clone(),
            inside => format!("{root}/{inside}"),
        }
    }

    /// Opens the store's directory, which is made where `make` says so.
    pub(super) fn open_root(&self, make: bool) -> Result<FileStatus> {
        let root = StorePath::root();
        let found = match self.look(&root) {
            Err(e) if make && e.kind() == ErrorKind::NotFound => {
                self.make_directory(&root)?;
                self.look(&root)?
            }
            other => other?,
        };
        let _ = self.mode.set(u32::from(found.permission) & 0o777);
        Ok(found)
    }

    fn directory_mode(&self) -> u32 {
        *self.mode.get().unwrap_or(&DIRECTORY_MODE)
    }

    /// The permissions of a file.
    pub(super) fn file_mode(&self) -> u32 {
        self.directory_mode() & FILE_BITS
    }

    /// The path as errors name it.
    pub(super) fn shown(&self, path: &StorePath) -> String {
        format!("hdfs://{}{}", self.namenode.configuration().place.address(), self.full(path))
    }

    /// Makes a directory with those above it; fine where it is there.
    pub(super) fn make_directory(&self, path: &StorePath) -> Result<()> {
        let (full, mode) = (self.full(path), self.directory_mode());
        self.namenode.repeat(
            || format!("cannot make the directory {}", self.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.mkdirs(&full, mode, true).await }
            },
        )
    }

    /// What has a name.
    pub(super) fn look(&self, path: &StorePath) -> Result<FileStatus> {
        let full = self.full(path);
        self.namenode.repeat(
            || format!("cannot find {}", self.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.get_file_info(&full).await }
            },
        )
    }

    /// All that lies in a directory, in the NameNode's order; `written` is the time by its clock, in milliseconds. Of a
    /// directory too.
    pub(super) fn entries(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        let full = self.full(dir);
        let found = self.namenode.repeat(
            || format!("cannot list {}", self.shown(dir)),
            move |client| {
                let full = full.clone();
                async move {
                    let statuses = client.list_status_iter(&full, false);
                    let mut entries = Vec::new();
                    // What the client says of each takes ten times the memory.
                    while let Some(status) = statuses.next().await {
                        let status = status?;
                        // A file is listed as the only thing in itself.
                        if !status.isdir && status.path == full {
                            return Ok(None);
                        }
                        entries.push(entry(&status));
                    }
                    Ok(Some(entries))
                }
            },
        )?;
        found.ok_or_else(|| Error::invalid(format!("cannot list {}: it is a file", self.shown(dir))))
    }

    /// Gives a file another name, which nothing has.
    pub(super) fn rename(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        let (full_from, full_to) = (self.full(from), self.full(to));
        let renamed = self.namenode.change(
            || format!("cannot rename {} to {to}", self.shown(from)),
            move |client| {
                let (from, to) = (full_from.clone(), full_to.clone());
                async move { client.rename(&from, &to, false).await }
            },
        );
        match renamed {
            // The NameNode has no words of its own for that. A file cannot have become it.
            Err(e) if e.kind() == ErrorKind::Unavailable && self.look(to).is_ok_and(|found| found.isdir) => {
                let message = format!("cannot rename {} to {to}: that is a directory", self.shown(from));
                Err(Error::new(ErrorKind::Exists, message).with_source(e))
            }
            other => other,
        }
    }

    /// Gives a file that nobody else knows of a name that nobody else gives. So where an answer was lost, as by a NameNode
    /// that starts again, looking tells whether it was done.
    pub(super) fn rename_own(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        let mut is_lost = false;
        for _ in 0..OWN_TRIES {
            let error = match self.rename(from, to) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            is_lost |= error.kind() == ErrorKind::Unavailable;
            if !is_lost {
                return Err(error);
            }
            match (self.exists(from), self.exists(to)) {
                (Ok(false), Ok(true)) => return Ok(()),
                (Ok(true), Ok(false)) => {}
                _ => return Err(error),
            }
        }
        self.rename(from, to)
    }

    /// Deletes a file or a directory, with all that is in it where `all` says so; fine where nothing is there.
    pub(super) fn delete(&self, path: &StorePath, all: bool) -> Result<()> {
        let full = self.full(path);
        let deleted = self.namenode.repeat(
            || format!("cannot delete {}", self.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.delete(&full, all).await }
            },
        );
        match deleted {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

fn entry(status: &FileStatus) -> Entry {
    let name = status.path.rsplit('/').next().unwrap_or_default().to_owned();
    let (kind, len) = match status.isdir {
        true => (EntryKind::Directory, 0),
        false => (EntryKind::File, status.length as u64),
    };
    Entry { name, kind, len, written: status.modification_time }
}

impl Namespace for Names {
    fn put(&self, path: &StorePath) -> Result<()> {
        let options = WriteOptions::default().overwrite(true).permission(self.file_mode());
        let full = self.full(path);
        self.namenode.repeat(
            || format!("cannot make {}", self.shown(path)),
            move |client| {
                let (full, options) = (full.clone(), options.clone());
                async move { client.create(&full, options).await?.close().await }
            },
        )
    }

    fn renew(&self, path: &StorePath) -> Result<bool> {
        let options = WriteOptions::default().overwrite(true).permission(self.file_mode());
        let full = self.full(path);
        let renewed = self.namenode.repeat(
            || format!("cannot renew {}", self.shown(path)),
            move |client| {
                let (full, options) = (full.clone(), options.clone());
                async move {
                    client.get_file_info(&full).await?;
                    client.create(&full, options).await?.close().await
                }
            },
        );
        match renewed {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn make_dir(&self, path: &StorePath) -> Result<()> {
        self.make_directory(path)
    }

    fn entries(&self, dir: &StorePath) -> Result<Vec<Named>> {
        let found = Names::entries(self, dir)?;
        Ok(found.into_iter().map(|entry| Named { name: entry.name, modified_ms: entry.written }).collect())
    }

    fn exists(&self, path: &StorePath) -> Result<bool> {
        match self.look(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn remove(&self, path: &StorePath) -> Result<()> {
        self.delete(path, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hdfs::config::Configuration;
    use crate::url::{Place, StoreUrl};

    #[test]
    fn calls_that_must_not_wait_do_not() {
        let url: StoreUrl = "hdfs://127.0.0.1:1/a".parse().unwrap();
        let Place::Hdfs(place) = url.place() else { panic!("{url}") };
        let configuration = Configuration::load(place).unwrap();
        for (timeout, most) in [(300, 10), (3, 3)] {
            let timeout = Duration::from_secs(timeout);
            let configuration = Configuration { timeout, ..configuration.clone() };
            let names = Names::new(Arc::new(NameNode::new(configuration).unwrap()), "/a".into());
            let quick = names.within(Duration::from_secs(10)).unwrap();
            assert_eq!(quick.namenode().timeout(), Duration::from_secs(most));
            assert_eq!(names.namenode().timeout(), timeout);
        }
    }
}
