//! The io thread of a peer: does all reads and writes on its sockets, so that reading never waits for writing
//! and peers that all send at once cannot block each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::transport::framed::fault::Fault;
use crate::transport::framed::header::{Header, Kind};
use crate::transport::framed::incoming::{Event, Incoming, Sink};
use crate::transport::framed::outgoing::{Outgoing, Turn};
use crate::transport::framed::protocol::receiver::Verdict;
use crate::transport::framed::shared::{Goodbye, Shared};
use crate::transport::framed::socket::{self, Moved, Ready, Socket};

// After reading this much it is the turn of another connection, and of writing.
const TURN_BYTES: u64 = 16 << 20;
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
    // When the last acknowledgement came, or none was due.
    heard: Instant,
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
            self.repeat();
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
    fn repeat(&mut self) {
        let mut state = self.shared.lock();
        for wire in self.wires.iter_mut().filter(|wire| !wire.is_closed && !wire.is_blocked) {
            let sender = &mut state.link(wire.other).sender;
            if sender.is_done() || sender.has_more() {
                wire.heard = Instant::now();
            } else if wire.heard.elapsed() > self.repeat_after {
                tracing::warn!(
                    peer = self.shared.me.index(),
                    to = wire.other.index(),
                    "frames are sent again"
                );
                sender.repeat();
                wire.heard = Instant::now();
            }
        }
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
            match self.incoming.next(&self.socket, |header| sink_for(shared, other, header))? {
                Event::Blocked => return Ok(()),
                Event::Closed => return self.closed(shared),
                Event::Frame { header, sink, crc } => {
                    if header.kind == Kind::Ack {
                        self.heard = Instant::now();
                    }
                    left = left.saturating_sub(header.length);
                    self.has_more = left == 0;
                    arrived(shared, other, &header, sink, crc)?;
                }
            }
        }
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
fn sink_for(shared: &Shared, other: PeerId, header: &Header) -> Result<Sink, Fault> {
    match shared.lock().link(other).receiver.judge(header)? {
        Verdict::Control => return Ok(Sink::Control),
        Verdict::Skip(why) => {
            tracing::warn!(peer = shared.me.index(), from = other.index(), ?why, "a frame is skipped");
            return Ok(Sink::Skip);
        }
        Verdict::Deliver => {}
    }
    Ok(match header.kind {
        // The header's bounds hold: a bundle's length is limited.
        Kind::Bundle => Sink::Bundle(vec![0; header.length as usize]),
        Kind::Payload => {
            let len = usize::try_from(header.length).unwrap_or(usize::MAX);
            Sink::Payload(shared.pool.take(len).map_err(Fault::Memory)?)
        }
        Kind::EndOfStep => Sink::Totals([0; _]),
        Kind::Ack | Kind::Goodbye => Sink::Control,
    })
}

/// A frame was read whole.
fn arrived(shared: &Shared, other: PeerId, header: &Header, sink: Sink, crc: u32) -> Result<(), Fault> {
    let mut state = shared.lock();
    let link = state.link(other);
    match (header.kind, sink) {
        (_, Sink::Skip) => {}
        (Kind::Ack, _) => {
            link.sender.acknowledged(header)?;
            shared.changed.notify_all();
        }
        (Kind::Goodbye, _) => {
            link.has_left = true;
            if !link.sender.is_done() {
                return Err(Fault::Left);
            }
        }
        _ if crc != header.body_crc => {
            tracing::warn!(
                peer = shared.me.index(),
                from = other.index(),
                "a damaged frame is asked for again"
            );
            link.receiver.damaged();
        }
        (_, sink) => {
            link.receiver.delivered(header);
            state.gathering(header.superstep, other).keep(header, sink);
        }
    }
    Ok(())
}
