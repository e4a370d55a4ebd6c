//! A transport over sockets: every bundle and payload is framed, checksummed, acknowledged, and sent again
//! where it is lost.
//!
//! Between every two peers is a connection. A peer's own thread hands frames to the protocol's state (`shared`)
//! and waits there for acknowledgements; its io thread moves them in and out of the sockets. What a peer sends
//! to itself stays where it is.

mod fault;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod faulty;
mod frame;
pub(crate) mod header;
mod incoming;
mod io_thread;
#[cfg(any(test, feature = "testing", feature = "cluster"))]
pub(crate) mod mesh;
mod outgoing;
pub(crate) mod protocol;
mod refused;
mod shared;
mod socket;
mod spill;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::Span;

use crate::abort::Abort;
use crate::cancel::OnCancel;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Host, JobId, PeerId};
use crate::message::bundler::Totals;
use crate::message::compress::Bundle;
use crate::pool::{Payload, Pool};
use crate::transport::{Arrived, Transport, WireBytes};
use frame::Frame;
use header::Route;
use io_thread::Io;
use refused::Refused;
use shared::{Gathering, Goodbye, Item, Shared};
use socket::Socket;
use wire::Wire;

/// A peer that has this much in bundles on the way to another waits for acknowledgements before it sends more.
/// Payloads do not count: they take no memory of their own.
const KEPT_BYTES_MAX: u64 = 16 << 20;

/// One peer's end.
#[derive(Debug)]
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
    route: Route,
    // Of what the peer sends to itself.
    sequence: u64,
    io: Option<JoinHandle<()>>,
    // The hosts of all peers, by index: none where all are on one.
    hosts: Vec<Host>,
    _wake: OnCancel,
}

/// How long a frame that nobody acknowledges waits before it is sent again. Between healthy processes none is.
pub(crate) const REPEAT_AFTER: Duration = Duration::from_secs(5);

/// How long another process may take nothing and say nothing while something is on its way to it.
#[cfg(any(test, feature = "testing", feature = "cluster"))]
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(10);

/// What all ends of a job have in common.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) job: JobId,
    pub(crate) host: Host,
    pub(crate) pool: Pool,
    pub(crate) abort: Abort,
    /// Frames that nobody acknowledges for so long are sent again.
    pub(crate) repeat_after: Duration,
    /// A peer that takes nothing and says nothing for so long, while something is on its way to it, is lost. Threads of
    /// one process cannot be lost to each other.
    pub(crate) lost_after: Duration,
    /// The most bytes of messages that a peer holds before they are taken.
    pub(crate) inbox_bytes_max: u64,
    /// Where payloads wait that arrive when the pool has no room, until they are taken. Without it they end the job.
    pub(crate) spill: Option<PathBuf>,
    /// The job's span.
    pub(crate) span: Span,
}

/// The ends for `count` peers of this process, by index.
///
/// # Errors
/// `Unavailable` when the system refuses sockets or threads.
pub(crate) fn connect(count: u32, common: &Common) -> Result<Vec<Endpoint>> {
    connect_by(count, common, Socket::pair)
}

/// The same by connections that `pair` makes.
pub(crate) fn connect_by(
    count: u32,
    common: &Common,
    pair: impl FnMut() -> io::Result<(Socket, Socket)>,
) -> Result<Vec<Endpoint>> {
    let wires = wires(count, pair).map_err(|error| {
        let sockets = u64::from(count) * u64::from(count - 1);
        Error::io(format!("cannot connect {count} peers by {sockets} sockets"), error)
    })?;
    let start = |(index, wires)| {
        let me = PeerId::from_index(index);
        let route = Route { job: common.job, attempt: 0, epoch: 0, sender: me, destination: me };
        Endpoint::start(route, count, wires, common, Refused::default())
    };
    (0..).zip(wires).map(start).collect()
}

fn wires(count: u32, mut pair: impl FnMut() -> io::Result<(Socket, Socket)>) -> io::Result<Vec<Vec<Wire>>> {
    let mut wires: Vec<Vec<Wire>> = (0..count).map(|_| Vec::new()).collect();
    for one in 0..count {
        for other in one + 1..count {
            let (near, far) = pair()?;
            wires[one as usize].push(Wire::new(PeerId::from_index(other), near));
            wires[other as usize].push(Wire::new(PeerId::from_index(one), far));
        }
    }
    Ok(wires)
}

impl Endpoint {
    /// The end of the peer that sends by `route`, of `count`, over connections to all others.
    fn start(
        route: Route,
        count: u32,
        wires: Vec<Wire>,
        common: &Common,
        refused: Refused,
    ) -> Result<Endpoint> {
        let me = route.sender;
        let others = (0..count).map(PeerId::from_index);
        let routes =
            others.map(|other| (other != me).then_some(Route { destination: other, ..route })).collect();
        let failed = |error| Error::io(format!("cannot start the io thread of peer {me}"), error);
        let (waker, woken_by) = Socket::pair().map_err(failed)?;
        let shared = Arc::new(Shared::new(routes, me, common, waker, refused));
        let mut thread = None;
        // A peer without others has nothing to move.
        if !wires.is_empty() {
            let io = Io::new(&shared, woken_by, wires, common);
            let span = tracing::debug_span!(parent: &common.span, "io", peer = me.index());
            let run = move || span.in_scope(|| io.run());
            let started = thread::Builder::new().name(format!("peer-{me}-io")).spawn(run);
            thread = Some(started.map_err(failed)?);
        }
        let _wake = wake_on_abort(&shared);
        Ok(Endpoint { shared, route, sequence: 0, io: thread, hosts: Vec::new(), _wake })
    }

