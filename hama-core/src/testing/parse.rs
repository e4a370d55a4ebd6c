//! Every parser of bytes that come from other peers, each as a function that takes any: what it accepts it has to write
//! again as it was.

use crate::ids::{JobId, PeerId};
use crate::message::bundle::{self, Messages};
use crate::message::bundler::{TOTALS_BYTES, Totals};
use crate::message::compress::Bundle;
use crate::message::inbox::Inbox;
use crate::transport::Arrived;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind, Route, reseal};
use crate::transport::framed::mesh::hello::{self, HELLO_BYTES, Hello, Pass, Secret};
use crate::transport::framed::protocol::receiver::{Receiver, Verdict};
use crate::transport::framed::protocol::sender::Sender;

/// A bundle of messages.
///
/// # Panics
/// When what was read is written as something else.
pub fn bundle(bytes: &[u8]) {
    let read: Vec<_> = Messages::of(bytes).collect();
    if read.iter().any(Result::is_err) {
        return;
    }
    let mut written = Vec::new();
    for message in read.iter().flatten() {
        bundle::append(&mut written, message.body, message.has_payload);
    }
    let again: Vec<_> = Messages::of(&written).flatten().collect();
    assert!(read.into_iter().flatten().eq(again), "a bundle changed");
}

/// What one peer sends in a superstep: 4 bytes that claim its length before compression, then a bundle, as a peer's inbox
/// takes it.
///
/// # Panics
/// When more messages come out than bytes went in.
pub fn inbox(bytes: &[u8]) {
    let Some((claim, rest)) = bytes.split_first_chunk::<4>() else { return };
    // What the frame's header bounds.
    let raw_bytes = u32::from_le_bytes(*claim) as usize % (1 << 22);
    let told = Totals { messages: u64::from(claim[0]), ..Totals::default() };
    for bundle in [Bundle::Raw(rest.to_vec()), Bundle::Compressed { bytes: rest.to_vec(), raw_bytes }] {
        let room = bundle.raw_bytes();
        let from = PeerId::from_index(1);
        let arrived = Arrived { bundles: vec![bundle], told, ..Arrived::new(from) };
        let inbox = Inbox::<(u64, Vec<u16>, Option<String>)>::decode(vec![arrived], PeerId::from_index(0));
        assert!(inbox.map_or(0, |inbox| inbox.len() as u64) <= room, "messages out of nothing");
    }
}

/// Frames of a connection, one header after the other; every other one is made right by its checksum, or is of the route
/// that is expected.
///
/// # Panics
/// When a header is written as something else, or a frame is wanted twice.
pub fn frames(bytes: &[u8]) {
    let route = Route {
        job: JobId::from_bytes([1; 16]),
        attempt: 0,
        epoch: 0,
        sender: PeerId::from_index(0),
        destination: PeerId::from_index(1),
    };
    let (mut receiver, mut sender) = (Receiver::new(route), Sender::new(route.back()));
    let mut delivered = std::collections::BTreeSet::new();
    let (frames, rest) = bytes.as_chunks::<HEADER_BYTES>();
    for (number, bytes) in frames.iter().enumerate() {
        let mut bytes = *bytes;
        if number % 2 == 0 {
            reseal(&mut bytes);
        }
        let Ok(header) = Header::decode(&bytes) else { continue };
        assert_eq!(Header::decode(&header.encode()), Ok(header), "a header changed");
        let header = if number % 3 == 0 { header } else { Header { route, ..header } };
        let Ok(verdict) = receiver.judge(&header) else { return };
        match verdict {
            Verdict::Deliver if header.body_crc % 4 == 0 => {
                if receiver.damaged(&header).is_err() {
                    return;
                }
            }
            Verdict::Deliver => {
                assert!(delivered.insert(header.sequence), "frame {} is wanted twice", header.sequence);
                receiver.delivered(&header);
                if header.kind != Kind::EndOfStep && header.superstep > 0 {
                    receiver.advance(header.superstep);
                }
            }
            Verdict::Control if sender.acknowledged(&header).is_err() => return,
            Verdict::Control | Verdict::Skip(_) => {}
        }
        let _ = receiver.take_ack();
    }
    if let Some(totals) = rest.first_chunk::<TOTALS_BYTES>() {
        assert_eq!(Totals::from_bytes(totals).to_bytes(), *totals, "totals changed");
    }
}

