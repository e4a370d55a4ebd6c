//! Freivalds' test: is C the product of A and B, for a small part of the work of the product?
//!
//! R. Freivalds, "Probabilistic machines can use less running time", IFIP 1977. Each column J of tiles has a
//! vector x_J of random signs of its own, and C_J x_J is compared with A (B_J x_J), row by row, in f64. A
//! column of its own keeps the sum short, so that the loss of a single tile stands out of the rounding errors.

mod bound;
mod dots;
mod norm;
mod program;

use std::fmt;

use hama_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::bytes::format_bytes;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::problem::Problem;
use crate::random::Seed;
use crate::scalar::Scalar;
pub(crate) use program::Freivalds;

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether something could be checked, and all of that agrees.
    pub passed: bool,
    /// Sums that agree within what rounding may do: there is one for each row and column of tiles.
    pub compared: u64,
    /// Sums of rows with NaN or infinities on both sides: that is all that is known of them.
    pub non_finite: u64,
    /// Sums of elements so large that the product may overflow: nothing is known of them.
    pub unchecked: u64,
    /// Sums that disagree.
    pub wrong: u64,
    /// The largest difference as a share of what rounding may do; above 1 it is none of rounding.
    pub worst: f64,
    /// A row and a column of tiles that disagree.
    pub first_wrong: Option<(u64, u64)>,
}

impl Verification {
    fn none() -> Verification {
        Verification {
            passed: false,
            compared: 0,
            non_finite: 0,
            unchecked: 0,
            wrong: 0,
            worst: 0.0,
            first_wrong: None,
        }
    }

    fn and(self, other: Verification) -> Verification {
        let sum = Verification {
            passed: false,
            compared: self.compared + other.compared,
            non_finite: self.non_finite + other.non_finite,
            unchecked: self.unchecked + other.unchecked,
            wrong: self.wrong + other.wrong,
            worst: self.worst.max(other.worst),
            first_wrong: self.first_wrong.into_iter().chain(other.first_wrong).min(),
        };
        Verification { passed: sum.wrong == 0 && sum.compared + sum.non_finite > 0, ..sum }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first_wrong {
            Some((row, tile_col)) => write!(
                f,
                "not verified: {} of {} sums disagree, first in row {row}, column {tile_col} of tiles",
                self.wrong,
                self.wrong + self.compared + self.non_finite + self.unchecked
            )?,
            None if self.passed && self.compared == 0 => {
                f.write_str("verified only as far as both sides are not finite")?;
            }
            None if self.passed => write!(
                f,
                "verified: {} sums agree, the largest difference is {:.2} % of what rounding may do",
                self.compared,
                self.worst * 100.0
            )?,
            None => f.write_str("not verified: there is no sum that can be checked")?,
        }
        for (count, what) in [
            (self.non_finite, "are not finite on both sides"),
            (self.unchecked, "may overflow and were not checked"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Whether `c` = `a` `b`, by Freivalds' test with random signs in f64.
///
/// A product that is right within rounding passes, for every choice of signs but a vanishing share; one of
/// random matrices that lacks a single tile product, or has a wrong one, passes hardly ever. Rows with NaN or
/// infinities agree where both sides have some.
///
/// # Cost
/// One pass over the three matrices; 2 k n + 2 m k T + 2 m n flop for T columns of tiles; a tile and k T numbers
/// of memory a peer, with as many of the peers as the memory allows. One superstep.
///
/// # Errors
/// `Invalid` where the shapes do not match, `OutOfMemory` where the memory given is too small, `Data` where a
/// tile is damaged, and those of the store.
pub fn verify<T: Scalar>(a: &DenseMatrix<T>, b: &DenseMatrix<T>, c: &DenseMatrix<T>) -> Result<Verification> {
    let problem = Problem::of(a, b)?;
    if c.shape() != (problem.m, problem.n) {
        return Err(Error::invalid(format!(
            "cannot verify {} ({} x {}) as a product of {} x {}",
            c.name(),
            c.shape().0,
            c.shape().1,
            problem.m,
            problem.n
        )));
    }
    c.check_tiles()?;
    let hama = a.hama();
    let scratch = [a, b, c].map(|matrix| matrix.source().scratch_bytes()).into_iter().sum();
    let fitting = fitting_peers::<T>(&problem, hama, scratch)?;
    let sources = [a, b, c].map(|matrix| matrix.source().to_ref());
    // Every run draws the same signs: its verdict can be had again, and no input was made to fit them.
    let program = Freivalds::<T>::new(problem, sources, c.is_transposed(), Seed(0x0046_7265_6976_616c));
    let useful = problem.tiles().m.max(problem.tiles().k);
    let peers = fitting.min(useful).min(hama.peers() as u64);
    let _turn = hama.turn()?;
    let outcome = hama.run(&program).peers(peers as usize)?;
    for matrix in [a, b, c] {
        matrix.source().check_unchanged()?;
    }
    Ok(outcome.outputs.into_iter().fold(Verification::none(), Verification::and))
}

/// How many peers can verify a product within the memory given, each with `scratch` bytes for reading.
///
/// # Errors
/// `OutOfMemory` where none can.
pub(crate) fn fitting_peers<T: Scalar>(problem: &Problem, hama: &Hama, scratch: u64) -> Result<u64> {
    let peer_bytes = Freivalds::<T>::peer_bytes(problem).saturating_add(scratch);
    let fitting = hama.peers_holding(peer_bytes);
    if fitting > 0 {
        return Ok(fitting);
    }
    let (given, needed) = (format_bytes(hama.memory()), format_bytes(hama.memory_for(peer_bytes)));
    let Problem { m, n, k, .. } = *problem;
    let message = format!(
        "--memory {given} is too small to verify a product of {m} x {k} and {k} x {n}: it needs {needed}; try --memory {needed}"
    );
    Err(Error::new(ErrorKind::OutOfMemory, message))
}
