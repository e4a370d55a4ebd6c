//! The header of a frame: 88 bytes, little endian, with a checksum of its own.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic, `HAMA` |
//! | 4 | 2 | version, 1 |
//! | 6 | 1 | kind |
//! | 7 | 1 | flags: 1 the body is compressed, 2 please send again |
//! | 8 | 16 | job |
//! | 24 | 4 | attempt |
//! | 28 | 4 | sender |
//! | 32 | 4 | destination |
//! | 36 | 4 | 0 |
//! | 40 | 8 | epoch |
//! | 48 | 8 | superstep |
//! | 56 | 8 | sequence |
//! | 64 | 8 | length of the body |
//! | 72 | 8 | length of the body before compression |
//! | 80 | 4 | CRC-32C of the body |
//! | 84 | 4 | CRC-32C of the 84 bytes before |

use thiserror::Error;

use crate::ids::{JobId, PeerId};
use crate::message::bundle::BUNDLE_BYTES_MAX;
use crate::message::bundler::TOTALS_BYTES;

/// How many bytes a header has.
pub(crate) const HEADER_BYTES: usize = 88;

const MAGIC: [u8; 4] = *b"HAMA";
const VERSION: u16 = 1;
const FLAG_COMPRESSED: u8 = 1;
const FLAG_RESEND: u8 = 2;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Small messages.
    Bundle,
    /// The payload of one message.
    Payload,
    /// The end of the superstep: what was sent in it.
    EndOfStep,
    /// All frames before `sequence` have arrived.
    Ack,
    /// The sender is done and closes the connection.
    Goodbye,
}

/// Between whom a frame goes, in which run of which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) job: JobId,
    /// How often the job was started before.
    pub(crate) attempt: u32,
    /// The term of the master that started it.
    pub(crate) epoch: u64,
    pub(crate) sender: PeerId,
    pub(crate) destination: PeerId,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) compressed: bool,
    /// In an acknowledgement: send again from `sequence` on.
    pub(crate) resend: bool,
    pub(crate) route: Route,
    pub(crate) superstep: u64,
    /// The frame's number among those of its route; in an acknowledgement the first that is missing.
    pub(crate) sequence: u64,
    pub(crate) length: u64,
    pub(crate) raw_length: u64,
    pub(crate) body_crc: u32,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Malformed {
    #[error("a frame begins with {0:02x?} instead of HAMA")]
    Magic([u8; 4]),
    #[error("a frame's header has checksum {found:08x}, it says {said:08x}")]
    Checksum { said: u32, found: u32 },
    #[error("a frame has version {0}, this is version 1")]
    Version(u16),
    #[error("a frame has the unknown kind {0}")]
    Kind(u8),
    #[error("a frame of kind {kind:?} has flags {flags:#x}")]
    Flags { kind: Kind, flags: u8 },
    #[error("a frame has {0:#x} where only 0 may be")]
    Reserved(u32),
    #[error("a frame of kind {kind:?} has {length} bytes, {raw_length} before compression")]
    Length { kind: Kind, length: u64, raw_length: u64 },
}

