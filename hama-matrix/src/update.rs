//! New versions of a matrix: some elements, what is known of it, or one that was before.

use std::ops::Range;

use hama_core::{Error, Result};
use hama_hdfs::{Attributes, Changes, Dimension, Labels, TableSpec, TableWriter, TileIndex};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use crate::dense::{DenseMatrix, shared, tiles_of};
use crate::fill::HELD_TILES;
use crate::scalar::Scalar;
use crate::write_behind::WriteBehind;

/// Puts the elements of some rows and columns of a matrix into an array of that shape.
type FillPart<'a, T> = dyn FnMut(Range<u64>, Range<u64>, ArrayViewMut2<'_, T>) -> Result<()> + 'a;

/// The attributes that say which random numbers the elements are.
const ORIGIN: [&str; 2] = ["seed", "distribution"];

impl<T: Scalar> DenseMatrix<T> {
    /// Commits a version of this matrix with other elements in some rows and columns, and opens it. This one stays as it
    /// is; a [placed copy](Self::copy) knows which of its shards are out of date.
    ///
    /// # Cost
    /// Two tiles of memory beside the array. The shards that the region touches (up to 128 MiB each) are read and
    /// written, the others shared.
    ///
    /// # Errors
    /// `Invalid` where the region is not in the matrix or not of the array's shape; `Conflict` where somebody else
    /// changed its elements since it was opened; those of the store. In each case nothing is changed.
    pub fn update(&self, rows: Range<u64>, cols: Range<u64>, values: ArrayView2<'_, T>) -> Result<Self> {
        self.check_inside("update", &rows, &cols)?;
        let shape = (values.nrows() as u64, values.ncols() as u64);
        let region = (rows.end - rows.start, cols.end - cols.start);
        if shape != region {
            return Err(Error::invalid(format!(
                "cannot update {} x {} elements of {} with {} x {}",
                region.0,
                region.1,
                self.name(),
                shape.0,
                shape.1
            )));
        }
        if values.is_empty() {
            return Ok(self.clone());
        }
        let at = (rows.start, cols.start);
        self.update_with(
            rows,
            cols,
            &mut |rows, cols, mut into| {
                let (top, left) = ((rows.start - at.0) as usize, (cols.start - at.1) as usize);
                let (height, width) = into.dim();
                into.assign(&values.slice(s![top..top + height, left..left + width]));
                Ok(())
            },
            &|| Ok(()),
        )
    }

    /// The same for one element.
    ///
    /// # Cost
    /// A shard is read and written: for more than one element, [`update`](Self::update) a region.
    ///
    /// # Errors
    /// Those of `update`.
    pub fn set(&self, row: u64, col: u64, value: T) -> Result<Self> {
        let (rows, cols) = (row..row.saturating_add(1), col..col.saturating_add(1));
        self.update(rows, cols, ArrayView2::from(&[[value]]))
    }

    /// The same with the elements of another matrix, the first of which goes to row and column `at`.
    ///
    /// # Cost
    /// That of [`update`](Self::update) with two tiles more; no array.
    ///
    /// # Errors
    /// Those of `update` and of reading the other matrix; `Data` where its file was changed since it was opened.
    pub fn update_from(&self, at: (u64, u64), source: &DenseMatrix<T>) -> Result<Self> {
        let (height, width) = source.shape();
        let (rows, cols) = (at.0..at.0.saturating_add(height), at.1..at.1.saturating_add(width));
        self.update_with(
            rows,
            cols,
            &mut |rows, cols, mut into| {
                let read = source
                    .read_part(rows.start - at.0..rows.end - at.0, cols.start - at.1..cols.end - at.1)?;
                into.assign(&read);
                Ok(())
            },
            &|| source.source().check_unchanged(),
        )
    }

    /// Commits a version with the elements that `fill` puts into parts of the region, given their rows and columns, where
    /// `check` finds in the end that they may be used.
    fn update_with(
        &self,
        rows: Range<u64>,
        cols: Range<u64>,
        fill: &mut FillPart<'_, T>,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<Self> {
        self.check_inside("update", &rows, &cols)?;
        if self.is_transposed() {
            let updated = self.t().update_with(
                cols,
                rows,
                &mut |cols, rows, into| fill(rows, cols, into.reversed_axes()),
                check,
            )?;
            return Ok(updated.t());
        }
        let (hama, table) = (self.hama(), &self.table()?.rebased()?);
        let spec = table.spec().clone();
        let shards = tiles_of(&spec, &rows, &cols).map(|tile| spec.shard_of(tile)).collect();
        let changes = Changes {
            shards,
            attributes: self.without_origin(),
            durability: hama.durability(),
            ..Changes::default()
        };
        let writer = TableWriter::update(table, changes)?;
        let spec = writer.target().spec.clone();
        let mut behind = WriteBehind::start(writer.target().clone(), hama.host().clone())?;
        for tile in writer.shards().into_iter().flat_map(|shard| spec.tiles_of(shard)) {
            hama.cancel().check()?;
            behind.wait_for_at_most(HELD_TILES as usize - 1)?;
            let mut buffer = hama.tile_buffer(self.name(), &spec, HELD_TILES)?;
            table.read_tile(tile, &mut buffer)?;
            if let Some(part) = Part::of(&spec, tile, &rows, &cols) {
                let shape = (spec.tile.rows as usize, spec.tile.cols as usize);
                let mut elements = ArrayViewMut2::from_shape(shape, buffer.elements_mut())
                    .map_err(|e| Error::internal("a tile has not the shape of its table").with_source(e))?;
                fill(part.rows, part.cols, elements.slice_mut(s![part.of_tile.0, part.of_tile.1]))?;
            }
            behind.write(tile, buffer)?;
            hama.progress().add(spec.tile_bytes() as u64);
        }
        let records = behind.finish()?.shards;
        hama.cancel().check()?;
        check()?;
        Self::of_table(hama, writer.commit(records)?)
    }

