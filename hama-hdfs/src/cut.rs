//! How a table is cut where nobody says otherwise: the extents of its tiles and shards.

use crate::extent::Extent;
use crate::shard;
use crate::spec::SHARD_TILES_MAX;

/// The longest extent of a tile.
const TILE_EXTENT_MAX: u64 = 1024;
/// The most bytes of a shard: one block of HDFS.
const SHARD_BYTES: u64 = 128 << 20;

/// The extent of a tile along a dimension of length `d`: `d` up to 1024, else as many equal parts as that takes,
/// rounded up to a multiple of 8.
///
/// It depends on `d` only, so the tiles of A and B match along the dimension that they share.
pub fn tile_extent(d: u64) -> u64 {
    if d <= TILE_EXTENT_MAX {
        return d;
    }
    d.div_ceil(d.div_ceil(TILE_EXTENT_MAX)).next_multiple_of(8)
}

/// How many tiles of so many bytes fit into the 128 MiB of a shard, with their entries in its index; at least one.
pub fn tiles_per_shard(tile_bytes: usize) -> u64 {
    ((SHARD_BYTES - 4) / (shard::slot_bytes(tile_bytes) + 16)).clamp(1, SHARD_TILES_MAX)
}

/// As many tiles as fit a shard, as square as the grid allows.
pub(crate) fn default_shard(grid: Extent, tile_bytes: usize) -> Extent {
    let fit = tiles_per_shard(tile_bytes);
    let rows = fit.isqrt().min(grid.rows);
    let cols = (fit / rows).min(grid.cols);
    Extent { rows: (fit / cols).min(grid.rows), cols }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ElementType, TableSpec};

    #[test]
    fn extents_of_tiles_are_those_of_the_specification() {
        let pairs = [
            (1, 1),
            (1024, 1024),
            (1025, 520),
            (1797, 904),
            (2000, 1000),
            (4000, 1000),
            (8000, 1000),
            (8192, 1024),
        ];
        for (d, t) in pairs {
            assert_eq!(tile_extent(d), t, "t({d})");
        }
    }

    #[test]
    fn shards_are_as_large_as_a_block_and_nearly_square() {
        let shard = |rows, cols| TableSpec::new(Extent::new(rows, cols), ElementType::F64).unwrap().shard;
        assert_eq!(shard(4000, 4000), Extent::new(4, 4));
        assert_eq!(shard(8192, 8192), Extent::new(3, 5));
        assert_eq!(shard(1, 1), Extent::new(1, 1));
        assert_eq!(shard(1, 100_000_000).rows, 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn tiles_cover_a_dimension_with_next_to_no_padding(d in 1..10_000_000u64) {
            let t = tile_extent(d);
            let tiles = d.div_ceil(t);
            prop_assert!(t <= TILE_EXTENT_MAX && tiles == d.div_ceil(TILE_EXTENT_MAX).min(tiles));
            prop_assert!(tiles * t - d < 8 * tiles || d < 2 * TILE_EXTENT_MAX);
        }
    }
}
