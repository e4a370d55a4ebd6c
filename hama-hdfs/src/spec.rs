//! What a table is: shape, element type, and how it is cut into tiles, shards and blocks.

use std::collections::BTreeMap;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::cut::{default_shard, tile_extent};
use crate::element::ElementType;
use crate::extent::{Extent, ShardIndex, TileIndex};
use crate::shard;

/// A dimension is smaller than this, so that sums of a few dimensions and products with small numbers stay far from
/// overflow.
pub(crate) const DIMENSION_MAX: u64 = 1 << 40;
/// The most tiles of a table: 16 TiB of f64 in tiles of 1 MiB, 128 TiB in full ones. It bounds the generation index.
pub(crate) const TILES_MAX: u64 = 1 << 24;
/// The most bytes of a tile.
pub(crate) const TILE_BYTES_MAX: u64 = 64 << 20;
/// The most tiles in one shard. It bounds the shard's index, which a reader holds in memory.
pub(crate) const SHARD_TILES_MAX: u64 = 1 << 16;
/// The most shards of a table, 120 TiB of f64 as they are cut by default: with it the generation index stays below a
/// gibibyte.
const SHARDS_MAX: u64 = 1 << 20;
const ATTRIBUTES_BYTES_MAX: usize = 64 << 10;

/// What a table is.
///
/// Invariant, held by [`validate`](TableSpec::validate), which decoding and everything that takes a specification
/// calls: no extent is 0, none exceeds what it is a part of, the sizes stay below this module's bounds, and the table's
/// bytes below 2^63.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TableSpec {
    /// Its extent in elements.
    pub shape: Extent,
    /// The type of its elements.
    pub element: ElementType,
    /// The extent of a tile in elements; those at the edge are padded to it.
    pub tile: Extent,
    /// The extent of a shard in tiles.
    pub shard: Extent,
    /// How many blocks along each dimension, where it is blocked.
    pub blocking: Option<Extent>,
    /// What its user wants to know of it; part of the Zarr array too.
    #[serde(with = "crate::attributes")]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// A specification as it travels.
#[derive(Deserialize)]
struct Unchecked {
    shape: Extent,
    element: ElementType,
    tile: Extent,
    shard: Extent,
    blocking: Option<Extent>,
    #[serde(with = "crate::attributes")]
    attributes: BTreeMap<String, serde_json::Value>,
}

impl TryFrom<Unchecked> for TableSpec {
    type Error = Error;

    fn try_from(spec: Unchecked) -> Result<TableSpec> {
        let Unchecked { shape, element, tile, shard, blocking, attributes } = spec;
        let spec = TableSpec { shape, element, tile, shard, blocking, attributes };
        spec.validate()?;
        Ok(spec)
    }
}

impl TableSpec {
    /// A table of `shape`, its tiles of [`tile_extent`], its shards nearly square and as large as 128 MiB allow.
    ///
    /// # Errors
    /// `Invalid` where a dimension is 0 or 2^40 and more, or the whole is too large.
    pub fn new(shape: Extent, element: ElementType) -> Result<TableSpec> {
        check_shape(shape, element)?;
        let tile = Extent::new(tile_extent(shape.rows), tile_extent(shape.cols));
        let mut spec = TableSpec {
            shape,
            element,
            tile,
            shard: Extent::new(1, 1),
            blocking: None,
            attributes: BTreeMap::new(),
        };
        spec.shard = default_shard(spec.tile_grid(), spec.tile_bytes());
        spec.validate()?;
        Ok(spec)
    }

    /// The same with shards of `shard` tiles (at most those that there are).
    ///
    /// # Errors
    /// `Invalid` where it is 0 or too large.
    pub fn with_shard(mut self, shard: Extent) -> Result<TableSpec> {
        self.shard = shard.min(self.tile_grid());
        self.validate()?;
        Ok(self)
    }

    /// The same with so many blocks along rows and columns; `None` takes the blocking away.
    ///
    /// # Errors
    /// `Invalid` where there are 0 blocks, or more than elements.
    pub fn with_blocking(mut self, blocking: Option<Extent>) -> Result<TableSpec> {
        self.blocking = blocking;
        self.validate()?;
        Ok(self)
    }

    /// Checks the invariant.
    ///
    /// # Errors
    /// `Invalid`, saying which part does not hold, with the numbers.
    pub fn validate(&self) -> Result<()> {
        check_shape(self.shape, self.element)?;
        self.check_tiles()?;
        self.check_shards()?;
        if let Some(blocks) = self.blocking {
            check_part("blocking", blocks, self.shape)?;
        }
        let bytes = serde_json::to_vec(&self.attributes).map_or(usize::MAX, |json| json.len());
        if bytes > ATTRIBUTES_BYTES_MAX {
            return Err(Error::invalid(format!(
                "cannot give a table {bytes} bytes of attributes: {ATTRIBUTES_BYTES_MAX} are the most"
            )));
        }
        Ok(())
    }

