//! The kernel: C += A B on one pair of tiles, on one thread.

mod gemm;
mod peak;

pub use peak::peak_flop_per_s;

use std::fmt;

use crate::scalar::Scalar;
use serde::{Deserialize, Serialize};

/// The most of k that goes into one call of the library. It chooses its own blocking of k from the caches
/// that it finds, but leaves this much in one piece, so the same sums come out on every host.
const K_MAX: usize = 512;

/// Which kernel computes a product. The bits of a result depend on it, so it is part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelId {
    /// `gemm` with 512-bit vectors.
    GemmAvx512,
    /// `gemm` with 256-bit vectors and fused multiply-add.
    GemmFma,
    /// `gemm` with 128-bit vectors and fused multiply-add.
    GemmNeon,
    /// `gemm` without vectors that it knows.
    GemmPortable,
}

impl KernelId {
    /// The kernel that this host runs.
    pub fn of_this_host() -> KernelId {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                return KernelId::GemmAvx512;
            }
            if is_x86_feature_detected!("fma") {
                return KernelId::GemmFma;
            }
        }
        if cfg!(target_arch = "aarch64") { KernelId::GemmNeon } else { KernelId::GemmPortable }
    }
}

impl fmt::Display for KernelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KernelId::GemmAvx512 => "gemm-avx512",
            KernelId::GemmFma => "gemm-fma",
            KernelId::GemmNeon => "gemm-neon",
            KernelId::GemmPortable => "gemm-portable",
        })
    }
}

/// A matrix in a slice, rows and columns with their strides in elements.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> View<'a, T> {
    /// The upper left `rows` x `cols` of a row-major tile with rows of `stride` elements.
    pub(crate) fn of_tile(data: &'a [T], rows: usize, cols: usize, stride: usize) -> View<'a, T> {
        let view = View { data, rows, cols, row_stride: stride, col_stride: 1 };
        assert!(view.span() <= data.len(), "the view lies inside its slice");
        view
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn t(self) -> View<'a, T> {
        View {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Columns `range` of it.
    fn cols(self, range: std::ops::Range<usize>) -> View<'a, T> {
        debug_assert!(range.end <= self.cols);
        View { data: &self.data[range.start * self.col_stride..], cols: range.len(), ..self }
    }

    /// Rows `range` of it.
    fn rows(self, range: std::ops::Range<usize>) -> View<'a, T> {
        self.t().cols(range).t()
    }

    /// How many elements of the slice it reaches over.
    fn span(&self) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1
    }
}

/// C (m x n, row-major with rows of `c_stride`) = A B, or C += A B where `add` says so.
///
/// k is cut into nearly equal runs of at most 512, added in ascending order.
///
/// # Panics
/// When the shapes do not match: plans are made so that they do.
pub(crate) fn multiply<T: Scalar>(c: &mut [T], c_stride: usize, a: View<'_, T>, b: View<'_, T>, add: bool) {
    assert_eq!(a.cols, b.rows, "the inner dimensions of two tiles are equal");
    let k = a.cols;
    let runs = k.div_ceil(K_MAX);
    let run = k.div_ceil(runs.max(1));
    for start in (0..k).step_by(run.max(1)) {
        let range = start..(start + run).min(k);
        gemm::run(c, c_stride, a.cols(range.clone()), b.rows(range), add || start > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u64) -> Vec<f64> {
        let mut row = vec![0.0; count];
        crate::random::fill_row(crate::random::Seed(seed), 0, 0, &mut row);
        row
    }

    fn check(m: usize, n: usize, k: usize, pad: usize, transposed: (bool, bool)) {
        let (a_rows, a_cols) = if transposed.0 { (k, m) } else { (m, k) };
        let (b_rows, b_cols) = if transposed.1 { (n, k) } else { (k, n) };
        let a = numbers(a_rows * (a_cols + pad), 1);
        let b = numbers(b_rows * (b_cols + pad), 2);
        let mut c = numbers(m * (n + pad), 3);
        let before = c.clone();
        let view = |data, rows, cols, t| {
            let view = View::of_tile(data, rows, cols, cols + pad);
            if t { view.t() } else { view }
        };
        let (va, vb) = (view(&a, a_rows, a_cols, transposed.0), view(&b, b_rows, b_cols, transposed.1));
        multiply(&mut c, n + pad, va, vb, true);
        for i in 0..m {
            for j in 0..n + pad {
                let at = i * (n + pad) + j;
                if j >= n {
                    assert_eq!(c[at], before[at], "padding of {m} x {n} x {k} was touched");
                    continue;
                }
                let products = (0..k).map(|l| {
                    va.data[i * va.row_stride + l * va.col_stride]
                        * vb.data[l * vb.row_stride + j * vb.col_stride]
                });
                // Elements lie in [0, 1), so every partial sum is at most k + 1, and k + 1 roundings of it.
                let bound = (k + 1) as f64 * (k + 1) as f64 * f64::EPSILON;
                let expected = before[at] + products.sum::<f64>();
                assert!((c[at] - expected).abs() <= bound, "element ({i}, {j}) of {m} x {n} x {k}");
            }
        }
    }

    #[test]
    fn products_of_every_edge_size() {
        for m in [1, 2, 3, 7, 8, 9, 23, 25, 49] {
            for n in [1, 2, 5, 8, 12, 13, 31] {
                for k in [1, 2, 8, 17] {
                    check(m, n, k, 0, (false, false));
                    check(m, n, k, 3, (false, true));
                    check(m, n, k, 1, (true, false));
                    check(m, n, k, 5, (true, true));
                }
            }
        }
    }

    #[test]
    fn long_inner_dimensions_are_cut() {
        for k in [511, 512, 513, 1024, 1025] {
            check(3, 5, k, 2, (false, false));
        }
    }

    #[test]
    fn without_add_the_old_contents_do_not_matter() {
        let mut c = vec![f64::NAN; 4];
        let a = [1.0, 2.0, 3.0, 4.0];
        multiply(&mut c, 2, View::of_tile(&a, 2, 2, 2), View::of_tile(&a, 2, 2, 2), false);
        assert_eq!(c, [7.0, 10.0, 15.0, 22.0]);
    }

    #[test]
    fn a_nan_and_an_infinity_reach_what_they_must() {
        let a = [f64::NAN, 0.0, f64::INFINITY, 1.0];
        let b = [0.0, 1.0, 1.0, 0.0];
        let mut c = vec![0.0; 4];
        multiply(&mut c, 2, View::of_tile(&a, 2, 2, 2), View::of_tile(&b, 2, 2, 2), false);
        assert!(c[0].is_nan() && c[1].is_nan() && c[2].is_nan());
        assert_eq!(c[3], f64::INFINITY);
    }
}
