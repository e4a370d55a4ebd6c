//! Freivalds' test: is C the product of A and B, for a small part of the work of the product?
//!
//! R. Freivalds, "Probabilistic machines can use less running time", IFIP 1977. Each column J of tiles has a
//! vector x_J of random signs of its own, and C_J x_J is compared with A (B_J x_J), row by row, in f64. A
//! column of its own keeps the sum short, so that the loss of a single tile stands out of the rounding errors.

mod bound;
mod dots;
mod program;

use std::fmt;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::dense::DenseMatrix;
use crate::problem::Problem;
use crate::random::Seed;
use crate::scalar::Scalar;
use program::Freivalds;

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether every row agrees.
    pub passed: bool,
    /// Sums compared: one for each row and column of tiles.
    pub compared: u64,
    /// Sums of rows with NaN or infinities on both sides, or so large that the product may overflow: that
    /// such numbers stand on both sides is all that is known of them.
    pub non_finite: u64,
    /// Sums that disagree.
    pub wrong: u64,
    /// The largest difference as a share of what rounding may do; above 1 it is none of rounding.
    pub worst: f64,
    /// A row and a column of tiles that disagree.
    pub first_wrong: Option<(u64, u64)>,
}

impl Verification {
    fn none() -> Verification {
        Verification { passed: true, compared: 0, non_finite: 0, wrong: 0, worst: 0.0, first_wrong: None }
    }

    fn and(self, other: Verification) -> Verification {
        Verification {
            passed: self.passed && other.passed,
            compared: self.compared + other.compared,
            non_finite: self.non_finite + other.non_finite,
            wrong: self.wrong + other.wrong,
            worst: self.worst.max(other.worst),
            first_wrong: self.first_wrong.into_iter().chain(other.first_wrong).min(),
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first_wrong {
            None => write!(
                f,
                "verified: {} sums agree, the largest difference is {:.2} % of what rounding may do",
                self.compared,
                self.worst * 100.0
            )?,
            Some((row, tile_col)) => write!(
                f,
                "not verified: {} of {} sums disagree, first in row {row}, column {tile_col} of tiles",
                self.wrong,
                self.wrong + self.compared
            )?,
        }
        match self.non_finite {
            0 => Ok(()),
            count => write!(f, "; {count} are not finite on both sides"),
        }
    }
}

/// Whether `c` = `a` `b`, by Freivalds' test with random signs in f64.
///
/// A right product fails with a probability far below 1e-9; one of random matrices that lacks a single tile
/// product, or has a wrong one, passes hardly ever. Rows with NaN or infinities agree where both sides have
/// some.
///
/// # Cost
/// One pass over the three matrices, 2 (m k + k n + m n) tile columns flop; a tile and k numbers for each
/// column of tiles of memory. One superstep.
///
/// # Errors
/// `Invalid` where the shapes do not match, `Data` where a tile is damaged, and those of the store.
pub fn verify<T: Scalar>(a: &DenseMatrix<T>, b: &DenseMatrix<T>, c: &DenseMatrix<T>) -> Result<Verification> {
    let side = |matrix: &DenseMatrix<T>| (matrix.table().spec().shape, matrix.is_transposed());
    let problem = Problem::new(T::TYPE, side(a), side(b))?;
    if c.shape() != (problem.m, problem.n) || c.is_transposed() {
        return Err(Error::invalid(format!(
            "cannot verify {} ({} x {}) as a product of {} x {}",
            c.name(),
            c.shape().0,
            c.shape().1,
            problem.m,
            problem.n
        )));
    }
    let tables = [a, b, c].map(|matrix| matrix.table().to_ref());
    // A second run draws the same signs: the result is reproducible, and no input was made to fit them.
    let program = Freivalds::<T>::new(problem, tables, Seed(0x0046_7265_6976_616c));
    let peers = a.hama().peers().min(problem.tiles().m.max(problem.tiles().k) as usize);
    let outcome = a.hama().run(&program).peers(peers)?;
    Ok(outcome.outputs.into_iter().fold(Verification::none(), Verification::and))
}
