//! A dense matrix in a table.

use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hama_core::{Buffer, Cancel, Error, ErrorKind, Result};
use hama_hdfs::{Extent, Table, TableSpec, TileIndex, tile_extent};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use crate::any::AnyMatrix;
use crate::grid::block;
use crate::hama::Hama;
use crate::product::Product;
use crate::scalar::Scalar;
use crate::source::{Source, TileReader};

/// Readers of all peers keep what they have unpacked of a file in one of so many parts of the memory.
const KEPT_SHARE: u64 = 16;

/// A matrix of `T` (f64 or f32) in a table of a store, or in a file that is read in place, rows x cols. It holds
/// no elements in memory; clones share the table.
///
/// While one exists, its generation of the table stays, even where the table is replaced.
#[derive(Clone, Debug)]
pub struct DenseMatrix<T> {
    hama: Hama,
    source: Source,
    transposed: bool,
    /// What people call it, where that is not the name of its source.
    shown: Option<Arc<str>>,
    element: PhantomData<T>,
}

impl<T: Scalar> DenseMatrix<T> {
    /// Opens the matrix of that name, or an older version of it, such as `a@3`.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Invalid` where its elements are of another type, `Data` where its
    /// files are damaged.
    pub fn open(hama: &Hama, name: &str) -> Result<Self> {
        Self::of_table(hama, Table::open_named(hama.store(), &name.parse()?)?)
    }

    /// Opens the matrix in a file or a directory that is read in place: see [`open_file`](crate::open_file).
    ///
    /// # Errors
    /// Those of [`open_file`](crate::open_file); `Invalid` where its elements are of another type.
    pub fn open_file(hama: &Hama, path: &Path) -> Result<Self> {
        let (source, transposed) = Source::open_file(path, hama.cancel())?;
        Self::of_source(hama, source, transposed)
    }

    pub(crate) fn of_table(hama: &Hama, table: Table) -> Result<Self> {
        Self::of_source(hama, Source::Table(table), false)
    }

    pub(crate) fn of_source(hama: &Hama, source: Source, transposed: bool) -> Result<Self> {
        let element = source.spec().element;
        if element != T::TYPE {
            return Err(Error::invalid(format!(
                "cannot open {} as {}: its elements are {}",
                source.name(),
                T::TYPE.name(),
                element.name()
            )));
        }
        let source = source.keeping(hama.memory() / (KEPT_SHARE * hama.peers() as u64));
        source.check_memory(hama.peer_memory())?;
        Ok(DenseMatrix { hama: hama.clone(), source, transposed, shown: None, element: PhantomData })
    }

    /// Rows and columns.
    pub fn shape(&self) -> (u64, u64) {
        let Extent { rows, cols } = self.spec().shape;
        if self.transposed { (cols, rows) } else { (rows, cols) }
    }

    /// The name of its table, or the path of its file, unless it is [shown as](Self::shown_as) something else.
    pub fn name(&self) -> &str {
        self.shown.as_deref().unwrap_or_else(|| self.source.name())
    }

    /// The same matrix by another name, such as that of the file that its table was made from: for people.
    #[must_use]
    pub fn shown_as(&self, name: &str) -> Self {
        DenseMatrix { shown: Some(name.into()), ..self.clone() }
    }

    /// The table that it is in.
    ///
    /// # Errors
    /// `Invalid` where it is in a file.
    pub fn table(&self) -> Result<&Table> {
        match &self.source {
            Source::Table(table) => Ok(table),
            _ => Err(Error::invalid(format!(
                "cannot do that with {}: it is a file, and a matrix of the store is wanted; import it first",
                self.name()
            ))),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The shape of what is stored, its elements, and how it is read in tiles.
    pub(crate) fn spec(&self) -> &TableSpec {
        self.source.spec()
    }

    /// The same matrix, for those who take either type.
    ///
    /// # Errors
    /// `OutOfMemory` where a chunk of its file needs more than the memory given.
    pub fn any(&self) -> Result<AnyMatrix> {
        let any = AnyMatrix::of_source(&self.hama, self.source.clone(), self.transposed)?;
        Ok(match &self.shown {
            Some(shown) => any.shown_as(shown),
            None => any,
        })
    }

    /// The bytes of its files.
    pub fn stored_bytes(&self) -> u64 {
        self.source.stored_bytes()
    }

    /// The same matrix, whose products are computed in `hama` and saved there.
    #[must_use]
    pub fn in_hama(&self, hama: &Hama) -> Self {
        DenseMatrix { hama: hama.clone(), ..self.clone() }
    }

    /// Fails where the table's tiles are not those of its shape, by which tiles of two matrices match.
    pub(crate) fn check_tiles(&self) -> Result<()> {
        let TableSpec { shape, tile, .. } = self.spec();
        let wanted = Extent { rows: tile_extent(shape.rows), cols: tile_extent(shape.cols) };
        if *tile == wanted {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "cannot compute with {}: its tiles are {tile}, and those of a matrix of {shape} are {wanted}",
            self.name()
        )))
    }

