//! The io thread of a peer: does all reads and writes on its sockets, so that reading never waits for writing
//! and peers that all send at once cannot block each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::message::bundler::Totals;
use crate::message::compress::Bundle;
use crate::transport::framed::fault::Fault;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind};
use crate::transport::framed::incoming::{Event, Incoming, Sink};
use crate::transport::framed::outgoing::{Outgoing, Turn};
use crate::transport::framed::protocol::Violation;
use crate::transport::framed::protocol::receiver::Verdict;
use crate::transport::framed::shared::{Goodbye, Item, Shared};
use crate::transport::framed::socket::{self, Moved, Ready, Socket};

// After reading this much it is the turn of another connection, and of writing.
const TURN_BYTES: u64 = 16 << 20;
// Frames are repeated after this much at the latest, unless more is set.
const PATIENCE_MAX: Duration = Duration::from_secs(8);
// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// A connection to another peer.
#[derive(Debug)]
pub(crate) struct Wire {
    other: PeerId,
    socket: Socket,
    incoming: Incoming,
    outgoing: Outgoing,
    is_blocked: bool,
    is_readable: bool,
    // Its turn to be read was over before all was read.
    has_more: bool,
    is_closed: bool,
    // When the other peer last acknowledged something, or nothing was due.
    heard: Instant,
    // How often frames were repeated since.
    repetitions: u32,
    has_warned: bool,
}

/// What the io thread works on.
#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) shared: Arc<Shared>,
    pub(crate) woken_by: Socket,
    pub(crate) wires: Vec<Wire>,
    pub(crate) repeat_after: Duration,
}

impl Wire {
    pub(crate) fn new(other: PeerId, socket: Socket) -> Wire {
        Wire {
            other,
            socket,
            incoming: Incoming::new(),
            outgoing: Outgoing::default(),
            is_blocked: false,
            is_readable: false,
            has_more: false,
            is_closed: false,
            heard: Instant::now(),
            repetitions: 0,
            has_warned: false,
        }
    }
}

impl Io {
    /// Runs until the peer is done or the job ends. What goes wrong ends the job.
    pub(crate) fn run(mut self) {
        let result = catch_unwind(AssertUnwindSafe(|| self.try_run()));
        let result = result.unwrap_or_else(|_| Err(Error::internal("the io thread panicked")));
        if let Err(error) = result {
            let error = error.at(self.shared.at());
            self.shared.abort.end(Some(self.shared.me), error);
        }
    }

    fn try_run(&mut self) -> Result<()> {
        let mut closing_until = None;
        while !self.shared.abort.cancel().is_cancelled() {
            let more = self.write()?;
            if self.shared.lock().closing {
                let until = *closing_until.get_or_insert_with(|| Instant::now() + GOODBYE_MAX);
                if self.is_parted() || Instant::now() > until {
                    break;
                }
            }
            let tick_ms = (self.repeat_after.as_millis() / 2).min(1000) as u32;
            let more = more || self.wires.iter().any(|wire| wire.has_more);
            self.wait(if more { 0 } else { tick_ms })?;
            self.read()?;
            self.repeat()?;
        }
        Ok(())
    }

    /// Writes on every connection that takes something. Says whether one has more to write at once.
    fn write(&mut self) -> Result<bool> {
        let shared = &self.shared;
        let mut more = false;
        for wire in self.wires.iter_mut().filter(|wire| !wire.is_closed && !wire.is_blocked) {
            let other = wire.other;
            let turn = wire.outgoing.write(&wire.socket, || shared.lock().link(other).give());
            match turn.map_err(|error| Fault::Io(error).between(shared.me, other))? {
                Turn::Done => {}
                Turn::More => more = true,
                Turn::Blocked => wire.is_blocked = true,
                // What the other end wrote before, its goodbye perhaps, is read first.
                Turn::Closed => wire.is_blocked = true,
            }
        }
        Ok(more)
    }

