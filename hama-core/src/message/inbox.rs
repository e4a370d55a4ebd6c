//! What a superstep received: all of its messages, ordered by sender, then by order of sending.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::message::bundle::Messages;
use crate::message::codec;
use crate::message::compress::Bundle;
use crate::pool::Payload;
use crate::transport::Arrived;

/// The messages of a superstep, ordered by sender, then by order of sending.
#[must_use = "the messages of the superstep are in it"]
#[derive(Debug)]
pub struct Inbox<M> {
    received: Vec<Received<M>>,
}

/// One message.
#[derive(Debug)]
pub struct Received<M> {
    /// Who sent it.
    pub from: PeerId,
    /// The message.
    pub message: M,
    /// The payload that was sent with it.
    pub payload: Option<Payload>,
}

impl<M> Inbox<M> {
    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// Its messages, in order, left where they are.
    pub fn iter(&self) -> std::slice::Iter<'_, Received<M>> {
        self.received.iter()
    }
}

impl<M: DeserializeOwned> Inbox<M> {
    /// Decodes what arrived at the peer `to`, ordered by sender.
    ///
    /// # Errors
    /// `Data` when bytes stand for no message, or messages and payloads do not match.
    pub(crate) fn decode(arrived: Vec<Arrived>, to: PeerId) -> Result<Inbox<M>> {
        let mut received = Vec::with_capacity(capacity::<Received<M>>(&arrived));
        for arrived in arrived {
            decode_sender(arrived, to, &mut received)?;
        }
        Ok(Inbox { received })
    }
}

/// For how many messages to make room. What senders tell is a claim: it gets at most four times the memory of
/// the bytes that came.
fn capacity<T>(arrived: &[Arrived]) -> usize {
    let sum = |of: fn(&Arrived) -> u64| arrived.iter().map(of).fold(0, u64::saturating_add);
    let told = sum(|arrived| arrived.told.messages);
    let bytes = sum(|arrived| arrived.bundles.iter().map(Bundle::raw_bytes).sum());
    let room = bytes.saturating_mul(4) / size_of::<T>().max(1) as u64;
    usize::try_from(told.min(room)).unwrap_or(0)
}

impl<M> IntoIterator for Inbox<M> {
    type Item = Received<M>;
    type IntoIter = std::vec::IntoIter<Received<M>>;

    fn into_iter(self) -> Self::IntoIter {
        self.received.into_iter()
    }
}

impl<'a, M> IntoIterator for &'a Inbox<M> {
    type Item = &'a Received<M>;
    type IntoIter = std::slice::Iter<'a, Received<M>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn decode_sender<M: DeserializeOwned>(
    arrived: Arrived,
    to: PeerId,
    received: &mut Vec<Received<M>>,
) -> Result<()> {
    let from = arrived.from;
    let first = received.len();
    let mut payloads = arrived.payloads.into_iter();
    let unpaired = |which: &str| {
        Error::data(format!("peer {from} sent peer {to} {which} payloads than its messages have"))
    };
    let bad = |what: &'static str| {
        move |error| Error::data(format!("peer {from} sent peer {to} a bad {what}")).with_source(error)
    };
    for bundle in arrived.bundles {
        // One at a time is decompressed.
        let bytes = bundle.open().map_err(bad("bundle"))?;
        for packed in Messages::of(&bytes) {
            let packed = packed.map_err(bad("bundle"))?;
            let payload = match packed.has_payload {
                true => Some(payloads.next().ok_or_else(|| unpaired("fewer"))?),
                false => None,
            };
            let message = codec::decode(packed.body, "a message").map_err(bad("message"))?;
            received.push(Received { from, message, payload });
        }
    }
    if payloads.next().is_some() {
        return Err(unpaired("more"));
    }
    let count = (received.len() - first) as u64;
    let told = arrived.told.messages;
    if count != told {
        return Err(Error::data(format!("peer {from} told peer {to} of {told} messages, {count} arrived")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::message::bundle;
    use crate::message::bundler::Totals;
    use crate::pool::Pool;

    fn arrived(bodies: &[(u8, bool)], payload_count: usize, told: u64) -> Arrived {
        let mut bytes = Vec::new();
        for (body, has_payload) in bodies {
            bundle::append(&mut bytes, &[*body], *has_payload);
        }
        let pool = Pool::new(1 << 20);
        let payloads = (0..payload_count).map(|i| pool.take(i + 1).unwrap().freeze()).collect();
        let told = Totals { messages: told, bundle_bytes: bytes.len() as u64, ..Totals::default() };
        Arrived { from: PeerId::from_index(4), bundles: vec![Bundle::Raw(bytes)], payloads, told }
    }

    fn decode(arrived: Vec<Arrived>) -> Result<Inbox<u8>> {
        Inbox::decode(arrived, PeerId::from_index(9))
    }

    #[test]
    fn payloads_go_to_the_messages_that_have_one() {
        let inbox = decode(vec![arrived(&[(1, true), (2, false), (3, true)], 2, 3)]).unwrap();
        let seen: Vec<_> = inbox.iter().map(|r| (r.message, r.payload.as_ref().map(|p| p.len()))).collect();
        assert_eq!(seen, [(1, Some(1)), (2, None), (3, Some(2))]);
        assert_eq!((inbox.len(), inbox.is_empty()), (3, false));
    }

    #[test]
    fn counts_that_disagree_are_errors() {
        for (arrived, says) in [
            (arrived(&[(1, true)], 0, 1), "fewer payloads"),
            (arrived(&[(1, false)], 1, 1), "more payloads"),
            (arrived(&[(1, false)], 0, 2), "told peer 9 of 2 messages, 1 arrived"),
            (arrived(&[(1, false)], 0, u64::MAX), "1 arrived"),
        ] {
            let error = decode(vec![arrived]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn claims_take_no_memory() {
        let lying = || arrived(&[(1, false)], 0, u64::MAX);
        let large = || arrived(&[(1, false); 1000], 0, 1 << 60);
        assert!(capacity::<Received<u8>>(&[lying(), lying(), large()]) * size_of::<Received<u8>>() < 10_000);
        assert_eq!(decode(vec![lying(), lying()]).unwrap_err().kind(), ErrorKind::Data);
        // True ones have their room at once.
        assert_eq!(capacity::<u64>(&[arrived(&[(1, false); 1000], 0, 1000)]), 1000);
    }

    #[test]
    fn bad_bytes_name_who_sent_them_to_whom() {
        let bundles = [
            (Bundle::Raw(vec![4, 1, 1]), "a bad message: cannot decode a message: it uses 1 of its 2 bytes"),
            (Bundle::Raw(vec![4, 1]), "a bad bundle: cannot read a bundle: a message of 2 bytes"),
            (Bundle::Compressed { bytes: vec![1], raw_bytes: 2000 }, "a bad bundle: cannot decompress"),
        ];
        for (bundle, says) in bundles {
            let arrived = Arrived { bundles: vec![bundle], ..arrived(&[], 0, 1) };
            let error = decode(vec![arrived]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().starts_with(&format!("peer 4 sent peer 9 {says}")), "{error}");
        }
    }
}
