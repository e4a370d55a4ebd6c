//! The seam between tables and where their bytes lie.
//!
//! A store holds files in directories. A file is written once, from its start to its end, and appears under its name
//! whole; after that it is only read, published under another name, or deleted. That is what HDFS can do, so it is all
//! that a table asks for. Calls block.

mod directory;
mod examine;
#[cfg(feature = "hdfs")]
mod hdfs;
#[cfg(any(test, feature = "hdfs", feature = "testing"))]
pub(crate) mod located;
mod memory;
mod registry;
mod strict;

use std::fmt::Debug;
use std::path::PathBuf;

use hama_core::{Error, Host, Result};
use serde::{Deserialize, Serialize};

use crate::path::StorePath;
use crate::url::StoreUrl;

pub use examine::{Examination, Finding, Verdict, examine};
#[cfg(all(feature = "hdfs", feature = "testing"))]
pub(crate) use hdfs::set_hdfs_lease_ms;
#[cfg(feature = "hdfs")]
pub use hdfs::{HdfsOptions, hdfs_calls, hdfs_options, peer_environment, set_hdfs_options};
pub use registry::{create, forget, open, register};
pub use strict::{StrictRules, StrictStore};

/// Variables that peers of jobs need, where they are processes of their own, to use stores as this process does: whose name
/// it asks HDFS in, and the options that it was told.
#[cfg(not(feature = "hdfs"))]
pub fn peer_environment() -> Vec<(String, String)> {
    Vec::new()
}

/// A place that holds the files of tables.
///
/// Names that begin with `.hama` are the store's own, and not listed.
pub trait Store: Send + Sync + Debug {
    /// Where it is. Two stores with equal URLs are the same.
    fn url(&self) -> &StoreUrl;

    /// Starts a file that will lie under `path`, whose directories are made where missing.
    ///
    /// The file appears whole under its name when [`StoreWriter::close`] returns Ok, and never before. Its bytes are
    /// durable then, its name is after [`sync`](Store::sync).
    ///
    /// # Errors
    /// `Exists` where something has the name, here or at the latest at the close; `Invalid` where it is not writable;
    /// `Unavailable` where nobody can say whether it was started: then it was left, and may be started again.
    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>>;

    /// Opens a file to read. What is open stays readable after it was deleted: always on a local directory and in memory; in
    /// HDFS up to 1 MiB, since blocks are deleted whoever reads them, which is why a table locks its version.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where it is a directory or not readable.
    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>>;

    /// Makes the bytes of a file durable that was closed without; on a store that waits for that always, nothing.
    ///
    /// # Errors
    /// `NotFound`.
    fn settle(&self, _path: &StorePath) -> Result<()> {
        Ok(())
    }

    /// Makes the names in a directory durable, not those in the directories below.
    ///
    /// # Errors
    /// `NotFound`.
    fn sync(&self, dir: &StorePath) -> Result<()>;

    /// Gives the file `from` the name `to` in the same directory, atomically; its locks stay with it. That is durable
    /// after a [`sync`](Store::sync) of the directory.
    ///
    /// # Errors
    /// `Exists` where something has the name `to`; `NotFound` where `from` is not there; `Invalid` where the two are in
    /// different directories; `Unavailable` where nobody can say whether it happened.
    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()>;

    /// Whether [`link`](Store::link) gives a file another name without copying it. Where it does not, a version uses the
    /// files of those before it under their own names.
    fn has_links(&self) -> bool {
        false
    }

    /// Gives the file `from` the further name `to`, anywhere in the store, whose directories are made where missing. It is
    /// durable after a [`sync`](Store::sync) of the directory. Where the file system has no such names (any more for this
    /// file), its bytes are copied.
    ///
    /// # Errors
    /// `Exists` where something has the name `to`; `NotFound` where `from` is not there; `Invalid` where the store has no
    /// links.
    fn link(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        Err(Error::invalid(format!("cannot give {from} the name {to}: {} has no links", self.url())))
    }

    /// What lies in a directory, sorted by name. A link is listed as what it leads to, or not at all.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where it is a file.
    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>>;

    /// Deletes a file, a link or an empty directory; fine where nothing is there.
    ///
    /// # Errors
    /// `Invalid` where it is a directory with something in it.
    fn delete(&self, path: &StorePath) -> Result<()>;

    /// Deletes a directory with all that is in it; fine where nothing is there.
    ///
    /// # Errors
    /// `Invalid` where it is a file.
    fn delete_all(&self, dir: &StorePath) -> Result<()>;

    /// Which hosts hold which part of a file; empty where that is unknown or means nothing.
    ///
    /// # Errors
    /// `NotFound`.
    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>>;

    /// The rack that a host stands in, as a path such as `/rack1`, where the store knows: after
    /// [`hosts`](Store::hosts) has named it.
    fn rack(&self, _host: &Host) -> Option<String> {
        None
    }

    /// How many hosts will hold what is written from now on, where the store has been told.
    fn replicas(&self) -> Option<u64> {
        None
    }

