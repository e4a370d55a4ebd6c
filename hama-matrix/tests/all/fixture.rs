//! What the tests share: stores, matrices, and an independent product with its error bound.

use std::sync::atomic::{AtomicU64, Ordering};

use hama_core::TransportKind;
use hama_matrix::{DenseMatrix, Hama, Scalar};
use ndarray::{Array2, ArrayView2};

/// A store of its own in memory, with `peers` peers.
pub(crate) fn hama(peers: usize, transport: TransportKind) -> Hama {
    on(&fresh("memory"), peers, transport)
}

/// A store that no other test has.
pub(crate) fn fresh(scheme: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{scheme}:test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn on(store: &str, peers: usize, transport: TransportKind) -> Hama {
    Hama::builder().store(store).peers(peers).transport(transport).memory(1 << 30).build().unwrap()
}

/// C = A B by ndarray in f64, and for each element what two different orders of summation may differ by: each
/// side is off by at most gamma_k (|A| |B|) with gamma_k = k u / (1 - k u) (Higham, "Accuracy and Stability
/// of Numerical Algorithms", 2nd edition, equation 3.13), u being that of the product's type.
pub(crate) fn expected<T: Scalar>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> (Array2<f64>, Array2<f64>) {
    let (a, b) = (a.mapv(T::to_f64), b.mapv(T::to_f64));
    let k = a.ncols() as f64;
    let gamma = |u: f64| k * u / (1.0 - k * u);
    let bound = a.mapv(f64::abs).dot(&b.mapv(f64::abs)) * (gamma(T::ROUNDOFF) + gamma(f64::EPSILON / 2.0));
    (a.dot(&b), bound)
}

/// Checks that `c` is the product of what `a` and `b` hold, as they are oriented.
pub(crate) fn check_product<T: Scalar>(
    a: &DenseMatrix<T>,
    b: &DenseMatrix<T>,
    c: &DenseMatrix<T>,
    what: &str,
) {
    let (a, b, c) = (a.to_ndarray().unwrap(), b.to_ndarray().unwrap(), c.to_ndarray().unwrap());
    let (expected, bound) = expected(a.view(), b.view());
    assert_eq!(c.dim(), expected.dim(), "{what}");
    for ((at, c), (expected, bound)) in c.indexed_iter().zip(expected.iter().zip(&bound)) {
        assert!((c.to_f64() - expected).abs() <= *bound, "{what}: element {at:?} is {c}, not {expected}");
    }
}

/// How bytes travel between peers: every test of a product runs over both.
pub(crate) const TRANSPORTS: [TransportKind; 2] = [TransportKind::Memory, TransportKind::Framed];
