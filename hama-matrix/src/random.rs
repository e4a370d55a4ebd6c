//! The counter-based generator of random matrices: an element is a function of distribution, seed, row, column and type.
//!
//! Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

mod lanes;
mod normal;

use lanes::LANES;
use serde::{Deserialize, Serialize};

/// The seed of a random matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seed(pub u64);

/// How the elements of a random matrix are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Distribution {
    /// Uniform in [0, 1).
    Uniform,
    /// Normal with mean 0 and variance 1.
    Normal,
}

impl Distribution {
    /// Its name in a table's attributes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
        }
    }
}

/// What a stream of numbers is for: each draws from counters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Elements uniform in [0, 1).
    Uniform = 0,
    /// The signs of a verification.
    Sign = 1,
    /// Standard normal elements.
    Normal = 2,
}

/// Four random words for one counter and key.
#[inline(always)]
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let low = u64::from(counter[0]) * 0xD251_1F53;
        let high = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (high >> 32) as u32 ^ counter[1] ^ key[0],
            high as u32,
            (low >> 32) as u32 ^ counter[3] ^ key[1],
            low as u32,
        ];
    }
    counter
}

/// The four words of one block of a matrix.
///
/// The counter holds 40 bits of column group, 40 bits of row, 32 bits of layer (the third index of a 3-way
/// matrix, 0 in a matrix) and 16 bits of stream.
#[inline(always)]
fn block(seed: Seed, stream: Stream, layer: u32, row: u64, group: u64) -> [u32; 4] {
    let high = (stream as u32) << 16 | ((row >> 32) as u32) << 8 | (group >> 32) as u32;
    philox([group as u32, row as u32, layer, high], [seed.0 as u32, (seed.0 >> 32) as u32])
}

/// An element type that can be drawn.
pub trait Drawn: Sized + Copy + 'static {
    /// How many neighbouring columns of a row one block gives.
    const PER_BLOCK: usize;

    /// Element `index` of a block, uniform in [0, 1): the upper bits of its words, so that every value is a
    /// multiple of the type's spacing below 1.
    fn uniform(words: [u32; 4], index: usize) -> Self;

    /// All elements of neighbouring blocks, normal with mean 0 and variance 1. No magnitude is above 9.5, of an f32 6.8.
    fn normal(blocks: &[[u32; 4]; LANES], into: &mut [Self]);
}

impl Drawn for f64 {
    const PER_BLOCK: usize = 2;

