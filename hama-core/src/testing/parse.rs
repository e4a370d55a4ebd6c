//! Every parser of bytes that come from other peers, each as a function that takes any: what it accepts it has to write
//! again as it was.

use crate::ids::{JobId, PeerId};
use crate::message::bundle::{self, Messages};
use crate::message::bundler::{TOTALS_BYTES, Totals};
use crate::message::compress::Bundle;
use crate::message::inbox::Inbox;
use crate::transport::Arrived;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind, Route, reseal};
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
