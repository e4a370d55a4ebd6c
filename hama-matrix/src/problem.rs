//! What is to be multiplied: shapes, element type, transpositions, and the tiles of all three matrices.

use hama_core::{Error, Result};
use hama_hdfs::{ElementType, Extent, TableSpec, TileIndex, tile_extent};
use serde::{Deserialize, Serialize};

use crate::dense::DenseMatrix;
use crate::scalar::Scalar;
use crate::symmetric::{diagonal_elements, is_computed};

/// C (m x n) = op(A) (m x k) op(B) (k x n), where op transposes or does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Rows of C.
    pub m: u64,
    /// Columns of C.
    pub n: u64,
    /// The inner dimension.
    pub k: u64,
    /// The type of all elements.
    pub element: ElementType,
    /// Whether A is stored as its transpose.
    pub transpose_a: bool,
    /// Whether B is stored as its transpose.
    pub transpose_b: bool,
    /// Whether op(B) is the transpose of op(A), of the same table: then half of C is computed and mirrored.
    pub symmetric: bool,
    /// The bytes that a peer needs to read chunks of operands that are files; 0 for tables.
    #[serde(default)]
    pub chunk_bytes: u64,
}

/// One of the two factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operand {
    /// The left factor.
    A,
    /// The right factor.
    B,
}

/// Extents along the three dimensions of a product, in elements or in tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Box3 {
    pub(crate) m: u64,
    pub(crate) n: u64,
    pub(crate) k: u64,
}

impl Problem {
    /// The product of two matrices as they are oriented.
    ///
    /// # Errors
    /// `Invalid` where the inner dimensions differ, or the tiles of a table are not those of its shape.
    pub(crate) fn of<T: Scalar>(a: &DenseMatrix<T>, b: &DenseMatrix<T>) -> Result<Problem> {
        a.check_tiles()?;
        b.check_tiles()?;
        let ((m, inner_a), (inner_b, n)) = (a.shape(), b.shape());
        if inner_a != inner_b {
            let t = |matrix: &DenseMatrix<T>| if matrix.is_transposed() { " transposed" } else { "" };
            return Err(Error::invalid(format!(
                "cannot multiply {}{} ({m} x {inner_a}) by {}{} ({inner_b} x {n}): \
                 inner dimensions {inner_a} and {inner_b} differ",
                a.name(),
                t(a),
                b.name(),
                t(b)
            )));
        }
        let side = |matrix: &DenseMatrix<T>| (matrix.spec().shape, matrix.is_transposed());
        let symmetric = a.is_transposed() != b.is_transposed() && a.has_elements_of(b);
        let chunk_bytes = a.source().scratch_bytes().saturating_add(b.source().scratch_bytes());
        Ok(Problem { symmetric, chunk_bytes, ..Problem::new(T::TYPE, side(a), side(b))? })
    }

    /// The product of a matrix of shape `a` and one of shape `b`, as they enter it: after transposition. They are
    /// taken for different ones.
    ///
    /// # Errors
    /// `Invalid` where the inner dimensions differ.
    pub fn new(element: ElementType, a: (Extent, bool), b: (Extent, bool)) -> Result<Problem> {
        let (m, inner_a) = oriented(a.0, a.1);
        let (inner_b, n) = oriented(b.0, b.1);
        if inner_a != inner_b {
            return Err(Error::invalid(format!(
                "cannot multiply a ({m} x {inner_a}) by b ({inner_b} x {n}): inner dimensions {inner_a} and {inner_b} differ"
            )));
        }
        // The result has to be a table that can exist.
        TableSpec::new(Extent { rows: m, cols: n }, element)?;
        Ok(Problem {
            m,
            n,
            k: inner_a,
            element,
            transpose_a: a.1,
            transpose_b: b.1,
            symmetric: false,
            chunk_bytes: 0,
        })
    }

    /// Elements of a tile along each dimension.
    pub(crate) fn tile(&self) -> Box3 {
        // A problem from elsewhere may say 0; a plan of it is refused, but printed first.
        let extent = |d: u64| tile_extent(d).max(1);
        Box3 { m: extent(self.m), n: extent(self.n), k: extent(self.k) }
    }

    /// Tiles along each dimension.
    pub(crate) fn tiles(&self) -> Box3 {
        let tile = self.tile();
        Box3 { m: self.m.div_ceil(tile.m), n: self.n.div_ceil(tile.n), k: self.k.div_ceil(tile.k) }
    }

    /// How many of the elements of tile `index` along a dimension lie inside the matrix.
    pub(crate) fn valid(extent: u64, tile: u64, index: u64) -> u64 {
        tile.min(extent.saturating_sub(index * tile))
    }

    /// What of the product of tiles (row, inner) of op(A) and (inner, col) of op(B) lies inside the matrices, in
    /// elements along (m, n, k).
    pub(crate) fn valid_of(&self, row: u64, col: u64, inner: u64) -> (usize, usize, usize) {
        let tile = self.tile();
        let m = Problem::valid(self.m, tile.m, row) as usize;
        let n = Problem::valid(self.n, tile.n, col) as usize;
        (m, n, Problem::valid(self.k, tile.k, inner) as usize)
    }

    /// The shape of C.
    pub fn shape(&self) -> Extent {
        Extent { rows: self.m, cols: self.n }
    }

    /// Bytes of a whole tile of A, B and C, in this order.
    pub(crate) fn tile_bytes(&self) -> [u64; 3] {
        let (tile, size) = (self.tile(), self.element.size_bytes() as u64);
        [tile.m * tile.k * size, tile.k * tile.n * size, tile.m * tile.n * size]
    }

    /// Elements of A, B and C, in this order.
    pub(crate) fn elements(&self) -> [f64; 3] {
        let (m, n, k) = (self.m as f64, self.n as f64, self.k as f64);
        [m * k, k * n, m * n]
    }

