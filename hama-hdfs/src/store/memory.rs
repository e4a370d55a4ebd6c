//! A store in the memory of this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hama_core::{Error, ErrorKind, Host, Result};

use super::{
    BlockHosts, CreateHint, Entry, EntryKind, Lock, LockGuard, Store, StoreReader, StoreWriter,
    check_one_directory,
};
use crate::path::StorePath;
use crate::url::StoreUrl;

/// How many files there have been.
static FILES: AtomicU64 = AtomicU64::new(1);

/// A store in the memory of this process.
#[derive(Clone, Debug)]
pub(super) struct MemoryStore {
    url: StoreUrl,
    tree: Arc<Mutex<Tree>>,
}

/// All files and directories by their paths; the root is always there and not in it.
type Tree = BTreeMap<StorePath, Node>;

#[derive(Clone, Debug)]
enum Node {
    Directory,
    File(Arc<MemoryFile>),
}

#[derive(Debug)]
struct MemoryFile {
    bytes: Vec<u8>,
    /// Which one it is of all that this process has had in memory.
    number: u64,
    writer: Host,
    holders: Mutex<Holders>,
}

#[derive(Debug, Default)]
struct Holders {
    shared: usize,
    exclusive: bool,
}

impl MemoryStore {
    /// An empty one.
    pub(super) fn new(url: StoreUrl) -> MemoryStore {
        MemoryStore { url, tree: Arc::default() }
    }

    /// The host that wrote a file.
    pub(super) fn writer_of(&self, path: &StorePath) -> Result<(Host, u64)> {
        let file = self.file(path)?;
        Ok((file.writer.clone(), file.bytes.len() as u64))
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        locked(&self.tree)
    }

    fn file(&self, path: &StorePath) -> Result<Arc<MemoryFile>> {
        match self.tree().get(path) {
            Some(Node::File(file)) => Ok(Arc::clone(file)),
            Some(Node::Directory) => {
                Err(Error::invalid(format!("cannot open {path} in {}: no file", self.url)))
            }
            None => Err(self.not_found("open", path)),
        }
    }

    fn not_found(&self, doing: &str, path: &StorePath) -> Error {
        Error::new(ErrorKind::NotFound, format!("cannot {doing} {path} in {}: it is not there", self.url))
    }

    fn exists(&self, path: &StorePath) -> Error {
        Error::new(ErrorKind::Exists, format!("cannot make {path} in {}: it is there already", self.url))
    }

    fn insert(&self, path: &StorePath, file: MemoryFile) -> Result<()> {
        let mut tree = self.tree();
        if tree.contains_key(path) {
            return Err(self.exists(path));
        }
        self.make_directories(&mut tree, path)?;
        tree.insert(path.clone(), Node::File(Arc::new(file)));
        Ok(())
    }

