//! Micro-kernels for x86-64: rows of C by whole vectors of its columns, each sum in a register.

/// The micro-kernel of an element type, out of the vector operations of the module `ops`.
///
/// A full rectangle keeps rows x vectors sums; at the edges of a tile there are fewer of both, and the last
/// vector is masked. Each size is a function of its own, so that its sums are registers.
macro_rules! micro_kernel {
    (
        $element:ident, $feature:literal, $rows:literal x $vectors:literal, edges $($row:literal)*, $ops:ident,
        block $block:expr
    ) => {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};

        use super::super::super::{LINE_BYTES, MicroKernel, STEPS_A_LINE, Work};
        use super::$ops as v;

        pub(in super::super::super) const KERNEL: MicroKernel<$element> =
            MicroKernel { rows: $rows, cols: $vectors * v::LANES, block_bytes: $block, run };

        /// # Safety
        /// The host has the instructions, and the pointers of the work point to all that its shapes name.
        #[target_feature(enable = $feature)]
        unsafe fn run(work: &Work<$element>) {
            // SAFETY: as the caller says; the function chosen has the work's rows and vectors.
            unsafe {
                match work.rows {
                    $rows if work.cols == $vectors * v::LANES => rectangle::<$rows, $vectors, false>(work),
                    $($row => edge::<$row>(work),)*
                    rows => unreachable!("a micro-kernel for {rows} rows"),
                }
            }
        }

        /// # Safety
        /// As for `run`, and the work has this many rows.
        #[target_feature(enable = $feature)]
        unsafe fn edge<const ROWS: usize>(work: &Work<$element>) {
            // SAFETY: as the caller says; the function chosen has the work's vectors.
            unsafe {
                match work.cols.div_ceil(v::LANES) {
                    1 => rectangle::<ROWS, 1, true>(work),
                    2 => rectangle::<ROWS, 2, true>(work),
                    _ => rectangle::<ROWS, $vectors, true>(work),
                }
            }
        }

        /// # Safety
        /// As for `run`, and the work has this many rows and vectors; where nothing is masked, whole vectors.
        #[target_feature(enable = $feature)]
        unsafe fn rectangle<const ROWS: usize, const VECTORS: usize, const MASKED: bool>(
            work: &Work<$element>,
        ) {
            let &Work { k, cols, mut a, mut b, c, c_stride, add, .. } = work;
            let mut next = work.next.cast::<i8>();
            let mut sums = [[v::zero(); VECTORS]; ROWS];
            let mask = v::mask(cols - (VECTORS - 1) * v::LANES);
            // SAFETY: A holds ROWS elements a step, B and the rows of C `cols`, of which the last vector is
            // masked unless it is whole. A prefetch may name any address.
            unsafe {
                macro_rules! step {
                    () => {{
                        let mut row_b = [v::zero(); VECTORS];
                        for (index, vector) in row_b.iter_mut().enumerate() {
                            let at = b.add(index * v::LANES);
                            *vector = if MASKED && index == VECTORS - 1 {
                                v::load_part(at, mask)
                            } else {
                                v::load(at)
                            };
                        }
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let factor = v::broadcast(*a.add(row));
                            for (sum, vector) in sums.iter_mut().zip(row_b) {
                                *sum = v::multiply_add(factor, vector, *sum);
                            }
                        }
                        a = a.add(ROWS);
                        b = b.add(if MASKED { cols } else { VECTORS * v::LANES });
                    }};
                }
                // C is wanted at the end: it is on its way from the start.
                let first = k.min(ROWS);
                for row in 0..first {
                    let row_c = c.wrapping_add(row * c_stride).cast::<i8>();
                    for line in 0..=(VECTORS * v::LANES * size_of::<$element>() / LINE_BYTES) {
                        _mm_prefetch::<_MM_HINT_T0>(row_c.wrapping_add(line * LINE_BYTES));
                    }
                    step!();
                }
                for _ in 0..(k - first) / STEPS_A_LINE {
                    _mm_prefetch::<_MM_HINT_T1>(next);
                    next = next.wrapping_add(LINE_BYTES);
                    for _ in 0..STEPS_A_LINE {
                        step!();
                    }
                }
                for _ in 0..(k - first) % STEPS_A_LINE {
                    step!();
                }
                for (row, sums) in sums.iter().enumerate() {
                    for (index, &sum) in sums.iter().enumerate() {
                        let at = c.add(row * c_stride + index * v::LANES);
                        if MASKED && index == VECTORS - 1 {
                            let sum = if add { v::add(v::load_part(at, mask), sum) } else { sum };
                            v::store_part(at, mask, sum);
                        } else {
                            v::store(at, if add { v::add(v::load(at), sum) } else { sum });
                        }
                    }
                }
            }
        }
    };
}

