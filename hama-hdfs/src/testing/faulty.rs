//! A store that counts its calls and fails on demand.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hama_core::{Error, ErrorKind, Host, Result};

use crate::path::StorePath;
use crate::store::{BlockHosts, CreateHint, Entry, Lock, LockGuard, Store, StoreReader, StoreWriter};
use crate::url::StoreUrl;

/// What goes wrong with a [`FaultyStore`]. Calls are counted from 0 since the fault was set.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// From this call on nothing is done any more: as if the process had been killed before it.
    DeadFrom(u64),
    /// This call alone is not done and fails so.
    Fails(u64, ErrorKind),
    /// This call is done, but says `Unavailable`, where that is one that HDFS may answer so: a create, a close, a rename,
    /// a delete.
    LostReply(u64),
    /// This call is done, but fails so.
    DoneButFails(u64, ErrorKind),
    /// This call is not done and says `Unavailable`, where that is one that HDFS may answer so.
    LostCall(u64),
    /// Where this call is a listing, it misses the names of manifests and pending files: as one may that is made while
    /// they are renamed.
    ListsShort(u64),
    /// From this call on all listings miss them.
    ListsShortFrom(u64),
    /// No name can be made durable.
    CannotSync,
    /// Nothing can be changed.
    ReadOnly,
    /// Every call takes so long.
    Slow(Duration),
}

/// A store that counts its calls and fails on demand. [`register`](crate::store::register) it under the URL of the
/// store that it wraps, so that all who write reach it.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    state: Arc<State>,
}

impl FaultyStore {
    /// A store around `inner` that does not fail yet.
    pub fn new(inner: Arc<dyn Store>) -> FaultyStore {
        FaultyStore { inner, state: Arc::new(State(Mutex::new((Fault::None, 0)))) }
    }

    /// What goes wrong from now on; the calls are counted from 0 again.
    pub fn set(&self, fault: Fault) {
        *self.state.lock() = (fault, 0);
    }

    /// How many calls there were since the last [`set`](FaultyStore::set), those of readers and writers included.
    pub fn calls(&self) -> u64 {
        self.state.lock().1
    }
}

/// What kind of call it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Reads,
    Changes,
    Syncs,
    /// Changes, and may be answered ambiguously.
    Commits,
}

#[derive(Debug)]
struct State(Mutex<(Fault, u64)>);

impl State {
    fn lock(&self) -> MutexGuard<'_, (Fault, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault, and the number of the call that is made now.
    fn count(&self) -> (Fault, u64) {
        let mut state = self.lock();
        state.1 += 1;
        (state.0, state.1 - 1)
    }

    fn call<T>(&self, call: Call, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let (fault, number) = self.count();
        let fails = |kind, what: &str| Err(Error::new(kind, format!("call {number} {what}")));
        match fault {
            Fault::Slow(time) => {
                std::thread::sleep(time);
                run()
            }
            Fault::DeadFrom(from) if number >= from => fails(ErrorKind::Unavailable, "comes after the end"),
            Fault::Fails(at, kind) if number == at => fails(kind, "fails"),
            Fault::CannotSync if call == Call::Syncs => fails(ErrorKind::Unavailable, "cannot sync"),
            Fault::ReadOnly if call != Call::Reads => fails(ErrorKind::Invalid, "changes a read-only store"),
            Fault::LostReply(at) if number == at && call == Call::Commits => {
                run()?;
                fails(ErrorKind::Unavailable, "lost its reply")
            }
            Fault::DoneButFails(at, kind) if number == at => {
                run()?;
                fails(kind, "fails though it was done")
            }
            Fault::LostCall(at) if number == at && call == Call::Commits => {
                fails(ErrorKind::Unavailable, "was lost")
            }
            _ => run(),
        }
    }
}

impl Store for FaultyStore {
    fn url(&self) -> &StoreUrl {
        self.inner.url()
    }

    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>> {
        let writer = self.state.call(Call::Commits, || self.inner.create(path, hint))?;
        Ok(Box::new(FaultyWriter { writer, state: Arc::clone(&self.state) }))
    }

    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>> {
        let reader = self.state.call(Call::Reads, || self.inner.open(path))?;
        Ok(Box::new(FaultyReader { reader, state: Arc::clone(&self.state) }))
    }

    fn sync(&self, dir: &StorePath) -> Result<()> {
        self.state.call(Call::Syncs, || self.inner.sync(dir))
    }

    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        self.state.call(Call::Commits, || self.inner.publish(from, to))
    }

    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        let (fault, number) = *self.state.lock();
        let mut entries = self.state.call(Call::Reads, || self.inner.list(dir))?;
        let is_short = match fault {
            Fault::ListsShort(at) => number == at,
            Fault::ListsShortFrom(from) => number >= from,
            _ => false,
        };
        entries.retain(|e| !is_short || !(e.name.starts_with("manifest-") || e.name.starts_with("pending-")));
        Ok(entries)
    }

    fn delete(&self, path: &StorePath) -> Result<()> {
        self.state.call(Call::Commits, || self.inner.delete(path))
    }

    fn settle(&self, path: &StorePath) -> Result<()> {
        self.state.call(Call::Syncs, || self.inner.settle(path))
    }

    fn has_links(&self) -> bool {
        self.inner.has_links()
    }

    fn link(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        self.state.call(Call::Changes, || self.inner.link(from, to))
    }

    fn delete_all(&self, dir: &StorePath) -> Result<()> {
        self.state.call(Call::Commits, || self.inner.delete_all(dir))
    }

    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>> {
        self.state.call(Call::Reads, || self.inner.hosts(path))
    }

    fn rack(&self, host: &Host) -> Option<String> {
        self.inner.rack(host)
    }

    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        self.state.call(Call::Reads, || self.inner.lock(path, lock))
    }

    fn point(&self, link: &StorePath, target: &StorePath) -> Result<bool> {
        self.state.call(Call::Changes, || self.inner.point(link, target))
    }

    fn unpoint(&self, link: &StorePath, dir: &StorePath) -> Result<()> {
        self.state.call(Call::Commits, || self.inner.unpoint(link, dir))
    }

    fn sweep(&self, dir: &StorePath) -> Result<bool> {
        self.state.call(Call::Commits, || self.inner.sweep(dir))
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        self.state.call(Call::Reads, || self.inner.free_bytes())
    }

    fn local_path(&self, path: &StorePath) -> Option<PathBuf> {
        self.inner.local_path(path)
    }
}

#[derive(Debug)]
struct FaultyWriter {
    writer: Box<dyn StoreWriter>,
    state: Arc<State>,
}

impl StoreWriter for FaultyWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.state.call(Call::Changes, || self.writer.write(bytes))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let FaultyWriter { writer, state } = *self;
        state.call(Call::Commits, || writer.close())
    }
}

#[derive(Debug)]
struct FaultyReader {
    reader: Box<dyn StoreReader>,
    state: Arc<State>,
}

impl StoreReader for FaultyReader {
    fn len(&self) -> u64 {
        self.reader.len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.state.call(Call::Reads, || self.reader.read_at(offset, into))
    }
}
