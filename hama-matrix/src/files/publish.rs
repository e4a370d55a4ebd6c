//! Files that appear when they are whole.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hama_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

/// Makes a file: `write` fills it, and then it takes its name. Where anything fails there is no new file.
///
/// # Errors
/// `Exists` where the file does and `replace` is false, those of `write`, and what the file system says.
pub(crate) fn publish(path: &Path, replace: bool, write: impl FnOnce(&File) -> Result<()>) -> Result<()> {
    let path = &target(path, replace)?;
    let partial = beside(path)?;
    write(partial.as_file())?;
    partial.as_file().sync_all().map_err(|e| failed(path, e))?;
    let published = if replace { partial.persist(path) } else { partial.persist_noclobber(path) };
    match published {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(e) => Err(failed(path, e.error)),
    }
}

/// The error of something that went wrong with an export to `path`.
pub(crate) fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("cannot export to {}", path.display()), error)
}

/// The file that is to be made: where `path` is a link, what it leads to.
///
/// # Errors
/// `Exists` where it is there and is not to be replaced, `Invalid` where it is something else than a file.
pub(crate) fn target(path: &Path, replace: bool) -> Result<PathBuf> {
    match path.symlink_metadata() {
        Err(_) => Ok(path.to_owned()),
        // A device, a pipe or a folder is never replaced by a file.
        Ok(_) if path.metadata().is_ok_and(|found| !found.is_file()) => {
            Err(Error::invalid(format!("cannot export to {}: it is no regular file", path.display())))
        }
        Ok(_) if !replace => Err(exists(path)),
        Ok(_) => path.canonicalize().map_err(|e| failed(path, e)),
    }
}

/// The folder that `path` lies in.
pub(crate) fn folder(path: &Path) -> Result<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Error::invalid(format!("cannot export to {}: it names no file", path.display()))),
    }
}

/// A file under a name of its own in the folder of `path`; where it does not become `path` it goes.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let folder = folder(path)?;
    // As any other new file: what the process's mask leaves.
    let permissions = Permissions::from_mode(0o666);
    let made = tempfile::Builder::new()
        .prefix(".hama-")
        .suffix(".part")
        .permissions(permissions)
        .tempfile_in(folder);
    made.map_err(|e| cannot_make(path, folder, &e))
}

/// The error of something that cannot be made in `folder` to become `path`. The library's own names a file that nobody
/// has heard of.
pub(crate) fn cannot_make(path: &Path, folder: &Path, error: &std::io::Error) -> Error {
    let doing = format!("cannot export to {}: cannot make a file in {}", path.display(), folder.display());
    Error::io(doing, std::io::Error::from(error.kind()))
}

pub(crate) fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("{} exists already", path.display()))
}
