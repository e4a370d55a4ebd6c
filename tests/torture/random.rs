//! Random numbers that follow from a seed and from what they are for.

use hama_core::testing;

/// A seeded sequence.
pub(crate) struct Random(testing::Random);

impl Random {
    /// The sequence for trial `number` of `what`.
    pub(crate) fn of(seed: u64, what: &str, number: u64) -> Random {
        let mut random = testing::Random(seed);
        for byte in what.bytes().map(u64::from).chain([number]) {
            random.0 = random.number() ^ byte;
        }
        Random(random)
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.0.number() >> 11) as f64 / (1u64 << 53) as f64
    }
}
