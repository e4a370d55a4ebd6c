//! A store in memory that grants no more than HDFS does, so that tables rely on nothing else.
//!
//! Files are written once and visible when closed; closing takes its time; there are no links; nothing is renamed over
//! what exists; a file's hosts are those that wrote it; and now and then a call says `Unavailable` though it was done.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::memory::MemoryStore;
use super::{BlockHosts, CreateHint, Entry, Lock, LockGuard, Store, StoreReader, StoreWriter};
use crate::path::StorePath;
use crate::url::StoreUrl;

/// How strict a [`StrictStore`] is.
#[derive(Clone, Copy, Debug)]
pub struct StrictRules {
    /// How long closing a file takes.
    pub close_delay: Duration,
    /// One call in so many that changes something is answered with `Unavailable` though it was done; 0 for none.
    pub ambiguous_one_in: u64,
    /// What decides which ones.
    pub seed: u64,
}

impl StrictRules {
    /// The rules of `strict:NAME`: closing takes 1 ms, one reply in 16 is ambiguous, which ones depends on the name.
    pub fn of_name(name: &str) -> StrictRules {
        let seed = u64::from(crc32c::crc32c(name.as_bytes()));
        StrictRules { close_delay: Duration::from_millis(1), ambiguous_one_in: 16, seed }
    }
}

/// A store in memory that grants no more than HDFS does.
#[derive(Debug)]
pub struct StrictStore {
    files: MemoryStore,
    chance: Arc<Chance>,
}

impl StrictStore {
    /// An empty one with these rules; [`register`](super::register) it to make its URL mean it.
    pub fn new(url: StoreUrl, rules: StrictRules) -> StrictStore {
        StrictStore {
            files: MemoryStore::new(url),
            chance: Arc::new(Chance { rules, calls: AtomicU64::new(0) }),
        }
    }
}

/// Which calls get an ambiguous reply.
#[derive(Debug)]
struct Chance {
    rules: StrictRules,
    calls: AtomicU64,
}

impl Chance {
    /// The result of a call that was done, or now and then an error instead.
    fn reply(&self, doing: &str, path: &StorePath) -> Result<()> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let one_in = self.rules.ambiguous_one_in;
        if one_in > 0 && mixed(self.rules.seed ^ mixed(call)).is_multiple_of(one_in) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("cannot tell whether {doing} {path} was done"),
            ));
        }
        Ok(())
    }
}

/// A bijection of u64 whose values look random (the finaliser of SplitMix64).
fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Store for StrictStore {
    fn url(&self) -> &StoreUrl {
        self.files.url()
    }

    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>> {
        let writer = self.files.create(path, hint)?;
        self.chance.reply("creating", path)?;
        Ok(Box::new(StrictWriter { writer, chance: Arc::clone(&self.chance), path: path.clone() }))
    }

    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>> {
        self.files.open(path)
    }

    fn sync(&self, dir: &StorePath) -> Result<()> {
        self.files.sync(dir)
    }

    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        self.files.publish(from, to)?;
        self.chance.reply("renaming", from)
    }

    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        self.files.list(dir)
    }

    fn delete(&self, path: &StorePath) -> Result<()> {
        self.files.delete(path)?;
        self.chance.reply("deleting", path)
    }

    fn delete_all(&self, dir: &StorePath) -> Result<()> {
        self.files.delete_all(dir)?;
        self.chance.reply("deleting", dir)
    }

    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>> {
        let (host, len) = self.files.writer_of(path)?;
        Ok(vec![BlockHosts { offset: 0, len, hosts: vec![host] }])
    }

    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        self.files.lock(path, lock)
    }

    fn point(&self, _link: &StorePath, _target: &StorePath) -> Result<bool> {
        Ok(false)
    }

    fn unpoint(&self, _link: &StorePath, _dir: &StorePath) -> Result<()> {
        Ok(())
    }

    fn sweep(&self, _dir: &StorePath) -> Result<bool> {
        Ok(false)
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn local_path(&self, _path: &StorePath) -> Option<PathBuf> {
        None
    }
}

#[derive(Debug)]
struct StrictWriter {
    writer: Box<dyn StoreWriter>,
    chance: Arc<Chance>,
    path: StorePath,
}

impl StoreWriter for StrictWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write(bytes)
    }

    fn close(self: Box<Self>) -> Result<()> {
        std::thread::sleep(self.chance.rules.close_delay);
        self.writer.close()?;
        self.chance.reply("closing", &self.path)
    }
}
