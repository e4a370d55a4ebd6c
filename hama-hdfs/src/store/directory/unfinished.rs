//! Names of files and links that are being made, where they cannot be made without one.
//!
//! Whoever makes a file holds a shared lock on it, so that those which a killed process left can be told and cleared.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::lock::lock_open;
use crate::store::Lock;

/// What the names of unfinished files and links start with. They are not listed.
pub(super) const UNFINISHED: &str = ".tmp-";
/// How often a file is made that somebody takes for a dead writer's before it is locked.
const TRIES: usize = 20;

/// A name that goes when this does, unless it was renamed away from.
#[derive(Debug)]
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    /// A name in `directory` that nothing has.
    pub(super) fn new(directory: &Path) -> Temporary {
        Temporary(directory.join(format!("{UNFINISHED}{}", Uuid::new_v4())))
    }

    /// A new file with such a name, locked until it is closed.
    pub(super) fn create(directory: &Path) -> io::Result<(File, Temporary)> {
        for _ in 0..TRIES {
            let temporary = Temporary::new(directory);
            let file = File::options().read(true).write(true).create_new(true).open(&temporary.0)?;
            match lock_open(&file, &temporary.0, Lock::Shared) {
                Ok(true) => return Ok((file, temporary)),
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing to be done about one that stays: it is not listed, and the next writer clears it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Deletes the unfinished files of dead writers in a directory, and all unfinished links: they are there for moments,
/// and what they were to become is a hint. Whether there was one.
pub(super) fn sweep(directory: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(directory) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        other => other?,
    };
    let mut was_there = false;
    for entry in entries {
        let entry = entry?;
        let is_ours =
            |name: &str| name.strip_prefix(UNFINISHED).is_some_and(|id| Uuid::try_parse(id).is_ok());
        if entry.file_name().to_str().is_some_and(is_ours) {
            match sweep_one(&entry) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => was_there |= other?,
            }
        }
    }
    Ok(was_there)
}

fn sweep_one(entry: &fs::DirEntry) -> io::Result<bool> {
    let (kind, place) = (entry.file_type()?, entry.path());
    if kind.is_symlink() {
        return fs::remove_file(place).map(|()| true);
    }
    if kind.is_file()
        && let Some(_lock) = super::lock::lock(&place, Lock::Exclusive)?
    {
        return fs::remove_file(place).map(|()| true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_writers_left_goes_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let dead = Temporary::new(directory.path());
        fs::write(&dead.0, "x").unwrap();
        let link = Temporary::new(directory.path());
        std::os::unix::fs::symlink("nowhere", &link.0).unwrap();
        fs::write(at(".tmp-mine"), "x").unwrap();
        fs::write(at("file"), "x").unwrap();
        let (file, live) = Temporary::create(directory.path()).unwrap();
        assert!(sweep(directory.path()).unwrap());
        assert!(!sweep(directory.path()).unwrap());
        assert!(!dead.0.exists() && fs::symlink_metadata(&link.0).is_err());
        assert!(live.0.exists() && at(".tmp-mine").exists() && at("file").exists());
        std::mem::forget(live);
        drop(file);
        sweep(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        sweep(&at("nowhere")).unwrap();
        sweep(&at("file")).unwrap();
    }
}
