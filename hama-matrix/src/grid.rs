//! Grids of peers, and things cut into runs along a dimension.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A grid of peers, p_m x p_n x p_k: how often the rows of C, the columns of C and the inner dimension are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grid {
    /// Cuts along the rows of C, p_m.
    pub m: u64,
    /// Cuts along the columns of C, p_n.
    pub n: u64,
    /// Cuts along the inner dimension, p_k.
    pub k: u64,
}

impl Grid {
    /// How many peers it has; saturates.
    pub fn peer_count(self) -> u64 {
        self.m.saturating_mul(self.n).saturating_mul(self.k)
    }

    /// Where in the grid a peer is. The inner dimension varies fastest.
    pub fn coordinates(self, peer: u64) -> Coordinates {
        Coordinates { m: peer / self.k / self.n, n: peer / self.k % self.n, k: peer % self.k }
    }

    /// The peer that is there.
    pub fn peer(self, at: Coordinates) -> u64 {
        (at.m * self.n + at.n) * self.k + at.k
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.m, self.n, self.k)
    }
}

impl FromStr for Grid {
    type Err = Error;

    /// Reads `2x1x1`.
    fn from_str(text: &str) -> Result<Grid> {
        let wrong = || {
            Error::invalid(format!(
                "cannot read the grid {text:?}: three numbers from 1 on are wanted, p_m x p_n x p_k, such as 2x1x1"
            ))
        };
        let parts: Vec<u64> =
            text.split('x').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        match parts[..] {
            [m, n, k] if m > 0 && n > 0 && k > 0 => Ok(Grid { m, n, k }),
            _ => Err(wrong()),
        }
    }
}

/// A place in a grid, each from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coordinates {
    /// Along the rows of C.
    pub m: u64,
    /// Along the columns of C.
    pub n: u64,
    /// Along the inner dimension.
    pub k: u64,
}

/// `total` things cut into runs of `run` each, the last one perhaps shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    total: u64,
    run: u64,
}

impl Runs {
    /// Runs of `run` things.
    pub(crate) fn of(run: u64, total: u64) -> Runs {
        Runs { total, run: run.max(1) }
    }

    /// At most `count` runs, as short as can be.
    pub(crate) fn at_most(count: u64, total: u64) -> Runs {
        Runs::of(total.div_ceil(count.max(1)), total)
    }

    /// How long the longest is.
    pub(crate) fn longest(self) -> u64 {
        self.run.min(self.total)
    }

    /// How many there are.
    pub(crate) fn count(self) -> u64 {
        self.total.div_ceil(self.run)
    }

    /// Which one a thing lies in.
    pub(crate) fn index_of(self, thing: u64) -> u64 {
        thing / self.run
    }

    /// Run `index`; empty beyond the last.
    pub(crate) fn range(self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(self.run).min(self.total);
        start..start.saturating_add(self.run).min(self.total)
    }
}

/// Block `index` of `extent` elements in `count` nearly equal runs: their lengths differ by one at most.
pub(crate) fn block(extent: u64, count: u64, index: u64) -> Range<u64> {
    let edge = |index: u64| (u128::from(extent) * u128::from(index) / u128::from(count)) as u64;
    edge(index)..edge(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grids_are_read_and_printed() {
        let grid: Grid = "2x1x3".parse().unwrap();
        assert_eq!((grid, grid.to_string()), (Grid { m: 2, n: 1, k: 3 }, "2x1x3".into()));
        for wrong in
            ["", "2", "2x1", "2x1x0", "2x1x1x1", "ax1x1", "-1x1x1", "2 x1x1", "99999999999999999999x1x1"]
        {
            assert!(wrong.parse::<Grid>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_peer_is_where_its_coordinates_say(m in 1u64..9, n in 1u64..9, k in 1u64..9) {
            let grid = Grid { m, n, k };
            for peer in 0..grid.peer_count() {
                let at = grid.coordinates(peer);
                prop_assert!(at.m < m && at.n < n && at.k < k);
                prop_assert_eq!(grid.peer(at), peer);
            }
        }

        #[test]
        fn runs_cover_everything_once(total in 1u64..200, count in 1u64..20) {
            let runs = Runs::at_most(count, total);
            prop_assert!(runs.count() <= count);
            let ranges: Vec<_> = (0..runs.count()).map(|i| runs.range(i)).collect();
            prop_assert_eq!(ranges.iter().cloned().flatten().collect::<Vec<_>>(), (0..total).collect::<Vec<_>>());
            prop_assert!(ranges.iter().all(|r| !r.is_empty() && r.end - r.start <= runs.longest()));
            prop_assert!(runs.range(runs.count()).is_empty());
            prop_assert!((0..total).all(|thing| runs.range(runs.index_of(thing)).contains(&thing)));
        }

        #[test]
        fn blocks_cover_everything_and_differ_by_one(extent in 1u64..300, count in 1u64..300) {
            prop_assume!(count <= extent);
            let blocks: Vec<_> = (0..count).map(|i| block(extent, count, i)).collect();
            prop_assert_eq!(blocks.iter().cloned().flatten().collect::<Vec<_>>(), (0..extent).collect::<Vec<_>>());
            let lengths = blocks.iter().map(|b| b.end - b.start);
            prop_assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
    }
}
