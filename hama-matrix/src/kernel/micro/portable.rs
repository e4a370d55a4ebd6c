//! Micro-kernels without instructions of a particular processor: the compiler makes vectors of them.

use super::{MicroKernel, Work};

/// It fits into any second cache.
const BLOCK_BYTES: usize = 160 << 10;

macro_rules! portable {
    ($element:ident, $rows:literal x $cols:literal) => {
        pub(in super::super) mod $element {
            use super::{BLOCK_BYTES, MicroKernel, Work};

            pub(in super::super::super) const KERNEL: MicroKernel<$element> =
                MicroKernel { rows: $rows, cols: $cols, block_bytes: BLOCK_BYTES, run: run::<false> };
            /// With fused multiply-add, for processors that all have it.
            pub(in super::super::super) const FUSED: MicroKernel<$element> =
                MicroKernel { rows: $rows, cols: $cols, block_bytes: BLOCK_BYTES, run: run::<true> };

            /// # Safety
            /// The pointers of the work point to all that its shapes name.
            unsafe fn run<const FUSED: bool>(work: &Work<$element>) {
                // SAFETY: as the caller says.
                let (a, b) = unsafe {
                    let a = std::slice::from_raw_parts(work.a, work.rows * work.k);
                    (a, std::slice::from_raw_parts(work.b, work.cols * work.k))
                };
                let sums = if (work.rows, work.cols) == ($rows, $cols) {
                    rectangle::<FUSED>(a, b)
                } else {
                    edge::<FUSED>(work, a, b)
                };
                for (row, sums) in sums.iter().enumerate().take(work.rows) {
                    // SAFETY: as the caller says.
                    let c =
                        unsafe { std::slice::from_raw_parts_mut(work.c.add(row * work.c_stride), work.cols) };
                    for (c, sum) in c.iter_mut().zip(sums) {
                        *c = if work.add { *c + sum } else { *sum };
                    }
                }
            }

            /// All sums of a whole rectangle: by itself, so that they stay in registers.
            fn rectangle<const FUSED: bool>(a: &[$element], b: &[$element]) -> [[$element; $cols]; $rows] {
                let mut sums = [[0.0; $cols]; $rows];
                let (a, _) = a.as_chunks::<$rows>();
                let (b, _) = b.as_chunks::<$cols>();
                for (a, b) in a.iter().zip(b) {
                    for (sums, &a) in sums.iter_mut().zip(a) {
                        for (sum, &b) in sums.iter_mut().zip(b) {
                            *sum = add::<FUSED>(*sum, a, b);
                        }
                    }
                }
                sums
            }

            fn edge<const FUSED: bool>(
                work: &Work<$element>,
                a: &[$element],
                b: &[$element],
            ) -> [[$element; $cols]; $rows] {
                let mut sums = [[0.0; $cols]; $rows];
                for (a, b) in a.chunks_exact(work.rows).zip(b.chunks_exact(work.cols)) {
                    for (sums, &a) in sums.iter_mut().zip(a) {
                        for (sum, &b) in sums.iter_mut().zip(b) {
                            *sum = add::<FUSED>(*sum, a, b);
                        }
                    }
                }
                sums
            }

            fn add<const FUSED: bool>(sum: $element, a: $element, b: $element) -> $element {
                if FUSED { a.mul_add(b, sum) } else { sum + a * b }
            }
        }
    };
}

portable!(f64, 4 x 4);
portable!(f32, 4 x 8);