/// The vector operations of an element type.
macro_rules! operations {
    (
        $name:ident, $element:ident, $feature:literal, $vector:ident x $lanes:literal, $mask:ty,
        $zero:ident, $broadcast:ident, $fma:ident, $add:ident, $load:ident, $store:ident,
        mask $count:ident $make:expr, load_part $p:ident $m:ident $load_part:expr, store_part $x:ident $store_part:expr
    ) => {
        mod $name {
            use std::arch::x86_64::*;

            pub(super) const LANES: usize = $lanes;

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) fn zero() -> $vector {
                $zero()
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) fn broadcast(value: $element) -> $vector {
                $broadcast(value)
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) fn multiply_add(a: $vector, b: $vector, sum: $vector) -> $vector {
                $fma(a, b, sum)
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) fn add(a: $vector, b: $vector) -> $vector {
                $add(a, b)
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn load(from: *const $element) -> $vector {
                // SAFETY: the caller's pointer is to a whole vector.
                unsafe { $load(from) }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn store(to: *mut $element, vector: $vector) {
                // SAFETY: the caller's pointer is to a whole vector.
                unsafe { $store(to, vector) }
            }

            /// The first `count` lanes, 1 to all.
            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) fn mask($count: usize) -> $mask {
                $make
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn load_part($p: *const $element, $m: $mask) -> $vector {
                // SAFETY: the caller's pointer is to the lanes of the mask.
                unsafe { $load_part }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn store_part($p: *mut $element, $m: $mask, $x: $vector) {
                // SAFETY: the caller's pointer is to the lanes of the mask.
                unsafe { $store_part }
            }
        }
    };
}

pub(super) mod avx512 {
    operations!(
        ops64, f64, "avx512f", __m512d x 8, __mmask8,
        _mm512_setzero_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_loadu_pd, _mm512_storeu_pd,
        mask count u8::MAX >> (LANES - count),
        load_part p m _mm512_maskz_loadu_pd(m, p),
        store_part x _mm512_mask_storeu_pd(p, m, x)
    );
    operations!(
        ops32, f32, "avx512f", __m512 x 16, __mmask16,
        _mm512_setzero_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_loadu_ps, _mm512_storeu_ps,
        mask count u16::MAX >> (LANES - count),
        load_part p m _mm512_maskz_loadu_ps(m, p),
        store_part x _mm512_mask_storeu_ps(p, m, x)
    );

    // 24 sums, 3 vectors of B and a factor of A: 28 of the 32 registers. These hosts have 1 or 2 MiB of second cache.
    pub(in super::super) mod f64 {
        micro_kernel!(f64, "avx512f", 8 x 3, edges 1 2 3 4 5 6 7 8, ops64, block 640 << 10);
    }
    pub(in super::super) mod f32 {
        micro_kernel!(f32, "avx512f", 8 x 3, edges 1 2 3 4 5 6 7 8, ops32, block 640 << 10);
    }
}

pub(super) mod avx2 {
    operations!(
        ops64, f64, "avx2,fma", __m256d x 4, __m256i,
        _mm256_setzero_pd, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_loadu_pd, _mm256_storeu_pd,
        mask count _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3)),
        load_part p m _mm256_maskload_pd(p, m),
        store_part x _mm256_maskstore_pd(p, m, x)
    );
    operations!(
        ops32, f32, "avx2,fma", __m256 x 8, __m256i,
        _mm256_setzero_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_loadu_ps, _mm256_storeu_ps,
        mask count _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
        load_part p m _mm256_maskload_ps(p, m),
        store_part x _mm256_maskstore_ps(p, m, x)
    );

    // 12 sums, 2 vectors of B and factors of A: 16 registers. Of 4 x 3 one sum is spilled in each step. The smallest second cache of such hosts is 256 KiB.
    pub(in super::super) mod f64 {
        micro_kernel!(f64, "avx2,fma", 6 x 2, edges 1 2 3 4 5 6, ops64, block 160 << 10);
    }
    pub(in super::super) mod f32 {
        micro_kernel!(f32, "avx2,fma", 6 x 2, edges 1 2 3 4 5 6, ops32, block 160 << 10);
    }
}