    /// The same where peers are on these hosts, by index.
    #[cfg(any(feature = "testing", feature = "cluster"))]
    pub(crate) fn with_hosts(mut self, hosts: Vec<Host>) -> Endpoint {
        self.hosts = hosts;
        self
    }

    /// What it refuses.
    #[cfg(test)]
    pub(crate) fn refused(&self) -> Refused {
        self.shared.refused.clone()
    }

    /// Hands a frame to the link to `to`, once there is room.
    fn push(&mut self, to: PeerId, frame: Frame) -> Result<()> {
        let mut state = self.shared.lock();
        state.superstep = frame.header.superstep;
        loop {
            self.shared.abort.check()?;
            let link = state.link(to);
            if link.has_left {
                return Err(left(self.shared.me, to));
            }
            if link.sender.kept_bytes() < KEPT_BYTES_MAX {
                link.sender.push(frame);
                break;
            }
            state = self.shared.wait(state);
        }
        drop(state);
        self.shared.wake();
        Ok(())
    }

    /// Keeps what the peer sends to itself.
    fn keep(&mut self, superstep: u64, item: Item) -> Result<()> {
        self.sequence += 1;
        self.shared.lock().keep(superstep, self.shared.me, self.sequence, item)
    }
}

impl Transport for Endpoint {
    fn send_bundle(&mut self, superstep: u64, to: PeerId, bundle: Vec<u8>) -> Result<()> {
        self.shared.abort.check()?;
        if to == self.shared.me {
            return self.keep(superstep, Item::Bundle(Bundle::Raw(bundle)));
        }
        self.push(to, Frame::bundle(self.route, superstep, bundle))
    }

    fn send_payload(&mut self, superstep: u64, to: &[PeerId], payload: &Payload) -> Result<()> {
        self.shared.abort.check()?;
        // One checksum for all destinations.
        let frame = Frame::payload(self.route, superstep, payload.clone());
        for &to in to {
            if to == self.shared.me {
                self.keep(superstep, Item::Payload(payload.clone()))?;
            } else {
                self.push(to, frame.clone())?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, superstep: u64, totals: &[Totals]) -> Result<()> {
        self.shared.abort.check()?;
        for (index, &told) in (0..).zip(totals) {
            let to = PeerId::from_index(index);
            if to == self.shared.me {
                self.shared.lock().gathering(superstep, to).told = told;
            } else if !told.is_nothing() {
                self.push(to, Frame::end_of_step(self.route, superstep, told))?;
            }
        }
        let mut state = self.shared.lock();
        while state.links.iter().flatten().any(|link| !link.sender.is_done()) {
            self.shared.abort.check()?;
            state = self.shared.wait(state);
        }
        Ok(())
    }

    fn wire(&self) -> WireBytes {
        let own = self.hosts.get(self.shared.me.index());
        let mut wire = WireBytes::default();
        for (index, bytes) in self.shared.sent().enumerate() {
            let is_far = self.hosts.get(index) != own;
            if is_far { wire.between_hosts += bytes } else { wire.within_hosts += bytes }
        }
        wire
    }

    fn take(&mut self, superstep: u64) -> Result<Vec<Arrived>> {
        // Who sent something came to the barrier when this peer had acknowledged all of it: nobody is missing here.
        let gathered = self.shared.lock().take(superstep);
        let mut arrived = Vec::new();
        for (from, gathering) in gathered {
            let from = gathering.into_arrived(from)?;
            from.check(self.shared.me, superstep)?;
            if !from.told.is_nothing() {
                arrived.push(from);
            }
        }
        Ok(arrived)
    }
}

impl Gathering {
    pub(crate) fn into_arrived(self, from: PeerId) -> Result<Arrived> {
        let mut arrived = Arrived { told: self.told, ..Arrived::new(from) };
        for item in self.items.into_values() {
            match item {
                Item::Bundle(bundle) => arrived.bundles.push(bundle),
                Item::Payload(payload) => arrived.payloads.push(payload),
                Item::Spilled { spilled, crc } => arrived.payloads.push(spilled.fetch(crc)?),
            }
        }
        Ok(arrived)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            state.links.iter_mut().flatten().for_each(|link| link.goodbye = Goodbye::Due);
        }
        self.shared.wake();
        if let Some(io) = self.io.take() {
            // It catches its own panics.
            let _ = io.join();
        }
    }
}

fn wake_on_abort(shared: &Arc<Shared>) -> OnCancel {
    let weak = Arc::downgrade(shared);
    shared.abort.cancel().on_cancel(move || {
        if let Some(shared) = weak.upgrade() {
            // With the lock held nobody is between looking and waiting.
            drop(shared.lock());
            shared.changed.notify_all();
            shared.wake();
        }
    })
}

fn left(me: PeerId, other: PeerId) -> Error {
    Error::new(ErrorKind::PeerLost, format!("peer {me} cannot send to peer {other}: it left"))
}
