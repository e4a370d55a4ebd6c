//! SHA-256, which names executables and hides the token.

use sha2::{Digest as _, Sha256};

/// The sum of bytes that come in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum(Sha256);

impl Sum {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn end(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The sum of these bytes.
pub(crate) fn sum(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_or_whole_the_sum_is_the_known_one() {
        // Of "abc", as FIPS 180-4 has it.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut parts = Sum::default();
        parts.add(b"a");
        parts.add(b"bc");
        assert_eq!((hex(sum(b"abc")), hex(parts.end())), (known.to_owned(), known.to_owned()));
    }
}
