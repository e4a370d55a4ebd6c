//! Writes a matrix into a `.npy` file, a tile at a time.

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hama_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use super::header;
use crate::any::AnyMatrix;
use crate::dense::DenseMatrix;
use crate::scalar::Scalar;

/// Exports a matrix as a `.npy` file, little-endian: in rows (C order), and a transposed one in columns
/// (Fortran order). The file appears when it is whole.
///
/// # Cost
/// A tile of memory; one pass of reading and writing.
///
/// # Errors
/// `Exists` where the file does and `replace` is false, `Data` where a tile is damaged, and what the file
/// system says. In each case there is no new file.
pub fn export(matrix: &AnyMatrix, path: &Path, replace: bool) -> Result<()> {
    match matrix {
        AnyMatrix::F64(matrix) => export_as(matrix, path, replace),
        AnyMatrix::F32(matrix) => export_as(matrix, path, replace),
    }
}

fn export_as<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, replace: bool) -> Result<()> {
    let path = &target(path, replace)?;
    let failed = |e| Error::io(format!("cannot export to {}", path.display()), e);
    let partial = beside(path)?;
    write(matrix, partial.as_file(), path)?;
    partial.as_file().sync_all().map_err(failed)?;
    let published = if replace { partial.persist(path) } else { partial.persist_noclobber(path) };
    match published {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(e) => Err(failed(e.error)),
    }
}

/// The file that is to be made: where `path` is a link, what it leads to.
fn target(path: &Path, replace: bool) -> Result<PathBuf> {
    match path.symlink_metadata() {
        Err(_) => Ok(path.to_owned()),
        // A device, a pipe or a folder is never replaced by a file.
        Ok(_) if path.metadata().is_ok_and(|found| !found.is_file()) => {
            Err(Error::invalid(format!("cannot export to {}: it is no regular file", path.display())))
        }
        Ok(_) if !replace => Err(exists(path)),
        Ok(_) => {
            path.canonicalize().map_err(|e| Error::io(format!("cannot export to {}", path.display()), e))
        }
    }
}

/// A file under a name of its own in the folder of `path`; where it does not become `path` it goes.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Error::invalid(format!("cannot export to {}: it names no file", path.display()))),
    };
    // As any other new file: what the process's mask leaves.
    let permissions = Permissions::from_mode(0o666);
    let made = tempfile::Builder::new()
        .prefix(".hama-")
        .suffix(".part")
        .permissions(permissions)
        .tempfile_in(folder);
    made.map_err(|e| {
        // The library's error names a file that nobody has heard of.
        let doing =
            format!("cannot export to {}: cannot make a file in {}", path.display(), folder.display());
        Error::io(doing, std::io::Error::from(e.kind()))
    })
}

fn write<T: Scalar>(matrix: &DenseMatrix<T>, to: &File, path: &Path) -> Result<()> {
    let failed = |e| Error::io(format!("cannot export to {}", path.display()), e);
    let (table, hama) = (matrix.table(), matrix.hama());
    let (spec, size) = (table.spec(), T::TYPE.size_bytes() as u64);
    let (rows, cols) = matrix.shape();
    // The rows of the table are the columns of its transpose, so the bytes are the same.
    let head = header::written(&format!("<f{size}"), matrix.is_transposed(), rows, cols);
    to.write_all_at(&head, 0).map_err(failed)?;
    let mut buffer = hama.tile_buffer(matrix.name(), spec, 1)?;
    for tile in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
        hama.cancel().check()?;
        table.read_tile(tile, &mut buffer)?;
        let (valid, stride) = (spec.tile_valid(tile), spec.tile.cols * size);
        for row in 0..valid.rows {
            let element = (tile.row * spec.tile.rows + row) * spec.shape.cols + tile.col * spec.tile.cols;
            let from = (row * stride) as usize;
            let bytes = &buffer[from..from + (valid.cols * size) as usize];
            to.write_all_at(bytes, head.len() as u64 + element * size).map_err(failed)?;
        }
        hama.progress().add(valid.rows * valid.cols * size);
    }
    Ok(())
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("{} exists already", path.display()))
}
