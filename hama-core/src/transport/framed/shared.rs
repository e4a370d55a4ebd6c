//! What a peer's thread and its io thread share: the links to the other peers, and what has arrived.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::abort::Abort;
use crate::error::{At, Result};
use crate::ids::{Host, PeerId};
use crate::message::bundler::Totals;
use crate::message::compress::Bundle;
use crate::pool::{Payload, Pool};
use crate::transport::budget::Budget;
use crate::transport::framed::Common;
use crate::transport::framed::frame::Frame;
use crate::transport::framed::header::Route;
use crate::transport::framed::protocol::receiver::Receiver;
use crate::transport::framed::protocol::sender::Sender;
use crate::transport::framed::refused::Refused;
use crate::transport::framed::socket::{Moved, Socket};
use crate::transport::framed::spill::{Spill, Spilled};

/// One peer's side of a transport.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) me: PeerId,
    pub(crate) host: Host,
    pub(crate) pool: Pool,
    pub(crate) spill: Option<Arc<Spill>>,
    pub(crate) abort: Abort,
    pub(crate) refused: Refused,
    state: Mutex<State>,
    /// Something was acknowledged, or the job ended.
    pub(crate) changed: Condvar,
    // Bytes that the sockets to the others took, by peer.
    sent: Vec<AtomicU64>,
    // Its other end wakes the io thread.
    waker: Socket,
    is_woken: AtomicBool,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    /// By peer; there is none to itself.
    pub(crate) links: Vec<Option<Link>>,
    /// By superstep and sender.
    pub(crate) arrived: BTreeMap<u64, BTreeMap<PeerId, Gathering>>,
    pub(crate) budget: Budget,
    pub(crate) superstep: u64,
    /// The peer is done.
    pub(crate) closing: bool,
}

/// The protocol's state towards one other peer.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) goodbye: Goodbye,
    /// The other peer said goodbye.
    pub(crate) has_left: bool,
}

/// How far this peer's goodbye to another is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goodbye {
    NotDue,
    Due,
    Said,
}

/// What has arrived from one sender in one superstep.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// By sequence: they may arrive in any order.
    pub(crate) items: BTreeMap<u64, Item>,
    /// What the sender told; it tells nothing where it sent nothing.
    pub(crate) told: Totals,
}

/// A bundle or a payload as it arrived.
#[derive(Debug)]
pub(crate) enum Item {
    Bundle(Bundle),
    Payload(Payload),
    /// One that waits on the disk.
    Spilled {
        spilled: Spilled,
        crc: u32,
    },
}

impl Item {
    /// The memory that it takes by itself, at most. A payload's is its pool's.
    pub(crate) fn own_bytes(&self) -> u64 {
        match self {
            Item::Bundle(bundle) => bundle.raw_bytes(),
            Item::Payload(_) | Item::Spilled { .. } => 0,
        }
    }
}

impl Shared {
    /// For the peer `me` of `count`; whoever has the other end of `waker` is woken.
    pub(crate) fn new(
        routes: Vec<Option<Route>>,
        me: PeerId,
        common: &Common,
        waker: Socket,
        refused: Refused,
    ) -> Shared {
        let sent = routes.iter().map(|_| AtomicU64::new(0)).collect();
        let state = State::new(routes, Budget::new(me, common.inbox_bytes_max));
        Shared {
            me,
            host: common.host.clone(),
            pool: common.pool.clone(),
            spill: common.spill.clone().map(|folder| Spill::new(me, folder, common.pool.clone())),
            abort: common.abort.clone(),
            refused,
            state: Mutex::new(state),
            changed: Condvar::new(),
            sent,
            waker,
            is_woken: AtomicBool::new(false),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change.
    pub(crate) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the io thread look at the state.
    pub(crate) fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            // It fails where the io thread is gone or woken already: both are fine.
            let _: std::io::Result<Moved> = self.waker.write(&[IoSlice::new(&[1])]);
        }
    }

    /// The io thread is awake and is about to look at the state.
    pub(crate) fn awake(&self) {
        self.is_woken.store(false, Ordering::Release);
    }

    /// The socket to a peer took so many bytes more.
    pub(crate) fn add_sent(&self, to: PeerId, bytes: u64) {
        if let Some(sent) = self.sent.get(to.index()) {
            sent.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes that the sockets to the others took so far, by peer.
    pub(crate) fn sent(&self) -> impl Iterator<Item = u64> {
        self.sent.iter().map(|sent| sent.load(Ordering::Relaxed))
    }

    pub(crate) fn at(&self) -> At {
        At { host: self.host.clone(), peer: self.me, superstep: self.lock().superstep }
    }
}

impl State {
    /// Before the first superstep, with a link for each route.
    pub(crate) fn new(routes: Vec<Option<Route>>, budget: Budget) -> State {
        let links = routes.into_iter().map(|route| route.map(Link::new)).collect();
        State { links, arrived: BTreeMap::new(), budget, superstep: 0, closing: false }
    }

    /// What has arrived from a sender in a superstep.
    pub(crate) fn gathering(&mut self, superstep: u64, from: PeerId) -> &mut Gathering {
        self.arrived.entry(superstep).or_default().entry(from).or_default()
    }

    /// Keeps a bundle or a payload that has arrived.
    ///
    /// # Errors
    /// `OutOfMemory` when the peer holds too much already.
    pub(crate) fn keep(&mut self, superstep: u64, from: PeerId, sequence: u64, item: Item) -> Result<()> {
        if superstep < self.superstep {
            // What was taken is complete: nobody will ask for this.
            return Ok(());
        }
        self.budget.book(superstep, from, item.own_bytes())?;
        self.gathering(superstep, from).items.insert(sequence, item);
        Ok(())
    }

    /// Hands out what has arrived in a superstep, by sender. What came too late for an earlier one goes.
    pub(crate) fn take(&mut self, superstep: u64) -> BTreeMap<PeerId, Gathering> {
        self.superstep = superstep + 1;
        self.links.iter_mut().flatten().for_each(|link| link.receiver.advance(superstep + 1));
        self.budget.release(superstep);
        let later = self.arrived.split_off(&(superstep + 1));
        std::mem::replace(&mut self.arrived, later).remove(&superstep).unwrap_or_default()
    }

    /// The link to another peer of the job.
    pub(crate) fn link(&mut self, other: PeerId) -> &mut Link {
        self.links[other.index()].as_mut().expect("asked for other peers of the job only")
    }
}

impl Link {
    fn new(route: Route) -> Link {
        Link {
            sender: Sender::new(route),
            receiver: Receiver::new(route.back()),
            goodbye: Goodbye::NotDue,
            has_left: false,
        }
    }

    /// The next frame to write: acknowledgements first, the goodbye last.
    pub(crate) fn give(&mut self) -> Option<Frame> {
        if let Some(ack) = self.receiver.take_ack() {
            return Some(Frame::control(ack));
        }
        if let Some(frame) = self.sender.give() {
            return Some(frame);
        }
        if self.goodbye == Goodbye::Due {
            self.goodbye = Goodbye::Said;
            return Some(Frame::goodbye(self.sender.route()));
        }
        None
    }
}
