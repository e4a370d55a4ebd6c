//! A store in HDFS, over `hdfs-native`.
//!
//! A file is written under a hidden name, `.hama-part-..`, and renamed when it is whole; a listing shows nothing that
//! begins with `.hama`. `docs/adr/0010-hdfs.md` says why it is done so.

mod call;
mod config;
mod error;
mod lane;
mod lock;
mod names;
mod namespace;
mod probe;
mod reached;
mod read;
mod session;
mod spool;
mod travel;
mod upload;
mod web;
mod write;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use hama_core::{Error, ErrorKind, Host, Result};

use super::{
    BlockHosts, CreateHint, Entry, Lock, LockGuard, Store, StoreReader, StoreWriter, check_one_directory,
};
use crate::path::StorePath;
use crate::url::{Place, StoreUrl};
use call::NameNode;
use config::Configuration;
use lock::Locks;
use names::Names;
use read::HdfsReader;
use session::{Clock, Times};
use web::Web;
use write::HdfsWriter;

pub use call::hdfs_calls;
pub(super) use reached::how_it_is_reached;

pub use config::{HdfsOptions, hdfs_options, set_hdfs_options};
pub use travel::peer_environment;

#[cfg(feature = "testing")]
pub(crate) use session::set_hdfs_lease_ms;

/// What names of Hama's own begin with, which are not listed.
const HIDDEN: &str = ".hama";

/// Files in flight: more gain nothing, and each that is read takes up to 2 MiB.
const FILES_AT_ONCE: usize = 8;

/// The stores of this process: one for each URL, whoever opens it.
static OPEN: LazyLock<Mutex<HashMap<StoreUrl, Weak<HdfsStore>>>> = LazyLock::new(Mutex::default);

/// The store at `url`, whose directory must be there.
pub(super) fn open(url: StoreUrl) -> Result<Arc<dyn Store>> {
    store(url, false)
}

/// The same, the directory made where it is missing.
pub(super) fn create(url: StoreUrl) -> Result<Arc<dyn Store>> {
    store(url, true)
}

/// The store that this process has open, or a new one that was found good.
fn store(url: StoreUrl, make: bool) -> Result<Arc<dyn Store>> {
    if let Some(store) = opened().get(&url).and_then(Weak::upgrade) {
        return Ok(store);
    }
    // This waits for a server, so nobody else may have to wait for it.
    let store = Arc::new(HdfsStore::new(url.clone())?);
    match store.names.open_root(make) {
        Ok(found) if found.isdir => {}
        Ok(_) => {
            let what = "it is a file, and a store or a Zarr array is a directory; `hdfs dfs -get` copies a file here";
            return Err(Error::invalid(format!("cannot open {url}: {what}")));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::new(ErrorKind::NotFound, format!("no store at {url}")));
        }
        Err(e) => return Err(e),
    }
    let mut opened = opened();
    if let Some(other) = opened.get(&url).and_then(Weak::upgrade) {
        return Ok(other);
    }
    opened.retain(|_, store| store.strong_count() > 0);
    opened.insert(url, Arc::downgrade(&store));
    Ok(store)
}

fn opened() -> MutexGuard<'static, HashMap<StoreUrl, Weak<HdfsStore>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store in HDFS.
#[derive(Debug)]
struct HdfsStore {
    url: StoreUrl,
    names: Arc<Names>,
    locks: Arc<Locks>,
    web: Arc<Web>,
}

impl HdfsStore {
    fn new(url: StoreUrl) -> Result<HdfsStore> {
        let Place::Hdfs(place) = url.place() else {
            return Err(Error::internal(format!("cannot look for {url} in HDFS")));
        };
        let configuration = Configuration::load(place)?;
        let web = Arc::new(Web::of(&configuration));
        let names = Arc::new(Names::new(Arc::new(NameNode::new(configuration)?), place.path.clone()));
        let times = Times::default();
        let quick = Arc::new(names.within(times.renewal)?);
        let locks = Locks::new(Arc::<Names>::clone(&names), quick, times, Clock::Boot);
        Ok(HdfsStore { url, names, locks, web })
    }
}

impl Store for HdfsStore {
    fn url(&self) -> &StoreUrl {
        &self.url
    }

    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>> {
        let Some(dir) = path.parent() else {
            let message = format!("cannot make {}: it is there already", self.names.shown(path));
            return Err(Error::new(ErrorKind::Exists, message));
        };
        self.names.make_directory(&dir)?;
        let writer = HdfsWriter::new(&self.names, &self.locks, &self.web, path.clone(), hint.len)?;
        Ok(Box::new(writer))
    }

    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>> {
        Ok(Box::new(HdfsReader::open(&self.names, &self.web, path.clone())?))
    }

    /// A name in HDFS is durable when it is given; this only looks whether the directory is there.
    fn sync(&self, dir: &StorePath) -> Result<()> {
        let found = self.names.look(dir)?;
        if found.isdir {
            return Ok(());
        }
        Err(Error::invalid(format!("cannot sync {}: it is a file", self.names.shown(dir))))
    }

    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        check_one_directory(from, to)?;
        self.locks.publish(from, to, || self.names.rename(from, to))
    }

    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        let mut entries = self.names.entries(dir)?;
        entries.retain(|entry| !entry.name.starts_with(HIDDEN));
        entries.sort();
        Ok(entries)
    }

    fn delete(&self, path: &StorePath) -> Result<()> {
        self.names.delete(path, false)
    }

    fn delete_all(&self, dir: &StorePath) -> Result<()> {
        match self.names.look(dir) {
            Ok(found) if found.isdir => self.names.delete(dir, true),
            Ok(_) => {
                let shown = self.names.shown(dir);
                Err(Error::invalid(format!("cannot delete the directory {shown}: it is a file")))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>> {
        match self.web.hosts(path) {
            Some(blocks) => Ok(blocks),
            None => self.names.look(path).map(|_| Vec::new()),
        }
    }

    fn rack(&self, host: &Host) -> Option<String> {
        self.web.rack(host)
    }

    fn replicas(&self) -> Option<u64> {
        self.names.namenode().configuration().options.replication.map(u64::from)
    }

    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        self.locks.lock(path, lock)
    }

    fn point(&self, _link: &StorePath, _target: &StorePath) -> Result<bool> {
        Ok(false)
    }

    fn unpoint(&self, _link: &StorePath, _dir: &StorePath) -> Result<()> {
        Ok(())
    }

    fn sweep(&self, dir: &StorePath) -> Result<bool> {
        self.locks.sweep(dir)
    }

    fn files_at_once(&self) -> usize {
        FILES_AT_ONCE
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn local_path(&self, _path: &StorePath) -> Option<PathBuf> {
        None
    }
}
