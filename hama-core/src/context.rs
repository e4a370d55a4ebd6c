//! What a program knows of its place in a job, and what it reports about itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::error::{At, Error, Result};
use crate::ids::{Host, PeerId};
use crate::metrics::{Counters, Progress, SuperstepRecord};
use crate::pool::Pool;

/// A peer's place in its job. [`Peer`](crate::Peer) and [`Outbox`](crate::Outbox) dereference to it.
#[derive(Debug)]
pub struct Context {
    membership: Membership,
    superstep: Cell<u64>,
    meter: RefCell<Meter>,
}

/// What a context is made of: everything that stays the same during a job.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) id: PeerId,
    pub(crate) count: usize,
    pub(crate) host: Host,
    pub(crate) pool: Pool,
    pub(crate) cancel: Cancel,
    pub(crate) progress: Option<Arc<Progress>>,
    pub(crate) counters: Counters,
}

/// What the program and the outbox have measured in this superstep.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    read: Duration,
    write: Duration,
    send: Duration,
    bytes_read: u64,
    bytes_written: u64,
    work: u64,
}

impl Context {
    /// The peer's index, from 0.
    pub fn index(&self) -> usize {
        self.membership.id.index()
    }

    /// The peer itself.
    pub fn id(&self) -> PeerId {
        self.membership.id
    }

    /// How many peers the job has.
    pub fn count(&self) -> usize {
        self.membership.count
    }

    /// The host that the peer is on.
    pub fn host(&self) -> &Host {
        &self.membership.host
    }

    /// The superstep, counted from 0: how many have ended.
    pub fn superstep(&self) -> u64 {
        self.superstep.get()
    }

    /// The pool that the peer's buffers come from.
    pub fn pool(&self) -> &Pool {
        &self.membership.pool
    }

    /// Says when the job ends before its time. A program that computes for long asks it now and then.
    pub fn cancel(&self) -> &Cancel {
        &self.membership.cancel
    }

    /// The peer with this index.
    ///
    /// # Errors
    /// `Invalid` where the job has no such peer.
    pub fn peer(&self, index: usize) -> Result<PeerId> {
        match u32::try_from(index) {
            Ok(valid) if index < self.count() => Ok(PeerId::from_index(valid)),
            _ => Err(self.no_peer(index)),
        }
    }

    /// All peers of the job, by index.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> + use<> {
        (0..self.count() as u32).map(PeerId::from_index)
    }

    /// Adds `n` to a counter of the job. The counters of all peers are summed by name.
    pub fn add(&self, counter: &'static str, n: u64) {
        self.membership.counters.add(counter, n);
    }

    /// Says that `units` more of the job's work are done, for whoever shows progress.
    pub fn progress(&self, units: u64) {
        if let Some(progress) = &self.membership.progress {
            progress.add(units);
        }
    }

    /// Books `time` and `bytes` as read in this superstep.
    pub fn add_read(&self, time: Duration, bytes: u64) {
        let mut meter = self.meter.borrow_mut();
        meter.read += time;
        meter.bytes_read += bytes;
    }

    /// Books `time` and `bytes` as written in this superstep.
    pub fn add_write(&self, time: Duration, bytes: u64) {
        let mut meter = self.meter.borrow_mut();
        meter.write += time;
        meter.bytes_written += bytes;
    }

    /// Books `flop` floating point operations as done in this superstep.
    pub fn add_work(&self, flop: u64) {
        self.meter.borrow_mut().work += flop;
    }

    pub(crate) fn new(membership: Membership) -> Context {
        Context { membership, superstep: Cell::new(0), meter: RefCell::default() }
    }

    pub(crate) fn at(&self) -> At {
        At { host: self.membership.host.clone(), peer: self.membership.id, superstep: self.superstep.get() }
    }

    pub(crate) fn no_peer(&self, index: usize) -> Error {
        Error::invalid(format!("there is no peer {index}: the job has {} peers, from 0", self.count()))
    }

    pub(crate) fn add_send(&self, time: Duration) {
        self.meter.borrow_mut().send += time;
    }

    pub(crate) fn next_superstep(&self) {
        self.superstep.set(self.superstep.get() + 1);
    }

    pub(crate) fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.membership.counters.counts()
    }

    /// A record of the work since the last one, which took `elapsed` up to now.
    pub(crate) fn take_record(&self, elapsed: Duration) -> SuperstepRecord {
        let meter = self.meter.take();
        SuperstepRecord {
            peer: self.index(),
            superstep: self.superstep(),
            // A program may book the time of threads of its own, which is more than has passed here.
            compute: elapsed.saturating_sub(meter.read + meter.write + meter.send),
            read: meter.read,
            write: meter.write,
            send: meter.send,
            bytes_read: meter.bytes_read,
            bytes_written: meter.bytes_written,
            work: meter.work,
            ..SuperstepRecord::default()
        }
    }
}
