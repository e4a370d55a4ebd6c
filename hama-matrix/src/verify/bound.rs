//! How far rounding may take the two sides of a sum apart.

use crate::scalar::Scalar;

/// How many standard deviations the sum of all rounding errors of one row may reach.
const DEVIATIONS: f64 = 32.0;

/// The most that rounding moves sum_j x_j C_ij away from sum_l A_il (sum_j B_lj x_j), for one row i and the
/// `cols` columns of one column of tiles J.
///
/// Were the roundings independent with mean zero, an element of the product would be off by some sqrt(k) u
/// (|A| |B|)_ij (Higham and Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput.
/// 41, 2019), where (|A| |B|)_ij <= |A_i| |B_j| by Cauchy and Schwarz; summed with random signs over the columns, by
/// Hoeffding's inequality some times that with |B_J|, the Frobenius norm of the columns, for |B_j|. They need not be:
/// equal elements round alike. But the kernel adds runs of at most 512, then the runs, so an element is
/// off by at most (min(k, 512) + k / 512) u (|A| |B|)_ij, which is below 23 sqrt(k) u as long as k < 10^8. That
/// leaves 32 deviations to the former and more than one to the latter; a lost tile is hundreds away.
///
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
