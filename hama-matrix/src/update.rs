//! New versions of a matrix: some elements, what is known of it, or one that was before.

mod program;
mod region;

use std::collections::BTreeSet;
use std::ops::Range;

use hama_core::{Error, Result};
use hama_hdfs::{Attributes, Changes, Dimension, Labels, ShardIndex, TableWriter};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use crate::dense::{DenseMatrix, tiles_of};
use crate::fill::HELD_TILES;
use crate::scalar::Scalar;
use crate::shares::{Divided, divided, lots};
use crate::write_behind::WriteBehind;
pub(crate) use program::Put;
use region::{FillPart, Region};

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
        self.update_with(Region { rows, cols }, &mut |rows, cols, mut into| {
            let (top, left) = ((rows.start - at.0) as usize, (cols.start - at.1) as usize);
            let (height, width) = into.dim();
            into.assign(&values.slice(s![top..top + height, left..left + width]));
            Ok(())
        })
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

    /// The same with the elements of another matrix, the first of which goes to row and column `at`. The peers write the
    /// shards that it touches, on a cluster near where these lie; where peers cannot open the other matrix, a file of this
    /// host, that is done here.
    ///
    /// # Cost
    /// Two tiles of memory and one of the other matrix a peer, no array; one pass over the shards that the region touches
    /// (up to 128 MiB each), and over the other matrix. No superstep.
    ///
    /// # Errors
    /// Those of [`update`](Self::update) and of reading the other matrix; `OutOfMemory` where the tiles do not fit; `Data`
    /// where its file was changed since it was opened; those of a job.
    pub fn update_from(&self, at: (u64, u64), source: &DenseMatrix<T>) -> Result<Self> {
        let (height, width) = source.shape();
        let (rows, cols) = (at.0..at.0.saturating_add(height), at.1..at.1.saturating_add(width));
        self.check_inside("update", &rows, &cols)?;
        if self.is_transposed() {
            return Ok(self.t().update_from((at.1, at.0), &source.t())?.t());
        }
        let table = self.table()?.rebased()?;
        let spec = table.spec();
        let touched: BTreeSet<_> = tiles_of(spec, &rows, &cols).map(|tile| spec.shard_of(tile)).collect();
        let hama = self.hama().reaching(&[self.source(), source.source()]);
        let peers =
            hama.peers_for(self.name(), spec, Put::peer_bytes(spec, source.source()), touched.len())?;
        let lots = lots(&hama, &table, |number| {
            let shard = table.shards()[number].shard;
            touched.contains(&shard).then_some(shard)
        })?;
        let Divided { shares, preferred } = divided(&hama, &lots, peers)?;
        let writer = TableWriter::update(&table, self.changes_of(touched))?;
        let region = Region { rows, cols };
        let program = Put::new(&table, source, region, writer.target().clone(), shares);
        let _turn = hama.turn()?;
        let outcome = hama.run(&program).preferred(preferred).peers(peers).map_err(|e| hama.said(e))?;
        hama.cancel().check()?;
        source.source().check_unchanged()?;
        let records = outcome.outputs.into_iter().flatten().collect();
        Self::of_table(self.hama(), writer.commit(records)?)
    }

    /// The changes of a version with other elements in some shards.
    fn changes_of(&self, shards: BTreeSet<ShardIndex>) -> Changes {
        let (attributes, durability) = (self.without_origin(), self.hama().durability());
        Changes { shards, attributes, durability, ..Changes::default() }
    }

    /// Commits a version with the elements that `fill` puts into parts of the region, given their rows and columns.
    fn update_with(&self, region: Region, fill: &mut FillPart<'_, T>) -> Result<Self> {
        let Region { rows, cols } = &region;
        self.check_inside("update", rows, cols)?;
        if self.is_transposed() {
            let region = Region { rows: cols.clone(), cols: rows.clone() };
            let mut fill = |cols, rows, into: ArrayViewMut2<'_, T>| fill(rows, cols, into.reversed_axes());
            return Ok(self.t().update_with(region, &mut fill)?.t());
        }
        let (hama, table) = (self.hama(), &self.table()?.rebased()?);
        let spec = table.spec().clone();
        let shards = tiles_of(&spec, rows, cols).map(|tile| spec.shard_of(tile)).collect();
        let writer = TableWriter::update(table, self.changes_of(shards))?;
        let spec = writer.target().spec.clone();
        let mut behind = WriteBehind::start(writer.target().clone(), hama.host().clone())?;
        for tile in writer.shards().into_iter().flat_map(|shard| spec.tiles_of(shard)) {
            hama.cancel().check()?;
            behind.wait_for_at_most(HELD_TILES as usize - 1)?;
            let mut buffer = hama.tile_buffer(self.name(), &spec, HELD_TILES)?;
            table.read_tile(tile, &mut buffer)?;
            region.put_into(&spec, tile, &mut buffer, fill)?;
            behind.write(tile, buffer)?;
            hama.progress().add(spec.tile_bytes() as u64);
        }
        let records = behind.finish()?.shards;
        hama.cancel().check()?;
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
