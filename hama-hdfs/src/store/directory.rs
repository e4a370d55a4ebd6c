//! A store in a local directory.

mod direct;
mod lock;
mod unfinished;
mod write;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hama_core::{Error, ErrorKind, Result};
use rustix::io::Errno;

use super::{
    BlockHosts, CreateHint, Entry, EntryKind, Lock, LockGuard, Store, StoreReader, StoreWriter,
    check_one_directory,
};
use crate::path::StorePath;
use crate::url::{Place, StoreUrl};
use unfinished::UNFINISHED;
use write::DirectoryWriter;

/// How often a directory is listed that changes meanwhile.
const LIST_TRIES: usize = 1000;

/// A store in a local directory. Files are plain files under their names.
#[derive(Debug)]
pub(super) struct DirectoryStore {
    url: StoreUrl,
    root: PathBuf,
}

impl DirectoryStore {
    /// The store in the directory that `url` names, which must be there.
    pub(super) fn open(url: StoreUrl) -> Result<DirectoryStore> {
        let root = root_of(&url)?;
        match fs::metadata(&root) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(not_a_directory(&root)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(ErrorKind::NotFound, format!("no store at {}", root.display())));
            }
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Err(not_a_directory(&root)),
            Err(e) => return Err(Error::io(format!("cannot open the store at {}", root.display()), e)),
        }
        fs::read_dir(&root)
            .map_err(|e| Error::io(format!("cannot open the store at {}", root.display()), e))?;
        Ok(DirectoryStore { url, root })
    }

    /// The same, the directory made where it is missing.
    pub(super) fn create(url: StoreUrl) -> Result<DirectoryStore> {
        let root = root_of(&url)?;
        match make_root(&root) {
            Ok(()) => DirectoryStore::open(url),
            Err(e) if matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
                Err(not_a_directory(&root))
            }
            Err(e) => Err(Error::io(format!("cannot make a store at {}", root.display()), e)),
        }
    }

    fn place(&self, path: &StorePath) -> PathBuf {
        self.root.join(path.as_str())
    }
}

fn root_of(url: &StoreUrl) -> Result<PathBuf> {
    match url.place() {
        Place::Directory(path) => Ok(path.clone()),
        _ => Err(Error::internal(format!("cannot look for {url} in a directory"))),
    }
}

fn not_a_directory(root: &Path) -> Error {
    Error::invalid(format!("cannot use {} as a store: it is no directory", root.display()))
}

/// Makes the store's directory with those above it, each durable in the one above.
fn make_root(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Err(io::ErrorKind::NotFound.into()) };
    make_root(parent)?;
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => sync_directory(parent),
    }
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Store for DirectoryStore {
    fn url(&self) -> &StoreUrl {
        &self.url
    }

    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>> {
        let place = self.place(path);
        let writer = DirectoryWriter::create(&place, hint)
            .map_err(|e| Error::io(format!("cannot create {}", place.display()), e))?;
        Ok(Box::new(writer))
    }

    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>> {
        let place = self.place(path);
        let open = || {
            // Opening a pipe would wait for its other end.
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let file = File::options().read(true).custom_flags(flags).open(&place)?;
            let meta = file.metadata()?;
            Ok((file, meta))
        };
        let (file, meta) = open().map_err(|e| Error::io(format!("cannot open {}", place.display()), e))?;
        if !meta.is_file() {
            return Err(Error::invalid(format!("cannot read {}: it is no file", place.display())));
        }
        Ok(Box::new(DirectoryReader { file, len: meta.len(), place }))
    }

    fn settle(&self, path: &StorePath) -> Result<()> {
        let place = self.place(path);
        let settle = || File::open(&place)?.sync_data();
        settle().map_err(|e| Error::io(format!("cannot sync {}", place.display()), e))
    }

    fn sync(&self, dir: &StorePath) -> Result<()> {
        let place = self.place(dir);
        sync_directory(&place).map_err(|e| Error::io(format!("cannot sync {}", place.display()), e))
    }

    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        check_one_directory(from, to)?;
        let (from, to) = (self.place(from), self.place(to));
        write::rename_new(&from, &to)
            .map_err(|e| Error::io(format!("cannot rename {} to {}", from.display(), to.display()), e))
    }

    fn has_links(&self) -> bool {
        true
    }

    fn link(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        let (from, to) = (self.place(from), self.place(to));
        write::link(&from, &to)
            .inspect(|linked| {
                if !linked {
                    tracing::warn!(file = %from.display(), "copied: the file system or its owner allows no link to it");
                }
            })
            .map(drop)
            .map_err(|e| Error::io(format!("cannot link {} as {}", from.display(), to.display()), e))
    }

    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        let place = self.place(dir);
        list(&place).map_err(|e| Error::io(format!("cannot list {}", place.display()), e))
    }

    fn delete(&self, path: &StorePath) -> Result<()> {
        let place = self.place(path);
        let deleted = match fs::symlink_metadata(&place) {
            Ok(meta) if meta.is_dir() => fs::remove_dir(&place),
            Ok(_) => fs::remove_file(&place),
            Err(e) => Err(e),
        };
        match deleted {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(Error::invalid(format!("cannot delete {}: it is not empty", place.display())))
            }
            other => absent_is_fine(other, &place),
        }
    }

    fn delete_all(&self, dir: &StorePath) -> Result<()> {
        let place = self.place(dir);
        match fs::symlink_metadata(&place) {
            Ok(meta) if meta.is_file() => {
                Err(Error::invalid(format!("cannot delete the directory {}: it is a file", place.display())))
            }
            _ => absent_is_fine(fs::remove_dir_all(&place), &place),
        }
    }

    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>> {
        self.open(path).map(|_| Vec::new())
    }

    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        let place = self.place(path);
        let guard =
            lock::lock(&place, lock).map_err(|e| Error::io(format!("cannot lock {}", place.display()), e))?;
        Ok(guard.map(|guard| Box::new(guard) as Box<dyn LockGuard>))
    }

    fn point(&self, link: &StorePath, target: &StorePath) -> Result<bool> {
        let (Some(target_name), dir) = (target.as_str().strip_prefix(&prefix_of(link)), self.place(link))
        else {
            return Err(Error::invalid(format!("cannot let {link} lead to {target}: it is elsewhere")));
        };
        write::point(&dir, Path::new(target_name))
            .map_err(|e| Error::io(format!("cannot make the link {}", dir.display()), e))
    }

    fn unpoint(&self, link: &StorePath, dir: &StorePath) -> Result<()> {
        let place = self.place(link);
        let Some(dir) = dir.as_str().strip_prefix(&prefix_of(link)) else { return Ok(()) };
        match fs::read_link(&place) {
            Ok(target) if target.starts_with(dir) => absent_is_fine(fs::remove_file(&place), &place),
            _ => Ok(()),
        }
    }

    fn sweep(&self, dir: &StorePath) -> Result<bool> {
        let place = self.place(dir);
        unfinished::sweep(&place).map_err(|e| Error::io(format!("cannot clear {}", place.display()), e))
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|e| {
            Error::io(format!("cannot ask for the space at {}", self.root.display()), e.into())
        })?;
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    fn local_path(&self, path: &StorePath) -> Option<PathBuf> {
        Some(self.place(path))
    }
}

