//! The file that a new one is until it has its name.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use tempfile::{Builder, NamedTempFile};

/// As any other new file: what the process's mask leaves.
const MODE: u32 = 0o666;

/// A file without its name. Whatever ends the process, one of the first kind is gone then.
#[derive(Debug)]
pub(super) enum Partial {
    /// Without any name.
    Unnamed(File),
    /// With a hidden one, where the file system has no files without.
    Hidden(NamedTempFile),
}

impl Partial {
    pub(super) fn make_in(folder: &Path) -> io::Result<Partial> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(file) = openat(CWD, folder, flags, Mode::from_raw_mode(MODE)) {
            let unnamed = Partial::Unnamed(File::from(file));
            // Without /proc it would never get its name.
            if unnamed.place().exists() {
                return Ok(unnamed);
            }
        }
        // Whatever was wrong with that: this says it where it is not only that there are no such files.
        Partial::hidden(folder)
    }

    fn hidden(folder: &Path) -> io::Result<Partial> {
        hidden_name().permissions(Permissions::from_mode(MODE)).tempfile_in(folder).map(Partial::Hidden)
    }

    pub(super) fn file(&self) -> &File {
        match self {
            Partial::Unnamed(file) => file,
            Partial::Hidden(file) => file.as_file(),
        }
    }

    /// A path that leads to it, in this process, as long as it is there.
    pub(super) fn place(&self) -> PathBuf {
        match self {
            Partial::Unnamed(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            Partial::Hidden(file) => file.path().to_owned(),
        }
    }

    /// Gives it its name, in the folder that it was made in.
    pub(super) fn publish(self, path: &Path, replace: bool) -> io::Result<()> {
        let place = self.place();
        let link =
            |name: &Path| -> io::Result<()> { Ok(linkat(CWD, &place, CWD, name, AtFlags::SYMLINK_FOLLOW)?) };
        match self {
            Partial::Hidden(file) => named(file, path, replace),
            Partial::Unnamed(_) => match link(path) {
                // A link replaces nothing, a renaming does: for that moment it has a hidden name.
                Err(e) if replace && e.kind() == io::ErrorKind::AlreadyExists => {
                    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                    let hidden = hidden_name().make_in(folder.unwrap_or(Path::new(".")), link)?;
                    named(hidden, path, replace)
                }
                other => other,
            },
        }
    }
}

fn hidden_name() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".hama-").suffix(".part");
    builder
}

fn named<F>(file: NamedTempFile<F>, path: &Path, replace: bool) -> io::Result<()> {
    let named = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    named.map(drop).map_err(|e| e.error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn both_kinds_take_a_name_once_and_replace_where_they_may() {
        let place = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(place.path()).unwrap().count();
        let path = place.path().join("a");
        for make in [Partial::make_in, Partial::hidden] {
            let filled = |text: &str| {
                let partial = make(place.path()).unwrap();
                partial.file().write_all(text.as_bytes()).unwrap();
                assert_eq!(fs::read_to_string(partial.place()).unwrap(), text);
                partial
            };
            drop(filled("nothing"));
            assert_eq!(names(), 0);
            filled("first").publish(&path, true).unwrap();
            let taken = filled("second").publish(&path, false).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&path).unwrap(), "first");
            filled("third").publish(&path, true).unwrap();
            assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("third", 1));
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_folder_that_takes_none_says_so() {
        let error = Partial::make_in(Path::new("/proc")).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(Partial::make_in(Path::new("/nowhere/at/all")).is_err());
    }
}
