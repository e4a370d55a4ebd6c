//! Exports a matrix as a Zarr array of its own: a folder as the tables have it, without the table around it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use hama_core::{Error, Result};
use hama_hdfs::{Extent, StoreUrl, TableSpec};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::copy::copy;
use super::publish::{NewFileOptions, cannot_make, check_export_room, exists, failed, folder, sync_folder};
use crate::dense::DenseMatrix;
use crate::scalar::Scalar;
use crate::zarr::array::METADATA_BYTES_MAX;
use crate::zarr::metadata;

/// The name of the table in the folder that becomes the array.
const NAME: &str = "exported";

/// Fails where an array cannot be made at `path`, as far as that is known before.
///
/// # Errors
/// `Exists` where it is there and is not to be replaced; `Invalid` where something else is there.
pub(super) fn check(path: &Path, replace: bool) -> Result<()> {
    folder(path)?;
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        // Nothing but an array is ever replaced by one.
        Ok(_) if !is_array(path) => Err(Error::invalid(format!(
            "cannot export to {}: it is there and is no Zarr array",
            path.display()
        ))),
        Ok(_) if !replace => Err(exists(path)),
        Ok(_) => Ok(()),
    }
}

fn is_array(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
        && (path.join(".zarray").is_file()
            || metadata_of(&path.join("zarr.json")).is_some_and(|json| metadata::is_array(&json)))
}

/// The bytes of a file of metadata, as far as they are read. A pipe is none: reading it would wait for somebody to write.
fn metadata_of(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = path.is_file().then(|| File::open(path).ok()).flatten()?;
    file.take(METADATA_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Exports a matrix as a Zarr v3 array: sharded, uncompressed, with checksums. It appears when it is whole.
pub(super) fn export<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, new: NewFileOptions) -> Result<u64> {
    let NewFileOptions { replace, durability, .. } = new;
    check(path, replace)?;
    let folder = folder(path)?;
    let (rows, cols) = matrix.shape();
    check_export_room(path, TableSpec::new(Extent { rows, cols }, T::TYPE)?.stored_bytes())?;
    let partial = tempfile::Builder::new()
        .prefix(".hama-")
        .suffix(".part")
        .tempdir_in(folder)
        .map_err(|e| cannot_make(path, folder, &e))?;
    // The folder is of this host.
    let hama = matrix.hama().here().with_store(&StoreUrl::directory(partial.path())?.to_string())?;
    let table = copy::<T, T>(matrix, &hama, NAME.into())?;
    let made = hama.store().local_path(&table.table()?.values_path());
    let made = made.ok_or_else(|| Error::internal("an exported array has no path"))?;
    let bytes = table.stored_bytes();
    drop(table);
    matrix.source().check_unchanged()?;
    publish(&made, path, replace, partial)?;
    // The name is durable when its folder is.
    sync_folder(folder, durability).map_err(|e| failed(path, e))?;
    Ok(bytes)
}

/// Moves a folder to `path`; an array that is there is exchanged for it, and goes with the temporary folder.
fn publish(made: &Path, path: &Path, replace: bool, partial: TempDir) -> Result<()> {
    let there = replace && path.symlink_metadata().is_ok();
    let flags = if there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    match renameat_with(CWD, made, CWD, path, flags) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(exists(path)),
        // Not every file system has these.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            publish_in_steps(made, path, there, partial)
        }
        Err(e) => Err(failed(path, e.into())),
    }
}

/// The same where the two cannot be exchanged. Where the array cannot take its name, the one that had it takes it
/// again; where it cannot do that either, it stays in the temporary folder.
fn publish_in_steps(made: &Path, path: &Path, there: bool, partial: TempDir) -> Result<()> {
    let aside = made.with_extension("before");
    if there {
        fs::rename(path, &aside).map_err(|e| failed(path, e))?;
    }
    let Err(error) = fs::rename(made, path) else { return Ok(()) };
    if there && fs::rename(&aside, path).is_err() {
        drop(partial.keep());
        let (path, aside) = (path.display(), aside.display());
        return Err(Error::io(format!("cannot export to {path}: what was there is now {aside}"), error));
    }
    Err(failed(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_within_bounds() {
        let place = tempfile::tempdir().unwrap();
        let json = place.path().join("zarr.json");
        fs::write(&json, r#"{"node_type": "array"}"#).unwrap();
        assert!(is_array(place.path()));
        File::options().write(true).open(&json).unwrap().set_len(METADATA_BYTES_MAX + 1).unwrap();
        assert_eq!(metadata_of(&json).unwrap().len() as u64, METADATA_BYTES_MAX);
        fs::remove_file(&json).unwrap();
        rustix::fs::mkfifoat(CWD, &json, rustix::fs::Mode::RWXU).unwrap();
        assert!(!is_array(place.path()));
    }

    #[test]
    fn what_was_there_is_never_lost() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.zarr");
        let partial = || tempfile::tempdir_in(place.path()).unwrap();
        let text = |path: &Path| fs::read_to_string(path.join("zarr.json")).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("zarr.json"), "before").unwrap();
        // What is to take its name is not there.
        let nothing = partial();
        let made = nothing.path().join("made");
        assert!(publish_in_steps(&made, &path, true, nothing).is_err());
        assert_eq!(text(&path), "before");
        let whole = partial();
        let made = whole.path().join("made");
        fs::create_dir(&made).unwrap();
        fs::write(made.join("zarr.json"), "after").unwrap();
        publish_in_steps(&made, &path, true, whole).unwrap();
        assert_eq!(text(&path), "after");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "the temporary folders are gone");
    }
}
