//! Payloads that arrive when the pool has no room, and bundles beyond what memory holds: they wait in a file without a name
//! until they are taken.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, open};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::PeerId;
use crate::pool::{Payload, Pool};
use crate::transport::framed::header::body_crc;

/// The most that one peer's file may have, whatever comes: what is more fails the job.
const SPILL_BYTES_MAX: u64 = 64 << 30;

/// A peer's file.
#[derive(Debug)]
pub(crate) struct Spill {
    me: PeerId,
    folder: PathBuf,
    pool: Pool,
    bytes_max: u64,
    space: Mutex<Space>,
}

/// What of the file is in use. What was taken leaves a gap; when nothing is left, the file begins anew.
#[derive(Debug, Default)]
struct Space {
    // From the first payload on.
    file: Option<Arc<File>>,
    end: u64,
    parts: u64,
}

/// Room for one payload. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Spilled {
    spill: Arc<Spill>,
    file: Arc<File>,
    from: PeerId,
    offset: u64,
    len: usize,
}

impl Spill {
    /// For what arrives at the peer `me`, in `folder`.
    pub(crate) fn new(me: PeerId, folder: PathBuf, pool: Pool) -> Arc<Spill> {
        Spill::bounded(me, folder, pool, SPILL_BYTES_MAX)
    }

    fn bounded(me: PeerId, folder: PathBuf, pool: Pool, bytes_max: u64) -> Arc<Spill> {
        Arc::new(Spill { me, folder, pool, bytes_max, space: Mutex::default() })
    }

    /// Room for a payload of `len` bytes.
    ///
    /// # Errors
    /// `OutOfMemory` when it could never come back, for the whole pool is smaller; those of [`room`](Spill::room).
    pub(crate) fn room_of_payload(self: &Arc<Spill>, from: PeerId, len: usize) -> Result<Spilled> {
        let Spill { me, pool, .. } = &**self;
        let cap = pool.usage().cap_bytes;
        if Pool::cost(len) > cap {
            return Err(Error::new(
                ErrorKind::OutOfMemory,
                format!(
                    "peer {me} cannot take a payload of {len} bytes from peer {from}: its pool has {cap} in all"
                ),
            ));
        }
        self.room(from, len)
    }

    /// Room for `len` bytes.
    ///
    /// # Errors
    /// `OutOfSpace` when the file would be too large; whatever the system says when the file cannot be made.
    pub(crate) fn room(self: &Arc<Spill>, from: PeerId, len: usize) -> Result<Spilled> {
        let bytes_max = &self.bytes_max;
        let mut space = self.space();
        let end = space.end.saturating_add(len as u64);
        if end > *bytes_max {
            let message = format!("{}: it would have more than {bytes_max} bytes", self.doing(from, len));
            return Err(Error::new(ErrorKind::OutOfSpace, message));
        }
        let file = match &space.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = nameless(&self.folder).map_err(|error| Error::io(self.doing(from, len), error))?;
                tracing::warn!(folder = %self.folder.display(), "what memory has no room for goes to disk");
                Arc::clone(space.file.insert(Arc::new(file)))
            }
        };
        let offset = std::mem::replace(&mut space.end, end);
        space.parts += 1;
        drop(space);
        Ok(Spilled { spill: Arc::clone(self), file, from, offset, len })
    }

    fn doing(&self, from: PeerId, len: usize) -> String {
        let Spill { me, folder, .. } = self;
        format!("peer {me} cannot spill {len} bytes from peer {from} to {}", folder.display())
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spilled {
    /// Writes a part of the payload.
    ///
    /// # Errors
    /// `OutOfSpace` when the disk is full, or whatever else it is.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all_at(bytes, self.offset + at);
        written.map_err(|error| Error::io(self.spill.doing(self.from, self.len), error))
    }

    /// The payload, which has this checksum, back in the pool.
    ///
    /// # Errors
    /// `OutOfMemory` when the pool still has no room; `Data` when the disk gives back something else.
    pub(crate) fn fetch(self, crc: u32) -> Result<Payload> {
        let Spill { me, pool, .. } = &*self.spill;
        let (from, len) = (self.from, self.len);
        let mut buffer = pool.take(len).map_err(|error| {
            let kind = error.kind();
            let message =
                format!("peer {me} cannot take back the {len} bytes from peer {from} that it spilled");
            Error::new(kind, message).with_source(error)
        })?;
        self.read(&mut buffer, crc)?;
        Ok(buffer.freeze())
    }

    /// The bytes, which have this checksum.
    ///
    /// # Errors
    /// `Data` when the disk gives back something else.
    pub(crate) fn fetch_bytes(self, crc: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.read(&mut bytes, crc)?;
        Ok(bytes)
    }

    fn read(&self, into: &mut [u8], crc: u32) -> Result<()> {
        let Spill { me, folder, .. } = &*self.spill;
        let (from, len) = (self.from, self.len);
        let doing = || {
            format!(
                "peer {me} cannot read the {len} bytes from peer {from} that it spilled to {}",
                folder.display()
            )
        };
        self.file.read_exact_at(into, self.offset).map_err(|error| Error::io(doing(), error))?;
        let found = body_crc(0, into);
        if found != crc {
            return Err(Error::data(format!(
                "{}: they have checksum {found:08x} instead of {crc:08x}",
                doing()
            )));
        }
        Ok(())
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        let mut space = self.spill.space();
        space.parts -= 1;
        if space.parts == 0 {
            space.end = 0;
            // Where that fails, the space comes free with the file.
            let _ = self.file.set_len(0);
        }
    }
}