/// What the paths of all that lies in the directory of `path` start with.
fn prefix_of(path: &StorePath) -> String {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => format!("{}/", parent.as_str()),
        _ => String::new(),
    }
}

fn absent_is_fine(result: io::Result<()>, place: &Path) -> Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|e| Error::io(format!("cannot delete {}", place.display()), e)),
    }
}

/// Lists a directory. One in which something went while it was read is read anew: what went may have got another name,
/// under which it was not seen.
fn list(place: &Path) -> io::Result<Vec<Entry>> {
    for _ in 0..LIST_TRIES {
        if let Some(mut entries) = list_once(place)? {
            entries.sort();
            return Ok(entries);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it keeps changing"))
}

fn list_once(place: &Path) -> io::Result<Option<Vec<Entry>>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(UNFINISHED) {
            continue;
        }
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        match seen(is_link, fs::metadata(entry.path()))? {
            Seen::Is(kind, len, written) => entries.push(Entry { name, kind, len, written }),
            Seen::Foreign => {}
            Seen::Gone => return Ok(None),
        }
    }
    Ok(Some(entries))
}

/// What a look at an entry of a directory gives.
#[derive(Debug)]
enum Seen {
    /// With its length and what changes when it is written.
    Is(EntryKind, u64, u64),
    /// Neither file nor directory, or a link that leads to none.
    Foreign,
    /// It was there and is no longer.
    Gone,
}

/// What an entry is, going by what was found through its links. An error is no absence: whoever collects garbage would
/// take a manifest on a bad sector for one that is not there.
fn seen(is_link: bool, found: io::Result<fs::Metadata>) -> io::Result<Seen> {
    match found {
        Ok(meta) if meta.is_dir() => Ok(Seen::Is(EntryKind::Directory, 0, 0)),
        Ok(meta) if meta.is_file() => Ok(Seen::Is(EntryKind::File, meta.len(), written(&meta))),
        Ok(_) => Ok(Seen::Foreign),
        Err(e) if is_link && leads_nowhere(&e) => Ok(Seen::Foreign),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Seen::Gone),
        Err(e) => Err(e),
    }
}

/// A number of which file it is and when it was written.
fn written(meta: &fs::Metadata) -> u64 {
    let nanoseconds = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
    meta.ino().rotate_left(32) ^ nanoseconds.cast_unsigned()
}

/// Whether a link leads to nothing, into a file, or to itself.
fn leads_nowhere(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

#[derive(Debug)]
struct DirectoryReader {
    file: File,
    len: u64,
    place: PathBuf,
}

impl StoreReader for DirectoryReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let len = into.len();
        let doing = || format!("cannot read {len} bytes at {offset} of {}", self.place.display());
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(Error::data(format!("{}: it has {} bytes", doing(), self.len)));
        }
        self.file.read_exact_at(into, offset).map_err(|e| Error::io(doing(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_look_is_no_absence() {
        for is_link in [false, true] {
            for errno in [Errno::IO, Errno::ACCESS, Errno::NAMETOOLONG, Errno::STALE] {
                assert!(seen(is_link, Err(errno.into())).is_err(), "{errno:?}");
            }
        }
        for errno in [Errno::NOTDIR, Errno::LOOP] {
            assert!(seen(false, Err(errno.into())).is_err(), "{errno:?}");
            assert!(matches!(seen(true, Err(errno.into())), Ok(Seen::Foreign)), "{errno:?}");
        }
        assert!(matches!(seen(true, Err(Errno::NOENT.into())), Ok(Seen::Foreign)));
        assert!(matches!(seen(false, Err(Errno::NOENT.into())), Ok(Seen::Gone)));
    }
}
