//! The rows and columns of a matrix that an update changes, tile by tile.

use std::ops::Range;

use hama_core::{Buffer, Error, Result};
use hama_hdfs::{TableSpec, TileIndex};
use ndarray::{ArrayViewMut2, s};
use serde::{Deserialize, Serialize};

use crate::dense::shared;
use crate::scalar::Scalar;

/// Puts the elements of some rows and columns of a matrix into an array of that shape.
pub(super) type FillPart<'a, T> = dyn FnMut(Range<u64>, Range<u64>, ArrayViewMut2<'_, T>) -> Result<()> + 'a;

/// Some rows and columns of a matrix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Region {
    pub(super) rows: Range<u64>,
    pub(super) cols: Range<u64>,
}

impl Region {
    /// Has `fill` put the elements of the region into a tile, as far as that has a part of it.
    pub(super) fn put_into<T: Scalar>(
        &self,
        spec: &TableSpec,
        tile: TileIndex,
        buffer: &mut Buffer,
        fill: &mut FillPart<'_, T>,
    ) -> Result<()> {
        let rows = touched(&self.rows, tile.row, spec.tile.rows);
        let cols = touched(&self.cols, tile.col, spec.tile.cols);
        let (Some(rows), Some(cols)) = (rows, cols) else { return Ok(()) };
        let (of_rows, of_cols) = (
            shared(&rows, tile.row, spec.tile.rows).of_tile,
            shared(&cols, tile.col, spec.tile.cols).of_tile,
        );
        let shape = (spec.tile.rows as usize, spec.tile.cols as usize);
        let mut elements = ArrayViewMut2::from_shape(shape, buffer.elements_mut())
            .map_err(|e| Error::internal("a tile has not the shape of its table").with_source(e))?;
        fill(rows, cols, elements.slice_mut(s![of_rows, of_cols]))
    }
}

/// What of a range lies in tile `index` of this extent; `None` where that is nothing.
fn touched(range: &Range<u64>, index: u64, extent: u64) -> Option<Range<u64>> {
    let first = index * extent;
    let (start, end) = (range.start.max(first), range.end.min(first + extent));
    (start < end).then_some(start..end)
}