/// A new file in `folder` that nobody else can open and that goes with its last user.
fn nameless(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = open(folder, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(File::from(file));
    }
    // Not all file systems know it.
    let path = folder.join(format!("spill-{}", Uuid::new_v4().simple()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spill(folder: &Path, pool: &Pool, bytes_max: u64) -> Arc<Spill> {
        Spill::bounded(PeerId::from_index(0), folder.to_owned(), pool.clone(), bytes_max)
    }

    fn from() -> PeerId {
        PeerId::from_index(1)
    }

    #[test]
    fn what_is_spilled_comes_back_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::new(1 << 20);
        let spill = spill(folder.path(), &pool, 100_000);
        for _ in 0..5 {
            let [one, other] = [40_000, 50_000].map(|len| spill.room(from(), len).unwrap());
            other.write(0, &[2; 50_000]).unwrap();
            one.write(30_000, &[1; 10_000]).unwrap();
            one.write(0, &[1; 30_000]).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
            let one = one.fetch(body_crc(0, &[1; 40_000])).unwrap();
            assert_eq!(one[..], [1; 40_000]);
            let other = other.fetch(body_crc(0, &[2; 50_000])).unwrap();
            assert_eq!(other[..], [2; 50_000]);
            let space = spill.space();
            assert_eq!((space.end, space.file.as_ref().unwrap().metadata().unwrap().len()), (0, 0));
        }
    }

    #[test]
    fn what_has_no_room_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::new(1 << 20);
        let spill = spill(folder.path(), &pool, 100_000);
        let _kept = spill.room(from(), 60_000).unwrap();
        let full = spill.room(from(), 60_000).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::OutOfSpace);
        let says = format!(
            "peer 0 cannot spill 60000 bytes from peer 1 to {}: it would have more than",
            folder.path().display()
        );
        assert!(full.message().starts_with(&says), "{full}");
        for len in [2 << 20, usize::MAX] {
            let never = spill.room_of_payload(from(), len).unwrap_err();
            assert_eq!(never.kind(), ErrorKind::OutOfMemory);
            assert!(never.message().ends_with("from peer 1: its pool has 1048576 in all"), "{never}");
        }
        let missing = self::spill(&folder.path().join("none"), &pool, 100).room(from(), 1).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_full_disk_is_told() {
        // A device that has no room for anything.
        let pool = Pool::new(1 << 20);
        let spill = spill(Path::new("/dev"), &pool, 100);
        let full = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        spill.space().file = Some(Arc::new(full));
        let error = spill.room(from(), 10).unwrap().write(0, &[1; 10]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        assert!(
            error.to_string().starts_with("peer 0 cannot spill 10 bytes from peer 1 to /dev: "),
            "{error}"
        );
    }

    #[test]
    fn what_comes_back_changed_or_to_a_full_pool_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::new(1 << 20);
        let spill = spill(folder.path(), &pool, 100_000);
        let room = || {
            let room = spill.room(from(), 10).unwrap();
            room.write(0, &[1; 10]).unwrap();
            room
        };
        let changed = room().fetch(7).unwrap_err();
        assert_eq!(changed.kind(), ErrorKind::Data);
        let lost = room();
        lost.file.set_len(0).unwrap();
        assert_eq!(lost.fetch(7).unwrap_err().kind(), ErrorKind::Data);
        let _all = pool.take(1 << 20).unwrap();
        let full = room().fetch(body_crc(0, &[1; 10])).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::OutOfMemory);
        assert!(full.to_string().starts_with("peer 0 cannot take back the 10 bytes from peer 1"), "{full}");
    }
}
