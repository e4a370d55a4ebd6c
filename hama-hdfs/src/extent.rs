//! Extents and indexes along rows and columns.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of rows and of columns, of whatever is being counted: elements, tiles, shards, blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
pub struct Extent {
    /// Along the rows' dimension.
    pub rows: u64,
    /// Along the columns' dimension.
    pub cols: u64,
}

impl Extent {
    /// `rows` by `cols`.
    pub fn new(rows: u64, cols: u64) -> Extent {
        Extent { rows, cols }
    }

    /// How many there are in all, where that is a number.
    pub fn count(self) -> Option<u64> {
        self.rows.checked_mul(self.cols)
    }

    /// The smaller one along each dimension.
    pub fn min(self, other: Extent) -> Extent {
        Extent { rows: self.rows.min(other.rows), cols: self.cols.min(other.cols) }
    }

    /// How many of `part` cover this along each dimension; `part` has no 0.
    pub fn div_ceil(self, part: Extent) -> Extent {
        Extent { rows: self.rows.div_ceil(part.rows), cols: self.cols.div_ceil(part.cols) }
    }

    /// Whether there is nothing.
    pub fn is_empty(self) -> bool {
        self.rows == 0 || self.cols == 0
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.rows, self.cols)
    }
}

impl From<[u64; 2]> for Extent {
    fn from([rows, cols]: [u64; 2]) -> Extent {
        Extent { rows, cols }
    }
}

impl From<Extent> for [u64; 2] {
    fn from(extent: Extent) -> [u64; 2] {
        [extent.rows, extent.cols]
    }
}

/// Which tile of a table, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
pub struct TileIndex {
    /// The row of tiles.
    pub row: u64,
    /// The column of tiles.
    pub col: u64,
}

impl TileIndex {
    /// The tile in row `row` and column `col` of the tiles.
    pub fn new(row: u64, col: u64) -> TileIndex {
        TileIndex { row, col }
    }
}

impl fmt::Display for TileIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.row, self.col)
    }
}

/// Which shard of a table, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
pub struct ShardIndex {
    /// The row of shards.
    pub row: u64,
    /// The column of shards.
    pub col: u64,
}

impl ShardIndex {
    /// The shard in row `row` and column `col` of the shards.
    pub fn new(row: u64, col: u64) -> ShardIndex {
        ShardIndex { row, col }
    }

    /// Its key in a Zarr array, `c.ROW.COL`, which is its file's name too.
    pub fn key(self) -> String {
        format!("c.{}.{}", self.row, self.col)
    }
}

impl fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

impl From<[u64; 2]> for TileIndex {
    fn from([row, col]: [u64; 2]) -> TileIndex {
        TileIndex { row, col }
    }
}

impl From<TileIndex> for [u64; 2] {
    fn from(index: TileIndex) -> [u64; 2] {
        [index.row, index.col]
    }
}

impl From<[u64; 2]> for ShardIndex {
    fn from([row, col]: [u64; 2]) -> ShardIndex {
        ShardIndex { row, col }
    }
}

impl From<ShardIndex> for [u64; 2] {
    fn from(index: ShardIndex) -> [u64; 2] {
        [index.row, index.col]
    }
}
