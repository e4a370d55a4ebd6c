//! How two matrices differ, element by element.

use std::marker::PhantomData;

use hama_core::{BoxError, Bsp, Buffer, Error, ErrorKind, Peer, Pool, Result};
use hama_hdfs::{ElementType, TableSpec, TileIndex};
use serde::{Deserialize, Serialize};

use crate::bytes::format_bytes;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::scalar::Scalar;
use crate::source::{Source, SourceRef};

/// How far apart a and b may be and count as the same: |a - b| <= absolute + relative |b|.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// In the unit of the elements.
    pub absolute: f64,
    /// As a share of |b|.
    pub relative: f64,
}

/// An element of both matrices, and how far apart the two are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// |a - b|, or that as a share of |b|. Infinite where one of them is not finite or only b is 0.
    pub by: f64,
    /// Its row.
    pub row: u64,
    /// Its column.
    pub col: u64,
    /// What the first matrix has there.
    pub a: f64,
    /// What the second one has there.
    pub b: f64,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Elements that were compared.
    pub compared: u64,
    /// Those that differ by more than is allowed.
    pub different: u64,
    /// The element with the largest |a - b|, the first one of equals; none where all elements are equal.
    pub absolute: Option<Apart>,
    /// The element with the largest |a - b| / |b|, the first one of equals; none where all elements are equal.
    pub relative: Option<Apart>,
}

/// Compares two matrices of one shape, in f64. NaN is the same as NaN.
///
/// # Cost
/// One pass over both; two tiles of memory a peer, with as many of the peers as the memory allows. No superstep.
///
/// # Errors
/// `Invalid` where the shapes differ or a tolerance is negative or no number, `OutOfMemory` where two tiles do not fit,
/// `Data` where a tile is damaged, and those of the store.
pub fn diff<A: Scalar, B: Scalar>(
    a: &DenseMatrix<A>,
    b: &DenseMatrix<B>,
    tolerance: Tolerance,
) -> Result<Difference> {
    let (shape, other) = (a.shape(), b.shape());
    if shape != other {
        return Err(Error::invalid(format!(
            "cannot compare {} ({} x {}) with {} ({} x {}): their shapes differ",
            a.name(),
            shape.0,
            shape.1,
            b.name(),
            other.0,
            other.1
        )));
    }
    for (name, value) in [("absolute", tolerance.absolute), ("relative", tolerance.relative)] {
        if !value.is_finite() || value < 0.0 {
            return Err(Error::invalid(format!(
                "an {name} tolerance of {value} is none: a number from 0 on is wanted"
            )));
        }
    }
    a.check_tiles()?;
    b.check_tiles()?;
    let hama = a.hama();
    let program = Compare::<A, B> {
        sources: [a.source().to_ref(), b.source().to_ref()],
        transposed: [a.is_transposed(), b.is_transposed()],
        tolerance,
        elements: PhantomData,
    };
    let tiles = a.spec().tile_grid();
    let useful = usize::try_from(tiles.rows.saturating_mul(tiles.cols)).unwrap_or(usize::MAX);
    let peers = fitting_peers(hama, [a.source(), b.source()])?.min(hama.peers()).min(useful);
    let _turn = hama.turn()?;
    let outcome = hama.run(&program).peers(peers)?;
    a.source().check_unchanged()?;
    b.source().check_unchanged()?;
    Ok(outcome.outputs.into_iter().fold(Difference::default(), Difference::and))
}

/// How many peers can hold a tile of each matrix.
fn fitting_peers(hama: &Hama, sources: [&Source; 2]) -> Result<usize> {
    let needed = sources.map(|source| Pool::cost(source.spec().tile_bytes()) as u64 + source.scratch_bytes());
    let needed: u64 = needed.into_iter().sum();
    match hama.peers_holding(needed) {
        0 => {
            let (given, needed) = (format_bytes(hama.memory()), format_bytes(hama.memory_for(needed)));
            let message =
                format!("--memory {given} is too small for a tile of each matrix: try --memory {needed}");
            Err(Error::new(ErrorKind::OutOfMemory, message))
        }
        count => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
    }
}