    fn check_tiles(&self) -> Result<()> {
        check_part("tile", self.tile, self.shape)?;
        let bytes = self.tile.count().and_then(|n| n.checked_mul(self.element.size_bytes() as u64));
        if bytes.is_none_or(|bytes| bytes > TILE_BYTES_MAX) {
            return Err(Error::invalid(format!(
                "cannot cut a table into tiles of {} {}: {TILE_BYTES_MAX} bytes are the most",
                self.tile, self.element
            )));
        }
        let count = self.tile_grid().count();
        if count.is_none_or(|count| count > TILES_MAX) {
            return Err(Error::invalid(format!(
                "cannot make a table of {} elements: {} tiles of {} are more than {TILES_MAX}",
                self.shape,
                self.tile_grid(),
                self.tile
            )));
        }
        Ok(())
    }

    fn check_shards(&self) -> Result<()> {
        check_part("shard", self.shard, self.tile_grid())?;
        let tiles = self.shard.count().unwrap_or(u64::MAX);
        if tiles > SHARD_TILES_MAX {
            return Err(Error::invalid(format!(
                "cannot put {tiles} tiles into a shard: {SHARD_TILES_MAX} are the most"
            )));
        }
        let shards = self.shard_grid().count().unwrap_or(u64::MAX);
        if shards > SHARDS_MAX {
            return Err(Error::invalid(format!(
                "cannot cut a table into {shards} shards of {} tiles: {SHARDS_MAX} are the most",
                self.shard
            )));
        }
        Ok(())
    }

    /// How many tiles there are along each dimension.
    pub fn tile_grid(&self) -> Extent {
        self.shape.div_ceil(self.tile)
    }

    /// How many shards there are along each dimension.
    pub fn shard_grid(&self) -> Extent {
        self.tile_grid().div_ceil(self.shard)
    }

    /// The bytes of a tile; those at the edge have as many, padding included.
    pub fn tile_bytes(&self) -> usize {
        (self.tile.rows * self.tile.cols) as usize * self.element.size_bytes()
    }

    /// The bytes of all shards' files.
    pub fn stored_bytes(&self) -> u64 {
        let tiles = self.tile_grid().count().unwrap_or(u64::MAX);
        let shards = self.shard_grid().count().unwrap_or(u64::MAX);
        self.bytes_of(tiles, shards)
    }

    /// The most bytes of the files of so many shards.
    pub(crate) fn stored_bytes_of(&self, shards: u64) -> u64 {
        self.bytes_of(shards.saturating_mul(shard::places(self) as u64), shards).min(self.stored_bytes())
    }

    fn bytes_of(&self, tiles: u64, shards: u64) -> u64 {
        let index = shard::index_bytes(shard::places(self)) as u64;
        tiles
            .saturating_mul(shard::slot_bytes(self.tile_bytes()))
            .saturating_add(shards.saturating_mul(index))
    }

    /// How many rows and columns of a tile lie inside the table; 0 x 0 where the tile does not.
    pub fn tile_valid(&self, tile: TileIndex) -> Extent {
        if !self.has_tile(tile) {
            return Extent::new(0, 0);
        }
        let rest = Extent::new(
            self.shape.rows - tile.row * self.tile.rows,
            self.shape.cols - tile.col * self.tile.cols,
        );
        rest.min(self.tile)
    }

    /// Whether the table has this tile.
    pub(crate) fn has_tile(&self, tile: TileIndex) -> bool {
        let grid = self.tile_grid();
        tile.row < grid.rows && tile.col < grid.cols
    }

    /// Whether the table has this shard.
    pub(crate) fn has_shard(&self, shard: ShardIndex) -> bool {
        let grid = self.shard_grid();
        shard.row < grid.rows && shard.col < grid.cols
    }

    /// The shard that a tile lies in.
    pub fn shard_of(&self, tile: TileIndex) -> ShardIndex {
        ShardIndex { row: tile.row / self.shard.rows, col: tile.col / self.shard.cols }
    }

    /// The tiles of a shard that lie inside the table, row by row.
    pub fn tiles_of(&self, shard: ShardIndex) -> impl Iterator<Item = TileIndex> + use<> {
        let grid = self.tile_grid();
        let range = |index: u64, len: u64, end: u64| {
            let start = index.saturating_mul(len).min(end);
            start..start.saturating_add(len).min(end)
        };
        let cols = range(shard.col, self.shard.cols, grid.cols);
        range(shard.row, self.shard.rows, grid.rows)
            .flat_map(move |row| cols.clone().map(move |col| TileIndex { row, col }))
    }