    /// The attributes without those that say which random numbers the elements are, where there are such.
    fn without_origin(&self) -> Option<Attributes> {
        let mut attributes = self.attributes().clone();
        let told = ORIGIN.iter().filter(|key| attributes.remove(**key).is_some()).count();
        (told > 0).then_some(attributes)
    }

    /// Commits a version with other attributes, and opens it.
    ///
    /// # Cost
    /// A link for each shard.
    ///
    /// # Errors
    /// `Invalid` where they have more than 64 KiB; `Conflict` where somebody else changed the matrix since it was opened;
    /// those of the store.
    pub fn annotate(&self, attributes: Attributes) -> Result<Self> {
        self.changed(Changes { attributes: Some(attributes), ..Changes::default() })
    }

    /// What its user wants to know of it.
    pub fn attributes(&self) -> &Attributes {
        &self.spec().attributes
    }

    /// Commits a version with a label for each row or column of the matrix, or with none, and opens it. They lie beside
    /// the elements as coordinates, which xarray sees.
    ///
    /// # Cost
    /// A link for each shard.
    ///
    /// # Errors
    /// `Invalid` where their number is another, or they have more than 64 MiB; `Conflict` where somebody else changed the
    /// matrix since it was opened; those of the store.
    pub fn label(&self, dimension: Dimension, labels: Option<Labels>) -> Result<Self> {
        let labels = Some(labels);
        self.changed(match self.of_table_dimension(dimension) {
            Dimension::Rows => Changes { row_labels: labels, ..Changes::default() },
            Dimension::Columns => Changes { column_labels: labels, ..Changes::default() },
        })
    }

    /// The labels of rows or columns, where there are any.
    ///
    /// # Errors
    /// `Data` where they are damaged; those of the store.
    pub fn labels(&self, dimension: Dimension) -> Result<Option<Labels>> {
        self.table()?.labels(self.of_table_dimension(dimension))
    }

    /// Which dimension of the table is that of this matrix.
    fn of_table_dimension(&self, dimension: Dimension) -> Dimension {
        match (self.is_transposed(), dimension) {
            (false, dimension) => dimension,
            (true, Dimension::Rows) => Dimension::Columns,
            (true, Dimension::Columns) => Dimension::Rows,
        }
    }

    fn changed(&self, changes: Changes) -> Result<Self> {
        let changes = Changes { durability: self.hama().durability(), ..changes };
        let writer = TableWriter::update(self.table()?, changes)?;
        let changed = Self::of_table(self.hama(), writer.commit(Vec::new())?)?;
        Ok(if self.is_transposed() { changed.t() } else { changed })
    }

    /// Commits a version that is as this one, an older one such as `a@3`, was, and opens it.
    ///
    /// # Cost
    /// One small file.
    ///
    /// # Errors
    /// `Invalid` where this is the latest version; `Conflict` where somebody commits another meanwhile; those of the store.
    pub fn restore(&self) -> Result<Self> {
        let restored = Self::of_table(self.hama(), self.table()?.restore()?)?;
        Ok(if self.is_transposed() { restored.t() } else { restored })
    }
}

/// What a tile and a region share: its rows and columns in the matrix, and in the tile.
struct Part {
    rows: Range<u64>,
    cols: Range<u64>,
    of_tile: (Range<usize>, Range<usize>),
}

impl Part {
    fn of(spec: &TableSpec, tile: TileIndex, rows: &Range<u64>, cols: &Range<u64>) -> Option<Part> {
        let touched = |region: &Range<u64>, index: u64, extent: u64| {
            let first = index * extent;
            let (start, end) = (region.start.max(first), region.end.min(first + extent));
            (start < end).then_some(start..end)
        };
        let part_rows = touched(rows, tile.row, spec.tile.rows)?;
        let part_cols = touched(cols, tile.col, spec.tile.cols)?;
        let of_tile =
            (shared(rows, tile.row, spec.tile.rows).of_tile, shared(cols, tile.col, spec.tile.cols).of_tile);
        Some(Part { rows: part_rows, cols: part_cols, of_tile })
    }
}