/// What somebody who connects says first: a hello, once as it is and once with the secret and the checksum that it should
/// have.
///
/// # Panics
/// When a hello is written as something else, or one is let in that should not be.
pub fn hello(bytes: &[u8]) {
    let Some(bytes) = bytes.first_chunk::<HELLO_BYTES>() else { return };
    let secret = Secret::from_bytes(*b"what only the peers of a job do.");
    let pass = Pass { job: JobId::from_bytes([1; 16]), attempt: 2, epoch: 3, secret };
    let (me, other) = (PeerId::from_index(1), PeerId::from_index(2));
    let mine = Hello { pass, from: me, to: other, peers: 4 };
    let mut known = *bytes;
    known[..40].copy_from_slice(&mine.encode()[..40]);
    hello::seal(&mut known);
    for bytes in [*bytes, known] {
        if let Ok(hello) = Hello::decode(&bytes, &mine.pass.secret) {
            assert_eq!(hello.encode(), bytes, "a hello changed");
        }
        let Ok(from) = mine.answered_by(&bytes) else { continue };
        let expected = Hello { pass: mine.pass.clone(), from, to: me, peers: 4 };
        assert!(from != me && from.index() < 4 && expected.encode() == bytes, "peer {from} was let in");
    }
}

/// What comes over the connection between a peer and its groom; the first byte says in which direction and in which pieces.
///
/// # Panics
/// When what was read is written as something else.
#[cfg(feature = "cluster")]
pub fn control(bytes: &[u8]) {
    use crate::cluster::control::{FromPeer, ToPeer};
    let Some((how, rest)) = bytes.split_first() else { return };
    let piece = usize::from(how / 2) + 1;
    if how % 2 == 0 { messages::<FromPeer>(rest, piece) } else { messages::<ToPeer>(rest, piece) }
}

#[cfg(feature = "cluster")]
fn messages<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8], piece: usize) {
    use crate::cluster::control::{Decoder, frame};
    let (mut decoder, mut written) = (Decoder::<T>::new(), Vec::new());
    'pieces: for piece in bytes.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(message)) => written.extend(frame(&message).expect("it was as short before")),
                Ok(None) => break,
                Err(_) => break 'pieces,
            }
        }
    }
    assert!(bytes.starts_with(&written), "a message changed");
}

/// What processes of a cluster say to each other and keep, by the first byte: a question to the master, a reply, the record of
/// a job, an outcome.
///
/// # Panics
/// When what was read cannot be written.
#[cfg(feature = "cluster")]
pub fn words(bytes: &[u8]) {
    use crate::cluster::model::job::JobOutcome;
    use crate::cluster::model::question::{Question, Reply};
    use crate::cluster::model::record::StoredJob;
    use crate::cluster::model::report::Request;
    let Some((which, rest)) = bytes.split_first() else { return };
    match which % 4 {
        0 => {
            let question = word::<Question>(rest);
            // What cannot be is refused, and nothing else happens.
            match &question {
                Some(Question::Groom(request)) => drop(Request::validate(request)),
                Some(Question::Submit { spec, .. }) => drop(spec.validate()),
                Some(question) => drop(question.validate()),
                None => {}
            }
        }
        1 => match word::<Reply>(rest) {
            Some(Reply::Groom(answer)) => drop(answer.validate()),
            Some(Reply::Failed(error)) => drop(crate::error::Error::from(error)),
            _ => {}
        },
        2 => drop(word::<(StoredJob, bool)>(rest)),
        _ => drop(word::<JobOutcome>(rest)),
    }
}

/// A word, if the bytes are one. Written again it is no longer: what is there twice under a name is there once.
#[cfg(feature = "cluster")]
fn word<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    use crate::message::codec;
    let read = codec::decode_word::<T>(bytes, "a word").ok()?;
    let mut written = Vec::new();
    codec::encode_word(&read, "a word", &mut written).expect("it was as short before");
    assert!(written.len() <= bytes.len(), "a word grew");
    Some(read)
}
