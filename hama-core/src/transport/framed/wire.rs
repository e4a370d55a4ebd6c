//! A connection to another peer: what the frames on it do to the protocol's state.

use std::time::{Duration, Instant};

use crate::ids::PeerId;
use crate::message::bundler::Totals;
use crate::message::compress::{Bundle, Fetch};
use crate::transport::budget::IN_MEMORY_BYTES_MAX;
use crate::transport::framed::fault::Fault;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind};
use crate::transport::framed::incoming::{Event, Incoming, Sink};
use crate::transport::framed::outgoing::Outgoing;
use crate::transport::framed::protocol::Violation;
use crate::transport::framed::protocol::receiver::Verdict;
use crate::transport::framed::shared::{Item, Shared, State};
use crate::transport::framed::socket::Socket;

// After reading this much it is the turn of another connection, and of writing.
const TURN_BYTES: u64 = 16 << 20;
// Frames are repeated after this much at the latest, unless more is set.
const PATIENCE_MAX: Duration = Duration::from_secs(8);

/// A connection to another peer.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) other: PeerId,
    // Where that is, for other processes.
    place: Option<String>,
    pub(crate) socket: Socket,
    incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    pub(crate) is_blocked: bool,
    pub(crate) is_readable: bool,
    /// Its turn to be read was over before all was read.
    pub(crate) has_more: bool,
    pub(crate) is_closed: bool,
    // When the other peer last acknowledged something, or nothing was due.
    heard: Instant,
    // How often frames were repeated since.
    repetitions: u32,
    // How long nothing came of it, and until when that does not count: before it says something, the other one may be
    // connecting to others.
    silent: Duration,
    connects_until: Option<Instant>,
    has_warned: bool,
}

impl Wire {
    pub(crate) fn new(other: PeerId, socket: Socket) -> Wire {
        Wire {
            other,
            place: None,
            socket,
            incoming: Incoming::new(),
            outgoing: Outgoing::default(),
            is_blocked: false,
            is_readable: false,
            has_more: false,
            is_closed: false,
            heard: Instant::now(),
            repetitions: 0,
            silent: Duration::ZERO,
            connects_until: None,
            has_warned: false,
        }
    }

    /// The same to a process at `place`, which may be connecting to others until then.
    #[cfg(any(test, feature = "testing", feature = "cluster"))]
    pub(crate) fn to(self, place: String, connects_until: Instant) -> Wire {
        Wire { place: Some(place), connects_until: Some(connects_until), ..self }
    }

    /// The other peer and, where that says something, where it is.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Some(place) => format!("peer {} on {place}", self.other),
            None => format!("peer {}", self.other),
        }
    }

    /// Whether the socket takes more again.
    pub(crate) fn room(&mut self, has_room: bool) {
        if self.is_blocked && has_room {
            self.is_blocked = false;
            self.silent = Duration::ZERO;
        }
    }

    /// Reads what is there, as long as its turn lasts.
    pub(crate) fn read(&mut self, shared: &Shared) -> Result<(), Fault> {
        let other = self.other;
        let mut left = TURN_BYTES;
        self.has_more = false;
        while !self.has_more {
            let sink_for = |header: &Header| sink_for(shared, other, header, &mut self.has_warned);
            match self.incoming.next(&self.socket, sink_for)? {
                Event::Blocked => return Ok(()),
                Event::Closed => return self.closed(shared),
                Event::Frame { header, sink, crc } => {
                    left = left.saturating_sub(HEADER_BYTES as u64 + header.length);
                    self.has_more = left == 0;
                    self.arrived(shared, &header, sink, crc)?;
                }
            }
        }
        Ok(())
    }

    /// A frame was read whole.
    fn arrived(&mut self, shared: &Shared, header: &Header, sink: Sink, crc: u32) -> Result<(), Fault> {
        let Header { kind, superstep, sequence, length, .. } = *header;
        tracing::trace!(from = self.other.index(), ?kind, superstep, sequence, bytes = length, "frame");
        match (kind, sink) {
            (_, Sink::Skip) => {}
            (Kind::Ack, _) => self.acknowledged(shared, header)?,
            (Kind::Goodbye, _) => {
                let mut state = shared.lock();
                let link = state.link(self.other);
                link.has_left = true;
                if !link.sender.is_done() {
                    return Err(Fault::Left);
                }
            }
            _ if crc != header.body_crc => {
                shared.refused.frame();
                trouble(&mut self.has_warned, self.other, "a damaged frame is asked for again");
                shared.lock().link(self.other).receiver.damaged(header)?;
            }
            (_, sink) => delivered(&mut shared.lock(), self.other, header, sink)?,
        }
        Ok(())
    }

    /// Counts `passed` as time in which the other end was silent, if it was and should not be.
    pub(crate) fn watch(
        &mut self,
        shared: &Shared,
        passed: Duration,
        lost_after: Duration,
    ) -> Result<(), Fault> {
        let has_read = std::mem::take(&mut self.incoming.has_read);
        if has_read {
            self.connects_until = None;
        }
        let is_connecting = self.connects_until.is_some_and(|until| Instant::now() < until);
        if has_read || is_connecting || shared.lock().link(self.other).sender.is_done() {
            self.silent = Duration::ZERO;
            return Ok(());
        }
        self.silent += passed;
        if self.silent > lost_after { Err(Fault::Silent(self.silent)) } else { Ok(()) }
    }

    fn acknowledged(&mut self, shared: &Shared, header: &Header) -> Result<(), Fault> {
        if shared.lock().link(self.other).sender.acknowledged(header)? {
            self.heard = Instant::now();
            self.repetitions = 0;
            shared.changed.notify_all();
        }
        Ok(())
    }

    /// Has the frames sent again that nobody acknowledges for a while, which is longer each time.
    pub(crate) fn repeat(&mut self, shared: &Shared, after: Duration) -> Result<(), Violation> {
        let patience = after.saturating_mul(1 << self.repetitions.min(16)).min(after.max(PATIENCE_MAX));
        {
            let mut state = shared.lock();
            let sender = &mut state.link(self.other).sender;
            if sender.is_done() || sender.has_more() || !self.outgoing.is_idle() {
                self.heard = Instant::now();
                return Ok(());
            }
            if self.heard.elapsed() <= patience {
                return Ok(());
            }
            sender.repeat()?;
        }
        self.heard = Instant::now();
        self.repetitions += 1;
        trouble(&mut self.has_warned, self.other, "frames that nobody acknowledged are sent again");
        Ok(())
    }

    /// The other end is closed: an error unless it said goodbye, or this peer is done as well.
    fn closed(&mut self, shared: &Shared) -> Result<(), Fault> {
        self.is_closed = true;
        let mut state = shared.lock();
        if state.closing || state.link(self.other).has_left {
            return Ok(());
        }
        Err(Fault::Closed)
    }
}