/// The program: the peers take turns at tiles.
#[derive(Serialize, Deserialize)]
pub(crate) struct Compare<A, B> {
    sources: [SourceRef; 2],
    transposed: [bool; 2],
    tolerance: Tolerance,
    elements: PhantomData<(A, B)>,
}

impl<A: Scalar, B: Scalar> Bsp for Compare<A, B> {
    const NAME: &'static str = match (A::TYPE, B::TYPE) {
        (ElementType::F64, ElementType::F64) => "diff-f64-f64",
        (ElementType::F64, ElementType::F32) => "diff-f64-f32",
        (ElementType::F32, ElementType::F64) => "diff-f32-f64",
        (ElementType::F32, ElementType::F32) => "diff-f32-f32",
    };
    type Message = ();
    type Output = Difference;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Difference, BoxError> {
        let [a, b] = [Source::open_ref(&self.sources[0])?, Source::open_ref(&self.sources[1])?];
        let mut readers = [a.reader(peer.pool())?, b.reader(peer.pool())?];
        let mut buffers =
            [peer.pool().take(a.spec().tile_bytes())?, peer.pool().take(b.spec().tile_bytes())?];
        let [in_a, in_b] =
            [Stored::of(a.spec(), self.transposed[0]), Stored::of(b.spec(), self.transposed[1])];
        let mut found = Difference::default();
        let spec = a.spec();
        let tiles = spec.shards().flat_map(|shard| spec.tiles_of(shard));
        for stored in tiles.skip(peer.index()).step_by(peer.count()) {
            peer.cancel().check()?;
            let tile = in_a.swapped(stored);
            readers[0].read_tile(stored, &mut buffers[0])?;
            readers[1].read_tile(in_b.swapped(tile), &mut buffers[1])?;
            let valid = a.spec().tile_valid(stored);
            let (rows, cols) =
                if in_a.transposed { (valid.cols, valid.rows) } else { (valid.rows, valid.cols) };
            let [x, y] = &buffers;
            for row in 0..rows {
                for col in 0..cols {
                    let place = (in_a.first(tile).0 + row, in_a.first(tile).1 + col);
                    let pair = (in_a.element::<A>(x, row, col), in_b.element::<B>(y, row, col));
                    found.add(place, pair, self.tolerance);
                }
            }
            peer.progress(rows * cols * (size_of::<A>() + size_of::<B>()) as u64);
        }
        Ok(found)
    }
}

/// How the elements of a matrix lie in its table.
struct Stored {
    transposed: bool,
    // Of the tiles as they are stored.
    tile: (u64, u64),
}

impl Stored {
    fn of(spec: &TableSpec, transposed: bool) -> Stored {
        let tile = spec.tile;
        Stored { transposed, tile: (tile.rows, tile.cols) }
    }

    /// The tile of the matrix that a stored one is, and the other way round.
    fn swapped(&self, TileIndex { row, col }: TileIndex) -> TileIndex {
        if self.transposed { TileIndex { row: col, col: row } } else { TileIndex { row, col } }
    }

    /// The first row and column of a tile of the matrix.
    fn first(&self, tile: TileIndex) -> (u64, u64) {
        let (down, across) = self.tile;
        if self.transposed {
            (tile.row * across, tile.col * down)
        } else {
            (tile.row * down, tile.col * across)
        }
    }

    fn element<T: Scalar>(&self, tile: &Buffer, row: u64, col: u64) -> f64 {
        let (row, col) = if self.transposed { (col, row) } else { (row, col) };
        tile.elements::<T>()[(row * self.tile.1 + col) as usize].to_f64()
    }
}

