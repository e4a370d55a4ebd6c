//! What was compressed by gzip or zlib, as it was.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

pub(crate) fn gzip<R: Read>(from: R) -> impl Read + use<R> {
    MultiGzDecoder::new(from)
}

pub(crate) fn zlib<R: Read>(from: R) -> impl Read + use<R> {
    ZlibDecoder::new(from)
}

#[cfg(test)]
pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
