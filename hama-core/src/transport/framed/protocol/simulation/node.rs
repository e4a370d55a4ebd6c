//! A peer of the simulated job: its program, and its side of the protocol as the framed transport has it.

use super::program::{self, Sent};
use crate::error::Error;
use crate::ids::PeerId;
use crate::message::bundler::Bundler;
use crate::message::codec;
use crate::message::inbox::Inbox;
use crate::pool::Pool;
use crate::transport::budget::{Budget, INBOX_BYTES_MAX};
use crate::transport::framed::faulty::Random;
use crate::transport::framed::frame::Frame;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind, Route, body_crc};
use crate::transport::framed::incoming::Sink;
use crate::transport::framed::protocol::Violation;
use crate::transport::framed::protocol::receiver::Verdict;
use crate::transport::framed::shared::State;
use crate::transport::framed::wire::delivered;

/// What ends an attempt.
pub(super) enum Wrong {
    /// A connection is of no use any more.
    Lost(Violation),
    /// Something that must not be.
    Result(String),
}

impl From<Violation> for Wrong {
    fn from(violation: Violation) -> Wrong {
        Wrong::Lost(violation)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Wrong {
        Wrong::Result(error.to_string())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Computes,
    /// All is sent, and not all acknowledged.
    Finishes,
    AtBarrier,
    Done,
}

pub(super) struct Node {
    me: usize,
    route: Route,
    state: State,
    pool: Pool,
    bundler: Bundler,
    /// What the program has computed so far.
    result: u64,
    superstep: u64,
    phase: Phase,
    pushed: u64,
    written: u64,
}

impl Node {
    pub(super) fn new(route: Route, peers: usize, result: u64, pool: Pool) -> Node {
        let me = route.sender;
        let destination = |index: usize| PeerId::from_index(index as u32);
        let routes = (0..peers)
            .map(|other| (other != me.index()).then(|| Route { destination: destination(other), ..route }))
            .collect();
        Node {
            me: me.index(),
            route,
            state: State::new(routes, Budget::new(me, INBOX_BYTES_MAX)),
            pool,
            bundler: Bundler::new(peers),
            result,
            superstep: 0,
            phase: Phase::Computes,
            pushed: 0,
            written: 0,
        }
    }

    pub(super) fn result(&self) -> u64 {
        self.result
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(super) fn is_at_barrier(&self) -> bool {
        matches!(self.phase, Phase::AtBarrier | Phase::Done)
    }

    /// How many frames it wrote more than once.
    pub(super) fn repetitions(&self) -> u64 {
        self.written - self.pushed
    }

    /// At how many barriers it has arrived.
    pub(super) fn arrived_at(&self) -> u64 {
        self.superstep + u64::from(self.phase == Phase::AtBarrier)
    }

    /// Goes on with its program, where `opened` barriers are open.
    pub(super) fn work(&mut self, opened: u64, supersteps: u64, random: &mut Random) -> Result<(), Wrong> {
        match self.phase {
            // Some are faster.
            _ if random.below(3) == 0 => {}
            Phase::Computes => {
                self.send(random)?;
                self.phase = Phase::Finishes;
            }
            Phase::Finishes if self.state.links.iter().flatten().all(|link| link.sender.is_done()) => {
                self.phase = Phase::AtBarrier;
            }
            Phase::AtBarrier if opened > self.superstep => {
                self.take()?;
                self.superstep += 1;
                self.phase = if self.superstep == supersteps { Phase::Done } else { Phase::Computes };
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends all of a superstep, in bundles of any size.
    fn send(&mut self, random: &mut Random) -> Result<(), Wrong> {
        let peers = self.state.links.len();
        for Sent { to, message, payload } in program::sends(self.result, self.me, peers) {
            let mut body = Vec::new();
            codec::encode(&message, "a message", &mut body)?;
            let full = self.bundler.push(to, &body, payload.as_ref().map(|payload| payload.len() as u64));
            self.push_bundle(to, full);
            if let Some(bytes) = payload {
                let mut buffer = self.pool.take(bytes.len())?;
                buffer.copy_from_slice(&bytes);
                self.push(to, Frame::payload(self.route, self.superstep, buffer.freeze()));
            }
            if random.below(2) == 0 {
                let sealed = self.bundler.seal(to);
                self.push_bundle(to, sealed);
            }
        }
        let me = self.me;
        for to in (0..peers).filter(|to| *to != me) {
            let sealed = self.bundler.seal(to);
            self.push_bundle(to, sealed);
            let told = self.bundler.totals()[to];
            if !told.is_nothing() {
                self.push(to, Frame::end_of_step(self.route, self.superstep, told));
            }
        }
        self.bundler.reset();
        Ok(())
    }

    fn push_bundle(&mut self, to: usize, bundle: Option<Vec<u8>>) {
        if let Some(bundle) = bundle {
            self.push(to, Frame::bundle(self.route, self.superstep, bundle));
        }
    }

    fn push(&mut self, to: usize, frame: Frame) {
        self.pushed += 1;
        self.state.link(PeerId::from_index(to as u32)).sender.push(frame);
    }

    /// All that it would write to another peer now.
    pub(super) fn write(&mut self, other: usize, wire: &mut Vec<Vec<u8>>) {
        let link = self.state.link(PeerId::from_index(other as u32));
        while let Some(frame) = link.give() {
            self.written += u64::from(frame.header.kind != Kind::Ack);
            wire.push([&frame.header.encode()[..], frame.body.bytes()].concat());
        }
    }

    /// Takes a frame that came from another peer, whoever wrote it.
    pub(super) fn read(&mut self, from: usize, bytes: &[u8]) -> Result<(), Wrong> {
        let Some((head, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(()) };
        // A damaged header is as good as a lost frame.
        let Ok(header) = Header::decode(head) else { return Ok(()) };
        let from = PeerId::from_index(from as u32);
        let link = self.state.link(from);
        match link.receiver.judge(&header)? {
            Verdict::Skip(_) => {}
            Verdict::Control => {
                link.sender.acknowledged(&header)?;
            }
            Verdict::Deliver if body_crc(0, body) != header.body_crc => link.receiver.damaged(&header)?,
            Verdict::Deliver => {
                let sink = self.sink(&header, body)?;
                delivered(&mut self.state, from, &header, sink)
                    .map_err(|fault| Wrong::Result(fault.to_string()))?;
            }
        }
        Ok(())
    }

    fn sink(&self, header: &Header, body: &[u8]) -> Result<Sink, Wrong> {
        Ok(match header.kind {
            Kind::Bundle => Sink::Bundle(body.to_vec()),
            Kind::Payload => {
                let mut buffer = self.pool.take(body.len())?;
                buffer.copy_from_slice(body);
                Sink::Payload(buffer)
            }
            Kind::EndOfStep => match body.try_into() {
                Ok(totals) => Sink::Totals(totals),
                Err(_) => return Err(Wrong::Result(format!("totals of {} bytes pass", body.len()))),
            },
            Kind::Ack | Kind::Goodbye => Sink::Control,
        })
    }

    /// Takes what has arrived in its superstep into its result.
    fn take(&mut self) -> Result<(), Wrong> {
        let to = PeerId::from_index(self.me as u32);
        let mut arrived = Vec::new();
        for (from, gathering) in self.state.take(self.superstep) {
            let gathered = gathering.into_arrived(from)?;
            gathered.check(to, self.superstep)?;
            arrived.push(gathered);
        }
        for received in Inbox::<Vec<u8>>::decode(arrived, to)? {
            let payload = received.payload.as_ref().map(|payload| &payload[..]);
            self.result = program::received(self.result, received.from.index(), &received.message, payload);
        }
        Ok(())
    }

    /// Sends again what nobody acknowledged for a while.
    pub(super) fn repeat(&mut self) -> Result<(), Wrong> {
        for link in self.state.links.iter_mut().flatten() {
            if !link.sender.is_done() {
                link.sender.repeat()?;
            }
        }
        Ok(())
    }
}
