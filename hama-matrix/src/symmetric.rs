//! Which half of a matrix times its own transpose is computed; the other half is its mirror image.
//!
//! Of two tiles of C that mirror each other one is computed, in the manner of a checkerboard: below the
//! diagonal where row + column is even, above it where that is odd. So every rectangle has about half of its
//! tiles computed, whichever peer or piece it belongs to. Of a tile on the diagonal the kernel computes the lower
//! triangle, and a little above it where its rectangles reach over.

use std::ops::Range;

/// Whether tile (row, col) of C is computed.
pub(crate) fn is_computed(row: u64, col: u64) -> bool {
    row.abs_diff(col).is_multiple_of(2) == (row >= col)
}

/// How many tiles of a rectangle are computed.
pub(crate) fn computed(rows: &Range<u64>, cols: &Range<u64>) -> u64 {
    // Of the rectangle from (0, 0): a square of whole pairs, and what is beside it or below it.
    let before = |row: u64, col: u64| {
        let square = row.min(col);
        let rest = if row >= col { (row - col) * col / 2 } else { (row * (col - row)).div_ceil(2) };
        square * (square + 1) / 2 + rest
    };
    before(rows.end, cols.end) + before(rows.start, cols.start)
        - before(rows.start, cols.end)
        - before(rows.end, cols.start)
}

/// The most tiles that are computed of any `rows` x `cols` of them.
pub(crate) fn computed_at_most(rows: u64, cols: u64) -> u64 {
    rows.saturating_mul(cols).saturating_add(rows.min(cols)).div_ceil(2)
}

/// The most tiles off the diagonal that are computed of any `rows` x `cols` of them: each has a mirror image.
pub(crate) fn mirrored_at_most(rows: u64, cols: u64) -> u64 {
    rows.saturating_mul(cols).div_ceil(2)
}

/// Elements of a tile on the diagonal with `rows` rows that have to be computed.
pub(crate) fn diagonal_elements(rows: u64) -> u64 {
    rows * (rows + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_every_pair_one_is_computed() {
        for row in 0..20 {
            for col in 0..20 {
                assert_eq!(is_computed(row, col) != is_computed(col, row), row != col, "({row}, {col})");
            }
            assert!(is_computed(row, row));
        }
    }

    proptest! {
        #[test]
        fn rectangles_are_counted(row in 0u64..20, col in 0u64..20, down in 0u64..12, across in 0u64..12) {
            let (rows, cols) = (row..row + down, col..col + across);
            let tiles = || rows.clone().flat_map(|row| cols.clone().map(move |col| (row, col)));
            let found = tiles().filter(|&(row, col)| is_computed(row, col)).count() as u64;
            let mirrored = tiles().filter(|&(row, col)| row != col && is_computed(row, col)).count() as u64;
            prop_assert_eq!(computed(&rows, &cols), found);
            prop_assert!(found <= computed_at_most(down, across));
            prop_assert!(mirrored <= mirrored_at_most(down, across));
        }
    }
}
