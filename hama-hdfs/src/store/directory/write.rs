//! Files and links that appear whole under their names in a local directory.
//!
//! A file has no name until it is closed (`O_TMPFILE`), so a process that is killed leaves nothing. Where the file
//! system cannot do that, it has a temporary name, which is not listed.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use hama_core::{Error, Result};
use rustix::fs::{Advice, AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::direct::Output;
use super::unfinished::Temporary;
use crate::store::{CreateHint, Durability, StoreWriter};

/// A file that is being written.
#[derive(Debug)]
pub(super) struct DirectoryWriter {
    output: Output,
    place: PathBuf,
    temporary: Option<Temporary>,
    /// How much was written, and how much of that is on its way to the disk.
    written: u64,
    started: u64,
    durability: Durability,
}

/// How much is written before the system is asked to start with it. Otherwise it starts when the file is closed, and
/// whoever closes it waits for all of it.
const START_BYTES: u64 = 8 << 20;
/// Files from this length on get their room beforehand: in one piece, and a full disk is noticed before the work.
const RESERVED_BYTES_MIN: u64 = 1 << 20;
/// Where the open files of this process are.
const DESCRIPTORS: &str = "/proc/self/fd";
/// How often a directory is made that somebody else deletes, since it is empty, before there is a file in it.
const OPEN_TRIES: usize = 20;

impl DirectoryWriter {
    pub(super) fn create(place: &Path, hint: CreateHint<'_>) -> io::Result<DirectoryWriter> {
        let directory = place.parent().ok_or(io::ErrorKind::InvalidFilename)?;
        if fs::symlink_metadata(place).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (file, temporary) = open_new(directory)?;
        if hint.len >= RESERVED_BYTES_MIN {
            reserve(&file, hint.len)?;
        }
        let output = Output::new(file, hint.len);
        Ok(DirectoryWriter {
            output,
            place: place.to_owned(),
            temporary,
            written: 0,
            started: 0,
            durability: hint.durability,
        })
    }

    /// Lets the system write what it has, without waiting. The pages stay in memory, since none of them is clean yet.
    fn start(&mut self) {
        let len = NonZeroU64::new(self.written - self.started);
        // An advice: where it is not taken, the close does the work.
        let _ = rustix::fs::fadvise(self.output.file(), self.started, len, Advice::DontNeed);
        self.started = self.written;
    }

    fn finish(&mut self) -> io::Result<()> {
        self.output.end_pages()?;
        if self.durability == Durability::Full {
            self.output.file().sync_data()?;
        }
        match self.temporary.take() {
            Some(temporary) => rename_new(&temporary.0, &self.place),
            None => link_new(self.output.file(), &self.place),
        }
    }
}

impl StoreWriter for DirectoryWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.write(bytes).map_err(|e| {
            Error::io(format!("cannot write {} bytes of {}", bytes.len(), self.place.display()), e)
        })?;
        self.written += bytes.len() as u64;
        if !self.output.is_direct() && self.written - self.started >= START_BYTES {
            self.start();
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.finish().map_err(|e| Error::io(format!("cannot finish {}", self.place.display()), e))
    }
}

/// A new file that is not listed in `directory`, which is made where missing.
fn open_new(directory: &Path) -> io::Result<(File, Option<Temporary>)> {
    for _ in 1..OPEN_TRIES {
        match make_and_open(directory, DESCRIPTORS.as_ref()) {
            Err(e) if is_gone(&e) => {}
            other => return other,
        }
    }
    make_and_open(directory, DESCRIPTORS.as_ref())
}

/// Whether a file could not be made because its directory was deleted at that moment. Opening an unnamed one in such a
/// directory is not permitted on ext4.
fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::PERM))
}

fn make_and_open(directory: &Path, descriptors: &Path) -> io::Result<(File, Option<Temporary>)> {
    fs::create_dir_all(directory)?;
    match unnamed(directory) {
        // What gives such a file its name later is its entry there; a jail may have none.
        Ok(file) if fs::symlink_metadata(descriptors.join(file.as_raw_fd().to_string())).is_ok() => {
            Ok((file, None))
        }
        Ok(_) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => named(directory),
        Err(e) => Err(e.into()),
    }
}

