//! What a peer and its groom say to each other: messages with their length before them, on one connection.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::barrier::{Tally, Vote};
use crate::cluster::model::error::WireError;
use crate::cluster::model::task::Returned;
use crate::error::{Error, Result};
use crate::ids::{Host, PeerId};
use crate::message::codec;
use crate::transport::framed::mesh::hello::Pass;

/// The most bytes of one message: a program or an output, and what goes with it.
pub(crate) const CONTROL_BYTES_MAX: usize = codec::WORD_BYTES_MAX;

/// The bytes of a message's length.
const LENGTH_BYTES: usize = 4;

/// What a peer tells its groom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromPeer {
    /// It has sent all that it sends in the superstep.
    Arrive { superstep: u64, vote: Vote },
    /// It listens there.
    Ready { addresses: Vec<String> },
    /// It has done so much of its work, and counted so far.
    Progress { units: u64, counters: BTreeMap<String, u64> },
    /// Its program has returned.
    Returned(Returned),
    /// It has not, and will not.
    Failed(WireError),
}

/// What a groom tells a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToPeer {
    /// All peers of the job have arrived.
    Released { superstep: u64, tally: Tally },
    /// They will not.
    Failed(WireError),
    /// What to run.
    Begin(Box<Begin>),
    /// Where all peers of the job listen, by index.
    Connect { addresses: Vec<Vec<String>> },
}

/// What a peer has to know to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// The program's name, and its value, encoded.
    pub(crate) program: String,
    pub(crate) arguments: Vec<u8>,
    pub(crate) peer: PeerId,
    pub(crate) host: Host,
    /// What it listens on for other peers.
    pub(crate) data_address: IpAddr,
    pub(crate) pool_bytes: u64,
    pub(crate) pass: Pass,
}

/// The bytes of a message.
///
/// # Errors
/// `Invalid` when it has more than `CONTROL_BYTES_MAX`.
pub(crate) fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH_BYTES];
    codec::encode_word(message, "a control message", &mut bytes)?;
    let len = bytes.len() - LENGTH_BYTES;
    match u32::try_from(len) {
        Ok(length) if len <= CONTROL_BYTES_MAX => {
            bytes[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes())
        }
        _ => {
            return Err(Error::invalid(format!(
                "cannot send a control message of {len} bytes, the limit is {CONTROL_BYTES_MAX}"
            )));
        }
    }
    Ok(bytes)
}

/// Makes messages of bytes as they come. It holds no more than one message and what came with its end.
#[derive(Debug)]
pub(crate) struct Decoder<T> {
    bytes: Vec<u8>,
    // How many of them were messages already.
    used: usize,
    message: PhantomData<T>,
}

impl<T: DeserializeOwned> Decoder<T> {
    pub(crate) fn new() -> Decoder<T> {
        Decoder { bytes: Vec::new(), used: 0, message: PhantomData }
    }

    /// Takes bytes as they came. To be called when [`next`](Decoder::next) has no message left.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.used));
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, once it is there as a whole. After an error the connection is of no use.
    ///
    /// # Errors
    /// `Data` for bytes that are no message, or a length above `CONTROL_BYTES_MAX`.
    pub(crate) fn next(&mut self) -> Result<Option<T>> {
        let Some((length, rest)) = self.bytes[self.used..].split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*length) as usize;
        if len > CONTROL_BYTES_MAX {
            return Err(Error::data(format!(
                "a control message claims {len} bytes, the limit is {CONTROL_BYTES_MAX}"
            )));
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        let message = codec::decode_word(body, "a control message")?;
        self.used += LENGTH_BYTES + len;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Ending;
    use crate::error::ErrorKind;

    fn arrive(superstep: u64) -> FromPeer {
        let ending = Ending::Gather { root: PeerId::from_index(3) };
        FromPeer::Arrive { superstep, vote: Vote { ending, halt: true, messages: 7 } }
    }

    #[test]
    fn messages_are_pinned() {
        let golden = [
            &[33, 0, 0, 0][..],
            &[0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 3, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0],
        ];
        let mut golden = golden.concat();
        golden[0] = (golden.len() - 4) as u8;
        assert_eq!(frame(&arrive(5)).unwrap(), golden);
        let released = ToPeer::Released { superstep: 1, tally: Tally { halt: false, messages: 2 } };
        let golden = [&[21, 0, 0, 0][..], &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]];
        assert_eq!(frame(&released).unwrap(), golden.concat());
    }

    #[test]
    fn messages_come_back_however_the_bytes_come() {
        let bytes: Vec<u8> = (0..20).flat_map(|superstep| frame(&arrive(superstep)).unwrap()).collect();
        for piece in [1, 3, 36, 37, 100, bytes.len()] {
            let (mut decoder, mut read) = (Decoder::<FromPeer>::new(), Vec::new());
            for bytes in bytes.chunks(piece) {
                decoder.push(bytes);
                while let Some(message) = decoder.next().unwrap() {
                    read.push(message);
                }
            }
            assert_eq!(read, (0..20).map(arrive).collect::<Vec<_>>());
            decoder.push(&[]);
            assert!(decoder.bytes.is_empty());
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let whole = frame(&arrive(5)).unwrap();
        let refuse = |bytes: &[u8]| {
            let mut decoder = Decoder::<FromPeer>::new();
            decoder.push(bytes);
            assert_eq!(decoder.next().unwrap_err().kind(), ErrorKind::Data, "{bytes:?}");
        };
        refuse(&(CONTROL_BYTES_MAX as u32 + 1).to_le_bytes());
        refuse(&u32::MAX.to_le_bytes());
        refuse(&[0; 4]);
        // A message that there is not, an ending that there is not, bytes too many.
        for (at, byte) in [(4, 9), (16, 9), (24, 2)] {
            let mut wrong = whole.clone();
            wrong[at] = byte;
            refuse(&wrong);
        }
        let mut longer = whole.clone();
        longer[0] += 1;
        longer.push(0);
        refuse(&longer);
        let mut part = Decoder::<FromPeer>::new();
        part.push(&whole[..whole.len() - 1]);
        assert_eq!(part.next().unwrap(), None);
    }

    #[test]
    fn a_message_over_the_limit_is_not_sent() {
        let error = frame(&vec![0u8; CONTROL_BYTES_MAX]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("20971528 bytes"), "{error}");
    }
}
