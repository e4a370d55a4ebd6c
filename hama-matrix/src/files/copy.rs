//! Copies a matrix into a table, perhaps with elements of another type.

use hama_core::Result;
use hama_hdfs::{Extent, TableSpec, TileIndex};

use super::text::narrowed;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::tile;

/// Copies a matrix, as it is oriented, into a table of elements of type `T`.
///
/// # Cost
/// Three tiles of memory; one pass of reading and writing.
///
/// # Errors
/// `Data` where an element is too large for `T`, or the file was changed meanwhile; `Exists`; those of the store. In
/// each case there is no new table.
pub(super) fn copy<S: Scalar, T: Scalar>(
    from: &DenseMatrix<S>,
    hama: &Hama,
    name: SaveAs,
) -> Result<DenseMatrix<T>> {
    let (rows, cols) = from.shape();
    let spec = TableSpec::new(Extent { rows, cols }, T::TYPE)?;
    let mut reader = from.source().reader(hama.pool())?;
    let mut read = hama.tile_buffer(from.name(), from.spec(), 1)?;
    let stored_cols = from.spec().tile.cols as usize;
    DenseMatrix::from_tiles(hama, name, spec, |index, spec, buffer| {
        let TileIndex { row, col } = index;
        let stored = if from.is_transposed() { TileIndex { row: col, col: row } } else { index };
        reader.read_tile(stored, &mut read)?;
        let elements = read.elements::<S>();
        tile::fill::<T>(buffer, spec, index, |at_row, at_col, into| {
            let row = (at_row - row * spec.tile.rows) as usize;
            // Of one type, every bit stays, that of a NaN too.
            let same: Option<&[T]> = (S::TYPE == T::TYPE).then(|| bytemuck::cast_slice(elements));
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
        // The last tile is still to be committed: better late than a table of two versions.
        if at_end(spec, index) { from.source().check_unchanged() } else { Ok(()) }
    })
}

fn at_end(spec: &TableSpec, index: TileIndex) -> bool {
    let grid = spec.tile_grid();
    index.row + 1 == grid.rows && index.col + 1 == grid.cols
}