    /// Whether both are of one version of one table's elements, or of one file.
    pub(crate) fn has_elements_of(&self, other: &DenseMatrix<T>) -> bool {
        self.source.is_same(&other.source)
    }

    /// What it lives in.
    pub fn hama(&self) -> &Hama {
        &self.hama
    }

    /// Whether it is the transpose of its table, or of its file as that lies there row by row.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// Its transpose. No byte moves: reading and multiplying exchange rows and columns.
    #[must_use]
    pub fn t(&self) -> Self {
        DenseMatrix { transposed: !self.transposed, ..self.clone() }
    }

    /// Cuts it into n x n nearly equal blocks: a grid in the table's manifest, which moves no byte.
    ///
    /// # Errors
    /// `Invalid` for 0 blocks or more than rows or columns, `Conflict` where somebody else changed the table
    /// meanwhile. A [placed copy](Self::copy) with other blocks goes.
    pub fn blocking(&self, n: u64) -> Result<Self> {
        let table = self.table()?.set_blocking(Some(Extent { rows: n, cols: n }))?;
        Ok(DenseMatrix { source: Source::Table(table), ..self.clone() })
    }

    /// How many blocks it is cut into along rows and columns, where it is.
    pub fn blocks(&self) -> Option<(u64, u64)> {
        let Extent { rows, cols } = self.spec().blocking?;
        Some(if self.transposed { (cols, rows) } else { (rows, cols) })
    }

    /// Block (row, col), as an array.
    ///
    /// # Errors
    /// `Invalid` where the matrix is not blocked or has no such block, and those of [`read`](Self::read).
    pub fn block(&self, row: u64, col: u64) -> Result<Array2<T>> {
        let (down, across) = self.blocks().ok_or_else(|| {
            Error::invalid(format!("{} is not blocked: call blocking(n) first", self.name()))
        })?;
        if row >= down || col >= across {
            return Err(Error::invalid(format!(
                "{} has no block ({row}, {col}): it has {down} x {across}",
                self.name()
            )));
        }
        let (rows, cols) = self.shape();
        self.read(block(rows, down, row), block(cols, across, col))
    }

    /// The product of this matrix and another: a value to plan, to explain and to run.
    ///
    /// # Errors
    /// `Invalid` where the inner dimensions differ.
    pub fn mult(&self, other: &DenseMatrix<T>) -> Result<Product<T>> {
        Product::new(self, other)
    }

    /// Some rows and columns, as an array.
    ///
    /// # Cost
    /// A tile of memory beside the array; the tiles that the region touches are read, whole.
    ///
    /// # Errors
    /// `Invalid` for a region outside of the matrix, `OutOfMemory` for one larger than the memory given,
    /// `Data` where a tile is damaged, or its file was changed since it was opened.
    pub fn read(&self, rows: Range<u64>, cols: Range<u64>) -> Result<Array2<T>> {
        let array = self.read_part(rows, cols)?;
        self.source.check_unchanged()?;
        Ok(array)
    }

