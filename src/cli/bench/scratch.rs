//! A folder for what a command writes only for itself; it goes when the command ends.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hama::table::StoreUrl;
use hama::{Error, ErrorKind, Result};

use crate::cli::Global;
use crate::cli::session::{lasting, store_url};

/// Of the folder of a measurement. No table has such a name, so no command takes it for one.
const PREFIX: &str = ".hama-bench-";
/// How often a name is tried that somebody has or clears at that moment.
const TRIES: u32 = 10;

/// The folder. Whoever has one has locked it: one that can be locked was left by a process that was killed.
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes it in the folder of the store, or in the nearest one above where there is no store. What killed
    /// processes left there goes.
    ///
    /// # Errors
    /// `Invalid` where the store is in no local folder, or that is not writable.
    pub(super) fn make(global: &Global) -> Result<Scratch> {
        Scratch::make_in(&folder(global)?, PREFIX)
    }

    /// Makes one with this prefix in a folder. What killed processes left there under it goes.
    pub(crate) fn make_in(folder: &Path, prefix: &str) -> Result<Scratch> {
        sweep(folder, prefix);
        let mut failed = None;
        for number in 0..TRIES {
            let path = folder.join(format!("{prefix}{}-{number}", std::process::id()));
            match make(&path) {
                Ok(lock) => return Ok(Scratch { path, _lock: lock }),
                Err(error) => failed = Some(Error::io(format!("cannot make {}", path.display()), error)),
            }
        }
        Err(failed.unwrap_or_else(|| Error::internal("nothing was tried")))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A store in it.
    pub(crate) fn store(&self) -> Result<String> {
        Ok(StoreUrl::directory(&self.path)?.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a temporary folder");
        }
    }
}

fn folder(global: &Global) -> Result<PathBuf> {
    let url: StoreUrl = lasting(store_url(global))?.parse()?;
    let absolute = url.absolute()?;
    let elsewhere = || Error::invalid(format!("cannot measure the store {url}: it is in no local folder"));
    let path = absolute.local_directory().ok_or_else(elsewhere)?;
    if path.exists() && !path.is_dir() {
        return Err(Error::invalid(format!("cannot use {} as a store: it is no directory", path.display())));
    }
    let above = path.ancestors().find(|path| path.is_dir());
    above
        .map(Path::to_owned)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no folder above {}", path.display())))
}

fn make(path: &Path) -> std::io::Result<File> {
    // Nobody else reads it, wherever it is.
    fs::DirBuilder::new().mode(0o700).create(path)?;
    let lock = File::open(path)?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(std::io::ErrorKind::ResourceBusy.into()),
        // Where the file system has no locks nobody clears either.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    // Somebody may have cleared it before it was locked.
    fs::metadata(path)?;
    Ok(lock)
}

/// Removes what killed processes left.
fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else { continue };
        if lock.try_lock().is_ok() {
            // What stays is tried again the next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