    fn make_directories(&self, tree: &mut Tree, path: &StorePath) -> Result<()> {
        let mut parent = path.parent();
        while let Some(directory) = parent.filter(|p| *p != StorePath::root()) {
            if let Node::File(_) = tree.entry(directory.clone()).or_insert(Node::Directory) {
                return Err(Error::invalid(format!(
                    "cannot make {path} in {}: {directory} is a file",
                    self.url
                )));
            }
            parent = directory.parent();
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `path` lies in `dir`, at any depth.
fn is_below(path: &StorePath, dir: &StorePath) -> bool {
    path.as_str()
        .strip_prefix(dir.as_str())
        .is_some_and(|rest| dir.as_str().is_empty() || rest.starts_with('/'))
}

impl Store for MemoryStore {
    fn url(&self) -> &StoreUrl {
        &self.url
    }

    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>> {
        let mut tree = self.tree();
        if *path == StorePath::root() || tree.contains_key(path) {
            return Err(self.exists(path));
        }
        self.make_directories(&mut tree, path)?;
        drop(tree);
        let mut bytes = Vec::new();
        let len = usize::try_from(hint.len).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(len).map_err(|_| no_memory(len))?;
        Ok(Box::new(MemoryWriter {
            store: self.clone(),
            path: path.clone(),
            writer: hint.host.clone(),
            bytes,
        }))
    }

    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>> {
        Ok(Box::new(MemoryReader { file: self.file(path)?, path: path.clone() }))
    }

    fn sync(&self, dir: &StorePath) -> Result<()> {
        self.list(dir).map(drop)
    }

    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        check_one_directory(from, to)?;
        let mut tree = self.tree();
        if *to == StorePath::root() || tree.contains_key(to) {
            return Err(self.exists(to));
        }
        match tree.remove(from) {
            Some(Node::File(file)) => {
                tree.insert(to.clone(), Node::File(file));
                Ok(())
            }
            Some(Node::Directory) => {
                tree.insert(from.clone(), Node::Directory);
                Err(Error::invalid(format!("cannot rename {from} in {}: it is no file", self.url)))
            }
            None => Err(self.not_found("rename", from)),
        }
    }

    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        let tree = self.tree();
        match tree.get(dir) {
            Some(Node::File(_)) => {
                return Err(Error::invalid(format!("cannot list {dir} in {}: it is a file", self.url)));
            }
            None if *dir != StorePath::root() => return Err(self.not_found("list", dir)),
            _ => {}
        }
        let inside = tree.iter().filter(|(path, _)| path.parent().as_ref() == Some(dir));
        let mut entries: Vec<Entry> = inside.filter_map(|(path, node)| entry(path.name()?, node)).collect();
        entries.sort();
        Ok(entries)
    }

    fn delete(&self, path: &StorePath) -> Result<()> {
        let mut tree = self.tree();
        let is_directory = matches!(tree.get(path), Some(Node::Directory));
        if is_directory && tree.keys().any(|p| is_below(p, path)) {
            return Err(Error::invalid(format!("cannot delete {path} in {}: it is not empty", self.url)));
        }
        tree.remove(path);
        Ok(())
    }

    fn delete_all(&self, dir: &StorePath) -> Result<()> {
        let mut tree = self.tree();
        if let Some(Node::File(_)) = tree.get(dir) {
            return Err(Error::invalid(format!(
                "cannot delete the directory {dir} in {}: it is a file",
                self.url
            )));
        }
        tree.retain(|path, _| path != dir && !is_below(path, dir));
        Ok(())
    }

    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>> {
        self.file(path).map(|_| Vec::new())
    }

    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        let tree = self.tree();
        let Some(Node::File(file)) = tree.get(path) else { return Err(self.not_found("lock", path)) };
        let mut holders = locked(&file.holders);
        let free = match lock {
            Lock::Shared => !holders.exclusive,
            Lock::Exclusive => !holders.exclusive && holders.shared == 0,
        };
        if !free {
            return Ok(None);
        }
        match lock {
            Lock::Shared => holders.shared += 1,
            Lock::Exclusive => holders.exclusive = true,
        }
        drop(holders);
        Ok(Some(Box::new(MemoryLock { file: Arc::clone(file), lock })))
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

fn entry(name: &str, node: &Node) -> Option<Entry> {
    let (kind, len, written) = match node {
        Node::Directory => (EntryKind::Directory, 0, 0),
        Node::File(file) => (EntryKind::File, file.bytes.len() as u64, file.number),
    };
    Some(Entry { name: name.to_owned(), kind, len, written })
}

fn no_memory(len: usize) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("cannot keep a file of {len} bytes in memory"))
}

#[derive(Debug)]
struct MemoryLock {
    file: Arc<MemoryFile>,
    lock: Lock,
}

impl LockGuard for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut holders = locked(&self.file.holders);
        match self.lock {
            Lock::Shared => holders.shared -= 1,
            Lock::Exclusive => holders.exclusive = false,
        }
    }
}

struct MemoryWriter {
    store: MemoryStore,
    path: StorePath,
    writer: Host,
    bytes: Vec<u8>,
}

impl StoreWriter for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.try_reserve(bytes.len()).map_err(|_| no_memory(self.bytes.len() + bytes.len()))?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let file = MemoryFile { bytes: self.bytes, number, writer: self.writer, holders: Mutex::default() };
        self.store.insert(&self.path, file)
    }
}

impl std::fmt::Debug for MemoryWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryWriter({}, {} bytes)", self.path, self.bytes.len())
    }
}

#[derive(Debug)]
struct MemoryReader {
    file: Arc<MemoryFile>,
    path: StorePath,
}

impl StoreReader for MemoryReader {
    fn len(&self) -> u64 {
        self.file.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let bytes = &self.file.bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = start.checked_add(into.len()).and_then(|end| bytes.get(start..end)).ok_or_else(|| {
            Error::data(format!(
                "cannot read {} bytes at {offset} of {}: it has {} bytes",
                into.len(),
                self.path,
                bytes.len()
            ))
        })?;
        into.copy_from_slice(found);
        Ok(())
    }
}