impl Difference {
    fn add(&mut self, (row, col): (u64, u64), (a, b): (f64, f64), tolerance: Tolerance) {
        self.compared += 1;
        if a == b || (a.is_nan() && b.is_nan()) {
            return;
        }
        let both_finite = a.is_finite() && b.is_finite();
        // Two finite numbers may be further apart than the largest one: that is infinite, too.
        let by = if both_finite { (a - b).abs() } else { f64::INFINITY };
        let allowed = tolerance.absolute + tolerance.relative * b.abs();
        self.different += u64::from(!(both_finite && by <= allowed));
        let apart = Apart { by, row, col, a, b };
        let share = Apart { by: if both_finite { by / b.abs() } else { by }, ..apart };
        self.absolute = further(self.absolute, Some(apart));
        self.relative = further(self.relative, Some(share));
    }

    fn and(self, other: Difference) -> Difference {
        Difference {
            compared: self.compared + other.compared,
            different: self.different + other.different,
            absolute: further(self.absolute, other.absolute),
            relative: further(self.relative, other.relative),
        }
    }
}

/// The one that is further apart, of equals the first one by row and column.
fn further(one: Option<Apart>, other: Option<Apart>) -> Option<Apart> {
    let before =
        |x: &Apart, y: &Apart| y.by.total_cmp(&x.by).then((x.row, x.col).cmp(&(y.row, y.col))).is_lt();
    match (one, other) {
        (Some(one), Some(other)) => Some(if before(&other, &one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(f64, f64)], absolute: f64, relative: f64) -> Difference {
        let mut found = Difference::default();
        for (col, pair) in (0..).zip(pairs) {
            found.add((0, col), *pair, Tolerance { absolute, relative });
        }
        found
    }

    #[test]
    fn what_is_the_same() {
        let nan = f64::NAN;
        let same = [(1.0, 1.0), (0.0, -0.0), (nan, -nan), (f64::INFINITY, f64::INFINITY)];
        assert_eq!(found(&same, 0.0, 0.0), Difference { compared: 4, ..Difference::default() });
        let next = 1.0 + f64::EPSILON;
        assert_eq!(found(&[(next, 1.0)], 0.0, 0.0).different, 1);
        assert_eq!(found(&[(next, 1.0)], 0.0, f64::EPSILON).different, 0);
        assert_eq!(found(&[(next, 1.0)], f64::EPSILON, 0.0).different, 0);
        // A share of the second one.
        assert_eq!(found(&[(3.0, 2.0)], 0.0, 0.5).different, 0);
        assert_eq!(found(&[(2.0, 3.0)], 0.0, 0.3).different, 1);
        // However large the tolerance.
        for pair in [(nan, 1.0), (1.0, nan), (f64::INFINITY, 1.0), (f64::INFINITY, f64::NEG_INFINITY)] {
            let found = found(&[pair], f64::MAX, 1.0);
            assert_eq!((found.different, found.absolute.unwrap().by), (1, f64::INFINITY), "{pair:?}");
        }
    }

    #[test]
    fn the_largest_and_where() {
        let found = found(&[(1.0, 1.0), (3.0, 2.0), (100.0, 102.0), (104.0, 102.0), (5.0, 5.5)], 0.6, 0.0);
        assert_eq!((found.compared, found.different), (5, 3));
        let (absolute, relative) = (found.absolute.unwrap(), found.relative.unwrap());
        assert_eq!(absolute, Apart { by: 2.0, row: 0, col: 2, a: 100.0, b: 102.0 });
        assert_eq!(relative, Apart { by: 0.5, row: 0, col: 1, a: 3.0, b: 2.0 });
        let of_zero = self::found(&[(1e-300, 0.0)], 0.0, 0.0);
        assert_eq!(of_zero.relative.unwrap().by, f64::INFINITY);
        assert_eq!(found.and(of_zero).different, 4);
        assert_eq!(found.and(of_zero).absolute, found.absolute);
    }
}
