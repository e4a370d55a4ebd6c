//! The index of a shard: where its inner chunks lie in its file.

use hama_core::{Error, Result};
use hama_hdfs::store::StoreReader;

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
    /// What reading one takes, in bytes: as it lies in the file, and as it is then.
    pub(super) fn bytes(metadata: &Metadata, sharding: &Sharding) -> usize {
        let count = metadata.chunk.div_ceil(sharding.chunk).count().unwrap_or(0) as usize;
        count.saturating_mul(ENTRY_BYTES + size_of::<Option<(u64, u64)>>())
    }

    /// Reads the index of a shard's file.
    ///
    /// # Errors
    /// `Data` with why it is none, and those of the store.
    pub(super) fn read(file: &dyn StoreReader, metadata: &Metadata, sharding: &Sharding) -> Result<Index> {
        let len = file.len();
        let count = metadata.chunk.div_ceil(sharding.chunk).count().unwrap_or(0) as usize;
        let mut bytes = vec![0; count * ENTRY_BYTES + sharding.index_checksums * CHECKSUM_BYTES];
        let at = len.checked_sub(bytes.len() as u64);
        let at = at.ok_or_else(|| {
            Error::data(format!("it has {len} bytes, and its index alone has {}", bytes.len()))
        })?;
        let at = if sharding.index_at_start { 0 } else { at };
        file.read_at(at, &mut bytes)
            .map_err(|e| Error::new(e.kind(), format!("its index cannot be read: {}", e.message())))?;
        Index::parse(&bytes, sharding.index_checksums, len).map_err(Error::data)
    }

    /// The index in these bytes, of a file of `len` bytes.
    pub(crate) fn parse(bytes: &[u8], checksums: usize, len: u64) -> std::result::Result<Index, String> {
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
        Ok(Index(entries.collect::<std::result::Result<_, String>>()?))
    }

    pub(super) fn place(&self, index: usize) -> Option<(u64, u64)> {
        self.0.get(index).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(entries: &[(u64, u64)]) -> Vec<u8> {
        entries.iter().flat_map(|(offset, len)| [offset.to_le_bytes(), len.to_le_bytes()]).flatten().collect()
    }

    #[test]
    fn places_are_inside_of_the_file() {
        let index = Index::parse(&bytes(&[(0, 40), (ABSENT, ABSENT), (40, 60)]), 0, 100).unwrap();
        let places: Vec<_> = (0..4).map(|place| index.place(place)).collect();
        assert_eq!(places, [Some((0, 40)), None, Some((40, 60)), None]);
        for outside in [(41, 60), (101, 0), (u64::MAX - 1, 5), (0, ABSENT), (ABSENT, 1)] {
            assert!(
                Index::parse(&bytes(&[outside]), 0, 100).unwrap_err().contains("ends at 100"),
                "{outside:?}"
            );
        }
    }

    #[test]
    fn a_damaged_index_is_no_index() {
        let mut with_checksum = bytes(&[(0, 40)]);
        with_checksum.extend(crc32c::crc32c(&with_checksum).to_le_bytes());
        assert!(Index::parse(&with_checksum, 1, 100).is_ok());
        with_checksum[3] ^= 1;
        assert!(Index::parse(&with_checksum, 1, 100).unwrap_err().contains("checksum"));
        assert!(Index::parse(&[0; 3], 1, 100).unwrap_err().contains("too short"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), checksums in 0usize..2) {
            let _ = Index::parse(&bytes, checksums, 1 << 20);
        }
    }
}
