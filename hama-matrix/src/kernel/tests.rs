//! Every kernel that this host runs, against an independent library and within a derived bound.

use super::*;
use crate::random::{Distribution, Seed, fill_row};

/// A row-major matrix with rows of `stride` elements.
struct Matrix<T> {
    rows: usize,
    cols: usize,
    stride: usize,
    data: Vec<T>,
}

impl<T: Scalar> Matrix<T> {
    /// Elements in [-1/2, 1/2).
    fn random(rows: usize, cols: usize, pad: usize, seed: u64) -> Matrix<T> {
        let stride = cols + pad;
        let mut data = vec![T::ZERO; rows * stride];
        fill_row(Distribution::Uniform, Seed(seed), 0, 0, &mut data);
        data.iter_mut().for_each(|x| *x = T::from_f64(x.to_f64() - 0.5));
        Matrix { rows, cols, stride, data }
    }

    fn view(&self, transposed: bool) -> View<'_, T> {
        View { stored: self, transposed }
    }
}

/// A matrix as it enters a product.
#[derive(Clone, Copy)]
struct View<'a, T> {
    stored: &'a Matrix<T>,
    transposed: bool,
}

impl<T> View<'_, T> {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize) {
        let Matrix { rows, cols, .. } = *self.stored;
        if self.transposed { (cols, rows) } else { (rows, cols) }
    }

    /// The distance in elements from one row to the next, and from one column to the next.
    fn strides(&self) -> (isize, isize) {
        let stride = self.stored.stride as isize;
        if self.transposed { (1, stride) } else { (stride, 1) }
    }
}

/// Packs both, in parts, and multiplies. What lies behind the packed elements must not matter, so it is NaN.
fn multiply<T: Scalar>(id: KernelId, c: &mut Matrix<T>, a: View<'_, T>, b: View<'_, T>, how: (bool, Part)) {
    let kernel = Kernel::<T>::new(id).unwrap();
    let ((m, k), (_, n)) = (a.shape(), b.shape());
    let pack = |packing: Packing, from: &Matrix<T>, len: usize| {
        let mut packed = vec![T::from_f64(f64::NAN); len + 7];
        let rows = packing.part_bytes::<T>(5000) / packing.row_bytes::<T>();
        for (index, part) in from.data.chunks(rows * from.stride).enumerate() {
            packing.pack(index * rows, part, &mut packed);
        }
        packed
    };
    let packed_a = pack(kernel.packing_a((m, k), a.transposed, a.stored.stride), a.stored, m * k);
    let packed_b = pack(kernel.packing_b((k, n), b.transposed, b.stored.stride), b.stored, k * n);
    kernel.multiply(&mut c.data, c.stride, (m, n, k), (&packed_a, &packed_b), how);
}

