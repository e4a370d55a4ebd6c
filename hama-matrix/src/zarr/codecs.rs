//! How the bytes of a chunk are packed: checksums and compression.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use crate::files::inflate;

const CHECKSUM_BYTES: usize = 4;
/// A window of zstd that every chunk may have, however small it is.
const WINDOW_BYTES: u64 = 128 << 10;

/// A step from the numbers of a chunk to the bytes of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Crc32c,
    Gzip,
    Zlib,
    Zstd,
}

/// The steps of a chunk, in the order in which they were taken: checksums, at most one compression, checksums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    inner_checksums: usize,
    compression: Option<Step>,
    outer_checksums: usize,
}

impl Steps {
    /// Adds a step; false where it is a second compression.
    pub(crate) fn push(&mut self, step: Step) -> bool {
        match (step, self.compression) {
            (Step::Crc32c, None) => self.inner_checksums += 1,
            (Step::Crc32c, Some(_)) => self.outer_checksums += 1,
            (_, None) => self.compression = Some(step),
            (_, Some(_)) => return false,
        }
        true
    }

    /// Whether the bytes are those of the numbers.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Steps::default()
    }

    /// The bytes that a chunk of so many has when it is unpacked, checksums included.
    pub(crate) fn unpacked_bytes(&self, chunk_bytes: usize) -> usize {
        chunk_bytes + CHECKSUM_BYTES * self.inner_checksums
    }

    /// The least and the most bytes that a packed chunk may have.
    pub(crate) fn packed_bytes(&self, chunk_bytes: usize) -> std::ops::RangeInclusive<usize> {
        let unpacked = self.unpacked_bytes(chunk_bytes);
        let around = CHECKSUM_BYTES * self.outer_checksums;
        match self.compression {
            None => unpacked..=unpacked,
            // What cannot be compressed grows by less than a hundredth.
            Some(_) => around..=unpacked + unpacked / 16 + 1024 + around,
        }
    }

    /// Whether chunks are compressed, and not just checked.
    pub(crate) fn compress(&self) -> bool {
        self.compression.is_some()
    }

    /// Compares the checksums of a chunk that is not compressed.
    ///
    /// # Errors
    /// Which one is wrong.
    pub(crate) fn check(&self, unpacked: &[u8]) -> Result<(), String> {
        let mut unpacked = unpacked;
        for _ in 0..self.inner_checksums {
            unpacked = checked(unpacked)?;
        }
        Ok(())
    }

    /// What a decoder takes beside the packed bytes and the unpacked ones: zstd looks back at what it has unpacked, in a
    /// copy of its own that grows by doubling.
    pub(crate) fn decoder_bytes(&self, chunk_bytes: usize) -> usize {
        if self.compression == Some(Step::Zstd) { 2 * self.unpacked_bytes(chunk_bytes) } else { 0 }
    }

    /// Unpacks a chunk into `into`, which has its [`unpacked_bytes`](Self::unpacked_bytes): the numbers first.
    ///
    /// # Errors
    /// Why the bytes are not those of such a chunk.
    pub(crate) fn unpack(&self, packed: &[u8], into: &mut [u8]) -> Result<(), String> {
        let mut packed = packed;
        for _ in 0..self.outer_checksums {
            packed = checked(packed)?;
        }
        match self.compression {
            None if packed.len() == into.len() => into.copy_from_slice(packed),
            None => return Err(format!("it has {} bytes and should have {}", packed.len(), into.len())),
            Some(Step::Gzip) => fill(inflate::gzip(packed), "gzip", into)?,
            Some(Step::Zlib) => fill(inflate::zlib(packed), "zlib", into)?,
            Some(Step::Zstd | Step::Crc32c) => unpack_zstd(packed, into)?,
        }
        self.check(into)
    }
}

fn unpack_zstd(packed: &[u8], into: &mut [u8]) -> Result<(), String> {
    let window = WINDOW_BYTES.max(into.len() as u64);
    let mut stream = StreamingDecoder::new_with_max_window_size(packed, window)
        .map_err(|e| format!("it is no zstd that can be unpacked: {e}"))?;
    fill(&mut stream, "zstd", into)?;
    let (rest, decoder) = stream.into_parts();
    let checksums = (decoder.get_checksum_from_data(), decoder.get_calculated_checksum());
    if !rest.is_empty() || matches!(checksums, (Some(should), Some(is)) if is != should) {
        return Err("it is damaged: its checksum or its end is not where it should be".into());
    }
    Ok(())
}

