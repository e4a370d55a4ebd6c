//! For tests of this and other crates: the parsers of Zarr's bytes.

use super::codecs::{Step, Steps};
use super::shard::Index;
use super::{metadata as version3, version2};
use crate::files::parse::told;

/// A `zarr.json`, and the same bytes as a `.zarray`.
///
/// # Panics
/// When an error says nothing of the file.
pub fn metadata(bytes: &[u8]) {
    told(version3::parse(bytes));
    told(version2::parse(bytes));
}

/// The index of a shard. The first byte says whether it ends with a checksum.
pub fn index(bytes: &[u8]) {
    let [checksums, index @ ..] = bytes else { return };
    // Any answer is right that does not panic: it is bounded by the bytes.
    drop(Index::parse(index, usize::from(checksums % 2), 1 << 20));
}

/// A packed chunk. The first byte says of how many steps, the second how large it is.
pub fn chunk(bytes: &[u8]) {
    let [kind, count, packed @ ..] = bytes else { return };
    let mut steps = Steps::default();
    for (bit, step) in
        [Step::Crc32c, Step::Gzip, Step::Zlib, Step::Zstd, Step::Crc32c].into_iter().enumerate()
    {
        if kind >> bit & 1 == 1 {
            steps.push(step);
        }
    }
    let mut into = vec![0; steps.unpacked_bytes(usize::from(*count) * 64)];
    drop(steps.unpack(packed, &mut into));
}
