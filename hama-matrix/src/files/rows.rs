//! The rows of a matrix, one after another.

use hama_core::{Error, ErrorKind, Pool, Result};
use hama_hdfs::TileIndex;

use crate::bytes::format_bytes;
use crate::dense::DenseMatrix;
use crate::scalar::Scalar;

/// Hands each row of a matrix, as it is oriented, to `take`.
///
/// # Cost
/// A tile and as many rows as a tile has, or fewer where that is more than the memory given: then each tile is read
/// once for each such band.
///
/// # Errors
/// `OutOfMemory` where a tile and a row do not fit; `Data` where a tile is damaged; those of `take`.
pub(super) fn each_row<T: Scalar>(
    matrix: &DenseMatrix<T>,
    mut take: impl FnMut(u64, &[T]) -> Result<()>,
) -> Result<()> {
    let (hama, spec) = (matrix.hama(), matrix.spec());
    let (rows, cols) = matrix.shape();
    let transposed = matrix.is_transposed();
    let (high, wide) =
        if transposed { (spec.tile.cols, spec.tile.rows) } else { (spec.tile.rows, spec.tile.cols) };
    let mut tile = hama.tile_buffer(matrix.name(), spec, 1)?;
    let band_rows = band_rows(matrix, high)?;
    let mut band = hama.pool().take((band_rows * cols) as usize * size_of::<T>())?;
    let mut reader = matrix.source().reader(hama.pool())?;
    for first in (0..rows.div_ceil(high))
        .flat_map(|row| (0..high).step_by(band_rows as usize).map(move |at| row * high + at))
    {
        let count = band_rows.min(high - first % high).min(rows.saturating_sub(first));
        for col in (0..cols.div_ceil(wide)).take_while(|_| count > 0) {
            hama.cancel().check()?;
            let row = first / high;
            let stored = if transposed { TileIndex { row: col, col: row } } else { TileIndex { row, col } };
            reader.read_tile(stored, &mut tile)?;
            let (elements, stride) = (tile.elements::<T>(), spec.tile.cols as usize);
            let width = wide.min(cols - col * wide) as usize;
            for row in 0..count as usize {
                let inside = (first % high) as usize + row;
                let into =
                    &mut band.elements_mut::<T>()[row * cols as usize + (col * wide) as usize..][..width];
                if transposed {
                    let from = elements[inside..].iter().step_by(stride);
                    into.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                } else {
                    into.copy_from_slice(&elements[inside * stride..][..width]);
                }
            }
        }
        for (row, elements) in (first..first + count).zip(band.elements::<T>().chunks_exact(cols as usize)) {
            take(row, elements)?;
        }
        hama.progress().add(count * cols * size_of::<T>() as u64);
    }
    Ok(())
}

/// How many rows are held at once.
fn band_rows<T: Scalar>(matrix: &DenseMatrix<T>, most: u64) -> Result<u64> {
    let (hama, (_, cols)) = (matrix.hama(), matrix.shape());
    let tile = Pool::cost(matrix.spec().tile_bytes()) as u64 + matrix.source().scratch_bytes();
    let row = cols * size_of::<T>() as u64;
    let free = hama.own_memory().saturating_sub(tile);
    let fits = |rows: u64| {
        Pool::cost(usize::try_from(rows.saturating_mul(row)).unwrap_or(usize::MAX >> 1)) as u64 <= free
    };
    let mut rows = most.min(matrix.shape().0);
    while rows > 1 && !fits(rows) {
        rows /= 2;
    }
    if fits(rows) {
        return Ok(rows);
    }
    let needed = format_bytes(tile + Pool::cost(row as usize) as u64);
    Err(Error::new(
        ErrorKind::OutOfMemory,
        format!(
            "--memory {} is too small for a tile and a row of {}: it needs {needed}; try --memory {needed}",
            format_bytes(hama.own_memory()),
            matrix.name()
        ),
    ))
}
