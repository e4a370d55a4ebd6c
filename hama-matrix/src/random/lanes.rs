//! Many neighbouring blocks of the generator at once: one loop, compiled for each width of vectors.
//!
//! The 10 rounds of a block depend on each other, so neighbouring blocks go side by side, each in a lane. That is
//! the plain loop over blocks of `fill`; the compiler makes `vpmuludq` of its multiplications where there is AVX2
//! or AVX-512.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "calls code for instruction sets that it has asked for; nothing else is unsafe here"
    )
)]

use super::{Distribution, Drawn, Seed, Stream, block};

/// Blocks that are drawn at once: the 32-bit lanes of the widest vectors.
pub(super) const LANES: usize = 16;

/// Fills `into` with the elements of `row` from column `col` on, in the widest vectors that this host has.
pub(super) fn fill_row<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, into: &mut [T]) {
    #[cfg(target_arch = "x86_64")]
    if with_avx512(how, seed, row, col, into) || with_avx2(how, seed, row, col, into) {
        return;
    }
    fill(how, seed, row, col, into);
}

/// The same with 512-bit vectors; does nothing and is false where the host has none.
#[cfg(target_arch = "x86_64")]
pub(super) fn with_avx512<T: Drawn>(
    how: Distribution,
    seed: Seed,
    row: u64,
    col: u64,
    into: &mut [T],
) -> bool {
    #[target_feature(enable = "avx512f,avx512dq")]
    fn compiled<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, into: &mut [T]) {
        fill(how, seed, row, col, into);
    }
    let here = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
    if here {
        // SAFETY: the processor has the instructions.
        unsafe { compiled(how, seed, row, col, into) };
    }
    here
}

/// The same with 256-bit vectors; does nothing and is false where the host has none.
#[cfg(target_arch = "x86_64")]
pub(super) fn with_avx2<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, into: &mut [T]) -> bool {
    #[target_feature(enable = "avx2")]
    fn compiled<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, into: &mut [T]) {
        fill(how, seed, row, col, into);
    }
    let here = is_x86_feature_detected!("avx2");
    if here {
        // SAFETY: the processor has the instructions.
        unsafe { compiled(how, seed, row, col, into) };
    }
    here
}

/// The same with what every processor of this architecture has. Inlined, so that callers compile it for more.
#[inline(always)]
pub(super) fn fill<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, into: &mut [T]) {
    match how {
        Distribution::Uniform => by_lots(Stream::Uniform, seed, (row, col), into, uniform::<T>),
        Distribution::Normal => by_lots(Stream::Normal, seed, (row, col), into, normal::<T>),
    }
}

/// Draws lot after lot of blocks; `elements` gets a lot, how many of its elements to skip, and what to fill.
#[inline(always)]
fn by_lots<T: Drawn>(
    stream: Stream,
    seed: Seed,
    (row, col): (u64, u64),
    into: &mut [T],
    elements: impl Fn(&[[u32; 4]; LANES], usize, &mut [T]),
) {
    let mut group = col / T::PER_BLOCK as u64;
    let mut skip = (col % T::PER_BLOCK as u64) as usize;
    let mut rest = into;
    while !rest.is_empty() {
        let mut blocks = [[0; 4]; LANES];
        for (lane, words) in blocks.iter_mut().enumerate() {
            *words = block(seed, stream, 0, row, group + lane as u64);
        }
        let (now, later) = rest.split_at_mut((LANES * T::PER_BLOCK - skip).min(rest.len()));
        elements(&blocks, skip, now);
        (group, skip, rest) = (group + LANES as u64, 0, later);
    }
}

#[inline(always)]
fn uniform<T: Drawn>(blocks: &[[u32; 4]; LANES], skip: usize, into: &mut [T]) {
    if into.len() == LANES * T::PER_BLOCK {
        // The same as below, in the form that is vectorised.
        for (words, elements) in blocks.iter().zip(into.chunks_exact_mut(T::PER_BLOCK)) {
            for (index, element) in elements.iter_mut().enumerate() {
                *element = T::uniform(*words, index);
            }
        }
    } else {
        for (index, element) in (skip..).zip(into) {
            *element = T::uniform(blocks[index / T::PER_BLOCK], index % T::PER_BLOCK);
        }
    }
}

#[inline(always)]
fn normal<T: Drawn>(blocks: &[[u32; 4]; LANES], skip: usize, into: &mut [T]) {
    let whole = LANES * T::PER_BLOCK;
    if into.len() == whole {
        T::normal(blocks, into);
    } else {
        let mut lot = [T::uniform([0; 4], 0); 4 * LANES];
        T::normal(blocks, &mut lot[..whole]);
        into.copy_from_slice(&lot[skip..][..into.len()]);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Fills with one of the compiled variants; false where this host cannot.
    type Variant<T> = fn(Distribution, Seed, u64, u64, &mut [T]) -> bool;

    fn variants<T: Drawn>() -> Vec<(&'static str, Variant<T>)> {
        vec![
            ("chosen", |how, seed, row, col, into| {
                fill_row(how, seed, row, col, into);
                true
            }),
            ("baseline", |how, seed, row, col, into| {
                fill(how, seed, row, col, into);
                true
            }),
            #[cfg(target_arch = "x86_64")]
            ("avx2", with_avx2),
            #[cfg(target_arch = "x86_64")]
            ("avx512", with_avx512),
        ]
    }

    /// Element by element, each from a block of its own.
    fn expected<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, len: usize) -> Vec<T> {
        let per_block = T::PER_BLOCK as u64;
        let element = |col: u64| {
            let index = (col % per_block) as usize;
            match how {
                Distribution::Uniform => {
                    T::uniform(block(seed, Stream::Uniform, 0, row, col / per_block), index)
                }
                Distribution::Normal => {
                    let mut lot = [T::uniform([0; 4], 0); 4 * LANES];
                    T::normal(
                        &[block(seed, Stream::Normal, 0, row, col / per_block); LANES],
                        &mut lot[..LANES * T::PER_BLOCK],
                    );
                    lot[index]
                }
            }
        };
        (col..col + len as u64).map(element).collect()
    }

    /// Every start within two blocks and every length up to two lots and a block, around `group`.
    fn check<T: Drawn + PartialEq + Debug + Default>(how: Distribution, seed: Seed, row: u64, group: u64) {
        let first = group * T::PER_BLOCK as u64;
        let len_max = (2 * LANES + 1) * T::PER_BLOCK;
        let all = expected::<T>(how, seed, row, first, len_max + 2 * T::PER_BLOCK);
        for (name, variant) in variants::<T>() {
            for start in 0..2 * T::PER_BLOCK {
                for len in 0..=len_max {
                    let mut into = vec![T::default(); len];
                    if !variant(how, seed, row, first + start as u64, &mut into) {
                        println!("skipped: this host has no {name}");
                        return;
                    }
                    assert_eq!(
                        into,
                        all[start..][..len],
                        "{name}, {how:?}, row {row}, group {group}, start {start}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_variant_draws_the_same_bits_as_single_blocks() {
        // In some lots the group passes 2^32 between two lanes; the last one ends at the largest column.
        let last = (1 << 38) - 2 * LANES as u64 - 3;
        for row in [0, 5, u64::from(u32::MAX), 1 << 32, (1 << 40) - 1] {
            for group in [0, (1 << 32) - 20, (1 << 32) - 5, 1 << 32, last] {
                for how in [Distribution::Uniform, Distribution::Normal] {
                    check::<f64>(how, Seed(7), row, group);
                    check::<f32>(how, Seed(u64::MAX - 9), row, group);
                }
            }
        }
    }
}