fn named(directory: &Path) -> io::Result<(File, Option<Temporary>)> {
    let (file, temporary) = Temporary::create(directory)?;
    Ok((file, Some(temporary)))
}

/// Gives the file its room, where the file system can.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => Ok(other?),
    }
}

fn unnamed(directory: &Path) -> Result<File, Errno> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::from_raw_mode(0o666)).map(File::from)
}

/// Gives an unnamed file its name, which must be free.
fn link_new(file: &File, place: &Path) -> io::Result<()> {
    let unnamed = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, unnamed, CWD, place, AtFlags::SYMLINK_FOLLOW)?)
}

/// Renames a file to a name that must be free.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not know the flag: a hard link is as exclusive.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            // From here on it has the new name. An old one that stays is cleared by whoever collects.
            let _ = fs::remove_file(from);
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Gives a file another name, which must be free; copies it where the file system cannot, and says so by false.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<bool> {
    let directory = to.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    for _ in 1..OPEN_TRIES {
        fs::create_dir_all(directory)?;
        match fs::hard_link(from, to) {
            // Somebody deletes empty directories.
            Err(e) if e.kind() == io::ErrorKind::NotFound && from.exists() => {}
            Err(e) if cannot_link(&e) => return copy(from, to).map(|()| false),
            other => return other.map(|()| true),
        }
    }
    fs::hard_link(from, to).map(|()| true)
}

/// Whether another name is not to be had: the file has as many as it may, or the file system knows only one.
fn cannot_link(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::XDEV)
    )
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let directory = to.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let (mut file, temporary) = open_new(directory)?;
    io::copy(&mut source, &mut file)?;
    file.sync_data()?;
    match temporary {
        Some(temporary) => rename_new(&temporary.0, to),
        None => link_new(&file, to),
    }
}

/// Lets the link at `link` lead to `target`, in one step. Whether it did not before.
pub(super) fn point(link: &Path, target: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(link) {
        Ok(meta) if !meta.is_symlink() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if fs::read_link(link)? == target => return Ok(false),
        _ => {}
    }
    let directory = link.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let temporary = Temporary::new(directory);
    std::os::unix::fs::symlink(target, &temporary.0)?;
    fs::rename(&temporary.0, link)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::unfinished::UNFINISHED;
    use super::*;

    /// As on a file system without unnamed files, or without `/proc`.
    fn named(place: &Path) -> Box<DirectoryWriter> {
        let (file, temporary) = make_and_open(place.parent().unwrap(), "/nowhere/fd".as_ref()).unwrap();
        assert!(temporary.is_some());
        let output = Output::new(file, 0);
        let durability = Durability::Full;
        Box::new(DirectoryWriter {
            output,
            place: place.to_owned(),
            temporary,
            written: 0,
            started: 0,
            durability,
        })
    }

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_with_a_temporary_name_appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a");
        drop(named(&place));
        assert_eq!(names(directory.path()), [""; 0]);
        let mut first = named(&place);
        let second = named(&place);
        assert!(names(directory.path()).iter().all(|name| name.starts_with(UNFINISHED)));
        first.write(b"1").unwrap();
        first.close().unwrap();
        assert_eq!(second.close().unwrap_err().kind(), hama_core::ErrorKind::Exists);
        assert_eq!(names(directory.path()), ["a"]);
        assert_eq!(fs::read(place).unwrap(), b"1");
    }

    #[test]
    fn a_file_without_another_name_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&from, b"abc").unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"abc");
        assert_eq!(copy(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(cannot_link(&Errno::MLINK.into()) && !cannot_link(&Errno::NOENT.into()));
    }

    #[test]
    fn a_file_that_does_not_fit_is_refused_before_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let host = hama_core::Host::local();
        let hint = CreateHint { len: 1 << 50, host: &host, durability: Durability::Full };
        let error = DirectoryWriter::create(&directory.path().join("a"), hint).unwrap_err();
        let kind = hama_core::ErrorKind::of_io(&error);
        assert_eq!(kind, hama_core::ErrorKind::OutOfSpace, "{error}");
        assert_eq!(names(directory.path()), [""; 0]);
    }
}
