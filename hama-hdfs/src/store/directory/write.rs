//! Files and links that appear whole under their names in a local directory.
//!
//! A file has no name until it is closed (`O_TMPFILE`), so a process that is killed leaves nothing. Where the file
//! system cannot do that, it has a temporary name, which is not listed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use hama_core::{Error, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::{UNFINISHED, make_directory, sync_directory};
use crate::store::StoreWriter;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct DirectoryWriter {
    file: File,
    place: PathBuf,
    temporary: Option<Temporary>,
}

impl DirectoryWriter {
    pub(super) fn create(place: &Path, _len_hint: u64) -> io::Result<DirectoryWriter> {
        let directory = place.parent().ok_or(io::ErrorKind::InvalidFilename)?;
        make_directory(directory)?;
        if fs::symlink_metadata(place).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (file, temporary) = match unnamed(directory) {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let temporary = Temporary(directory.join(format!("{UNFINISHED}{}", Uuid::new_v4())));
                let file = File::options().write(true).create_new(true).open(&temporary.0)?;
                (file, Some(temporary))
            }
            Err(e) => return Err(e.into()),
        };
        Ok(DirectoryWriter { file, place: place.to_owned(), temporary })
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        match self.temporary.take() {
            Some(temporary) => rename_new(&temporary.0, &self.place)?,
            None => link_new(&self.file, &self.place)?,
        }
        self.place.parent().map_or(Ok(()), sync_directory)
    }
}

impl StoreWriter for DirectoryWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| {
            Error::io(format!("cannot write {} bytes of {}", bytes.len(), self.place.display()), e)
        })
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.finish().map_err(|e| Error::io(format!("cannot finish {}", self.place.display()), e))
    }
}

/// A name that goes when this does, unless something else was renamed away from it.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing to be done about one that stays: it is not listed and goes with its directory.
        let _ = fs::remove_file(&self.0);
    }
}

fn unnamed(directory: &Path) -> Result<File, Errno> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::from_raw_mode(0o666)).map(File::from)
}

/// Gives an unnamed file its name, which must be free.
fn link_new(file: &File, place: &Path) -> io::Result<()> {
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, unnamed, CWD, place, AtFlags::SYMLINK_FOLLOW)?)
}

/// Renames a file to a name that must be free.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not know the flag: a hard link is as exclusive.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

/// Lets the link at `link` lead to `target`, in one step.
pub(super) fn point(link: &Path, target: &Path) -> io::Result<()> {
    match fs::symlink_metadata(link) {
        Ok(meta) if !meta.is_symlink() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if fs::read_link(link)? == target => return Ok(()),
        _ => {}
    }
    let directory = link.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let temporary = Temporary(directory.join(format!("{UNFINISHED}{}", Uuid::new_v4())));
    std::os::unix::fs::symlink(target, &temporary.0)?;
    fs::rename(&temporary.0, link)
}