    /// Locks a file, if that is possible at once. The lock ends with the guard, or with the process: in HDFS at once where
    /// that can be seen from the host of whoever asks, else some 80 s later. A process that does not reach HDFS for a minute
    /// loses its locks and goes on; its commit fails then where somebody has ended it.
    ///
    /// It is bound to the file, not to its name: it goes with the file when that is published. When this returns a
    /// guard, the file that is locked had the name.
    ///
    /// # Errors
    /// `NotFound`.
    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>>;

    /// Lets the link `link` lead to `target` in the same directory, whatever it led to before. A hint for people: on a
    /// store without links it does nothing. Whether that changed something.
    ///
    /// # Errors
    /// `Exists` where `link` is no link.
    fn point(&self, link: &StorePath, target: &StorePath) -> Result<bool>;

    /// Deletes the link `link` where it leads to `dir` or something in it, as one that [`point`](Store::point) made; leaves
    /// everything else that has the name.
    ///
    /// # Errors
    /// Those of the store.
    fn unpoint(&self, link: &StorePath, dir: &StorePath) -> Result<()>;

    /// Deletes what killed writers left unfinished in a directory (not below it), where the store knows of such; in the
    /// root what they left of locks too. Whether an unfinished file was there.
    ///
    /// # Errors
    /// Those of the store; a directory that is not there is none.
    fn sweep(&self, dir: &StorePath) -> Result<bool>;

    /// How many files at once one who reads or writes many of them should have in flight.
    fn files_at_once(&self) -> usize {
        1
    }

    /// The bytes that can still be written, where the store knows.
    ///
    /// # Errors
    /// Those of the store.
    fn free_bytes(&self) -> Result<Option<u64>>;

    /// The path by which other programs of this host reach it, where there is one.
    fn local_path(&self, path: &StorePath) -> Option<PathBuf>;
}

/// Refuses to rename from one directory to another: on some stores that is no single step.
fn check_one_directory(from: &StorePath, to: &StorePath) -> Result<()> {
    if from.parent() == to.parent() {
        return Ok(());
    }
    Err(Error::invalid(format!("cannot rename {from} to {to}: they are in different directories")))
}

/// What is known of a file before it is written.
#[derive(Clone, Copy, Debug)]
pub struct CreateHint<'a> {
    /// About how long it will be.
    pub len: u64,
    /// The host that writes it.
    pub host: &'a Host,
    /// Whether its bytes have to survive a power loss once it is closed.
    pub durability: Durability,
}

impl<'a> CreateHint<'a> {
    /// A file of about `len` bytes that `host` writes, durable when it is closed.
    pub fn new(len: u64, host: &'a Host) -> CreateHint<'a> {
        CreateHint { len, host, durability: Durability::Full }
    }
}

/// What of a new version survives a power loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// All of it, once it is committed.
    #[default]
    Full,
    /// Perhaps nothing, not even the table that is replaced or updated, for results that can be made again: no wait for
    /// the disk. A process that is killed loses nothing by it.
    None,
}

/// A file being written. Dropped unclosed, it leaves nothing.
pub trait StoreWriter: Send + Debug {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// `OutOfSpace`, and those of the store; the file cannot be finished after one.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// `Exists` where something has the name; `Unavailable` where nobody can say whether it happened.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A file open to be read, by many threads at once.
pub trait StoreReader: Send + Sync + Debug {
    /// Its length.
    fn len(&self) -> u64;

    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `Data` where the file ends before.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()>;

    /// Reads `len` bytes from `offset` on through `part`, which is not empty: `take` gets them in order, each time as many
    /// as `part` holds, the last time what is left.
    ///
    /// # Errors
    /// Those of [`read_at`](Self::read_at). `take` may have got some of the bytes then.
    fn read_through(
        &self,
        offset: u64,
        len: usize,
        part: &mut [u8],
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let most = part.len();
        for start in (0..len).step_by(most) {
            let part = &mut part[..most.min(len - start)];
            self.read_at(offset + start as u64, part)?;
            take(part);
        }
        Ok(())
    }

    /// How many bytes are best read at a time by one who reads many: as many as stay in a cache where a read costs next
    /// to nothing.
    fn part_bytes(&self) -> usize {
        256 << 10
    }
}

/// What holds a lock until it is dropped.
pub trait LockGuard: Send + Sync + Debug {
    /// Whether it still holds the lock, as far as that can be told without asking anybody: a process that slept may have
    /// lost what it locked. Who deletes what it locked asks right before.
    fn is_held(&self) -> bool {
        true
    }
}

/// How many may hold a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Any number of shared ones.
    Shared,
    /// One, and no shared one.
    Exclusive,
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name there.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// A file's length; 0 for a directory.
    pub len: u64,
    /// A number that is another one where somebody has written a file of the name anew; it says nothing of a directory.
    pub written: u64,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// The hosts that hold a part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHosts {
    /// Where the part starts.
    pub offset: u64,
    /// Its length.
    pub len: u64,
    /// The hosts, the best first.
    pub hosts: Vec<Host>,
}

#[cfg(test)]
mod tests;
