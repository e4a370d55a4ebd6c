//! Two peers over a network that loses, delays, doubles, reorders, damages and replays frames, by seed, and one
//! of them that stops.

use std::collections::BTreeMap;

use super::Violation;
use super::receiver::{Receiver, Verdict};
use super::sender::Sender;
use crate::ids::{JobId, PeerId};
use crate::message::bundler::Totals;
use crate::message::compress::compress;
use crate::transport::framed::faulty::Random;
use crate::transport::framed::frame::Frame;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind, Route, body_crc};

const SUPERSTEPS: u64 = 4;
const ROUNDS_MAX: u64 = 20_000;

struct Node {
    sender: Sender,
    receiver: Receiver,
    superstep: u64,
    // How many frames the program has sent, and how many were written, repetitions included.
    pushed: u64,
    written: u64,
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
        Node { sender, receiver, superstep: 0, pushed: 0, written: 0, arrived: BTreeMap::new() }
    }

    /// Sends a superstep; returns the bundles.
    fn send(&mut self, random: &mut Random) -> Vec<Vec<u8>> {
        let route = self.sender.route();
        let mut bundles = Vec::new();
        for _ in 0..random.below(6) {
            let len = random.below(3000);
            let bundle: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            self.sender.push(Frame::bundle(route, self.superstep, bundle.clone()));
            bundles.push(compress(&bundle).unwrap_or(bundle));
        }
        let told = Totals { bundles: bundles.len() as u64, ..Totals::default() };
        self.sender.push(Frame::end_of_step(route, self.superstep, told));
        self.pushed += bundles.len() as u64 + 1;
        bundles
    }

    /// All that it would write now.
    fn write(&mut self, wire: &mut Vec<Vec<u8>>) {
        wire.extend(self.receiver.take_ack().map(|ack| ack.encode().to_vec()));
        while let Some(frame) = self.sender.give() {
            self.written += 1;
            wire.push([&frame.header.encode()[..], frame.body.bytes()].concat());
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(()) };
        // A damaged header is as good as a lost frame.
        let Ok(header) = Header::decode(header) else { return Ok(()) };
        match self.receiver.judge(&header)? {
            Verdict::Skip(_) => {}
            Verdict::Control => {
                self.sender.acknowledged(&header)?;
            }
            Verdict::Deliver if body_crc(0, body) != header.body_crc => self.receiver.damaged(&header)?,
            Verdict::Deliver => {
                self.receiver.delivered(&header);
                let before =
                    self.arrived.insert((header.superstep, header.sequence), (header.kind, body.to_vec()));
                assert!(before.is_none(), "delivered twice");
            }
        }
        Ok(())
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
    faults: u64,
}

impl Wire {
    /// A frame that arrives now, if one does. Of a hundred, `rate` each are lost, damaged, doubled, replayed;
    /// then others overtake them too.
    fn arrive(&mut self, random: &mut Random, rate: u64) -> Option<Vec<u8>> {
        if !self.seen.is_empty() && random.below(100) < rate {
            self.faults += 1;
            let old = random.below(self.seen.len() as u64) as usize;
            return Some(self.seen[old].clone());
        }
        if self.flying.is_empty() {
            return None;
        }
        if rate == 0 {
            return Some(self.flying.remove(0));
        }
        let which = random.below(self.flying.len().min(5) as u64) as usize;
        let mut frame = self.flying.remove(which);
        self.seen.push(frame.clone());
        self.faults += u64::from(which > 0);
        match random.below(1000) / (rate * 10) {
            0 => {
                self.faults += 1;
                return None;
            }
            1 => {
                self.faults += 1;
                let bit = random.below(frame.len() as u64 * 8);
                frame[bit as usize / 8] ^= 1 << (bit % 8);
            }
            2 => {
                self.faults += 1;
                self.flying.push(frame.clone());
            }
            _ => {}
        }
        Some(frame)
    }
}

struct Simulation {
    random: Random,
    rate: u64,
    nodes: [Node; 2],
    wires: [Wire; 2],
    // From this round on node 1 does nothing any more.
    stops_at: u64,
    round: u64,
}

impl Simulation {
    fn new(seed: u64, rate: u64) -> Simulation {
        Simulation {
            random: Random(seed),
            rate,
            nodes: [Node::new(route()), Node::new(route().back())],
            wires: [Wire::default(), Wire::default()],
            stops_at: u64::MAX,
            round: 0,
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        for _ in 0..SUPERSTEPS {
            let sent: [Vec<Vec<u8>>; 2] =
                std::array::from_fn(|index| self.nodes[index].send(&mut self.random));
            let mut rounds = 0;
            while self.nodes.iter().any(|node| !node.sender.is_done()) {
                rounds += 1;
                assert!(rounds < ROUNDS_MAX, "the superstep does not end");
                self.round()?;
                if self.has_stopped() && self.nodes[0].sender.is_done() {
                    // It waits at the barrier, which has its own way to notice.
                    return Ok(());
                }
            }
            // The barrier: both have all. One of them is ahead of the other now and then.
            let first = self.random.below(2) as usize;
            for index in [first, 1 - first] {
                assert_eq!(self.nodes[index].take(), sent[1 - index]);
            }
        }
        Ok(())
    }

    fn round(&mut self) -> Result<(), Violation> {
        self.round += 1;
        let live = if self.has_stopped() { 1 } else { 2 };
        if live == 1 {
            self.wires[0].flying.clear();
        }
        for (index, node) in self.nodes[..live].iter_mut().enumerate() {
            node.write(&mut self.wires[index].flying);
            if let Some(frame) = self.wires[1 - index].arrive(&mut self.random, self.rate) {
                node.read(&frame)?;
            }
        }
        if self.wires.iter().all(|wire| wire.flying.is_empty()) {
            self.nodes[..live].iter_mut().try_for_each(|node| node.sender.repeat())?;
        }
        Ok(())
    }

    fn has_stopped(&self) -> bool {
        self.round >= self.stops_at
    }

    fn faults(&self) -> u64 {
        self.wires.iter().map(|wire| wire.faults).sum()
    }
}

#[test]
fn a_good_network_needs_no_repetition() {
    for seed in 0..20 {
        let mut simulation = Simulation::new(seed, 0);
        simulation.run().unwrap();
        assert_eq!(simulation.faults(), 0);
        for node in &simulation.nodes {
            assert_eq!(node.written, node.pushed);
        }
    }
}

#[test]
fn no_network_loses_or_changes_a_superstep() {
    for seed in 0..300 {
        let mut simulation = Simulation::new(seed, 1 + seed % 20);
        let result = simulation.run();
        assert_eq!(result, Ok(()), "seed {seed}");
        assert!(simulation.faults() > 0, "seed {seed}");
    }
}

#[test]
fn a_peer_that_stops_is_given_up() {
    let lost = PeerId::from_index(1);
    let mut given_up = 0;
    for seed in 0..200 {
        let mut simulation = Simulation::new(seed, seed % 20);
        simulation.stops_at = 1 + seed % 23;
        match simulation.run() {
            Err(Violation::Unanswered { to, times: 17, .. }) if to == lost => given_up += 1,
            result => assert_eq!((result, simulation.nodes[0].sender.is_done()), (Ok(()), true)),
        }
    }
    assert!(given_up > 100, "{given_up}");
}
