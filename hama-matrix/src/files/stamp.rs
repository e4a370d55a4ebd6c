//! Whether a file that is read in place is still the one that was opened.

use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The path of a file as it travels to peers, whatever bytes its name has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePath(Vec<u8>);

impl FilePath {
    /// The path, absolute.
    pub(crate) fn of(path: &Path) -> Result<FilePath> {
        let absolute = std::path::absolute(path)
            .map_err(|e| Error::io(format!("cannot tell the absolute path of {}", path.display()), e))?;
        Ok(FilePath(absolute.as_os_str().as_bytes().to_vec()))
    }

    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(std::ffi::OsString::from_vec(self.0.clone()))
    }
}

/// What changes when a file does: which one it is, its length, and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inode: u64,
    pub(crate) len: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    pub(crate) fn of(meta: &Metadata) -> Stamp {
        Stamp { inode: meta.ino(), len: meta.len(), seconds: meta.mtime(), nanoseconds: meta.mtime_nsec() }
    }

    /// Fails where the file at `path` is not the one any more that had this stamp.
    ///
    /// # Errors
    /// `Data` where it was written, replaced or removed.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        match fs::metadata(path) {
            Ok(meta) if Stamp::of(&meta) == *self => Ok(()),
            _ => Err(changed(path)),
        }
    }

    /// Eight words of it, for a digest of many.
    pub(crate) fn words(&self) -> [u64; 4] {
        [self.inode, self.len, self.seconds as u64, self.nanoseconds as u64]
    }
}

pub(crate) fn changed(path: &Path) -> Error {
    Error::data(format!(
        "cannot use {}: it was changed while it was read; try again when nobody writes it",
        path.display()
    ))
}
