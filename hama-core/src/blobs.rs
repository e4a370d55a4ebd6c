//! Where a daemon keeps what outlives it: values by folder and name.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use crate::cluster::files::{make_folder, read_whole, write_whole};
use crate::error::{Error, Result};

/// Values by folder and name, each there whole or not at all, whoever ends in the middle. Names are made of letters, digits
/// and `-`.
pub trait Blobs: Debug + Send + Sync {
    /// Puts a value there, in the place of the one that is there.
    ///
    /// # Errors
    /// `OutOfSpace`, `Unavailable` and others of what is behind it.
    fn put(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<()>;

    /// The value, where there is one.
    ///
    /// # Errors
    /// Those of what is behind it; `Data` where it is damaged or has more than `bytes_max`.
    fn get(&self, folder: &str, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>>;

    /// The folders that there are.
    ///
    /// # Errors
    /// Those of what is behind it.
    fn folders(&self) -> Result<Vec<String>>;

    /// Removes a folder with all that is in it; fine where there is none.
    ///
    /// # Errors
    /// Those of what is behind it.
    fn remove(&self, folder: &str) -> Result<()>;
}

/// Values in files of this host.
#[derive(Debug)]
pub(crate) struct LocalBlobs(PathBuf);

impl LocalBlobs {
    /// Those in a folder, which is made.
    ///
    /// # Errors
    /// Those of the system, with the path.
    pub(crate) fn open(folder: PathBuf) -> Result<LocalBlobs> {
        make_folder(&folder)?;
        Ok(LocalBlobs(folder))
    }
}

impl Blobs for LocalBlobs {
    fn put(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<()> {
        write_whole(&self.0.join(folder).join(name), bytes)
    }

    fn get(&self, folder: &str, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>> {
        let path = self.0.join(folder).join(name);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > bytes_max as u64 => Err(Error::data(format!(
                "cannot read {}: it has {} bytes, {bytes_max} are the most",
                path.display(),
                metadata.len()
            ))),
            _ => read_whole(&path),
        }
    }

    fn folders(&self) -> Result<Vec<String>> {
        let failed = |e| Error::io(format!("cannot list {}", self.0.display()), e);
        let mut folders = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.extend(entry.file_name().into_string());
            }
        }
        Ok(folders)
    }

    fn remove(&self, folder: &str) -> Result<()> {
        let path = self.0.join(folder);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(format!("cannot remove {}", path.display()), error))
            }
            _ => Ok(()),
        }
    }
}

/// What all of them do.
///
/// # Panics
/// Where one does not. It has to be empty.
#[cfg(any(test, feature = "testing"))]
pub fn conformance(blobs: &dyn Blobs) {
    let get = |folder: &str, name: &str| blobs.get(folder, name, 100).expect("it can be read");
    let put =
        |folder: &str, name: &str, bytes: &[u8]| blobs.put(folder, name, bytes).expect("it can be written");
    let folders = || {
        let mut folders = blobs.folders().expect("they can be listed");
        folders.sort();
        folders
    };
    assert!(folders().is_empty());
    assert_eq!(get("a", "1"), None);
    put("a", "1", b"one");
    put("a", "2", b"");
    put("b-7", "1", &[7; 100]);
    assert_eq!(get("a", "1").as_deref(), Some(&b"one"[..]));
    assert_eq!(get("a", "2").as_deref(), Some(&b""[..]));
    put("a", "1", b"another");
    assert_eq!(get("a", "1").as_deref(), Some(&b"another"[..]));
    assert_eq!(get("b-7", "1"), Some(vec![7; 100]));
    let long = blobs.get("b-7", "1", 99).expect_err("it is too long");
    assert_eq!(long.kind(), crate::error::ErrorKind::Data);
    assert_eq!(folders(), ["a", "b-7"]);
    blobs.remove("a").expect("it can be removed");
    blobs.remove("none").expect("there is nothing to remove");
    assert_eq!((get("a", "1"), folders()), (None, vec!["b-7".to_owned()]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_conform() {
        let folder = tempfile::tempdir().unwrap();
        conformance(&LocalBlobs::open(folder.path().join("a")).unwrap());
    }
}
