//! The folders of daemons: files that are there whole or not at all, and executables by their content.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

use crate::cluster::digest::Sum;
use crate::cluster::model::ids::Digest;
use crate::error::{Error, ErrorKind, Result};

/// The longest executable.
pub(crate) const EXECUTABLE_BYTES_MAX: u64 = 2 << 30;
/// So many executables are kept, and so many bytes of them: those that were asked for last.
const KEPT_MAX: usize = 64;
const KEPT_BYTES_MAX: u64 = 16 << 30;
/// What is read at a time.
const PART_BYTES: usize = 256 << 10;

/// Makes a folder that only this user may look into.
///
/// # Errors
/// Those of the system, with the path.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| Error::io(format!("cannot make the folder {}", path.display()), e))
}

/// Holds a folder for this process, until the file that it returns is closed.
///
/// # Errors
/// `Conflict` when another daemon has it.
pub(crate) fn lock_folder(folder: &Path) -> Result<File> {
    make_folder(folder)?;
    let path = folder.join("lock");
    let doing = || format!("cannot use the folder {}", folder.display());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| Error::io(doing(), e))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let message = format!("{}: another daemon does; give this one its own (--dir)", doing());
            Err(Error::new(ErrorKind::Conflict, message))
        }
        Err(error) => Err(Error::io(doing(), error.into())),
    }
}

/// Writes a file so that it is there whole or not at all, also after a power loss.
///
/// # Errors
/// Those of the system, with the path.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NewFile::create(folder, 0o600)?;
    file.write(bytes)?;
    file.keep(path)
}

/// What a file holds, where it is there.
///
/// # Errors
/// Those of the system, with the path.
pub(crate) fn read_whole(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("cannot read {}", path.display()), error)),
    }
}

/// A file that has no name that counts yet. Without [`keep`](NewFile::keep) it goes.
#[derive(Debug)]
struct NewFile {
    file: File,
    path: PathBuf,
    is_kept: bool,
}

impl NewFile {
    fn create(folder: &Path, mode: u32) -> Result<NewFile> {
        make_folder(folder)?;
        let path = folder.join(format!(".new-{}", Uuid::new_v4().simple()));
        let file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&path);
        let file = file.map_err(|e| Error::io(format!("cannot write {}", path.display()), e))?;
        Ok(NewFile { file, path, is_kept: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| Error::io(format!("cannot write {}", self.path.display()), e))
    }

    fn keep(mut self, path: &Path) -> Result<()> {
        let failed = |e| Error::io(format!("cannot write {}", path.display()), e);
        self.file.sync_data().map_err(failed)?;
        fs::rename(&self.path, path).map_err(failed)?;
        self.is_kept = true;
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "a part of a file is left behind");
        }
    }
}

/// Removes what a daemon that was killed left of files that it wrote.
pub(crate) fn remove_parts(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(".new-") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Executables, each a file that has its SHA-256 as its name.
#[derive(Clone, Debug)]
pub(crate) struct Executables {
    folder: PathBuf,
}

impl Executables {
    /// Those in a folder, which is made.
    ///
    /// # Errors
    /// Those of the system, with the path.
    pub(crate) fn open(folder: PathBuf) -> Result<Executables> {
        make_folder(&folder)?;
        remove_parts(&folder);
        Ok(Executables { folder })
    }

    /// Where one lies, or would.
    pub(crate) fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    /// Whether one is there. It then stays for a while.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        // Only its time is written: one that runs cannot be opened for more.
        File::open(self.path(digest)).is_ok_and(|file| file.set_modified(SystemTime::now()).is_ok())
    }

    /// Removes those that were not asked for the longest, where there are too many. Who runs one goes on.
    fn forget(&self) -> std::io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            found.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        found.sort();
        let mut bytes: u64 = found.iter().map(|(_, len, _)| len).sum();
        let mut count = found.len();
        for (_, len, path) in found {
            if count <= KEPT_MAX && (bytes <= KEPT_BYTES_MAX || count == 1) {
                break;
            }
            fs::remove_file(path)?;
            (count, bytes) = (count - 1, bytes - len);
        }
        Ok(())
    }

    /// Begins to take one.
    ///
    /// # Errors
    /// Those of the system, with the path.
    pub(crate) fn take(&self) -> Result<NewExecutable> {
        let file = NewFile::create(&self.folder, 0o700)?;
        Ok(NewExecutable { file, home: self.clone(), sum: Sum::default(), len: 0 })
    }

    /// The bytes at `offset` of one, at most so many; none behind its end.
    ///
    /// # Errors
    /// `NotFound` when it is not there, and those of the system.
    pub(crate) fn read(&self, digest: Digest, offset: u64, len: usize) -> Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let path = self.path(digest);
        let failed = |e| Error::io(format!("cannot read the executable {digest}"), e);
        let file = File::open(path).map_err(failed)?;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// An executable that comes in parts.