    /// The same for one of several parts: whoever reads them looks at the end whether the file was changed.
    pub(crate) fn read_part(&self, rows: Range<u64>, cols: Range<u64>) -> Result<Array2<T>> {
        self.check_region(&rows, &cols)?;
        if self.transposed {
            return Ok(self.t().read_part(cols, rows)?.reversed_axes());
        }
        let shape = ((rows.end - rows.start) as usize, (cols.end - cols.start) as usize);
        let mut array = Array2::from_elem(shape, T::ZERO);
        let mut buffer = self.hama.tile_buffer(self.name(), self.spec(), 1)?;
        let mut reader = self.source.reader(self.hama.pool())?;
        read_region((&mut reader, &mut buffer), (&rows, &cols), array.view_mut(), self.hama.cancel())?;
        Ok(array)
    }

    /// All of it, as an array.
    ///
    /// # Errors
    /// `OutOfMemory` where it is larger than the memory given, and those of [`read`](Self::read).
    pub fn to_ndarray(&self) -> Result<Array2<T>> {
        let (rows, cols) = self.shape();
        self.read(0..rows, 0..cols)
    }

    /// Fails where rows or columns are not in the matrix; `doing` says what for.
    pub(crate) fn check_inside(&self, doing: &str, rows: &Range<u64>, cols: &Range<u64>) -> Result<()> {
        let (row_count, col_count) = self.shape();
        for (what, range, count) in [("rows", rows, row_count), ("columns", cols, col_count)] {
            if range.start > range.end || range.end > count {
                return Err(Error::invalid(format!(
                    "cannot {doing} {what} {}..{} of {}: it has {count}",
                    range.start,
                    range.end,
                    self.name()
                )));
            }
        }
        Ok(())
    }

    fn check_region(&self, rows: &Range<u64>, cols: &Range<u64>) -> Result<()> {
        self.check_inside("read", rows, cols)?;
        let elements = (rows.end - rows.start).saturating_mul(cols.end - cols.start);
        let bytes = elements.saturating_mul(T::TYPE.size_bytes() as u64);
        if bytes > self.hama.own_memory() {
            return Err(Error::new(
                ErrorKind::OutOfMemory,
                format!(
                    "cannot read {bytes} bytes of {} into an array: {} bytes of memory are given",
                    self.name(),
                    self.hama.own_memory()
                ),
            ));
        }
        Ok(())
    }
}

/// Reads some rows and columns of a source into an array of their shape, through a buffer of a tile.
pub(crate) fn read_region<T: Scalar>(
    (reader, buffer): (&mut TileReader, &mut Buffer),
    (rows, cols): (&Range<u64>, &Range<u64>),
    mut into: ArrayViewMut2<'_, T>,
    cancel: &Cancel,
) -> Result<()> {
    let extent = reader.spec().tile;
    let tiles: Vec<TileIndex> = tiles_of(reader.spec(), rows, cols).collect();
    for tile in tiles {
        cancel.check()?;
        reader.read_tile(tile, buffer)?;
        let (r, c) = (shared(rows, tile.row, extent.rows), shared(cols, tile.col, extent.cols));
        let from = ArrayView2::from_shape((extent.rows as usize, extent.cols as usize), buffer.elements())
            .map_err(|e| Error::internal("a tile has not the shape of its table").with_source(e))?;
        into.slice_mut(s![r.of_region, c.of_region]).assign(&from.slice(s![r.of_tile, c.of_tile]));
    }
    Ok(())
}

/// What a region and a tile share along one dimension.
pub(crate) struct Shared {
    pub(crate) of_region: Range<usize>,
    pub(crate) of_tile: Range<usize>,
}

pub(crate) fn shared(region: &Range<u64>, index: u64, extent: u64) -> Shared {
    let first = index * extent;
    let (start, end) = (region.start.max(first), region.end.min(first + extent));
    Shared {
        of_region: (start - region.start) as usize..(end - region.start) as usize,
        of_tile: (start - first) as usize..(end - first) as usize,
    }
}

pub(crate) fn tiles_of<'a>(
    spec: &'a TableSpec,
    rows: &'a Range<u64>,
    cols: &'a Range<u64>,
) -> impl Iterator<Item = TileIndex> + 'a {
    let touched = |range: &Range<u64>, extent: u64| {
        if range.is_empty() { 0..0 } else { range.start / extent..(range.end - 1) / extent + 1 }
    };
    let cols = touched(cols, spec.tile.cols);
    touched(rows, spec.tile.rows).flat_map(move |row| cols.clone().map(move |col| TileIndex { row, col }))
}