    /// All shards, row by row.
    pub fn shards(&self) -> impl Iterator<Item = ShardIndex> + use<> {
        let grid = self.shard_grid();
        (0..grid.rows).flat_map(move |row| (0..grid.cols).map(move |col| ShardIndex { row, col }))
    }
}

fn check_shape(shape: Extent, element: ElementType) -> Result<()> {
    if shape.is_empty() {
        return Err(Error::invalid(format!(
            "cannot make a table of {shape} elements: both must be at least 1"
        )));
    }
    let bytes = shape.count().and_then(|n| n.checked_mul(element.size_bytes() as u64));
    let large = shape.rows.max(shape.cols) >= DIMENSION_MAX;
    if large || bytes.is_none_or(|bytes| bytes > i64::MAX as u64) {
        return Err(Error::invalid(format!(
            "cannot make a table of {shape} elements of {element}: dimensions stay below 2^40 and bytes below 2^63"
        )));
    }
    Ok(())
}

fn check_part(what: &str, part: Extent, whole: Extent) -> Result<()> {
    if part.is_empty() || part.rows > whole.rows || part.cols > whole.cols {
        return Err(Error::invalid(format!(
            "cannot use a {what} of {part}: both must be at least 1 and at most {whole}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;
    use proptest::prelude::*;

    use super::*;

    fn spec(rows: u64, cols: u64) -> TableSpec {
        TableSpec::new(Extent::new(rows, cols), ElementType::F64).unwrap()
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let max = u64::MAX;
        for (rows, cols) in
            [(0, 1), (1, 0), (0, 0), (1 << 40, 1), (max, max), (1 << 39, 1 << 39), (1 << 30, 1 << 30)]
        {
            let error = TableSpec::new(Extent::new(rows, cols), ElementType::F32).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{rows} x {cols}: {error}");
        }
        let zero = Extent::new(0, 1);
        assert!(spec(5, 5).with_shard(zero).is_err());
        assert!(spec(5, 5).with_blocking(Some(zero)).is_err());
        assert!(spec(5, 5).with_blocking(Some(Extent::new(6, 1))).is_err());
        assert!(spec(5, 5).with_blocking(Some(Extent::new(5, 5))).is_ok());
        let mut tile = spec(5000, 5000);
        for bad in [zero, Extent::new(5001, 1), Extent::new(5000, 5000)] {
            tile.tile = bad;
            assert!(tile.validate().is_err(), "{bad}");
        }
        let mut large = spec(5, 5);
        large.attributes.insert("x".into(), "y".repeat(70_000).into());
        assert!(large.validate().is_err());
    }

    #[test]
    fn it_travels_with_extents_as_pairs() {
        let json = serde_json::to_value(spec(3, 2000)).unwrap();
        assert_eq!(json["shape"], serde_json::json!([3, 2000]));
        assert_eq!(serde_json::from_value::<TableSpec>(json.clone()).unwrap(), spec(3, 2000));
        for (part, bad) in [("shape", [0, 2000]), ("tile", [0, 0]), ("shard", [1, 0]), ("tile", [4, 1])] {
            let mut json = json.clone();
            json[part] = serde_json::json!(bad);
            assert!(serde_json::from_value::<TableSpec>(json).is_err(), "{part} {bad:?}");
        }
    }

    #[test]
    fn a_table_has_at_most_so_many_shards() {
        let spec = spec(1 << 20, 1 << 21);
        assert!(spec.clone().with_shard(Extent::new(1, 2)).is_ok());
        let error = spec.with_shard(Extent::new(1, 1)).unwrap_err();
        assert!(error.message().contains("2097152 shards"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_tile_lies_in_one_shard(rows in 1..20_000u64, cols in 1..20_000u64, r in 1..6u64, c in 1..6u64) {
            let spec = spec(rows, cols).with_shard(Extent::new(r, c)).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            let mut elements = 0;
            for shard in spec.shards() {
                for tile in spec.tiles_of(shard) {
                    prop_assert_eq!(spec.shard_of(tile), shard);
                    prop_assert!(seen.insert(tile));
                    elements += spec.tile_valid(tile).count().unwrap();
                }
            }
            prop_assert_eq!(Some(seen.len() as u64), spec.tile_grid().count());
            prop_assert_eq!(Some(elements), spec.shape.count());
        }
    }
}
