//! Copies a matrix into a table, perhaps with elements of another type.

use hama_core::{Error, ErrorKind, Pool, Result};
use hama_hdfs::{Extent, TableSpec, TileIndex};

use super::text::narrowed;
use crate::bytes::format_bytes;
use crate::dense::DenseMatrix;
use crate::fill::HELD_TILES;
use crate::hama::Hama;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::tile;

/// Copies a matrix, as it is oriented, into a table of elements of type `T`.
///
/// # Cost
/// Two tiles of memory, three where elements change type or place; one pass of reading and writing.
///
/// # Errors
/// `Data` where an element is too large for `T`, or the file was changed meanwhile; `Exists`; those of the store. In
/// each case there is no new table.
pub(super) fn copy<S: Scalar, T: Scalar>(
    from: &DenseMatrix<S>,
    hama: &Hama,
    name: SaveAs,
) -> Result<DenseMatrix<T>> {
    from.check_tiles()?;
    let (rows, cols) = from.shape();
    let spec = TableSpec::new(Extent { rows, cols }, T::TYPE)?;
    // Of one type, every bit stays, that of a NaN too.
    let same = S::TYPE == T::TYPE;
    let direct = same && !from.is_transposed();
    check_memory(from, hama, &spec, direct)?;
    let mut reader = from.source().reader(hama.pool())?;
    let mut read = if direct { None } else { Some(hama.tile_buffer(from.name(), from.spec(), 1)?) };
    let stored_cols = from.spec().tile.cols as usize;
    DenseMatrix::from_tiles(hama, name, spec, |index, spec, buffer| {
        let TileIndex { row, col } = index;
        let Some(read) = &mut read else {
            reader.read_tile(index, buffer)?;
            tile::pad::<T>(buffer, spec, index);
            return at_end(from, spec, index);
        };
        let stored = if from.is_transposed() { TileIndex { row: col, col: row } } else { index };
        reader.read_tile(stored, read)?;
        let elements = read.elements::<S>();
        tile::fill::<T>(buffer, spec, index, |at_row, at_col, into| {
            let row = (at_row - row * spec.tile.rows) as usize;
            let same: Option<&[T]> = same.then(|| bytemuck::cast_slice(elements));
            for (col, to) in into.iter_mut().enumerate() {
                let place =
                    if from.is_transposed() { col * stored_cols + row } else { row * stored_cols + col };
                *to = match same {
                    Some(same) => same[place],
                    None => narrowed(elements[place].to_f64(), from.name(), (at_row, at_col + col as u64))?,
                };
            }
            Ok(())
        })?;
        at_end(from, spec, index)
    })
}

/// At the last tile, which is still to be committed: fails where the file was changed since it was opened.
fn at_end<S: Scalar>(from: &DenseMatrix<S>, spec: &TableSpec, index: TileIndex) -> Result<()> {
    let grid = spec.tile_grid();
    let last = index.row + 1 == grid.rows && index.col + 1 == grid.cols;
    if last { from.source().check_unchanged() } else { Ok(()) }
}

/// Fails where the tiles that are held and what reading takes exceed the memory given.
fn check_memory<S: Scalar>(from: &DenseMatrix<S>, hama: &Hama, spec: &TableSpec, direct: bool) -> Result<()> {
    let cost = |spec: &TableSpec| Pool::cost(spec.tile_bytes()) as u64;
    let read = if direct { 0 } else { cost(from.spec()) };
    let needed = HELD_TILES * cost(spec) + read + from.source().scratch_bytes();
    if needed <= hama.memory() {
        return Ok(());
    }
    let (given, needed) = (format_bytes(hama.memory()), format_bytes(needed));
    let name = from.name();
    let message =
        format!("--memory {given} is too small to copy {name}: it needs {needed}; try --memory {needed}");
    Err(Error::new(ErrorKind::OutOfMemory, message))
}