/// Where the body of a frame goes, by the protocol's verdict. Memory is taken only for what is wanted.
fn sink_for(shared: &Shared, other: PeerId, header: &Header, has_warned: &mut bool) -> Result<Sink, Fault> {
    let verdict = shared.lock().link(other).receiver.judge(header)?;
    match verdict {
        Verdict::Control => return Ok(Sink::Control),
        Verdict::Skip(why) => {
            shared.refused.frame();
            tracing::trace!(?why, "the next frame is skipped");
            trouble(has_warned, other, "frames that are not wanted are skipped");
            return Ok(Sink::Skip);
        }
        Verdict::Deliver => {}
    }
    Ok(match header.kind {
        // The header's bounds hold: a bundle's length is limited.
        Kind::Bundle => {
            let len = header.length as usize;
            let held = {
                let state = shared.lock();
                state.budget.check(header.superstep, other, header.raw_length).map_err(Fault::Memory)?;
                state.budget.held(header.superstep)
            };
            match &shared.spill {
                Some(spill) if held >= IN_MEMORY_BYTES_MAX => {
                    Sink::Spilled(spill.room(other, len).map_err(Fault::Memory)?)
                }
                _ => Sink::Bundle(vec![0; len]),
            }
        }
        Kind::Payload => {
            let len = usize::try_from(header.length).unwrap_or(usize::MAX);
            match (shared.pool.take(len), &shared.spill) {
                (Ok(buffer), _) => Sink::Payload(buffer),
                (Err(_), Some(spill)) => {
                    Sink::Spilled(spill.room_of_payload(other, len).map_err(Fault::Memory)?)
                }
                (Err(error), None) => return Err(Fault::Memory(error)),
            }
        }
        Kind::EndOfStep => Sink::Totals([0; _]),
        Kind::Ack | Kind::Goodbye => Sink::Control,
    })
}

/// A frame that was wanted is there, with the right checksum.
pub(crate) fn delivered(state: &mut State, from: PeerId, header: &Header, sink: Sink) -> Result<(), Fault> {
    state.link(from).receiver.delivered(header);
    let item = match sink {
        Sink::Skip | Sink::Control => return Ok(()),
        Sink::Totals(bytes) => {
            state.gathering(header.superstep, from).told = Totals::from_bytes(&bytes);
            return Ok(());
        }
        Sink::Bundle(bytes) => Item::Bundle(bundle(header, bytes)),
        Sink::Spilled(spilled) if header.kind == Kind::Bundle => {
            let of = *header;
            let fetch = Fetch(Box::new(move || Ok(bundle(&of, spilled.fetch_bytes(of.body_crc)?))));
            Item::Bundle(Bundle::Elsewhere { fetch, raw_bytes: header.raw_length })
        }
        Sink::Payload(buffer) => Item::Payload(buffer.freeze()),
        Sink::Spilled(spilled) => Item::Spilled { spilled, crc: header.body_crc },
    };
    state.keep(header.superstep, from, header.sequence, item).map_err(Fault::Memory)
}

/// The bundle of a frame.
fn bundle(header: &Header, bytes: Vec<u8>) -> Bundle {
    match header.compressed {
        true => Bundle::Compressed { bytes, raw_bytes: header.raw_length as usize },
        false => Bundle::Raw(bytes),
    }
}

/// The first trouble of a connection is worth a warning, the others are details.
fn trouble(has_warned: &mut bool, other: PeerId, what: &str) {
    let other = other.index();
    if *has_warned {
        tracing::trace!(other, "{what}");
    } else {
        *has_warned = true;
        tracing::warn!(other, "{what}; from now on this is logged as a trace only");
    }
}
