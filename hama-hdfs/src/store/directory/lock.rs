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
    let mut file = File::open(place)?;
    let mut locked = lock_open(&file, place, lock);
    // Over NFS the lock is one of bytes, and an exclusive one is for those who can write them.
    if locked.as_ref().is_err_and(|e| Errno::from_io_error(e) == Some(Errno::BADF)) {
        file = File::options().read(true).write(true).open(place)?;
        locked = lock_open(&file, place, lock);
    }
    Ok(locked?.then_some(FileLock { _file: file }))
}

/// Locks an open file as long as it is open, unless others hold it. `NotFound` where it does not have the name `place`
/// any more.
pub(super) fn lock_open(file: &File, place: &Path, lock: Lock) -> io::Result<bool> {
    let operation = match lock {
        Lock::Shared => FlockOperation::NonBlockingLockShared,
        Lock::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, operation) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(false),
        Err(e) => return Err(e.into()),
    }
    // Between the two calls its name may have gone to nobody, or to another file.
    let (locked, named) = (file.metadata()?, std::fs::metadata(place)?);
    if (locked.dev(), locked.ino()) != (named.dev(), named.ino()) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(true)
}
