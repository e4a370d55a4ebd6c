//! A matrix made small enough to look at: a coarse grid of cells, each with the largest magnitude in it.

use hama_core::{Buffer, Error, ErrorKind, Pool, Result};
use hama_hdfs::{Extent, TileIndex};

use crate::bytes::format_bytes;
use crate::dense::DenseMatrix;
use crate::grid::block;
use crate::scalar::Scalar;

/// The largest magnitude of each cell of a matrix, and what in it is no finite number. It is in memory.
#[derive(Debug)]
pub struct Magnitudes {
    cells: Cells,
    transposed: bool,
    /// The largest magnitude of all finite elements; 0 where there is none.
    pub largest: f64,
    /// Elements that are NaN.
    pub nans: u64,
    /// Elements that are infinite.
    pub infinities: u64,
}

/// The cells in rows, as the table lies.
#[derive(Debug)]
struct Cells {
    shape: Extent,
    values: Buffer,
}

impl Magnitudes {
    /// Cuts a matrix into at most `rows` x `cols` cells, nearly equal, of one element at least, and finds the largest |x|
    /// in each.
    ///
    /// # Cost
    /// One pass of reading; a tile of memory, and 8 bytes a cell.
    ///
    /// # Errors
    /// `Invalid` for 0 rows or columns, `OutOfMemory` where tile and cells do not fit, `Data` where a tile is damaged or
    /// its file was changed since it was opened.
    pub fn of<T: Scalar>(matrix: &DenseMatrix<T>, (rows, cols): (u64, u64)) -> Result<Magnitudes> {
        if rows == 0 || cols == 0 {
            return Err(Error::invalid(format!("cannot cut {} into {rows} x {cols} cells", matrix.name())));
        }
        let (hama, source) = (matrix.hama(), matrix.source());
        let (spec, transposed) = (source.spec(), matrix.is_transposed());
        let (rows, cols) = if transposed { (cols, rows) } else { (rows, cols) };
        let shape = Extent { rows: rows.min(spec.shape.rows), cols: cols.min(spec.shape.cols) };
        let bytes = shape.rows.saturating_mul(shape.cols).saturating_mul(8);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let tile = Pool::cost(spec.tile_bytes()) as u64 + source.scratch_bytes();
        let needed = (Pool::cost(bytes) as u64).saturating_add(tile);
        if needed > hama.own_memory() {
            let (given, needed) = (format_bytes(hama.own_memory()), format_bytes(needed));
            let message = format!(
                "--memory {given} is too small for a tile of {} and {shape} cells: try --memory {needed}",
                matrix.name()
            );
            return Err(Error::new(ErrorKind::OutOfMemory, message));
        }
        let mut values = hama.pool().take(bytes)?;
        values.elements_mut::<f64>().fill(0.0);
        let cells = Cells { shape, values };
        let mut found = Magnitudes { cells, transposed, largest: 0.0, nans: 0, infinities: 0 };
        let mut buffer = hama.tile_buffer(matrix.name(), spec, 1)?;
        let mut reader = source.reader(hama.pool())?;
        for tile in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
            hama.cancel().check()?;
            reader.read_tile(tile, &mut buffer)?;
            let valid = spec.tile_valid(tile);
            found.add(buffer.elements::<T>(), tile, (spec.shape, spec.tile, valid));
            hama.progress().add(valid.rows * valid.cols * T::TYPE.size_bytes() as u64);
        }
        source.check_unchanged()?;
        Ok(found)
    }

    /// Rows and columns of cells.
    pub fn shape(&self) -> (u64, u64) {
        let Extent { rows, cols } = self.cells.shape;
        if self.transposed { (cols, rows) } else { (rows, cols) }
    }

    /// The largest magnitude in a cell; NaN where an element of it is, else infinite where one is.
    ///
    /// # Panics
    /// Where there is no such cell.
    pub fn cell(&self, row: u64, col: u64) -> f64 {
        let (row, col) = if self.transposed { (col, row) } else { (row, col) };
        self.cells.values.elements::<f64>()[(row * self.cells.shape.cols + col) as usize]
    }

    fn add<T: Scalar>(
        &mut self,
        elements: &[T],
        at: TileIndex,
        (shape, tile, valid): (Extent, Extent, Extent),
    ) {
        let (first_row, first_col) = (at.row * tile.rows, at.col * tile.cols);
        let cells = self.cells.shape;
        // Runs of columns, each in a cell.
        let mut runs = Vec::new();
        let mut col = first_col;
        while col < first_col + valid.cols {
            let cell = index_of(shape.cols, cells.cols, col);
            let end = block(shape.cols, cells.cols, cell).end.min(first_col + valid.cols);
            runs.push((cell, (col - first_col) as usize..(end - first_col) as usize));
            col = end;
        }
        for (row, elements) in
            (first_row..first_row + valid.rows).zip(elements.chunks_exact(tile.cols as usize))
        {
            let first = index_of(shape.rows, cells.rows, row) * cells.cols;
            for (cell, run) in &runs {
                let largest = self.largest_of(&elements[run.clone()]);
                let cell = &mut self.cells.values.elements_mut::<f64>()[(first + cell) as usize];
                *cell = if cell.is_nan() || *cell >= largest { *cell } else { largest };
            }
        }
    }

    /// The largest magnitude of a run, as a cell says it.
    fn largest_of<T: Scalar>(&mut self, run: &[T]) -> f64 {
        let (mut largest, mut nans, mut infinities) = (0.0f64, 0, 0);
        for x in run {
            let x = x.to_f64().abs();
            nans += u64::from(x.is_nan());
            infinities += u64::from(x == f64::INFINITY);
            largest = if x.is_finite() && x > largest { x } else { largest };
        }
        self.largest = self.largest.max(largest);
        self.nans += nans;
        self.infinities += infinities;
        match (nans, infinities) {
            (0, 0) => largest,
            (0, _) => f64::INFINITY,
            _ => f64::NAN,
        }
    }
}

/// Which of `count` blocks of `extent` an element is in: the inverse of [`block`].
fn index_of(extent: u64, count: u64, element: u64) -> u64 {
    ((u128::from(element + 1) * u128::from(count) - 1) / u128::from(extent)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_element_is_in_the_block_of_its_index(extent in 1u64..300, count in 1u64..300) {
            prop_assume!(count <= extent);
            for element in 0..extent {
                prop_assert!(block(extent, count, index_of(extent, count, element)).contains(&element));
            }
        }
    }
}