impl Header {
    /// The header of a frame of `kind` with `body`, which is not compressed.
    pub(crate) fn new(kind: Kind, route: Route, superstep: u64, sequence: u64, body: &[u8]) -> Header {
        let length = body.len() as u64;
        Header {
            kind,
            compressed: false,
            resend: false,
            route,
            superstep,
            sequence,
            length,
            raw_length: length,
            body_crc: body_crc(0, body),
        }
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let flags =
            if self.compressed { FLAG_COMPRESSED } else { 0 } | if self.resend { FLAG_RESEND } else { 0 };
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6] = self.kind.code();
        bytes[7] = flags;
        bytes[8..24].copy_from_slice(self.route.job.as_bytes());
        bytes[24..28].copy_from_slice(&self.route.attempt.to_le_bytes());
        bytes[28..32].copy_from_slice(&(self.route.sender.index() as u32).to_le_bytes());
        bytes[32..36].copy_from_slice(&(self.route.destination.index() as u32).to_le_bytes());
        bytes[40..48].copy_from_slice(&self.route.epoch.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.superstep.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.length.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.raw_length.to_le_bytes());
        bytes[80..84].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..84]);
        bytes[84..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header that these bytes are. Its lengths are within the bounds of its kind, except for a payload's,
    /// which the pool bounds.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Malformed> {
        if field(bytes, 0) != MAGIC {
            return Err(Malformed::Magic(field(bytes, 0)));
        }
        let said = u32::from_le_bytes(field(bytes, 84));
        let found = crc32c::crc32c(&bytes[..84]);
        if said != found {
            return Err(Malformed::Checksum { said, found });
        }
        let version = u16::from_le_bytes(field(bytes, 4));
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let kind = Kind::of(bytes[6]).ok_or(Malformed::Kind(bytes[6]))?;
        let reserved = u32::from_le_bytes(field(bytes, 36));
        if reserved != 0 {
            return Err(Malformed::Reserved(reserved));
        }
        let flags = bytes[7];
        let route = Route {
            job: JobId::from_bytes(field(bytes, 8)),
            attempt: u32::from_le_bytes(field(bytes, 24)),
            epoch: u64::from_le_bytes(field(bytes, 40)),
            sender: PeerId::from_index(u32::from_le_bytes(field(bytes, 28))),
            destination: PeerId::from_index(u32::from_le_bytes(field(bytes, 32))),
        };
        Header {
            kind,
            compressed: flags & FLAG_COMPRESSED != 0,
            resend: flags & FLAG_RESEND != 0,
            route,
            superstep: u64::from_le_bytes(field(bytes, 48)),
            sequence: u64::from_le_bytes(field(bytes, 56)),
            length: u64::from_le_bytes(field(bytes, 64)),
            raw_length: u64::from_le_bytes(field(bytes, 72)),
            body_crc: u32::from_le_bytes(field(bytes, 80)),
        }
        .validated(flags)
    }

    fn validated(self, flags: u8) -> Result<Header, Malformed> {
        let kind = self.kind;
        let allowed = match kind {
            Kind::Bundle => FLAG_COMPRESSED,
            Kind::Ack => FLAG_RESEND,
            Kind::Payload | Kind::EndOfStep | Kind::Goodbye => 0,
        };
        if flags & !allowed != 0 {
            return Err(Malformed::Flags { kind, flags });
        }
        let (length, raw_length) = (self.length, self.raw_length);
        let fits = match kind {
            Kind::Bundle => {
                length <= raw_length
                    && raw_length <= BUNDLE_BYTES_MAX as u64
                    && (self.compressed || length == raw_length)
            }
            Kind::Payload => length == raw_length,
            Kind::EndOfStep => length == TOTALS_BYTES as u64 && raw_length == length,
            Kind::Ack | Kind::Goodbye => length == 0 && raw_length == 0,
        };
        if fits { Ok(self) } else { Err(Malformed::Length { kind, length, raw_length }) }
    }
}

/// Goes on with the checksum of a body, from 0.
pub(crate) fn body_crc(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Bundle => 1,
            Kind::Payload => 2,
            Kind::EndOfStep => 3,
            Kind::Ack => 4,
            Kind::Goodbye => 5,
        }
    }

    fn of(code: u8) -> Option<Kind> {
        [Kind::Bundle, Kind::Payload, Kind::EndOfStep, Kind::Ack, Kind::Goodbye]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

impl Route {
    /// The route of the frames that go the other way.
    pub(crate) fn back(self) -> Route {
        Route { sender: self.destination, destination: self.sender, ..self }
    }
}

/// Makes the checksum of a header right, whatever it holds.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn reseal(bytes: &mut [u8; HEADER_BYTES]) {
    let crc = crc32c::crc32c(&bytes[..84]);
    bytes[84..].copy_from_slice(&crc.to_le_bytes());
}

fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[offset + index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        let route = Route {
            job: JobId::from_bytes(std::array::from_fn(|i| i as u8)),
            attempt: 0x0102_0304,
            epoch: 0x1112_1314_1516_1718,
            sender: PeerId::from_index(7),
            destination: PeerId::from_index(8),
        };
        Header {
            compressed: true,
            raw_length: 300,
            ..Header::new(Kind::Bundle, route, 0x2122, 0x3132, b"a bundle")
        }
    }

    #[test]
    fn the_bytes_are_pinned() {
        let golden = [
            &b"HAMA\x01\0\x01\x01"[..],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            &[4, 3, 2, 1, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0],
            &[0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11],
            &[0x22, 0x21, 0, 0, 0, 0, 0, 0, 0x32, 0x31, 0, 0, 0, 0, 0, 0],
            &[8, 0, 0, 0, 0, 0, 0, 0, 0x2c, 1, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let bytes = header().encode();
        assert_eq!(bytes[..80], golden[..]);
        // Computed by another implementation.
        assert_eq!(bytes[80..], [0x1b, 0x85, 0xf4, 0x35, 0x26, 0x2f, 0x12, 0x8b]);
        assert_eq!(Header::decode(&bytes), Ok(header()));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let bytes = header().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&changed).is_err(), "bit {bit}");
        }
    }

    fn resealed(mut bytes: [u8; HEADER_BYTES]) -> Result<Header, Malformed> {
        reseal(&mut bytes);
        Header::decode(&bytes)
    }

    #[test]
    fn other_versions_kinds_and_flags_are_refused() {
        let change = |at: usize, to: u8| {
            let mut bytes = header().encode();
            bytes[at] = to;
            resealed(bytes)
        };
        assert_eq!(change(4, 2), Err(Malformed::Version(2)));
        assert_eq!(change(6, 0), Err(Malformed::Kind(0)));
        assert_eq!(change(6, 6), Err(Malformed::Kind(6)));
        assert_eq!(change(7, 2), Err(Malformed::Flags { kind: Kind::Bundle, flags: 2 }));
        assert_eq!(change(7, 0x81), Err(Malformed::Flags { kind: Kind::Bundle, flags: 0x81 }));
        assert!(matches!(change(0, b'h'), Err(Malformed::Magic(_))));
        assert_eq!(change(36, 1), Err(Malformed::Reserved(1)));
        assert_eq!(change(39, 0x80), Err(Malformed::Reserved(0x8000_0000)));
    }

    #[test]
    fn lengths_beyond_the_kind_s_bounds_are_refused() {
        let header = Header { compressed: false, raw_length: 8, ..header() };
        let refused = |header: Header| matches!(resealed(header.encode()), Err(Malformed::Length { .. }));
        let max = BUNDLE_BYTES_MAX as u64;
        assert!(!refused(Header { length: max, raw_length: max, ..header }));
        assert!(refused(Header { length: max + 1, raw_length: max + 1, ..header }));
        assert!(refused(Header { length: u64::MAX, raw_length: u64::MAX, ..header }));
        assert!(refused(Header { raw_length: 9, ..header }));
        assert!(refused(Header { length: 9, compressed: true, ..header }));
        assert!(refused(Header { kind: Kind::EndOfStep, length: 41, raw_length: 41, ..header }));
        assert!(refused(Header { kind: Kind::Ack, ..header }));
        assert!(refused(Header { kind: Kind::Goodbye, ..header }));
        assert!(refused(Header { kind: Kind::Payload, raw_length: 9, ..header }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_or_refused(bytes: [[u8; 8]; 11]) {
            let mut flat: [u8; HEADER_BYTES] = std::array::from_fn(|i| bytes[i / 8][i % 8]);
            let _ = Header::decode(&flat);
            flat[..6].copy_from_slice(b"HAMA\x01\0");
            let _ = resealed(flat);
        }
    }
}
