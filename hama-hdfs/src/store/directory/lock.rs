//! Locks of files in a local directory: flock, which ends with its holder however that ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::store::{Lock, LockGuard};

/// The lock lasts as long as the file is open.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl LockGuard for FileLock {}

/// Locks the file at `place`, or says that others hold it.
pub(super) fn lock(place: &Path, lock: Lock) -> io::Result<Option<FileLock>> {
    let file = File::open(place)?;
    let operation = match lock {
        Lock::Shared => FlockOperation::NonBlockingLockShared,
        Lock::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(&file, operation) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(e) => return Err(e.into()),
    }
    // Between the two calls its name may have gone to nobody, or to another file.
    let (locked, named) = (file.metadata()?, std::fs::metadata(place)?);
    if (locked.dev(), locked.ino()) != (named.dev(), named.ino()) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Some(FileLock { _file: file }))
}