    /// Floating-point operations of the product: 2 m n k, about half of that where it is symmetric; saturates.
    pub fn flop(&self) -> u64 {
        if self.symmetric {
            return 2u64.saturating_mul(self.k).saturating_mul(self.computed_elements());
        }
        2u64.saturating_mul(self.m).saturating_mul(self.n).saturating_mul(self.k)
    }

    /// Elements of C that are computed where it is symmetric; saturates.
    fn computed_elements(&self) -> u64 {
        let (tile, tiles) = (self.tile().m, self.tiles().m);
        let (whole, last) =
            (u128::from(tiles.saturating_sub(1)), Problem::valid(self.m, tile, tiles.saturating_sub(1)));
        let square = |extent: u64| u128::from(extent) * u128::from(extent);
        let on_diagonal = whole * u128::from(diagonal_elements(tile)) + u128::from(diagonal_elements(last));
        let beside = (square(self.m) - whole * square(tile) - square(last)) / 2;
        u64::try_from(on_diagonal + beside).unwrap_or(u64::MAX)
    }

    /// Whether tile (row, col) of C is computed, and not mirrored.
    pub(crate) fn computes(&self, row: u64, col: u64) -> bool {
        !self.symmetric || is_computed(row, col)
    }

    /// Whether there are tiles of C that are not computed, but mirror others.
    pub(crate) fn has_mirror_images(&self) -> bool {
        self.symmetric && self.tiles().m > 1
    }

    /// Floating-point operations of one tile product that is computed.
    pub(crate) fn flop_of(&self, row: u64, col: u64, inner: u64) -> u64 {
        let tile = self.tile();
        let rows = Problem::valid(self.m, tile.m, row);
        let elements = if self.symmetric && row == col {
            diagonal_elements(rows)
        } else {
            rows * Problem::valid(self.n, tile.n, col)
        };
        2 * elements * Problem::valid(self.k, tile.k, inner)
    }

    /// Where tile (row, col) of op(X) lies in the table of X.
    pub(crate) fn stored(&self, operand: Operand, tile: TileIndex) -> TileIndex {
        let transposed = match operand {
            Operand::A => self.transpose_a,
            Operand::B => self.transpose_b,
        };
        if transposed { TileIndex { row: tile.col, col: tile.row } } else { tile }
    }

    /// Elements of a tile of the table of X.
    pub(crate) fn stored_tile(&self, operand: Operand) -> Extent {
        let Box3 { m, n, k } = self.tile();
        let (rows, cols) = match operand {
            Operand::A => oriented(Extent { rows: m, cols: k }, self.transpose_a),
            Operand::B => oriented(Extent { rows: k, cols: n }, self.transpose_b),
        };
        Extent { rows, cols }
    }
}

fn oriented(shape: Extent, transposed: bool) -> (u64, u64) {
    if transposed { (shape.cols, shape.rows) } else { (shape.rows, shape.cols) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn extent(rows: u64, cols: u64) -> Extent {
        Extent { rows, cols }
    }

    #[test]
    fn inner_dimensions_must_agree() {
        let error = Problem::new(ElementType::F64, (extent(4000, 2000), false), (extent(900, 10), false))
            .unwrap_err();
        assert_eq!(
            error.message(),
            "cannot multiply a (4000 x 2000) by b (900 x 10): inner dimensions 2000 and 900 differ"
        );
        let problem =
            Problem::new(ElementType::F64, (extent(2000, 4000), true), (extent(10, 2000), true)).unwrap();
        assert_eq!((problem.m, problem.n, problem.k), (4000, 10, 2000));
    }

    #[test]
    fn a_result_too_large_to_exist_is_refused() {
        let tall = extent(1 << 39, 1);
        assert!(Problem::new(ElementType::F64, (tall, false), (tall, true)).is_err());
    }

    #[test]
    fn the_last_tile_is_smaller() {
        let problem =
            Problem::new(ElementType::F64, (extent(1797, 64), true), (extent(1797, 64), false)).unwrap();
        assert_eq!(problem.tile(), Box3 { m: 64, n: 64, k: 904 });
        assert_eq!(problem.tiles(), Box3 { m: 1, n: 1, k: 2 });
        assert_eq!(problem.flop_of(0, 0, 1), 2 * 64 * 64 * 893);
        assert_eq!(problem.flop(), 2 * 64 * 64 * 1797);
    }

    #[test]
    fn a_symmetric_product_counts_what_is_computed() {
        for (m, k) in [(64, 1797), (8000, 8000), (5003, 2047), (1, 1), (1025, 3)] {
            let full = Problem::new(ElementType::F64, (extent(m, k), false), (extent(m, k), true)).unwrap();
            let half = Problem { symmetric: true, ..full };
            let Box3 { m: down, n: across, k: deep } = half.tiles();
            let mut flop = 0;
            for row in 0..down {
                for col in (0..across).filter(|&col| half.computes(row, col)) {
                    flop += (0..deep).map(|inner| half.flop_of(row, col, inner)).sum::<u64>();
                }
            }
            assert_eq!(half.flop(), flop, "{m} x {k}");
            assert!(half.flop() <= full.flop());
        }
        let saturated =
            Problem { symmetric: true, m: u64::MAX, n: u64::MAX, k: u64::MAX, ..half_of_nothing() };
        assert_eq!(saturated.flop(), u64::MAX);
        assert_eq!(half_of_nothing().flop(), 0);
    }

    fn half_of_nothing() -> Problem {
        let one = Problem::new(ElementType::F32, (extent(1, 1), false), (extent(1, 1), true)).unwrap();
        Problem { m: 0, n: 0, k: 0, symmetric: true, ..one }
    }
}
