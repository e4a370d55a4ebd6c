//! Writes a matrix into a `.npy` file, a tile at a time.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hama_core::{Error, ErrorKind, Result};

use super::header;
use crate::any::AnyMatrix;
use crate::dense::DenseMatrix;
use crate::scalar::Scalar;

/// Exports a matrix as a `.npy` file, in rows, little-endian. The file appears when it is whole.
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
    if !replace && path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let partial = Partial::create(path)?;
    write(matrix, &partial)
        .map_err(|e| Error::new(e.kind(), format!("cannot export to {}", path.display())).with_source(e))?;
    partial.publish(path, replace)
}

fn write<T: Scalar>(matrix: &DenseMatrix<T>, to: &Partial) -> Result<()> {
    let (table, hama) = (matrix.table(), matrix.hama());
    let (spec, size) = (table.spec(), T::TYPE.size_bytes() as u64);
    let descr = format!("<f{size}");
    let head = header::written(&descr, spec.shape.rows, spec.shape.cols);
    to.write(0, &head)?;
    let mut buffer = hama.pool().take(spec.tile_bytes())?;
    for tile in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
        hama.cancel().check()?;
        table.read_tile(tile, &mut buffer)?;
        let (valid, stride) = (spec.tile_valid(tile), spec.tile.cols * size);
        for row in 0..valid.rows {
            let element = (tile.row * spec.tile.rows + row) * spec.shape.cols + tile.col * spec.tile.cols;
            let from = (row * stride) as usize;
            to.write(head.len() as u64 + element * size, &buffer[from..from + (valid.cols * size) as usize])?;
        }
        hama.progress().add(valid.rows * valid.cols * size);
    }
    Ok(())
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("{} exists: try another name or --replace", path.display()))
}

/// A file that is being written beside the one that it becomes. Where it does not get there it goes.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn create(target: &Path) -> Result<Partial> {
        let name = target.file_name().ok_or_else(|| {
            Error::invalid(format!("cannot export to {}: it names no file", target.display()))
        })?;
        let path = target.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file =
            File::create_new(&path).map_err(|e| Error::io(format!("cannot create {}", path.display()), e))?;
        Ok(Partial { path, file })
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all_at(bytes, offset);
        written.map_err(|e| Error::io(format!("cannot write {}", self.path.display()), e))
    }

    fn publish(&self, target: &Path, replace: bool) -> Result<()> {
        let failed = |e| Error::io(format!("cannot make {} of {}", target.display(), self.path.display()), e);
        self.file.sync_all().map_err(failed)?;
        if replace {
            return fs::rename(&self.path, target).map_err(failed);
        }
        // A link fails where the name is taken meanwhile; the drop removes the other name.
        match fs::hard_link(&self.path, target) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(target)),
            other => other.map_err(failed),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After a rename it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}
