//! A file that a command makes: it is there when it is whole, and in the place of another one only where that is asked
//! for.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hama::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

/// A file that is being written, under a name of its own; dropping removes it.
pub(crate) struct NewFile {
    path: PathBuf,
    partial: NamedTempFile,
    replace: bool,
}

/// Checks that a path can be that of a file.
///
/// # Errors
/// `Invalid` for `-` and the like.
pub(crate) fn check_name(path: &Path) -> Result<()> {
    if path.as_os_str() == "-" || path.file_name().is_none() {
        return Err(Error::invalid(format!(
            "cannot write {}: it names no file; standard output is none either",
            path.display()
        )));
    }
    Ok(())
}

impl NewFile {
    /// Makes the file in the folder of `path`, which it will become.
    ///
    /// # Errors
    /// `Exists` where `path` does and `replace` is false, `Invalid` where it is no regular file, those of the file system.
    pub(crate) fn beside(path: &Path, replace: bool) -> Result<NewFile> {
        check_name(path)?;
        let failed = |error| Error::io(format!("cannot write {}", path.display()), error);
        let path = match path.symlink_metadata() {
            Err(_) => path.to_owned(),
            // A device, a pipe or a folder is never replaced by a file.
            Ok(_) if path.metadata().is_ok_and(|found| !found.is_file()) => {
                let why = "it is no regular file";
                return Err(Error::invalid(format!("cannot write {}: {why}", path.display())));
            }
            Ok(_) if !replace => return Err(exists(path)),
            // What a link leads to.
            Ok(_) => path.canonicalize().map_err(failed)?,
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let made = tempfile::Builder::new()
            .prefix(".hama-")
            .suffix(".part")
            // As any other new file: what the process's mask leaves.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder);
        // The library's error names a file that nobody has heard of.
        let partial = made.map_err(|error| {
            let doing =
                format!("cannot write {}: cannot make a file in {}", path.display(), folder.display());
            Error::io(doing, std::io::Error::from(error.kind()))
        })?;
        Ok(NewFile { path, partial, replace })
    }

    /// Where its bytes go.
    pub(crate) fn file(&self) -> &File {
        self.partial.as_file()
    }

    /// Gives it its name, durably, and says how many bytes it has.
    ///
    /// # Errors
    /// `Exists` where somebody else made one meanwhile, those of the file system.
    pub(crate) fn publish(self) -> Result<u64> {
        let path = self.path;
        let failed = |error| Error::io(format!("cannot write {}", path.display()), error);
        self.partial.as_file().sync_all().map_err(failed)?;
        let bytes = self.partial.as_file().metadata().map_err(failed)?.len();
        let published =
            if self.replace { self.partial.persist(&path) } else { self.partial.persist_noclobber(&path) };
        match published {
            Ok(_) => Ok(bytes),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(&path)),
            Err(error) => Err(failed(error.error)),
        }
    }
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("{} exists already", path.display()))
}