    /// Waits for something to read, for room where writing is blocked, or to be woken.
    fn wait(&mut self, timeout_ms: u32) -> Result<()> {
        let mut sockets = vec![(&self.woken_by, Ready { read: true, write: false })];
        let open = self.wires.iter().filter(|wire| !wire.is_closed);
        sockets.extend(open.map(|wire| (&wire.socket, Ready { read: true, write: wire.is_blocked })));
        let waited = socket::wait(&mut sockets, timeout_ms);
        waited.map_err(|error| Error::io("cannot wait for the sockets of a peer", error))?;
        let ready: Vec<Ready> = sockets.into_iter().map(|(_, ready)| ready).collect();
        if ready[0].read {
            while let Ok(Moved::Bytes(_)) = self.woken_by.read(&mut [0; 16]) {}
        }
        self.shared.awake();
        let open = self.wires.iter_mut().filter(|wire| !wire.is_closed);
        for (wire, ready) in open.zip(&ready[1..]) {
            wire.is_blocked &= !ready.write;
            wire.is_readable = ready.read || wire.has_more;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let shared = &self.shared;
        for wire in self.wires.iter_mut().filter(|wire| wire.is_readable && !wire.is_closed) {
            wire.read(shared).map_err(|fault| fault.between(shared.me, wire.other))?;
        }
        Ok(())
    }

    /// Sends again what nobody acknowledges.
    fn repeat(&mut self) -> Result<()> {
        let shared = &self.shared;
        for wire in self.wires.iter_mut().filter(|wire| !wire.is_closed && !wire.is_blocked) {
            let repeated = wire.repeat(shared, self.repeat_after);
            repeated.map_err(|violation| Fault::from(violation).between(shared.me, wire.other))?;
        }
        Ok(())
    }

    fn is_parted(&self) -> bool {
        let mut state = self.shared.lock();
        self.wires.iter().all(|wire| {
            let said = state.link(wire.other).goodbye == Goodbye::Said;
            wire.is_closed || said && wire.outgoing.is_idle()
        })
    }
}

impl Wire {
    fn read(&mut self, shared: &Shared) -> Result<(), Fault> {
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
                trouble(&mut self.has_warned, self.other, "a damaged frame is asked for again");
                shared.lock().link(self.other).receiver.damaged(header)?;
            }
            (_, sink) => delivered(shared, self.other, header, sink)?,
        }
        Ok(())
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
    fn repeat(&mut self, shared: &Shared, after: Duration) -> Result<(), Violation> {
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
            tracing::trace!(?why, "the next frame is skipped");
            trouble(has_warned, other, "frames that are not wanted are skipped");
            return Ok(Sink::Skip);
        }
        Verdict::Deliver => {}
    }
    Ok(match header.kind {
        // The header's bounds hold: a bundle's length is limited.
        Kind::Bundle => {
            shared.lock().budget.check(other, header.raw_length).map_err(Fault::Memory)?;
            Sink::Bundle(vec![0; header.length as usize])
        }
        Kind::Payload => {
            let len = usize::try_from(header.length).unwrap_or(usize::MAX);
            Sink::Payload(shared.pool.take(len).map_err(Fault::Memory)?)
        }
        Kind::EndOfStep => Sink::Totals([0; _]),
        Kind::Ack | Kind::Goodbye => Sink::Control,
    })
}

/// A frame that was wanted is there, with the right checksum.
fn delivered(shared: &Shared, from: PeerId, header: &Header, sink: Sink) -> Result<(), Fault> {
    let mut state = shared.lock();
    state.link(from).receiver.delivered(header);
    let item = match sink {
        Sink::Skip | Sink::Control => return Ok(()),
        Sink::Totals(bytes) => {
            state.gathering(header.superstep, from).told = Some(Totals::from_bytes(&bytes));
            return Ok(());
        }
        Sink::Bundle(bytes) if header.compressed => {
            Item::Bundle(Bundle::Compressed { bytes, raw_bytes: header.raw_length as usize })
        }
        Sink::Bundle(bytes) => Item::Bundle(Bundle::Raw(bytes)),
        Sink::Payload(buffer) => Item::Payload(buffer.freeze()),
    };
    state.keep(header.superstep, from, header.sequence, item).map_err(Fault::Memory)
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
