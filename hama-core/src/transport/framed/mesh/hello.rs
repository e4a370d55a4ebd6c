//! The hello that both ends of a connection say first: 84 bytes, little endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic, `MESH` |
//! | 4 | 2 | version, 1 |
//! | 6 | 2 | 0 |
//! | 8 | 32 | the job's secret |
//! | 40 | 16 | job |
//! | 56 | 8 | epoch |
//! | 64 | 4 | attempt |
//! | 68 | 4 | from |
//! | 72 | 4 | to |
//! | 76 | 4 | how many peers the job has |
//! | 80 | 4 | CRC-32C of the 80 bytes before |

use std::fmt;
use std::hint::black_box;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{JobId, PeerId};

/// How many bytes a hello has.
pub(crate) const HELLO_BYTES: usize = 84;

const MAGIC: [u8; 4] = *b"MESH";
const VERSION: u16 = 1;
const SUMMED_BYTES: usize = HELLO_BYTES - 4;

/// What makes a process a peer of one run of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    pub(crate) job: JobId,
    /// How often the job was started before.
    pub(crate) attempt: u32,
    /// The term of the master that started it.
    pub(crate) epoch: u64,
    pub(crate) secret: Secret,
}

/// What only the peers of a job know. It is not printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    /// The secret of these bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }
}

/// The time that it takes says nothing of where the two differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        let differ = self.0.iter().zip(&other.0).fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
        differ == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What one end says to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) pass: Pass,
    pub(crate) from: PeerId,
    pub(crate) to: PeerId,
    /// How many peers the job has.
    pub(crate) peers: u32,
}

/// Why bytes are not the hello of a peer that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Stranger {
    #[error("its hello does not begin with MESH")]
    Magic,
    #[error("its hello has version {0}, this is version 1")]
    Version(u16),
    #[error("its hello does not know the job's secret")]
    Secret,
    #[error("its hello is damaged")]
    Damaged,
    #[error("its hello is for job {0}")]
    Job(JobId),
    #[error("its hello is for epoch {epoch} and attempt {attempt}, these are {} and {}", expected.0, expected.1)]
    Run { epoch: u64, attempt: u32, expected: (u64, u32) },
    #[error("its hello goes from peer {from} to peer {to} of {peers}")]
    Route { from: PeerId, to: PeerId, peers: u32 },
    #[error("it is peer {0}, who is connected or is to be called")]
    Unexpected(PeerId),
    #[error("it closed before its hello was whole")]
    Short,
    #[error("its hello was not there in time")]
    Slow,
    #[error("too many others came behind it")]
    Crowded,
}

impl Hello {
    /// Its bytes.
    pub(crate) fn encode(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..40].copy_from_slice(&self.pass.secret.0);
        bytes[40..56].copy_from_slice(self.pass.job.as_bytes());
        bytes[56..64].copy_from_slice(&self.pass.epoch.to_le_bytes());
        bytes[64..68].copy_from_slice(&self.pass.attempt.to_le_bytes());
        bytes[68..72].copy_from_slice(&(self.from.index() as u32).to_le_bytes());
        bytes[72..76].copy_from_slice(&(self.to.index() as u32).to_le_bytes());
        bytes[76..80].copy_from_slice(&self.peers.to_le_bytes());
        seal(&mut bytes);
        bytes
    }

    /// The hello that these bytes are, if they are one and know the secret: before that is clear, nothing else of
    /// them is looked at.
    pub(crate) fn decode(bytes: &[u8; HELLO_BYTES], secret: &Secret) -> Result<Hello, Stranger> {
        if field(bytes, 0) != MAGIC {
            return Err(Stranger::Magic);
        }
        let version = u16::from_le_bytes(field(bytes, 4));
        if version != VERSION {
            return Err(Stranger::Version(version));
        }
        if Secret(field(bytes, 8)) != *secret {
            return Err(Stranger::Secret);
        }
        let reserved: [u8; 2] = field(bytes, 6);
        let said = u32::from_le_bytes(field(bytes, SUMMED_BYTES));
        if reserved != [0; 2] || said != crc32c::crc32c(&bytes[..SUMMED_BYTES]) {
            return Err(Stranger::Damaged);
        }
        Ok(Hello {
            pass: Pass {
                job: JobId::from_bytes(field(bytes, 40)),
                attempt: u32::from_le_bytes(field(bytes, 64)),
                epoch: u64::from_le_bytes(field(bytes, 56)),
                secret: secret.clone(),
            },
            from: PeerId::from_index(u32::from_le_bytes(field(bytes, 68))),
            to: PeerId::from_index(u32::from_le_bytes(field(bytes, 72))),
            peers: u32::from_le_bytes(field(bytes, 76)),
        })
    }

    /// Who says these bytes to whom says `self`: another peer of the same run.
    pub(crate) fn answered_by(&self, bytes: &[u8; HELLO_BYTES]) -> Result<PeerId, Stranger> {
        let Hello { pass, from, to, peers } = Hello::decode(bytes, &self.pass.secret)?;
        if pass.job != self.pass.job {
            return Err(Stranger::Job(pass.job));
        }
        let (epoch, attempt, expected) = (pass.epoch, pass.attempt, (self.pass.epoch, self.pass.attempt));
        if (epoch, attempt) != expected {
            return Err(Stranger::Run { epoch, attempt, expected });
        }
        if to != self.from || from == to || peers != self.peers || from.index() >= peers as usize {
            return Err(Stranger::Route { from, to, peers });
        }
        Ok(from)
    }
}

