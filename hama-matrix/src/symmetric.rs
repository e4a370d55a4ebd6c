//! Which half of a matrix times its own transpose is computed; the other half is its mirror image.
//!
//! Of two tiles of C that mirror each other one is computed, in the manner of a checkerboard: below the
//! diagonal where row + column is even, above it where that is odd. So every rectangle has about half of its
//! tiles computed, whichever peer or piece it belongs to. A tile on the diagonal is computed in strips of
//! rows, each up to the end of its own diagonal block.

use std::ops::Range;

/// More strips would save little: n of them leave (n + 1) / 2n of the work.
const STRIPS: usize = 8;
/// Strips lower than this would leave the kernel little to do at a time.
const STRIP_ROWS_MIN: usize = 32;
/// Strips begin at multiples of this, so that kernels meet whole rows of vectors.
const STRIP_ROWS_STEP: usize = 8;

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

/// The strips of a tile on the diagonal with `rows` rows: each is computed in the columns before its end.
pub(crate) fn strips(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let height = rows.div_ceil(STRIPS).next_multiple_of(STRIP_ROWS_STEP).max(STRIP_ROWS_MIN);
    (0..rows).step_by(height).map(move |start| start..(start + height).min(rows))
}

/// Elements that are computed of a tile on the diagonal with `rows` rows.
pub(crate) fn diagonal_elements(rows: u64) -> u64 {
    strips(rows as usize).map(|strip| (strip.len() * strip.end) as u64).sum()
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

        #[test]
        fn strips_cover_the_lower_triangle_once(rows in 0usize..1100) {
            let strips: Vec<_> = strips(rows).collect();
            prop_assert_eq!(strips.iter().cloned().flatten().collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
            prop_assert!(strips.len() <= STRIPS);
        }
    }

    #[test]
    fn a_large_tile_on_the_diagonal_takes_little_more_than_half() {
        assert_eq!(diagonal_elements(1000), 562_752);
        assert_eq!(diagonal_elements(32), 1024);
        assert_eq!(diagonal_elements(0), 0);
    }
}
