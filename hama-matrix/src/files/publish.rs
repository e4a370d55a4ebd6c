//! Files that appear when they are whole.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hama_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

/// What errors of an export begin with.
const EXPORT: &str = "cannot export to";

/// A file that is being written, under a name of its own beside the one that it will have; dropping it removes it.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    partial: NamedTempFile,
    replace: bool,
    doing: &'static str,
}

impl NewFile {
    /// Makes the file in the folder of `path`, which it will become. Errors begin with `doing`, such as `cannot write`.
    ///
    /// # Errors
    /// `Exists` where `path` does and `replace` is false, `Invalid` where it is something else than a file, and what the
    /// file system says.
    pub fn beside(path: &Path, replace: bool, doing: &'static str) -> Result<NewFile> {
        let path = free(path, replace, doing)?;
        let folder = parent(&path, doing)?;
        // As any other new file: what the process's mask leaves.
        let permissions = Permissions::from_mode(0o666);
        let made = tempfile::Builder::new()
            .prefix(".hama-")
            .suffix(".part")
            .permissions(permissions)
            .tempfile_in(folder);
        let partial = made.map_err(|e| unmade(&path, folder, doing, &e))?;
        Ok(NewFile { path, partial, replace, doing })
    }

    /// Where its bytes go.
    pub fn file(&self) -> &File {
        self.partial.as_file()
    }

    /// Gives it its name, its bytes durable, and says how many there are.
    ///
    /// # Errors
    /// `Exists` where somebody else made one meanwhile, and what the file system says.
    pub fn publish(self) -> Result<u64> {
        let NewFile { path, partial, replace, doing } = self;
        let failed = |error| Error::io(format!("{doing} {}", path.display()), error);
        partial.as_file().sync_all().map_err(failed)?;
        let bytes = partial.as_file().metadata().map_err(failed)?.len();
        let published = if replace { partial.persist(&path) } else { partial.persist_noclobber(&path) };
        match published {
            Ok(_) => Ok(bytes),
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(&path)),
            Err(e) => Err(failed(e.error)),
        }
    }
}

/// Exports to a file: `write` fills it, and then it takes its name. Where anything fails there is no new file.
///
/// # Errors
/// Those of [`NewFile`], and of `write`.
pub(crate) fn publish(path: &Path, replace: bool, write: impl FnOnce(&File) -> Result<()>) -> Result<()> {
    let new = NewFile::beside(path, replace, EXPORT)?;
    write(new.file())?;
    new.publish().map(drop)
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