/// Makes the checksum of a hello right, whatever it holds.
pub(crate) fn seal(bytes: &mut [u8; HELLO_BYTES]) {
    let crc = crc32c::crc32c(&bytes[..SUMMED_BYTES]);
    bytes[SUMMED_BYTES..].copy_from_slice(&crc.to_le_bytes());
}

fn field<const N: usize>(bytes: &[u8; HELLO_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[offset + index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> Hello {
        Hello {
            pass: Pass {
                job: JobId::from_bytes(std::array::from_fn(|i| i as u8)),
                attempt: 0x0102_0304,
                epoch: 0x1112_1314_1516_1718,
                secret: Secret(std::array::from_fn(|i| 100 + i as u8)),
            },
            from: PeerId::from_index(7),
            to: PeerId::from_index(8),
            peers: 9,
        }
    }

    fn mine() -> Hello {
        Hello { from: PeerId::from_index(8), to: PeerId::from_index(7), ..hello() }
    }

    #[test]
    fn the_bytes_are_pinned() {
        let golden = [
            &b"MESH\x01\0\0\0"[..],
            &std::array::from_fn::<u8, 32, _>(|i| 100 + i as u8),
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            &[0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11],
            &[4, 3, 2, 1, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0],
        ]
        .concat();
        let bytes = hello().encode();
        assert_eq!(bytes[..80], golden[..]);
        // Computed by another implementation.
        assert_eq!(bytes[80..], [0xc6, 0x0f, 0xd2, 0x60]);
        assert_eq!(mine().answered_by(&bytes), Ok(PeerId::from_index(7)));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let bytes = hello().encode();
        for bit in 0..HELLO_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(mine().answered_by(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn who_is_not_expected_is_told_why() {
        let refused = |hello: Hello| mine().answered_by(&hello.encode()).unwrap_err();
        let pass = |change: fn(&mut Pass)| {
            let mut hello = hello();
            change(&mut hello.pass);
            refused(hello)
        };
        let id = PeerId::from_index;
        assert_eq!(pass(|pass| pass.secret.0[31] ^= 1), Stranger::Secret);
        assert_eq!(
            pass(|pass| pass.job = JobId::from_bytes([9; 16])),
            Stranger::Job(JobId::from_bytes([9; 16]))
        );
        assert!(matches!(pass(|pass| pass.attempt += 1), Stranger::Run { attempt: 0x0102_0305, .. }));
        assert!(matches!(pass(|pass| pass.epoch -= 1), Stranger::Run { .. }));
        for wrong in [
            Hello { to: id(6), ..hello() },
            Hello { from: id(8), ..hello() },
            Hello { from: id(9), ..hello() },
            Hello { from: id(u32::MAX), ..hello() },
            Hello { peers: 8, ..hello() },
            Hello { peers: u32::MAX, from: id(20), ..hello() },
        ] {
            assert!(matches!(refused(wrong), Stranger::Route { .. }));
        }
        let mut bytes = hello().encode();
        bytes[4] = 2;
        assert_eq!(mine().answered_by(&bytes), Err(Stranger::Version(2)));
        bytes[0] = b'm';
        assert_eq!(mine().answered_by(&bytes), Err(Stranger::Magic));
        let mut reserved = hello().encode();
        reserved[6] = 1;
        seal(&mut reserved);
        assert_eq!(mine().answered_by(&reserved), Err(Stranger::Damaged));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let said = format!("{:?} {}", hello(), Stranger::Secret);
        assert!(said.contains("secret: Secret }") && !said.contains("100, 101"), "{said}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_refused_and_any_hello_is_read(
            random in prop::array::uniform32(any::<[u8; 3]>()), epoch: u64, attempt: u32, from: u32, to: u32, peers: u32
        ) {
            let mut bytes: [u8; HELLO_BYTES] = std::array::from_fn(|i| random[i / 3][i % 3]);
            prop_assert!(mine().answered_by(&bytes).is_err());
            bytes[..40].copy_from_slice(&hello().encode()[..40]);
            prop_assert!(mine().answered_by(&bytes).is_err());
            seal(&mut bytes);
            prop_assert!(mine().answered_by(&bytes).is_err());
            let pass = Pass { epoch, attempt, ..hello().pass };
            let (from, to) = (PeerId::from_index(from), PeerId::from_index(to));
            let any = Hello { pass, from, to, peers };
            prop_assert_eq!(Hello::decode(&any.encode(), &any.pass.secret), Ok(any));
        }
    }
}
