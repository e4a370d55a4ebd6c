//! Writes a matrix into a `.npy` file, a tile at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hama_core::Result;
use hama_hdfs::{TableSpec, TileIndex};

use super::header;
use crate::dense::DenseMatrix;
use crate::files::publish::{NewFileOptions, failed, publish};
use crate::scalar::Scalar;

/// Exports a matrix as a `.npy` file, little-endian: in rows (C order), and a transposed one in columns
/// (Fortran order).
pub(crate) fn export<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, new: NewFileOptions) -> Result<u64> {
    let head = header::of(matrix);
    publish(path, new, head.len() as u64 + elements_bytes(matrix.spec()), |file| {
        file.write_all_at(&head, 0).map_err(|e| failed(path, e))?;
        write(matrix, (file, head.len() as u64), path)?;
        matrix.source().check_unchanged()
    })
}

fn write<T: Scalar>(matrix: &DenseMatrix<T>, (to, start): (&File, u64), path: &Path) -> Result<()> {
    let (hama, spec) = (matrix.hama(), matrix.spec());
    let mut buffer = hama.tile_buffer(matrix.name(), spec, 1)?;
    let mut reader = matrix.source().reader(hama.pool())?;
    for tile in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
        hama.cancel().check()?;
        reader.read_tile(tile, &mut buffer)?;
        let written = write_tile((to, start), spec, tile, &buffer).map_err(|e| failed(path, e))?;
        hama.progress().add(written);
    }
    Ok(())
}

/// The bytes of all elements.
pub(crate) fn elements_bytes(spec: &TableSpec) -> u64 {
    spec.shape.rows.saturating_mul(spec.shape.cols).saturating_mul(spec.element.size_bytes() as u64)
}

/// Writes a tile into the rows of a file whose elements begin at `start`, and says how many bytes that were.
pub(super) fn write_tile(
    (to, start): (&File, u64),
    spec: &TableSpec,
    tile: TileIndex,
    bytes: &[u8],
) -> std::io::Result<u64> {
    let size = spec.element.size_bytes() as u64;
    let (valid, stride) = (spec.tile_valid(tile), spec.tile.cols * size);
    for (row, line) in (0..valid.rows).zip(bytes.chunks_exact(stride as usize)) {
        let element = (tile.row * spec.tile.rows + row) * spec.shape.cols + tile.col * spec.tile.cols;
        to.write_all_at(&line[..(valid.cols * size) as usize], start + element * size)?;
    }
    Ok(valid.rows * valid.cols * size)
}