/// Fills `into` with all that a decoder gives.
fn fill(mut decoder: impl Read, name: &str, into: &mut [u8]) -> Result<(), String> {
    let wanted = into.len();
    decoder
        .read_exact(into)
        .map_err(|e| format!("it is damaged or holds less than {wanted} bytes of {name}: {e}"))?;
    match decoder.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(format!("it holds more than {wanted} bytes")),
        Err(e) => Err(format!("it is damaged: {e}")),
    }
}

/// What stands before a checksum that is right.
pub(crate) fn checked(bytes: &[u8]) -> Result<&[u8], String> {
    let (rest, end) =
        bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or("it is too short for a checksum".to_owned())?;
    let (is, should) = (crc32c::crc32c(rest), u32::from_le_bytes(*end));
    if is == should { Ok(rest) } else { Err(format!("its checksum is {is:08x} and should be {should:08x}")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::inflate::gzipped as gzip;

    fn steps(list: &[Step]) -> Steps {
        let mut steps = Steps::default();
        assert!(list.iter().all(|step| steps.push(*step)));
        steps
    }

    fn unpacked(list: &[Step], packed: &[u8], count: usize) -> Result<Vec<u8>, String> {
        let steps = steps(list);
        let mut into = vec![0; steps.unpacked_bytes(count)];
        steps.unpack(packed, &mut into).map(|()| into[..count].to_vec())
    }

    fn with_checksum(bytes: &[u8]) -> Vec<u8> {
        [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat()
    }

    /// `printf abcabcabc | zstd`, with a checksum.
    const ZSTD: &[u8] = &[
        0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x09, 0x49, 0x00, 0x00, 0x61, 0x62, 0x63, 0x61, 0x62, 0x63, 0x61, 0x62,
        0x63,
    ];

    #[test]
    fn checksums_and_compression_nest() {
        let data = b"0123456789".repeat(100);
        assert_eq!(unpacked(&[], &data, 1000).unwrap(), data);
        assert_eq!(unpacked(&[Step::Crc32c], &with_checksum(&data), 1000).unwrap(), data);
        let packed = with_checksum(&gzip(&with_checksum(&data)));
        let list = [Step::Crc32c, Step::Gzip, Step::Crc32c];
        assert_eq!(unpacked(&list, &packed, 1000).unwrap(), data);
        assert!(steps(&list).packed_bytes(1000).contains(&packed.len()));
        assert!(!steps(&[Step::Gzip]).push(Step::Zstd), "two compressions");
        for at in [0, packed.len() / 2, packed.len() - 1] {
            let mut damaged = packed.clone();
            damaged[at] ^= 1;
            assert!(unpacked(&list, &damaged, 1000).unwrap_err().contains("checksum"));
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_refused() {
        let packed = gzip(&[7; 100]);
        assert!(unpacked(&[Step::Gzip], &packed, 101).unwrap_err().contains("less than 101"));
        assert!(unpacked(&[Step::Gzip], &packed, 99).unwrap_err().contains("more than 99"));
        assert!(unpacked(&[Step::Gzip], &packed[..20], 100).is_err());
        assert!(unpacked(&[], &[0; 9], 10).unwrap_err().contains("9 bytes"));
        assert!(unpacked(&[Step::Crc32c], &[0; 3], 0).unwrap_err().contains("3 bytes"));
        assert!(unpacked(&[Step::Gzip, Step::Crc32c], &[0; 3], 0).unwrap_err().contains("too short"));
        assert!(unpacked(&[Step::Zstd], ZSTD, 10).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0usize..200) {
            for step in [Step::Gzip, Step::Zlib, Step::Zstd, Step::Crc32c] {
                let _ = unpacked(&[step], &bytes, count);
                let _ = unpacked(&[step], &[&ZSTD[..6], &bytes].concat(), count);
            }
        }
    }
}
