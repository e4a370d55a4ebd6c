//! The bytes of a file until they are in HDFS: in memory while they are few, else in a local file without a name.
//!
//! HDFS drops a file whose pipeline breaks, so all of its bytes have to be there to be written again.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hama_core::{Error, Result};
use tokio::sync::watch;

/// The most bytes of a file that stay in memory, and of one more where many are open.
pub(super) const MEMORY_BYTES: usize = 1 << 20;
const MEMORY_BYTES_OF_MANY: usize = 64 << 10;
/// So many are not many.
const FEW: usize = 8;
/// How many local files wait to be used again.
const IDLE_MAX: usize = 8;
/// Temporary files that may be large: unlike /tmp that is no memory anywhere.
const LARGE_FILES: &str = "/var/tmp";

/// How many are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// Local files that were used before: their pages are in memory, and writing into those is cheap.
static IDLE: Mutex<Vec<(PathBuf, Arc<File>)>> = Mutex::new(Vec::new());

/// How much of a file is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) len: u64,
    /// Nothing follows.
    pub(super) is_all: bool,
}

/// The bytes of a file, which grow at one end while they are read.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// The most bytes that stay in memory.
    memory_bytes: usize,
    bytes: Mutex<Bytes>,
    written: watch::Sender<Written>,
}

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    Local(Arc<File>),
}

