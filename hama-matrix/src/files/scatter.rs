//! Puts elements that come one after another into a table, within the memory given.
//!
//! As many tiles as fit, a **window**, are held at a time. Where elements come in order, the window moves with them
//! and few passes over the file do; where they come in any order, there is a pass for each window.

use std::ops::Range;

use hama_core::{Buffer, Error, Pool, Result};
use hama_hdfs::{Extent, TableSpec, TileIndex, tiles_per_shard};

use super::stream::{Meter, Order, Stream};
use super::text::narrowed;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::tile;
use crate::write_behind::WriteBehind;

/// The most tiles of a window. Shards that it cuts are open at the same time.
const WINDOW_TILES_MAX: u64 = 512;

/// How a file becomes a table.
pub(super) struct Cut {
    pub(super) spec: TableSpec,
    window: Extent,
    order: Order,
}

impl Cut {
    /// # Errors
    /// `OutOfMemory` where not even a tile fits; `Invalid` where there cannot be such a table.
    pub(super) fn new<T: Scalar>(hama: &Hama, what: &str, shape: Extent, order: Order) -> Result<Cut> {
        let spec = TableSpec::new(shape, T::TYPE)?;
        drop(hama.tile_buffer(what, &spec, 1)?);
        let fit = (hama.own_memory() / Pool::cost(spec.tile_bytes()) as u64).clamp(1, WINDOW_TILES_MAX);
        Cut::of(spec, order, fit)
    }

    /// Windows of at most `fit` tiles. Where a whole row (or column) of tiles does not fit, shards are cut so that
    /// windows end where they do.
    fn of(spec: TableSpec, order: Order, fit: u64) -> Result<Cut> {
        let grid = spec.tile_grid();
        let along = tiles_per_shard(spec.tile_bytes()).min(fit);
        let (shard, window) = match order {
            Order::ByCols if grid.rows > fit => {
                (Some(Extent { rows: along, cols: 1 }), Extent { rows: fit / along * along, cols: 1 })
            }
            Order::ByCols => (None, Extent { rows: grid.rows, cols: (fit / grid.rows).min(grid.cols) }),
            _ if grid.cols > fit => {
                (Some(Extent { rows: 1, cols: along }), Extent { rows: 1, cols: fit / along * along })
            }
            _ => (None, Extent { rows: (fit / grid.cols).min(grid.rows), cols: grid.cols }),
        };
        let spec = match shard {
            Some(shard) => spec.with_shard(shard)?,
            None => spec,
        };
        Ok(Cut { spec, window, order })
    }

    /// The tiles of each pass over the file, rows and columns.
    fn passes(&self) -> Vec<Tiles> {
        let (grid, window) = (self.spec.tile_grid(), self.window);
        let cut = |extent: u64, by: u64| -> Vec<Range<u64>> {
            (0..extent).step_by(by as usize).map(|at| at..(at + by).min(extent)).collect()
        };
        let whole = |extent: u64| cut(extent, extent);
        let (rows, cols): (Vec<Range<u64>>, Vec<Range<u64>>) = match self.order {
            Order::ByRows => (whole(grid.rows), cut(grid.cols, window.cols)),
            Order::ByCols => (cut(grid.rows, window.rows), whole(grid.cols)),
            Order::Any => (cut(grid.rows, window.rows), cut(grid.cols, window.cols)),
        };
        let each = |rows: &Range<u64>| {
            let rows = rows.clone();
            cols.iter().map(move |cols| Tiles { rows: rows.clone(), cols: cols.clone() }).collect::<Vec<_>>()
        };
        rows.iter().flat_map(each).collect()
    }

    /// How often the file is read.
    pub(super) fn pass_count(&self) -> u64 {
        let (grid, window) = (self.spec.tile_grid(), self.window);
        let (rows, cols) = (grid.rows.div_ceil(window.rows), grid.cols.div_ceil(window.cols));
        match self.order {
            Order::ByRows => cols,
            Order::ByCols => rows,
            Order::Any => rows.saturating_mul(cols),
        }
    }

    /// The windows of a pass, in the order of the file.
    fn windows(&self, pass: &Tiles) -> Vec<Tiles> {
        let Extent { rows: high, cols: wide } = self.window;
        let (rows, cols) = (pass.rows.clone(), pass.cols.clone());
        match self.order {
            Order::ByCols => {
                let starts = cols.clone().step_by(wide as usize);
                starts.map(|at| Tiles { rows: rows.clone(), cols: at..(at + wide).min(cols.end) }).collect()
            }
            _ => {
                let starts = rows.clone().step_by(high as usize);
                starts.map(|at| Tiles { rows: at..(at + high).min(rows.end), cols: cols.clone() }).collect()
            }
        }
    }
}

/// A rectangle of tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tiles {
    rows: Range<u64>,
    cols: Range<u64>,
}

impl Tiles {
    fn contains(&self, tile: TileIndex) -> bool {
        self.rows.contains(&tile.row) && self.cols.contains(&tile.col)
    }

    fn place(&self, tile: TileIndex) -> usize {
        ((tile.row - self.rows.start) * (self.cols.end - self.cols.start) + tile.col - self.cols.start)
            as usize
    }

