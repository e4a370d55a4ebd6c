//! Files that appear when they are whole.

use std::fs::File;
use std::path::{Path, PathBuf};

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::store::Durability;

use super::partial::Partial;
use super::remote;
use super::room::check_room;

/// What errors of an export begin with.
pub(super) const EXPORT: &str = "cannot export to";

/// How a new file is made.
#[derive(Clone, Copy, Debug)]
pub struct NewFileOptions {
    /// Whether a file that is there is replaced.
    pub replace: bool,
    /// Whether it survives a power loss from the moment on that it has its name.
    pub durability: Durability,
    /// What errors begin with, such as `cannot write`.
    pub doing: &'static str,
}

impl NewFileOptions {
    /// Those of an export.
    pub fn export(replace: bool, durability: Durability) -> NewFileOptions {
        NewFileOptions { replace, durability, doing: EXPORT }
    }
}

/// A file that is being written in the folder where it will have its name. Dropped before that, it leaves nothing; nor
/// does it when the process is killed, where the file system has files without a name, as most have.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    shown: PathBuf,
    partial: Partial,
    options: NewFileOptions,
}

impl NewFile {
    /// Makes the file in the folder of `path`, which it will become.
    ///
    /// # Errors
    /// `Exists` where `path` does and is not to be replaced, `Invalid` where it is something else than a file, and what
    /// the file system says.
    pub fn beside(path: &Path, options: NewFileOptions) -> Result<NewFile> {
        let shown = path.to_owned();
        let path = free(path, options.replace, options.doing)?;
        let folder = parent(&path, options.doing)?;
        let partial = Partial::make_in(folder).map_err(|e| unmade(&path, folder, options.doing, &e))?;
        Ok(NewFile { path, shown, partial, options })
    }

    /// Fails where its file system has no room for so many bytes: better before the work than after it.
    ///
    /// # Errors
    /// `OutOfSpace`, with both numbers.
    pub fn check_room(&self, bytes: u64) -> Result<()> {
        let NewFileOptions { doing, .. } = self.options;
        check_room(parent(&self.path, doing)?, bytes, &format!("{doing} {}", self.shown.display()))
    }

    /// Where its bytes go.
    pub fn file(&self) -> &File {
        self.partial.file()
    }

    /// The path that it was asked for.
    pub(crate) fn shown(&self) -> &Path {
        &self.shown
    }

    /// A path that leads to it in this process until it has its name.
    pub(crate) fn place(&self) -> PathBuf {
        self.partial.place()
    }

    /// The error of something that went wrong with it.
    pub(crate) fn failed(&self, error: std::io::Error) -> Error {
        Error::io(format!("{} {}", self.options.doing, self.shown.display()), error)
    }

    /// Gives it its name, bytes and name durable where they are to be, and says how many bytes there are.
    ///
    /// # Errors
    /// `Exists` where somebody else made one meanwhile, and what the file system says.
    pub fn publish(self) -> Result<u64> {
        let NewFile { path, shown, partial, options: NewFileOptions { replace, durability, doing } } = self;
        let failed = |error| Error::io(format!("{doing} {}", shown.display()), error);
        if durability == Durability::Full {
            partial.file().sync_all().map_err(failed)?;
        }
        let bytes = partial.file().metadata().map_err(failed)?.len();
        partial.publish(&path, replace).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => exists(&shown),
            _ => failed(e),
        })?;
        sync_folder(parent(&path, doing)?, durability).map_err(failed)?;
        Ok(bytes)
    }
}

/// Exports to a file of at least `needed` bytes: `write` fills it, and then it takes its name. Where anything fails there
/// is no new file.
///
/// # Errors
/// Those of [`NewFile`], and of `write`.
pub(crate) fn publish(
    path: &Path,
    options: NewFileOptions,
    needed: u64,
    write: impl FnOnce(&File) -> Result<()>,
) -> Result<u64> {
    let new = NewFile::beside(path, options)?;
    new.check_room(needed)?;
    write(new.file())?;
    new.publish()
}

/// Makes the names in a folder durable, where they are to be.
pub(super) fn sync_folder(folder: &Path, durability: Durability) -> std::io::Result<()> {
    match durability {
        Durability::Full => File::open(folder)?.sync_all(),
        Durability::None => Ok(()),
    }
}

/// Fails where the folder of `path` has no room for an export of so many bytes.
pub(super) fn check_export_room(path: &Path, needed: u64) -> Result<()> {
    check_room(folder(path)?, needed, &format!("{EXPORT} {}", path.display()))
}

/// The error of something that went wrong with an export to `path`.
pub(crate) fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("{EXPORT} {}", path.display()), error)
}

/// The file that an export is to make: where `path` is a link, what it leads to.
///
/// # Errors
/// `Exists` where it is there and is not to be replaced, `Invalid` where it is something else than a file.
pub(crate) fn target(path: &Path, replace: bool) -> Result<PathBuf> {
    free(path, replace, EXPORT)
}

/// The folder that the target of an export lies in.
pub(crate) fn folder(path: &Path) -> Result<&Path> {
    parent(path, EXPORT)
}

/// The error of something that cannot be made in `folder` to become the target of an export.
pub(crate) fn cannot_make(path: &Path, folder: &Path, error: &std::io::Error) -> Error {
    unmade(path, folder, EXPORT, error)
}

pub(crate) fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("{} exists already", path.display()))
}

fn free(path: &Path, replace: bool, doing: &str) -> Result<PathBuf> {
    remote::check_target(path, doing)?;
    match path.symlink_metadata() {
        Err(_) => Ok(path.to_owned()),
        // A device, a pipe or a folder is never replaced by a file.
        Ok(_) if path.metadata().is_ok_and(|found| !found.is_file()) => {
            Err(Error::invalid(format!("{doing} {}: it is no regular file", path.display())))
        }
        Ok(_) if !replace => Err(exists(path)),
        Ok(_) => path.canonicalize().map_err(|e| Error::io(format!("{doing} {}", path.display()), e)),
    }
}

fn parent<'a>(path: &'a Path, doing: &str) -> Result<&'a Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Error::invalid(format!("{doing} {}: it names no file", path.display()))),
    }
}

/// The library's own error names a file that nobody has heard of.
fn unmade(path: &Path, folder: &Path, doing: &str, error: &std::io::Error) -> Error {
    let doing = format!("{doing} {}: cannot make a file in {}", path.display(), folder.display());
    Error::io(doing, std::io::Error::from(error.kind()))
}
