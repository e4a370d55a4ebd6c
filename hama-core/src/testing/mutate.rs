//! A short fuzzing without a fuzzer: seeds, and seeds that were changed a little, for so long.

use std::time::{Duration, Instant};

use crate::transport::framed::faulty::Random;

/// No input is longer.
const BYTES_MAX: usize = 64 << 10;
/// What parsers of numbers stumble over.
const WORDS: [&str; 12] = [
    "18446744073709551615",
    "9223372036854775808",
    "4294967296",
    "1e999",
    "-1",
    "0",
    "NaN",
    "null",
    "[[[[[[[[",
    "\"",
    "\u{0}",
    "\u{10ffff}",
];

/// Gives `parse` every seed, then seeds that were changed, by `number`, for so long. Says how many it was given.
pub fn mutate(seeds: &[Vec<u8>], number: u64, time: Duration, mut parse: impl FnMut(&[u8])) -> u64 {
    let (mut random, end) = (Random(number), Instant::now() + time);
    seeds.iter().for_each(|seed| parse(seed));
    let mut given = seeds.len() as u64;
    while !seeds.is_empty() && Instant::now() < end {
        let mut bytes = pick(seeds, &mut random).clone();
        for _ in 0..=random.below(4) {
            change(&mut bytes, seeds, &mut random);
        }
        bytes.truncate(BYTES_MAX);
        parse(&bytes);
        given += 1;
    }
    given
}

fn pick<'a, T>(among: &'a [T], random: &mut Random) -> &'a T {
    &among[random.below(among.len() as u64) as usize]
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let mut place = |len: usize| random.below(len as u64 + 1) as usize;
    let (one, other) = (place(bytes.len()), place(bytes.len()));
    let (start, end) = (one.min(other), one.max(other));
    match random.below(8) {
        0 => bytes.truncate(start),
        1 => drop(bytes.drain(start..end.min(start + 64))),
        2 => {
            let part = bytes[start..end].to_vec();
            drop(bytes.splice(one..one, part));
        }
        3 => {
            let word = pick(&WORDS, random).as_bytes().to_vec();
            drop(bytes.splice(start..end.min(start + 4), word));
        }
        4 => {
            let number = [0, 1, u64::MAX, 1 << 63, 1 << 40, 1 << 32][random.below(6) as usize];
            let width = 1 << random.below(4);
            drop(
                bytes.splice(start..(start + width).min(bytes.len()), number.to_le_bytes()[..width].to_vec()),
            );
        }
        5 => {
            let from = pick(seeds, random);
            let at = random.below(from.len() as u64 + 1) as usize;
            drop(bytes.splice(start..end, from[at..].iter().copied()));
        }
        _ if start < bytes.len() => bytes[start] ^= 1 << random.below(8),
        _ => bytes.push(random.below(256) as u8),
    }
}
