//! Two peers over a network that loses, delays, doubles, reorders, damages and replays frames, by seed.

use std::collections::BTreeMap;

use super::receiver::{Receiver, Verdict};
use super::sender::Sender;
use crate::ids::{JobId, PeerId};
use crate::message::bundler::Totals;
use crate::transport::framed::faulty::Random;
use crate::transport::framed::frame::Frame;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind, Route, body_crc};

const SUPERSTEPS: u64 = 4;

struct Node {
    sender: Sender,
    receiver: Receiver,
    superstep: u64,
    // What arrived, by superstep and sequence.
    arrived: BTreeMap<(u64, u64), (Kind, Vec<u8>)>,
}

fn route() -> Route {
    let (sender, destination) = (PeerId::from_index(0), PeerId::from_index(1));
    Route { job: JobId::from_bytes([9; 16]), attempt: 1, epoch: 1, sender, destination }
}

impl Node {
    fn new(route: Route) -> Node {
        let (sender, receiver) = (Sender::new(route), Receiver::new(route.back()));
        Node { sender, receiver, superstep: 0, arrived: BTreeMap::new() }
    }

    /// Sends a superstep; returns the bundles.
    fn send(&mut self, random: &mut Random) -> Vec<Vec<u8>> {
        let route = self.sender.route();
        let mut bundles = Vec::new();
        for _ in 0..random.below(6) {
            let len = random.below(3000);
            let bundle: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            self.sender.push(Frame::bundle(route, self.superstep, bundle.clone()));
            bundles.push(bundle);
        }
        let told = Totals { bundles: bundles.len() as u64, ..Totals::default() };
        self.sender.push(Frame::end_of_step(route, self.superstep, told));
        bundles
    }

    /// All that it would write now.
    fn write(&mut self, wire: &mut Vec<Vec<u8>>) {
        wire.extend(self.receiver.take_ack().map(|ack| ack.encode().to_vec()));
        while let Some(frame) = self.sender.give() {
            wire.push([&frame.header.encode()[..], frame.body.bytes()].concat());
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return };
        // A damaged header is as good as a lost frame.
        let Ok(header) = Header::decode(header) else { return };
        match self.receiver.judge(&header).unwrap() {
            Verdict::Skip(_) => {}
            Verdict::Control => drop(self.sender.acknowledged(&header).unwrap()),
            Verdict::Deliver if body_crc(0, body) != header.body_crc => {
                self.receiver.damaged(&header).unwrap();
            }
            Verdict::Deliver => {
                self.receiver.delivered(&header);
                let before =
                    self.arrived.insert((header.superstep, header.sequence), (header.kind, body.to_vec()));
                assert!(before.is_none(), "delivered twice");
            }
        }
    }

    /// What arrived in its superstep.
    fn take(&mut self) -> Vec<Vec<u8>> {
        let rest = self.arrived.split_off(&(self.superstep + 1, 0));
        let mut arrived: Vec<_> = std::mem::replace(&mut self.arrived, rest).into_values().collect();
        let (end, told) = arrived.pop().unwrap();
        assert_eq!(end, Kind::EndOfStep);
        let told = Totals::from_bytes(told.as_slice().try_into().unwrap());
        assert_eq!(told.bundles, arrived.len() as u64);
        self.superstep += 1;
        self.receiver.advance(self.superstep);
        arrived.into_iter().map(|(_, bundle)| bundle).collect()
    }
}

/// One direction of the network.
#[derive(Default)]
struct Wire {
    flying: Vec<Vec<u8>>,
    seen: Vec<Vec<u8>>,
}

impl Wire {
    /// A frame that arrives now, if one does.
    fn arrive(&mut self, random: &mut Random, faults: u64) -> Option<Vec<u8>> {
        if !self.seen.is_empty() && random.below(100) < faults {
            let old = random.below(self.seen.len() as u64) as usize;
            return Some(self.seen[old].clone());
        }
        if self.flying.is_empty() {
            return None;
        }
        let which = random.below(self.flying.len().min(5) as u64) as usize;
        let mut frame = self.flying.remove(which);
        self.seen.push(frame.clone());
        match random.below(1000) / (faults.max(1) * 10) {
            _ if faults == 0 => Some(frame),
            0 => None,
            1 => {
                let bit = random.below(frame.len() as u64 * 8);
                frame[bit as usize / 8] ^= 1 << (bit % 8);
                Some(frame)
            }
            2 => {
                self.flying.push(frame.clone());
                Some(frame)
            }
            _ => Some(frame),
        }
    }
}

fn simulate(seed: u64, faults: u64) {
    let mut random = Random(seed);
    let mut nodes = [Node::new(route()), Node::new(route().back())];
    let mut wires = [Wire::default(), Wire::default()];
    for superstep in 0..SUPERSTEPS {
        let sent: Vec<_> = nodes.iter_mut().map(|node| node.send(&mut random)).collect();
        let mut rounds = 0;
        while nodes.iter().any(|node| !node.sender.is_done()) {
            rounds += 1;
            assert!(rounds < 20_000, "seed {seed}: superstep {superstep} does not end");
            for (index, node) in nodes.iter_mut().enumerate() {
                node.write(&mut wires[index].flying);
                if let Some(frame) = wires[1 - index].arrive(&mut random, faults) {
                    node.read(&frame);
                }
            }
            if wires.iter().all(|wire| wire.flying.is_empty()) {
                nodes.iter_mut().for_each(|node| node.sender.repeat().unwrap());
            }
        }
        // The barrier: both have all. One of them is ahead of the other now and then.
        let first = random.below(2) as usize;
        for (index, sent) in [(first, &sent[1 - first]), (1 - first, &sent[first])] {
            let expected: Vec<_> = sent
                .iter()
                .map(|bundle| crate::message::compress::compress(bundle).unwrap_or(bundle.clone()))
                .collect();
            assert_eq!(nodes[index].take(), expected, "seed {seed}, superstep {superstep}");
        }
    }
}

#[test]
fn a_good_network_needs_no_repetition() {
    simulate(1, 0);
}

#[test]
fn no_network_loses_or_changes_a_superstep() {
    for seed in 0..300 {
        simulate(seed, 1 + seed % 20);
    }
}
