//! Writes a matrix into a `.npy` file, a tile at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hama_core::Result;

use super::header;
use crate::dense::DenseMatrix;
use crate::files::publish::{failed, publish};
use crate::scalar::Scalar;

/// Exports a matrix as a `.npy` file, little-endian: in rows (C order), and a transposed one in columns
/// (Fortran order).
pub(crate) fn export<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, replace: bool) -> Result<()> {
    publish(path, replace, |file| {
        write(matrix, file, path)?;
        matrix.source().check_unchanged()
    })
}

fn write<T: Scalar>(matrix: &DenseMatrix<T>, to: &File, path: &Path) -> Result<()> {
    let hama = matrix.hama();
    let (spec, size) = (matrix.spec(), T::TYPE.size_bytes() as u64);
    let head = header::of(matrix);
    to.write_all_at(&head, 0).map_err(|e| failed(path, e))?;
    let mut buffer = hama.tile_buffer(matrix.name(), spec, 1)?;
    let mut reader = matrix.source().reader(hama.pool())?;
    for tile in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
        hama.cancel().check()?;
        reader.read_tile(tile, &mut buffer)?;
        let (valid, stride) = (spec.tile_valid(tile), spec.tile.cols * size);
        for row in 0..valid.rows {
            let element = (tile.row * spec.tile.rows + row) * spec.shape.cols + tile.col * spec.tile.cols;
            let from = (row * stride) as usize;
            let bytes = &buffer[from..from + (valid.cols * size) as usize];
            to.write_all_at(bytes, head.len() as u64 + element * size).map_err(|e| failed(path, e))?;
        }
        hama.progress().add(valid.rows * valid.cols * size);
    }
    Ok(())
}