/// C += A B by `gemm`.
#[expect(unsafe_code, reason = "the library takes pointers")]
fn reference<T: Scalar>(c: &mut Matrix<T>, a: View<'_, T>, b: View<'_, T>) {
    let ((m, k), (_, n)) = (a.shape(), b.shape());
    // SAFETY: the views lie inside their slices, C is as large as the product, T is f64 or f32.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.data.as_mut_ptr(),
            1,
            c.stride as isize,
            true,
            a.stored.data.as_ptr(),
            a.strides().1,
            a.strides().0,
            b.stored.data.as_ptr(),
            b.strides().1,
            b.strides().0,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn kernels() -> impl Iterator<Item = KernelId> {
    KernelId::ALL.into_iter().filter(|id| id.runs_here())
}

fn check<T: Scalar>((m, n, k): (usize, usize, usize), pad: usize, (ta, tb): (bool, bool)) {
    let stored = |rows, cols, t, seed| {
        if t { Matrix::<T>::random(cols, rows, pad, seed) } else { Matrix::random(rows, cols, pad, seed) }
    };
    let (a, b) = (stored(m, k, ta, 1), stored(k, n, tb, 2));
    let (va, vb) = (a.view(ta), b.view(tb));
    let before = Matrix::<T>::random(m, n, pad, 3);
    let mut expected = Matrix { data: before.data.clone(), ..before };
    reference(&mut expected, va, vb);
    for id in kernels() {
        let mut c = Matrix { data: before.data.clone(), ..before };
        multiply(id, &mut c, va, vb, (true, Part::Whole));
        // Elements are at most 1/2, so every partial sum is at most k/4 + 1/2, and each of the two computations
        // rounds k products and k + 1 sums of it.
        let bound = 2.0 * (2 * k + 1) as f64 * (k as f64 / 4.0 + 0.5) * T::ROUNDOFF;
        for (at, (c, expected)) in c.data.iter().zip(&expected.data).enumerate() {
            let (row, col) = (at / before.stride, at % before.stride);
            let difference = (c.to_f64() - expected.to_f64()).abs();
            let allowed = if col < n { bound } else { 0.0 };
            assert!(difference <= allowed, "{id}: element ({row}, {col}) of {m} x {n} x {k}, {ta} {tb}");
        }
    }
}

/// Sizes around the edges of the micro-kernels.
#[test]
fn products_of_every_edge_size() {
    let orientations = [(false, false), (false, true), (true, false), (true, true)];
    for m in (1..=9).chain([15, 16, 17]) {
        for n in (1..=17).chain([23, 24, 25, 31, 33, 47, 48, 49, 50]) {
            let k = 1 + (m * 7 + n * 3) % 13;
            let (pad, orientation) = ((m + n) % 4, orientations[(m + 2 * n) % 4]);
            check::<f64>((m, n, k), pad, orientation);
            check::<f32>((m, n, k), pad, orientation);
        }
    }
}

/// Runs of k, blocks of B and panels of A: one element less, none, and one more.
#[test]
fn products_of_every_block_size() {
    for k in [0, K_MAX - 1, K_MAX, K_MAX + 1, 2 * K_MAX, 1000] {
        check::<f64>((9, 26, k), 1, (false, false));
        check::<f32>((9, 50, k), 2, (true, true));
    }
    for n in [239, 240, 241, 600] {
        check::<f64>((20, n, K_MAX), 0, (false, true));
        check::<f32>((20, 2 * n, K_MAX), 0, (true, false));
    }
    check::<f64>((200, 130, 500), 5, (false, false));
}

#[test]
fn without_add_the_old_contents_do_not_matter() {
    for id in kernels() {
        for k in [0, 5] {
            let (a, b) = (Matrix::<f64>::random(9, k, 1, 1), Matrix::random(k, 25, 0, 2));
            let mut c = Matrix::random(9, 25, 0, 3);
            let mut zero = Matrix { data: vec![0.0; c.data.len()], ..c };
            multiply(id, &mut c, a.view(false), b.view(false), (false, Part::Whole));
            multiply(id, &mut zero, a.view(false), b.view(false), (true, Part::Whole));
            assert_eq!(c.data, zero.data, "{id}, k = {k}");
        }
    }
}

/// The bits of an element depend on its row of A and its column of B, wherever they lie.
#[test]
fn bits_do_not_depend_on_the_place() {
    fn check<T: Scalar>(id: KernelId) {
        let (m, n, k) = (19, 61, 700);
        let (a, b) = (Matrix::<T>::random(m, k, 0, 1), Matrix::<T>::random(k, n, 0, 2));
        let mut whole = Matrix::<T>::random(m, n, 0, 3);
        multiply(id, &mut whole, a.view(false), b.view(false), (false, Part::Whole));
        for (row, col) in [(0, 0), (7, 23), (8, 24), (18, 60), (3, 49)] {
            let row_a = Matrix { rows: 1, cols: k, stride: k, data: a.data[row * k..][..k].to_vec() };
            let col_b = (0..k).map(|l| b.data[l * n + col]).collect();
            let col_b = Matrix { rows: k, cols: 1, stride: 1, data: col_b };
            let mut one = Matrix::<T>::random(1, 1, 0, 4);
            multiply(id, &mut one, row_a.view(false), col_b.view(false), (false, Part::Whole));
            let (one, of_whole) = (one.data[0].to_f64(), whole.data[row * n + col].to_f64());
            assert_eq!(one.to_bits(), of_whole.to_bits(), "{id}: element ({row}, {col})");
            // The other way round too: (B' A')' has the same bits.
            let mut other = Matrix::<T>::random(1, 1, 0, 4);
            multiply(id, &mut other, col_b.view(true), row_a.view(true), (false, Part::Whole));
            assert_eq!(
                other.data[0].to_f64().to_bits(),
                of_whole.to_bits(),
                "{id}: ({col}, {row}) transposed"
            );
        }
    }
    for id in kernels() {
        check::<f64>(id);
        check::<f32>(id);
    }
}

#[test]
fn the_lower_part_has_the_bits_of_the_whole() {
    for id in kernels() {
        for (m, n) in [(1, 1), (60, 60), (61, 30), (30, 61)] {
            let (a, b) = (Matrix::<f64>::random(m, 400, 0, 1), Matrix::random(400, n, 0, 2));
            let mut whole = Matrix::random(m, n, 1, 3);
            let mut lower = Matrix::random(m, n, 1, 3);
            multiply(id, &mut whole, a.view(false), b.view(false), (true, Part::Whole));
            multiply(id, &mut lower, a.view(false), b.view(false), (true, Part::Lower));
            for row in 0..m {
                let until = (row + 1).min(n);
                let elements = row * whole.stride..row * whole.stride + until;
                assert_eq!(lower.data[elements.clone()], whole.data[elements], "{id}: row {row}");
            }
        }
    }
}

#[test]
fn a_nan_and_an_infinity_reach_what_they_must_and_nothing_else() {
    for id in kernels() {
        let mut a = Matrix::<f64>::random(10, 30, 0, 1);
        let mut b = Matrix::<f64>::random(30, 27, 0, 2);
        (a.data[3 * 30 + 5], b.data[7 * 27 + 25]) = (f64::NAN, f64::INFINITY);
        let mut c = Matrix::<f64>::random(10, 27, 2, 3);
        multiply(id, &mut c, a.view(false), b.view(false), (true, Part::Whole));
        for (at, x) in c.data.iter().enumerate() {
            let (row, col) = (at / 29, at % 29);
            let reached = col < 27 && (row == 3 || col == 25);
            assert_eq!(x.is_finite(), !reached, "{id}: element ({row}, {col}) is {x}");
        }
    }
}

#[test]
fn an_instruction_set_that_is_not_there_is_refused() {
    for id in KernelId::ALL {
        assert_eq!(Kernel::<f64>::new(id).is_ok(), id.runs_here(), "{id}");
    }
    assert!(KernelId::of_this_host().runs_here());
}

#[test]
fn runs_are_few_and_nearly_equal() {
    for k in [0, 1, K_MAX, K_MAX + 1, 1000, 1024, 5 * K_MAX] {
        let runs: Vec<_> = runs(k).collect();
        assert_eq!(runs.len(), k.div_ceil(K_MAX));
        assert!(runs.iter().all(|run| (1..=K_MAX).contains(&run.len())));
        assert_eq!(runs.iter().map(Range::len).sum::<usize>(), k);
        assert!(runs.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}

#[test]
fn packed_tiles_are_panels_along_k() {
    // 5 lines of 3 steps in panels of 2 lines, stored in rows of 4; the row and the column too many are left out.
    let data: Vec<f64> = (0..6 * 4).map(f64::from).collect();
    let expected = [0., 4., 1., 5., 2., 6., 8., 12., 9., 13., 10., 14., 16., 17., 18., -1.];
    let by_lines = Packing { width: 2, lines: 5, k: 3, by_lines: true, stride: 4 };
    // The same from the transpose of the stored tile.
    let transposed: Vec<f64> = (0..4 * 6).map(|at| f64::from(at % 6 * 4 + at / 6)).collect();
    let by_steps = Packing { width: 2, lines: 5, k: 3, by_lines: false, stride: 6 };
    for (packing, data) in [(by_lines, data), (by_steps, transposed)] {
        for rows in 1..=6 {
            let mut packed = [-1.0; 16];
            for (index, part) in data.chunks(rows * packing.stride).enumerate() {
                packing.pack(index * rows, part, &mut packed);
            }
            assert_eq!(packed, expected, "{packing:?} in parts of {rows} rows");
        }
    }
}

#[test]
fn parts_are_whole_panels_where_they_fit() {
    let packing = Packing { width: 8, lines: 1000, k: 1000, by_lines: true, stride: 1000 };
    assert_eq!(packing.part_bytes::<f64>(256 << 10), 32 * 8000);
    assert_eq!(packing.part_bytes::<f64>(60_000), 7 * 8000);
    assert_eq!(packing.part_bytes::<f64>(1), 8000);
    let by_steps = Packing { by_lines: false, ..packing };
    assert_eq!(by_steps.part_bytes::<f32>(256 << 10), 65 * 4000);
}

#[test]
fn a_kernel_runs_beside_those_that_hosts_of_a_cluster_have() {
    use KernelId::{Avx2, Avx512, Neon, Portable};
    for kernel in KernelId::ALL {
        assert_eq!(kernel.runs_here(), kernel.runs_beside(KernelId::of_this_host()), "{kernel}");
        assert!(kernel.runs_beside(kernel) && Portable.runs_beside(kernel));
    }
    assert!(Avx2.runs_beside(Avx512));
    for (kernel, best) in [(Avx512, Avx2), (Avx2, Portable), (Avx2, Neon), (Neon, Avx512)] {
        assert!(!kernel.runs_beside(best), "{kernel} beside {best}");
    }
}
