//! What a superstep received: all of its messages, ordered by sender, then by order of sending.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::message::bundle::Messages;
use crate::message::codec;
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
    /// Decodes what arrived, ordered by sender.
    ///
    /// # Errors
    /// `Data` when bytes stand for no message, or messages and payloads do not match.
    pub(crate) fn decode(arrived: Vec<Arrived>) -> Result<Inbox<M>> {
        let count: u64 = arrived.iter().map(|arrived| arrived.told.messages).sum();
        // What senders tell is a claim: a message takes a byte at least.
        let bytes: u64 = arrived.iter().map(|arrived| arrived.told.bundle_bytes).sum();
        let mut received = Vec::with_capacity(usize::try_from(count.min(bytes)).unwrap_or(0));
        for arrived in arrived {
            decode_sender(arrived, &mut received)?;
        }
        Ok(Inbox { received })
    }
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

fn decode_sender<M: DeserializeOwned>(arrived: Arrived, received: &mut Vec<Received<M>>) -> Result<()> {
    let from = arrived.from;
    let first = received.len();
    let mut payloads = arrived.payloads.into_iter();
    for bundle in arrived.bundles {
        for packed in Messages::of(&bundle) {
            let packed = packed?;
            let payload = if packed.has_payload {
                Some(payloads.next().ok_or_else(|| unpaired(from, "fewer"))?)
            } else {
                None
            };
            let message = codec::decode(packed.body, "a message")?;
            received.push(Received { from, message, payload });
        }
    }
    if payloads.next().is_some() {
        return Err(unpaired(from, "more"));
    }
    let count = (received.len() - first) as u64;
    if count != arrived.told.messages {
        let told = arrived.told.messages;
        return Err(Error::data(format!("peer {from} told of {told} messages, {count} arrived")));
    }
    Ok(())
}

fn unpaired(from: PeerId, which: &str) -> Error {
    Error::data(format!("peer {from} sent {which} payloads than its messages have"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::message::bundle;
    use crate::message::bundler::Totals;
    use crate::pool::Buffer;

    fn arrived(bodies: &[(u8, bool)], payload_count: usize, told: u64) -> Arrived {
        let mut bytes = Vec::new();
        for (body, has_payload) in bodies {
            bundle::append(&mut bytes, &[*body], *has_payload);
        }
        let payloads = (0..payload_count).map(|i| Buffer::unpooled(i + 1).unwrap().freeze()).collect();
        let told = Totals { messages: told, bundle_bytes: bytes.len() as u64, ..Totals::default() };
        Arrived { from: PeerId::from_index(4), bundles: vec![bytes], payloads, told }
    }

    #[test]
    fn payloads_go_to_the_messages_that_have_one() {
        let inbox = Inbox::<u8>::decode(vec![arrived(&[(1, true), (2, false), (3, true)], 2, 3)]).unwrap();
        let seen: Vec<_> = inbox.iter().map(|r| (r.message, r.payload.as_ref().map(|p| p.len()))).collect();
        assert_eq!(seen, [(1, Some(1)), (2, None), (3, Some(2))]);
        assert_eq!((inbox.len(), inbox.is_empty()), (3, false));
    }

    #[test]
    fn counts_that_disagree_are_errors() {
        for (arrived, says) in [
            (arrived(&[(1, true)], 0, 1), "fewer payloads"),
            (arrived(&[(1, false)], 1, 1), "more payloads"),
            (arrived(&[(1, false)], 0, 2), "told of 2 messages, 1 arrived"),
            (arrived(&[(1, false)], 0, u64::MAX), "1 arrived"),
        ] {
            let error = Inbox::<u8>::decode(vec![arrived]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