#[derive(Debug)]
pub(crate) struct NewExecutable {
    file: NewFile,
    home: Executables,
    sum: Sum,
    len: u64,
}

impl NewExecutable {
    /// Takes a part.
    ///
    /// # Errors
    /// `Invalid` when it is too long, and those of the system.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        if self.len > EXECUTABLE_BYTES_MAX {
            return Err(Error::invalid(format!(
                "cannot take an executable of more than {EXECUTABLE_BYTES_MAX} bytes: `strip` makes them smaller"
            )));
        }
        self.sum.add(bytes);
        self.file.write(bytes)
    }

    /// That were all parts: says what it is, and keeps it if that is what was `expected`.
    ///
    /// # Errors
    /// `Data` when it is another one, and those of the system.
    pub(crate) fn end(self, expected: Option<Digest>) -> Result<Digest> {
        let digest = Digest(self.sum.end());
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(Error::data(format!("cannot keep the executable {expected}: {digest} came instead")));
        }
        self.file.keep(&self.home.path(digest))?;
        if let Err(error) = self.home.forget() {
            tracing::debug!(%error, "old executables stay");
        }
        Ok(digest)
    }
}

/// The SHA-256 of a file.
///
/// # Errors
/// Those of the system, with the path.
pub(crate) fn digest_of(path: &Path) -> Result<Digest> {
    let failed = |e| Error::io(format!("cannot read {}", path.display()), e);
    let mut file = File::open(path).map_err(failed)?;
    let (mut sum, mut part) = (Sum::default(), vec![0; PART_BYTES]);
    loop {
        match file.read(&mut part) {
            Ok(0) => return Ok(Digest(sum.end())),
            Ok(count) => sum.add(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::digest::sum;

    #[test]
    fn files_are_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert_eq!(read_whole(&path).unwrap(), None);
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(read_whole(&path).unwrap().unwrap(), b"two");
        let dropped = NewFile::create(path.parent().unwrap(), 0o600).unwrap();
        drop(dropped);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(write_whole(Path::new("/proc/none/a"), b"").is_err());
    }

    #[test]
    fn executables_are_named_by_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let executables = Executables::open(folder.path().join("x")).unwrap();
        let mut new = executables.take().unwrap();
        new.write(b"#!/bin/").unwrap();
        new.write(b"true\n").unwrap();
        let digest = new.end(None).unwrap();
        assert!(executables.has(digest));
        assert_eq!(digest_of(&executables.path(digest)).unwrap(), digest);
        assert_eq!(executables.read(digest, 7, 100).unwrap(), b"true\n");
        assert_eq!(executables.read(digest, 12, 100).unwrap(), b"");
        let mut other = executables.take().unwrap();
        other.write(b"other").unwrap();
        assert_eq!(other.end(Some(digest)).unwrap_err().kind(), ErrorKind::Data);
        let missing = executables.read(Digest([0; 32]), 0, 1).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(fs::read_dir(folder.path().join("x")).unwrap().count(), 1);
    }

    #[test]
    fn old_executables_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let executables = Executables::open(folder.path().join("x")).unwrap();
        let digests: Vec<Digest> = (0..=KEPT_MAX)
            .map(|number| {
                let mut new = executables.take().unwrap();
                new.write(&[number as u8]).unwrap();
                assert!(
                    number < 2 || executables.has(digest_of_byte(0)),
                    "the first is asked for again and again"
                );
                new.end(None).unwrap()
            })
            .collect();
        assert_eq!(digests.iter().filter(|digest| executables.has(**digest)).count(), KEPT_MAX);
        assert!(executables.has(digests[0]) && !executables.has(digests[1]));
    }

    fn digest_of_byte(byte: u8) -> Digest {
        Digest(sum(&[byte]))
    }

    #[test]
    fn a_folder_has_one_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_folder(folder.path()).unwrap();
        assert_eq!(lock_folder(folder.path()).unwrap_err().kind(), ErrorKind::Conflict);
        drop(lock);
        lock_folder(folder.path()).unwrap();
    }
}
