//! Whether a bundle that travels is compressed, and how. The only place that names the compressor.
//!
//! Random numbers do not shrink, and finding that out costs little: a small part is tried first.

use std::fmt;

use lz4_flex::block;

use crate::error::{Error, Result};
use crate::message::bundle::BUNDLE_BYTES_MAX;

/// A bundle as it arrived.
#[derive(Debug)]
pub(crate) enum Bundle {
    Raw(Vec<u8>),
    /// `raw_bytes` is what the sender says.
    Compressed {
        bytes: Vec<u8>,
        raw_bytes: usize,
    },
    /// One that waits where it is fetched from.
    Elsewhere {
        fetch: Fetch,
        raw_bytes: u64,
    },
}

/// Brings a bundle back.
pub(crate) struct Fetch(pub(crate) Box<dyn FnOnce() -> Result<Bundle> + Send>);

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetch")
    }
}

impl Bundle {
    /// How many bytes it has, or would have by its sender's word.
    pub(crate) fn raw_bytes(&self) -> u64 {
        match self {
            Bundle::Raw(bytes) => bytes.len() as u64,
            Bundle::Compressed { raw_bytes, .. } => *raw_bytes as u64,
            Bundle::Elsewhere { raw_bytes, .. } => *raw_bytes,
        }
    }

    /// Its bytes, decompressed.
    ///
    /// # Errors
    /// `Data` when they stand for no bundle of the length that the sender says, or come back as others than they were.
    pub(crate) fn open(self) -> Result<Vec<u8>> {
        match self {
            Bundle::Raw(bytes) => Ok(bytes),
            Bundle::Compressed { bytes, raw_bytes } => decompress(&bytes, raw_bytes),
            Bundle::Elsewhere { fetch, .. } => (fetch.0)()?.open(),
        }
    }
}

const PROBE_BYTES: usize = 64 << 10;
// Shorter than this there is nothing to win.
const COMPRESSED_BYTES_MIN: usize = 1 << 10;

/// The bundle compressed, where that makes it smaller by a tenth at least.
pub(crate) fn compress(bundle: &[u8]) -> Option<Vec<u8>> {
    if bundle.len() < COMPRESSED_BYTES_MIN {
        return None;
    }
    let probe = &bundle[..bundle.len().min(PROBE_BYTES)];
    let compressed = block::compress(probe);
    if !pays(compressed.len(), probe.len()) {
        return None;
    }
    let compressed = if probe.len() < bundle.len() { block::compress(bundle) } else { compressed };
    pays(compressed.len(), bundle.len()).then_some(compressed)
}

/// The bundle of `raw_bytes` bytes that was compressed.
///
/// # Errors
/// `Data` when `raw_bytes` is more than a bundle may have, or the bytes stand for no bundle of that length.
fn decompress(bytes: &[u8], raw_bytes: usize) -> Result<Vec<u8>> {
    if raw_bytes > BUNDLE_BYTES_MAX {
        return Err(Error::data(format!(
            "cannot decompress a bundle of {raw_bytes} bytes: the limit is {BUNDLE_BYTES_MAX}"
        )));
    }
    let mut bundle = vec![0; raw_bytes];
    match block::decompress_into(bytes, &mut bundle) {
        Ok(len) if len == raw_bytes => Ok(bundle),
        Ok(len) => {
            Err(Error::data(format!("cannot decompress a bundle: {len} bytes instead of {raw_bytes}")))
        }
        Err(error) => Err(Error::data(format!("cannot decompress a bundle of {raw_bytes} bytes"))
            .with_source(error.to_string())),
    }
}

fn pays(compressed: usize, raw: usize) -> bool {
    compressed < raw - raw / 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use proptest::prelude::*;

    #[test]
    fn what_shrinks_is_compressed_and_comes_back() {
        for len in [COMPRESSED_BYTES_MIN, PROBE_BYTES, PROBE_BYTES + 1, 1 << 20] {
            let bundle: Vec<u8> = (0..len).map(|i| (i / 50) as u8).collect();
            let compressed = compress(&bundle).unwrap();
            assert_eq!(decompress(&compressed, len).unwrap(), bundle);
        }
    }

    #[test]
    fn what_does_not_shrink_or_is_short_stays() {
        let mut state = 1u64;
        let random: Vec<u8> = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        assert!(compress(&random).is_none());
        assert!(compress(&[0; COMPRESSED_BYTES_MIN - 1]).is_none());
        // The probe shrinks, the whole does not.
        let mut mixed = vec![0; PROBE_BYTES];
        mixed.extend(random.iter().cycle().take(4 << 20));
        assert!(compress(&mixed).is_none());
    }

    #[test]
    fn lying_lengths_are_refused() {
        let compressed = compress(&[7; 12_000]).unwrap();
        for raw in [0, 1, 11_999, 12_001, BUNDLE_BYTES_MAX + 1, usize::MAX] {
            assert_eq!(decompress(&compressed, raw).unwrap_err().kind(), ErrorKind::Data);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_decompressed_or_refused(bytes: Vec<u8>, raw in 0usize..10_000) {
            let _ = decompress(&bytes, raw);
        }
    }
}