    fn all(&self) -> impl Iterator<Item = TileIndex> + use<> {
        let cols = self.cols.clone();
        self.rows.clone().flat_map(move |row| cols.clone().map(move |col| TileIndex { row, col }))
    }
}

/// Makes a table of the elements of a file.
pub(super) fn scatter<T: Scalar>(
    stream: &Stream,
    cut: &Cut,
    hama: &Hama,
    name: SaveAs,
) -> Result<DenseMatrix<T>> {
    DenseMatrix::written(hama, name, cut.spec.clone(), |target| {
        let mut writer = WriteBehind::start(target.clone(), hama.host().clone())?;
        for pass in cut.passes() {
            let mut windows = cut.windows(&pass).into_iter();
            let mut held: Option<Held<'_>> = None;
            let meter = Meter { progress: hama.progress(), cancel: hama.cancel() };
            stream.each(&meter, cut.spec.shape, &mut |row, col, value| {
                hama.cancel().check()?;
                let Extent { rows: high, cols: wide } = cut.spec.tile;
                let tile = TileIndex { row: row / high, col: col / wide };
                if !pass.contains(tile) {
                    return Ok(());
                }
                loop {
                    if let Some(held) = held.as_mut().filter(|held| held.tiles.contains(tile)) {
                        return held.add::<T>(tile, (row, col), value, stream.what());
                    }
                    if let Some(held) = held.take() {
                        held.write::<T>(&mut writer)?;
                    }
                    let next = windows.next();
                    let next = next.ok_or_else(|| Error::internal("an element comes after its window"))?;
                    held = Some(Held::take(hama, &cut.spec, next)?);
                }
            })?;
            if let Some(held) = held {
                held.write::<T>(&mut writer)?;
            }
            // Those without any element.
            for tiles in windows {
                Held::take(hama, &cut.spec, tiles)?.write::<T>(&mut writer)?;
            }
        }
        stream.check_unchanged()?;
        Ok(writer.finish()?.shards)
    })
}

/// The tiles of a window.
struct Held<'a> {
    hama: &'a Hama,
    spec: &'a TableSpec,
    tiles: Tiles,
    buffers: Vec<Buffer>,
}

impl<'a> Held<'a> {
    /// Tiles of zeros.
    fn take(hama: &'a Hama, spec: &'a TableSpec, tiles: Tiles) -> Result<Held<'a>> {
        let buffers = tiles.all().map(|_| {
            let mut buffer = hama.pool().take(spec.tile_bytes())?;
            buffer.fill(0);
            Ok(buffer)
        });
        let buffers = buffers.collect::<Result<_>>()?;
        Ok(Held { hama, spec, tiles, buffers })
    }

    /// Adds an element to what is there.
    fn add<T: Scalar>(
        &mut self,
        tile: TileIndex,
        (row, col): (u64, u64),
        value: f64,
        what: &str,
    ) -> Result<()> {
        let Extent { rows: high, cols: wide } = self.spec.tile;
        let element = &mut self.buffers[self.tiles.place(tile)].elements_mut::<T>()
            [((row % high) * wide + col % wide) as usize];
        let value: T = narrowed(value, what, (row, col))?;
        // The sum with 0 would lose the sign of a -0.
        if *element == T::ZERO {
            *element = value
        } else {
            let finite = element.to_f64().is_finite() && value.to_f64().is_finite();
            *element += value;
            if finite && !element.to_f64().is_finite() {
                return Err(Error::data(format!(
                    "cannot read {what} as {}: the sum at ({row}, {col}) is too large for it",
                    T::TYPE
                )));
            }
        }
        Ok(())
    }

    fn write<T: Scalar>(self, writer: &mut WriteBehind) -> Result<()> {
        self.hama.cancel().check()?;
        for (tile, mut buffer) in self.tiles.all().zip(self.buffers) {
            tile::pad::<T>(&mut buffer, self.spec, tile);
            writer.write(tile, buffer)?;
        }
        // The next window takes their memory.
        writer.wait_for_at_most(0)
    }
}

#[cfg(test)]
mod tests {
    use hama_hdfs::ElementType;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_tile_is_in_one_window_and_few_shards_are_cut(
            rows in 1..9000u64, cols in 1..9000u64, fit in 1..40u64, order in 0..3usize,
        ) {
            let order = [Order::ByRows, Order::ByCols, Order::Any][order];
            let spec = TableSpec::new(Extent { rows, cols }, ElementType::F64).unwrap();
            let cut = Cut::of(spec, order, fit).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            let mut open = std::collections::BTreeMap::<_, u64>::new();
            for pass in cut.passes() {
                for window in cut.windows(&pass) {
                    prop_assert!(window.all().count() as u64 <= fit);
                    for tile in window.all() {
                        prop_assert!(seen.insert(tile));
                        *open.entry(cut.spec.shard_of(tile)).or_default() += 1;
                    }
                    open.retain(|shard, count| *count < cut.spec.tiles_of(*shard).count() as u64);
                    prop_assert!(open.len() as u64 <= fit);
                }
            }
            prop_assert_eq!(Some(seen.len() as u64), cut.spec.tile_grid().count());
            prop_assert_eq!(cut.passes().len() as u64, cut.pass_count());
        }
    }
}