impl Bytes {
    fn local(&self) -> Option<Arc<File>> {
        match self {
            Bytes::Memory(_) => None,
            Bytes::Local(file) => Some(Arc::clone(file)),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spool {
    /// An empty one, whose local file would lie in `folder`, else in the system's for large temporary files.
    pub(super) fn new(folder: Option<&Path>) -> Spool {
        let folder = folder.map_or_else(usual_folder, Path::to_owned);
        let memory_bytes = memory_bytes(OPEN.fetch_add(1, Ordering::Relaxed));
        let bytes = Mutex::new(Bytes::Memory(Vec::new()));
        Spool { folder, memory_bytes, bytes, written: watch::Sender::default() }
    }

    /// How much is there, now and from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Written> {
        self.written.subscribe()
    }

    /// How much is there.
    pub(super) fn written(&self) -> Written {
        *self.written.borrow()
    }

    /// Whether it outgrew the memory.
    pub(super) fn is_large(&self) -> bool {
        matches!(*locked(&self.bytes), Bytes::Local(_))
    }

    /// Adds bytes at the end.
    pub(super) fn append(&self, more: &[u8]) -> Result<()> {
        let at = self.written().len;
        let mut bytes = locked(&self.bytes);
        if let Bytes::Memory(before) = &mut *bytes {
            let len = before.len() + more.len();
            if len <= self.memory_bytes {
                // No more than that, where it would double.
                if len > before.capacity() {
                    let room = len.max(2 * before.len()).min(self.memory_bytes);
                    before.reserve_exact(room - before.len());
                }
                before.extend_from_slice(more);
            } else {
                let file = self.local_file()?;
                file.write_all_at(before, 0).map_err(|e| self.error(e))?;
                *bytes = Bytes::Local(file);
            }
        }
        let local = bytes.local();
        drop(bytes);
        if let Some(file) = local {
            file.write_all_at(more, at).map_err(|e| self.error(e))?;
        }
        self.written.send_modify(|written| written.len += more.len() as u64);
        Ok(())
    }

    /// Says that nothing follows.
    pub(super) fn end(&self) {
        self.written.send_modify(|written| written.is_all = true);
    }

    /// Fills `into` with bytes that are there.
    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        let bytes = locked(&self.bytes);
        if let Bytes::Memory(bytes) = &*bytes {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let found = start.checked_add(into.len()).and_then(|end| bytes.get(start..end));
            into.copy_from_slice(found.ok_or(std::io::ErrorKind::UnexpectedEof)?);
            return Ok(());
        }
        let local = bytes.local();
        drop(bytes);
        // Nobody waits for the disk with the lock in hand.
        local.map_or(Ok(()), |file| file.read_exact_at(into, offset))
    }

    /// Reads all that is there, from the start.
    pub(super) fn reader(&self) -> impl Read {
        Reader { spool: self, at: 0 }
    }

    fn local_file(&self) -> Result<Arc<File>> {
        let mut idle = locked(&IDLE);
        if let Some(at) = idle.iter().position(|(folder, _)| *folder == self.folder) {
            return Ok(idle.swap_remove(at).1);
        }
        drop(idle);
        tempfile::tempfile_in(&self.folder).map(Arc::new).map_err(|e| self.error(e))
    }

    fn error(&self, error: std::io::Error) -> Error {
        let folder = self.folder.display();
        Error::io(format!("cannot keep in {folder} what goes to HDFS (--spill-dir says where)"), error)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        let bytes = std::mem::replace(&mut *locked(&self.bytes), Bytes::Memory(Vec::new()));
        let Bytes::Local(file) = bytes else { return };
        let mut idle = locked(&IDLE);
        if idle.len() < IDLE_MAX {
            idle.push((std::mem::take(&mut self.folder), file));
        }
    }
}

/// What one may keep in memory where others are `open` already.
fn memory_bytes(open: usize) -> usize {
    if open < FEW { MEMORY_BYTES } else { MEMORY_BYTES_OF_MANY }
}

struct Reader<'a> {
    spool: &'a Spool,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.spool.written().len - self.at).unwrap_or(usize::MAX);
        let count = left.min(into.len());
        self.spool.read_at(self.at, &mut into[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

fn usual_folder() -> PathBuf {
    let given = std::env::var_os("TMPDIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let usual = given.unwrap_or_else(|| PathBuf::from(LARGE_FILES));
    if usual.is_dir() { usual } else { std::env::temp_dir() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spool: &Spool) -> Vec<u8> {
        let mut bytes = vec![0; spool.written().len as usize];
        spool.read_at(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn all_that_are_open_share_what_memory_there_is() {
        let all: usize = (0..256).map(memory_bytes).sum();
        assert!(all <= 24 << 20, "{all}");
        let spool = Spool::new(None);
        for _ in 0..spool.memory_bytes / 1000 {
            spool.append(&[1; 1000]).unwrap();
            let bytes = locked(&spool.bytes);
            let Bytes::Memory(bytes) = &*bytes else { unreachable!("they are few") };
            assert!(bytes.capacity() <= spool.memory_bytes, "{}", bytes.capacity());
        }
    }

    #[test]
    fn few_bytes_stay_in_memory_and_many_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(Some(folder.path()));
        let mut all = vec![1; MEMORY_BYTES];
        spool.append(&all).unwrap();
        assert!(!spool.is_large());
        assert_eq!(read(&spool), all);
        for part in [&[2][..], &[], &[3; 5000]] {
            spool.append(part).unwrap();
            all.extend_from_slice(part);
        }
        assert!(spool.is_large());
        assert_eq!(read(&spool), all);
        assert!(spool.read_at(all.len() as u64, &mut [0]).is_err());
        assert!(spool.read_at(u64::MAX, &mut [0]).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
        drop(spool);
        // The file is used again, and what it held before is not seen.
        let spool = Spool::new(Some(folder.path()));
        spool.append(&vec![9; MEMORY_BYTES + 1]).unwrap();
        assert_eq!(read(&spool), vec![9; MEMORY_BYTES + 1]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let spool = Spool::new(Some(Path::new("/nowhere/at/all")));
        spool.append(&vec![1; MEMORY_BYTES]).unwrap();
        let error = spool.append(&[1]).unwrap_err();
        assert!(
            error.message().contains("/nowhere/at/all") && error.message().contains("--spill-dir"),
            "{error}"
        );
    }
}
