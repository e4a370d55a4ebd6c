//! Where the files of an array are: in a local directory, or in a store such as HDFS.
//!
//! The array is the store's root, so that its own path may have any name; the keys below it are plain segments.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::store::{self, Entry, EntryKind, Store, StoreReader};
use hama_hdfs::{Extent, StorePath, StoreUrl};
use serde::{Deserialize, Serialize};

use super::metadata::Keys;
use crate::files::stamp::{FilePath, Stamp};

/// A directory of a store with more files is refused: its names are in memory at once.
const LISTED_MAX: usize = 1 << 18;

/// A directory of files that are read.
#[derive(Clone)]
pub(super) enum Folder {
    Local(PathBuf),
    Stored(Arc<dyn Store>),
}

/// Names a directory for a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FolderRef {
    Local(FilePath),
    Stored(StoreUrl),
}

/// What a look at a chunk's file finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) len: u64,
    pub(super) is_file: bool,
    /// Which file it is and when it was written.
    pub(super) words: [u64; 4],
}

/// The files of one row of chunks, or of all.
pub(super) enum Listing {
    /// Nobody has listed them: each is looked at.
    Unlisted,
    /// By row and column, ascending.
    Listed(Vec<(u64, u64, Seen)>),
}

impl FolderRef {
    pub(super) fn open(&self) -> Result<Folder> {
        Ok(match self {
            FolderRef::Local(path) => Folder::Local(path.path()),
            FolderRef::Stored(url) => Folder::Stored(store::open(url)?),
        })
    }
}

impl Folder {
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Folder::Local(_))
    }

    /// Its URL, where it is in a store.
    pub(super) fn url(&self) -> Option<&StoreUrl> {
        match self {
            Folder::Local(_) => None,
            Folder::Stored(store) => Some(store.url()),
        }
    }

    /// How many that read from it gain by reading at once.
    pub(super) fn files_at_once(&self) -> usize {
        match self {
            Folder::Local(_) => 1,
            Folder::Stored(store) => store.files_at_once(),
        }
    }

    /// A file as errors name it.
    pub(super) fn shown(&self, key: &str) -> String {
        match self {
            Folder::Local(path) => path.join(key).display().to_string(),
            Folder::Stored(store) => format!("{}/{key}", store.url().to_string().trim_end_matches('/')),
        }
    }

    /// Opens a file, where there is one. None where its name leads to something else than a file.
    pub(super) fn open(&self, key: &str) -> Result<Option<Opened>> {
        match self {
            Folder::Local(path) => open_local(path.join(key)),
            Folder::Stored(store) => match store.open(&StorePath::new(key)?) {
                Ok(reader) => Ok(Some(Opened::File(reader))),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(_) if self.is_directory(key) => Ok(Some(Opened::NoFile)),
                Err(e) => Err(e),
            },
        }
    }

    fn is_directory(&self, key: &str) -> bool {
        match (self, StorePath::new(key)) {
            (Folder::Stored(store), Ok(path)) => store.list(&path).is_ok(),
            _ => false,
        }
    }

    /// The names of directories in it that `is_wanted`, at most `most` of those that are looked at.
    pub(super) fn directories(&self, most: usize, is_wanted: impl Fn(&Folder, &str) -> bool) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Folder::Local(path) => {
                let entries = fs::read_dir(path).into_iter().flatten().flatten();
                let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
                names.filter(|name| is_wanted(self, name)).take(most).collect()
            }
            Folder::Stored(store) => {
                let entries = store.list(&StorePath::root()).unwrap_or_default();
                let directories = entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
                let names = directories.map(|entry| entry.name).take(most);
                names.filter(|name| is_wanted(self, name)).collect()
            }
        };
        names.sort();
        names
    }

    /// Whether a file has the name.
    pub(super) fn has(&self, key: &str) -> bool {
        match self {
            Folder::Local(path) => path.join(key).is_file(),
            Folder::Stored(_) => matches!(self.open(key), Ok(Some(Opened::File(_)))),
        }
    }

    /// The files of all chunks where one listing names them.
    pub(super) fn list_all(&self, keys: Keys, grid: Extent) -> Result<Listing> {
        match self {
            Folder::Stored(store) if keys.separator != '/' => {
                let entries = entries(&**store, &StorePath::root())?;
                let mut found: Vec<_> = entries.iter().filter_map(|entry| chunk(keys, grid, entry)).collect();
                found.sort_by_key(|(row, col, _)| (*row, *col));
                Ok(Listing::Listed(found))
            }
            _ => Ok(Listing::Unlisted),
        }
    }

    /// Looks at the files of a row of chunks: `take` gets the column of each with what is there.
    pub(super) fn row(
        &self,
        (all, keys, grid): (&Listing, Keys, Extent),
        row: u64,
        mut take: impl FnMut(u64, Option<Seen>) -> Result<()>,
    ) -> Result<()> {
        let listed;
        let of_row = match (self, all) {
            (Folder::Local(path), _) => {
                return (0..grid.cols).try_for_each(|col| take(col, look(path.join(keys.key(row, col)))?));
            }
            (_, Listing::Listed(all)) => {
                let first = all.partition_point(|(at, ..)| *at < row);
                &all[first..all.partition_point(|(at, ..)| *at <= row)]
            }
            (Folder::Stored(store), Listing::Unlisted) => {
                listed = listed_row(&**store, keys, grid, row)?;
                &listed
            }
        };
        let mut there = of_row.iter().peekable();
        (0..grid.cols)
            .try_for_each(|col| take(col, there.next_if(|(_, at, _)| *at == col).map(|(.., seen)| *seen)))
    }
}

