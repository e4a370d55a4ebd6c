//! Calls the `gemm` library.
#![expect(
    unsafe_code,
    reason = "the library takes pointers; everything unsafe of the kernel is in this file"
)]

use crate::scalar::Scalar;
use ::gemm::Parallelism;

use super::View;

/// C = A B, or C += A B where `add` says so. C is row-major, as large as A has rows and B has columns.
pub(super) fn run<T: Scalar>(c: &mut [T], c_stride: usize, a: View<'_, T>, b: View<'_, T>, add: bool) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= c_stride && (m - 1) * c_stride + n <= c.len(), "C lies inside its slice");
    assert!(a.span() <= a.data.len() && b.span() <= b.data.len(), "A and B lie inside their slices");
    assert_eq!(k, b.rows, "the inner dimensions are equal");
    let one = T::ONE;
    // SAFETY: the assertions above keep every element that the shapes and strides name inside the three
    // slices. C is borrowed mutably, so it overlaps neither A nor B. T is f64 or f32, which the library knows.
    unsafe {
        ::gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_stride as isize,
            add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            one,
            one,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
