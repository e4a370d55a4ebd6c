//! The index of a shard: where its inner chunks lie in its file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::codecs::checked;
use super::metadata::{Metadata, Sharding};

/// The most inner chunks of a shard: a reader holds the index of one, of 4 MiB then.
pub(super) const CHUNKS_MAX: u64 = 1 << 18;
const ENTRY_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 4;
const ABSENT: u64 = u64::MAX;

/// Offset and length of each inner chunk, row by row; none where it is absent.
#[derive(Debug, Default)]
pub(crate) struct Index(Vec<Option<(u64, u64)>>);

impl Index {
    /// Reads the index of a shard's file of `len` bytes.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn read(
        file: &File,
        len: u64,
        metadata: &Metadata,
        sharding: &Sharding,
    ) -> Result<Index, String> {
        let count = metadata.chunk.div_ceil(sharding.chunk).count().unwrap_or(0) as usize;
        let mut bytes = vec![0; count * ENTRY_BYTES + sharding.index_checksums * CHECKSUM_BYTES];
        let at = len.checked_sub(bytes.len() as u64);
        let at = at.ok_or_else(|| format!("it has {len} bytes, and its index alone has {}", bytes.len()))?;
        let at = if sharding.index_at_start { 0 } else { at };
        file.read_exact_at(&mut bytes, at).map_err(|e| format!("its index cannot be read: {e}"))?;
        Index::parse(&bytes, sharding.index_checksums, len)
    }

    /// The index in these bytes, of a file of `len` bytes.
    pub(crate) fn parse(bytes: &[u8], checksums: usize, len: u64) -> Result<Index, String> {
        let mut bytes = bytes;
        for _ in 0..checksums {
            bytes = checked(bytes).map_err(|why| format!("of its index, {why}"))?;
        }
        let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
        let entries = entries.iter().map(|entry| {
            let word = |from: usize| {
                entry[from..from + 8].iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b))
            };
            match (word(0), word(8)) {
                (ABSENT, ABSENT) => Ok(None),
                (offset, bytes) if offset.checked_add(bytes).is_some_and(|end| end <= len) => {
                    Ok(Some((offset, bytes)))
                }
                (offset, bytes) => {
                    Err(format!("its index says {bytes} bytes at {offset}, and it ends at {len}"))
                }
            }
        });
        Ok(Index(entries.collect::<Result<_, String>>()?))
    }

    pub(super) fn place(&self, index: usize) -> Option<(u64, u64)> {
        self.0.get(index).copied().flatten()
    }
}