/// The files of a row of chunks that lie in a directory of their own, by column.
fn listed_row(store: &dyn Store, keys: Keys, grid: Extent, row: u64) -> Result<Vec<(u64, u64, Seen)>> {
    let dir = if keys.prefix { format!("c/{row}") } else { row.to_string() };
    let entries = match entries(store, &StorePath::new(&dir)?) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let column = |entry: &Entry| number(&entry.name).filter(|col| *col < grid.cols);
    let mut found: Vec<_> =
        entries.iter().filter_map(|entry| Some((row, column(entry)?, seen(entry)))).collect();
    found.sort_by_key(|(_, col, _)| *col);
    Ok(found)
}

/// What lies in a directory of a store.
fn entries(store: &dyn Store, dir: &StorePath) -> Result<Vec<Entry>> {
    let entries = store.list(dir)?;
    if entries.len() > LISTED_MAX {
        return Err(Error::invalid(format!(
            "cannot read {}: {dir} has {} files, {LISTED_MAX} in one directory are the most: write it again with larger chunks",
            store.url(),
            entries.len()
        )));
    }
    Ok(entries)
}

/// The chunk whose file an entry of the array's directory is.
fn chunk(keys: Keys, grid: Extent, entry: &Entry) -> Option<(u64, u64, Seen)> {
    let name =
        if keys.prefix { entry.name.strip_prefix('c')?.strip_prefix(keys.separator)? } else { &entry.name };
    let (row, col) = name.split_once(keys.separator)?;
    let (row, col) = (number(row)?, number(col)?);
    (row < grid.rows && col < grid.cols).then(|| (row, col, seen(entry)))
}

/// A number as keys have it: no sign, no zero before it.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

fn seen(entry: &Entry) -> Seen {
    let is_file = entry.kind == EntryKind::File;
    Seen { len: entry.len, is_file, words: [entry.len, if is_file { entry.written } else { 0 }, 0, 0] }
}

fn look(path: PathBuf) -> Result<Option<Seen>> {
    match fs::metadata(&path) {
        Ok(meta) => {
            Ok(Some(Seen { len: meta.len(), is_file: meta.is_file(), words: Stamp::of(&meta).words() }))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(format!("cannot open {}", path.display()), e)),
    }
}

/// What has the name of a file.
pub(super) enum Opened {
    File(Box<dyn StoreReader>),
    NoFile,
}

fn open_local(path: PathBuf) -> Result<Option<Opened>> {
    let Some(seen) = look(path.clone())? else { return Ok(None) };
    // Opening a pipe would wait for its other end.
    if !seen.is_file {
        return Ok(Some(Opened::NoFile));
    }
    let file = File::open(&path).map_err(|e| Error::io(format!("cannot open {}", path.display()), e))?;
    Ok(Some(Opened::File(Box::new(LocalFile { file, len: seen.len }))))
}

/// A file of a local directory.
#[derive(Debug)]
struct LocalFile {
    file: File,
    len: u64,
}

impl StoreReader for LocalFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(into, offset).map_err(|e| Error::data(e.to_string()))
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.shown(""))
    }
}
