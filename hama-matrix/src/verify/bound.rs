//! How far rounding may take the two sides of a sum apart.

use crate::scalar::Scalar;

/// Standard deviations: 8 for the rounding errors of an element, times 4 for their sum with random signs.
const DEVIATIONS: f64 = 32.0;

/// The most that rounding moves sum_j x_j C_ij away from sum_l A_il (sum_j B_lj x_j), for one row i and the
/// `cols` columns of one column of tiles J.
///
/// An element of the product carries an error of at most 8 sqrt(k) u (|A| |B|)_ij (Higham and Mary, "A new
/// approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019, theorem 3.1), where
/// (|A| |B|)_ij <= |A_i| |B_j| by Cauchy and Schwarz. Summed with random signs the errors grow as the root of
/// the sum of their squares (Hoeffding), which is at most that times |B_J|, the Frobenius norm of the columns.
/// The sums of the test itself, in f64, add k + cols terms more. `norms` is |A_i| |B_J|.
pub(super) fn rounding<T: Scalar>(norms: f64, k: u64, cols: u64) -> f64 {
    let (root_k, root_cols) = ((k as f64).sqrt(), (cols as f64).sqrt());
    let units = T::ROUNDOFF * root_k + f64::EPSILON * (root_k + root_cols);
    // Below the normal numbers the error is absolute.
    DEVIATIONS * units * norms + k as f64 * cols as f64 * T::SMALLEST
}

/// Whether an element of that size may overflow without being wrong.
pub(super) fn may_overflow<T: Scalar>(norms: f64) -> bool {
    norms >= T::LARGEST
}
