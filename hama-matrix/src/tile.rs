//! Tiles in buffers: row-major, padded to their full extent at the edge of the matrix.

use hama_core::Buffer;
use hama_hdfs::{TableSpec, TileIndex};

use crate::scalar::Scalar;

/// Puts the fill value into every element of a tile that lies outside of the matrix.
pub(crate) fn pad<T: Scalar>(buffer: &mut Buffer, spec: &TableSpec, tile: TileIndex) {
    let (valid, stride) = (spec.tile_valid(tile), spec.tile.cols as usize);
    if valid == spec.tile {
        return;
    }
    for (row, elements) in buffer.elements_mut::<T>().chunks_mut(stride).enumerate() {
        let from = if (row as u64) < valid.rows { valid.cols as usize } else { 0 };
        elements[from..].fill(T::FILL);
    }
}

/// Fills a tile row by row: `row` gets the row and the first column in the matrix, and the elements to fill.
pub(crate) fn fill<T: Scalar>(
    buffer: &mut Buffer,
    spec: &TableSpec,
    tile: TileIndex,
    mut row: impl FnMut(u64, u64, &mut [T]) -> hama_core::Result<()>,
) -> hama_core::Result<()> {
    let (valid, stride) = (spec.tile_valid(tile), spec.tile.cols as usize);
    let (first_row, first_col) = (tile.row * spec.tile.rows, tile.col * spec.tile.cols);
    for (index, elements) in
        buffer.elements_mut::<T>().chunks_mut(stride).take(valid.rows as usize).enumerate()
    {
        row(first_row + index as u64, first_col, &mut elements[..valid.cols as usize])?;
    }
    pad::<T>(buffer, spec, tile);
    Ok(())
}
