//! The most floating-point operations that this host does in a second: what a kernel is measured against.
#![expect(
    unsafe_code,
    reason = "calls code for instruction sets that it has asked for; nothing else is unsafe here"
)]

use std::hint::black_box;
use std::time::Instant;

/// Rounds of independent multiply-adds.
const ROUNDS: u64 = 20_000_000;

/// Floating-point operations of f64 a second, of `threads` threads together, each of which does nothing but
/// multiply-add in registers.
pub fn peak_flop_per_s(threads: usize) -> f64 {
    let start = Instant::now();
    let flop: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(multiply_add)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    flop as f64 / start.elapsed().as_secs_f64()
}

/// Multiply-adds in the widest registers, and how many floating-point operations those were.
fn multiply_add() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::avx512() };
        }
        if is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx") {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::fma() };
        }
    }
    let mut sums = [1.0f64; 8];
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = *sum * black_box(0.5) + 0.5);
    }
    black_box(sums);
    ROUNDS * 16
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_fmadd_pd, _mm256_set1_pd, _mm256_storeu_pd, _mm512_fmadd_pd, _mm512_set1_pd, _mm512_storeu_pd,
    };
    use std::hint::black_box;

    use super::ROUNDS;

    /// Enough chains to hide the latency of one.
    const CHAINS: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512() -> u64 {
        let (half, mut sums) = (_mm512_set1_pd(black_box(0.5)), [_mm512_set1_pd(1.0); CHAINS]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_pd(*sum, half, half);
            }
        }
        let mut out = [0.0; 8];
        for sum in sums {
            // SAFETY: eight numbers fit.
            unsafe { _mm512_storeu_pd(out.as_mut_ptr(), sum) };
            black_box(out);
        }
        ROUNDS * CHAINS as u64 * 16
    }

    #[target_feature(enable = "avx,fma")]
    pub(super) fn fma() -> u64 {
        let (half, mut sums) = (_mm256_set1_pd(black_box(0.5)), [_mm256_set1_pd(1.0); CHAINS]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_pd(*sum, half, half);
            }
        }
        let mut out = [0.0; 4];
        for sum in sums {
            // SAFETY: four numbers fit.
            unsafe { _mm256_storeu_pd(out.as_mut_ptr(), sum) };
            black_box(out);
        }
        ROUNDS * CHAINS as u64 * 8
    }
}
