//! The most floating-point operations that this host does in a second: what a kernel is measured against.
#![expect(
    unsafe_code,
    reason = "calls code for instruction sets that it has asked for; nothing else is unsafe here"
)]

use std::hint::black_box;
use std::time::Instant;

use hama_hdfs::ElementType;

/// Rounds of independent multiply-adds.
const ROUNDS: u64 = 20_000_000;

/// Floating-point operations of `element` a second, of `threads` threads together, each of which does nothing
/// but multiply-add in registers. Other work on the cores makes it less: take the most of several.
///
/// # Cost
/// Some 30 ms on a core with vectors of 512 bits, no memory.
pub fn peak_flop_per_s(element: ElementType, threads: usize) -> f64 {
    let start = Instant::now();
    let flop: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(move || multiply_add(element))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    flop as f64 / start.elapsed().as_secs_f64()
}

/// Multiply-adds in the widest registers, and how many floating-point operations those were.
fn multiply_add(element: ElementType) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions.
            return unsafe {
                match element {
                    ElementType::F64 => x86::avx512_f64(),
                    ElementType::F32 => x86::avx512_f32(),
                }
            };
        }
        if is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx") {
            // SAFETY: the processor has the instructions.
            return unsafe {
                match element {
                    ElementType::F64 => x86::fma_f64(),
                    ElementType::F32 => x86::fma_f32(),
                }
            };
        }
    }
    match element {
        ElementType::F64 => portable::<8, f64>(0.5),
        ElementType::F32 => portable::<16, f32>(0.5),
    }
}

/// The same in what the compiler makes of it.
fn portable<const LANES: usize, T>(half: T) -> u64
where
    T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>,
{
    let mut sums = [half; LANES];
    for _ in 0..ROUNDS {
        let half = black_box(half);
        sums.iter_mut().for_each(|sum| *sum = *sum * half + half);
    }
    black_box(sums);
    ROUNDS * LANES as u64 * 2
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use super::ROUNDS;

    /// Enough chains to hide the latency of one.
    const CHAINS: usize = 12;

    macro_rules! multiply_adds {
        ($name:ident, $features:literal, $type:ty, $lanes:literal, $set:ident, $add:ident, $store:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name() -> u64 {
                let (half, mut sums) = ($set(black_box(0.5)), [$set(1.0); CHAINS]);
                for _ in 0..ROUNDS {
                    for sum in &mut sums {
                        *sum = $add(*sum, half, half);
                    }
                }
                let mut out: [$type; $lanes] = [0.0; $lanes];
                for sum in sums {
                    // SAFETY: as many numbers as a register has fit.
                    unsafe { $store(out.as_mut_ptr(), sum) };
                    black_box(out);
                }
                ROUNDS * CHAINS as u64 * $lanes * 2
            }
        };
    }

    multiply_adds!(avx512_f64, "avx512f", f64, 8, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_storeu_pd);
    multiply_adds!(avx512_f32, "avx512f", f32, 16, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps);
    multiply_adds!(fma_f64, "avx,fma", f64, 4, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_storeu_pd);
    multiply_adds!(fma_f32, "avx,fma", f32, 8, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_counts_what_it_does() {
        for element in [ElementType::F64, ElementType::F32] {
            let peak = peak_flop_per_s(element, 2);
            assert!(peak.is_finite() && peak > 0.0, "{element:?} {peak}");
            assert_eq!(multiply_add(element) % ROUNDS, 0);
        }
        assert_eq!((portable::<8, f64>(0.5), portable::<16, f32>(0.5)), (16 * ROUNDS, 32 * ROUNDS));
    }
}
