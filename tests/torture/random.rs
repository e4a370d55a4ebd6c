//! Random numbers that follow from a seed and from what they are for.

/// A seeded sequence: splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// The sequence for trial `number` of `what`.
    pub(crate) fn of(seed: u64, what: &str, number: u64) -> Random {
        let mut random = Random(seed);
        for byte in what.bytes().map(u64::from).chain([number]) {
            random.0 = random.next() ^ byte;
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