    #[inline(always)]
    fn uniform(words: [u32; 4], index: usize) -> f64 {
        let bits = u64::from(words[2 * index]) | u64::from(words[2 * index + 1]) << 32;
        (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    #[inline(always)]
    fn normal(blocks: &[[u32; 4]; LANES], into: &mut [f64]) {
        let (mut radii, mut angles) = ([0; LANES], [0; LANES]);
        for (lane, words) in blocks.iter().enumerate() {
            radii[lane] = u64::from(words[0]) | u64::from(words[1]) << 32;
            angles[lane] = u64::from(words[2]) | u64::from(words[3]) << 32;
        }
        for (to, pair) in into.chunks_exact_mut(2).zip(normal::pairs(&radii, &angles)) {
            to.copy_from_slice(&pair);
        }
    }
}

impl Drawn for f32 {
    const PER_BLOCK: usize = 4;

    #[inline(always)]
    fn uniform(words: [u32; 4], index: usize) -> f32 {
        (words[index] >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    #[inline(always)]
    fn normal(blocks: &[[u32; 4]; LANES], into: &mut [f32]) {
        // In the middle of what a word of 32 bits stands for.
        let wide = |word: u32| u64::from(word) << 32 | 1 << 31;
        let (mut radii, mut angles) = ([0; 2 * LANES], [0; 2 * LANES]);
        for (lane, words) in blocks.iter().enumerate() {
            for half in 0..2 {
                radii[2 * lane + half] = wide(words[2 * half]);
                angles[2 * lane + half] = wide(words[2 * half + 1]);
            }
        }
        for (to, pair) in into.chunks_exact_mut(2).zip(normal::pairs(&radii, &angles)) {
            to.copy_from_slice(&pair.map(|x| x as f32));
        }
    }
}

/// Fills `into` with the elements of `row` from column `col` on.
///
/// Rows and columns lie below 2^40. It is fastest where `col` is a multiple of [`Drawn::PER_BLOCK`].
pub(crate) fn fill_row<T: Drawn>(how: Distribution, seed: Seed, row: u64, col: u64, into: &mut [T]) {
    debug_assert!(row < 1 << 40 && col < 1 << 40);
    lanes::fill_row(how, seed, row, col, into);
}

/// Fills `into` with the signs of a verification from index `first` on: each +1 or -1, 128 from a block.
pub(crate) fn fill_signs(seed: Seed, first: u64, into: &mut [f64]) {
    let (mut group, mut skip) = (first / 128, (first % 128) as usize);
    let mut rest = into;
    while !rest.is_empty() {
        let words = block(seed, Stream::Sign, 0, 0, group);
        let (now, later) = rest.split_at_mut((128 - skip).min(rest.len()));
        for (bit, sign) in (skip..).zip(now) {
            *sign = if words[bit / 32] >> (bit % 32) & 1 == 0 { 1.0 } else { -1.0 };
        }
        (group, skip, rest) = (group + 1, 0, later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer vectors that Random123 publishes for philox4x32-10.
    #[test]
    fn the_published_vectors() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn a_row_is_the_same_from_wherever_it_is_filled() {
        fn check<T: Drawn + PartialEq + std::fmt::Debug + Default>(how: Distribution) {
            let mut whole = vec![T::default(); 41];
            fill_row(how, Seed(7), 3, 0, &mut whole);
            for start in 0..41 {
                for end in start..41 {
                    let mut part = vec![T::default(); end - start];
                    fill_row(how, Seed(7), 3, start as u64, &mut part);
                    assert_eq!(part, whole[start..end]);
                }
            }
        }
        for how in [Distribution::Uniform, Distribution::Normal] {
            check::<f64>(how);
            check::<f32>(how);
        }
    }

    /// These values are part of the format: a matrix of a seed is the same for ever.
    #[test]
    fn golden_elements() {
        for (how, golden) in [(Distribution::Uniform, GOLDEN), (Distribution::Normal, GOLDEN_NORMAL)] {
            let mut f64s = [0.0f64; 3];
            fill_row(how, Seed(42), 1, 2, &mut f64s);
            let mut f32s = [0.0f32; 3];
            fill_row(how, Seed(42), 1, 2, &mut f32s);
            assert_eq!(format!("{f64s:?} {f32s:?}"), golden);
        }
    }

    const GOLDEN: &str =
        "[0.4082183684531753, 0.8538319500111669, 0.08445689455922523] [0.18712193, 0.41673297, 0.13286608]";
    const GOLDEN_NORMAL: &str = "[-0.9214097642246543, -0.2147096112910004, -0.5957921429824214] [1.2080882, -0.7904959, -0.39998657]";

    #[test]
    fn rows_columns_layers_streams_and_seeds_draw_from_different_counters() {
        let blocks = [
            block(Seed(1), Stream::Uniform, 0, 5, 9),
            block(Seed(2), Stream::Uniform, 0, 5, 9),
            block(Seed(1 << 32 | 1), Stream::Uniform, 0, 5, 9),
            block(Seed(1), Stream::Sign, 0, 5, 9),
            block(Seed(1), Stream::Normal, 0, 5, 9),
            block(Seed(1), Stream::Uniform, 1, 5, 9),
            block(Seed(1), Stream::Uniform, 0, 9, 5),
            block(Seed(1), Stream::Uniform, 0, 5 | 1 << 32, 9),
            block(Seed(1), Stream::Uniform, 0, 5, 9 | 1 << 32),
        ];
        for (i, a) in blocks.iter().enumerate() {
            assert!(blocks[i + 1..].iter().all(|b| a != b), "block {i} stands twice");
        }
    }

    #[test]
    fn elements_are_uniform_in_the_unit_interval() {
        let mut row = vec![0.0f64; 100_000];
        fill_row(Distribution::Uniform, Seed(0), 0, 0, &mut row);
        assert!(row.iter().all(|x| (0.0..1.0).contains(x)));
        // The mean of n uniform numbers has standard deviation 1 / sqrt(12 n): six of them are allowed.
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        assert!((mean - 0.5).abs() < 6.0 / (12.0 * row.len() as f64).sqrt(), "mean {mean}");
    }

    #[test]
    fn signs_are_the_bits_of_their_blocks_from_wherever_they_are_filled() {
        let bit = |index: usize| {
            let words = block(Seed(3), Stream::Sign, 0, 0, index as u64 / 128);
            words[index % 128 / 32] >> (index % 32) & 1
        };
        let expected: Vec<f64> = (0..400).map(|index| 1.0 - 2.0 * f64::from(bit(index))).collect();
        for start in [0, 1, 31, 32, 127, 128, 129, 256] {
            for len in [0, 1, 126, 127, 128, 129, 144] {
                let mut signs = vec![0.0; len];
                fill_signs(Seed(3), start as u64, &mut signs);
                assert_eq!(signs, expected[start..][..len], "{len} from {start}");
            }
        }
    }

    #[test]
    fn signs_are_balanced() {
        let mut signs = vec![0.0; 100_000];
        fill_signs(Seed(3), 0, &mut signs);
        let sum: f64 = signs.iter().sum();
        assert!(sum.abs() < 6.0 * 100_000f64.sqrt(), "sum {sum}");
    }
}
