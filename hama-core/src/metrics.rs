//! What a superstep cost a peer, and how far a job is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The counter of bytes that a peer's sockets to peers on other hosts took: frames with their headers, acknowledgements, and
/// what was sent again. There is none where nothing went over a socket.
pub const WIRE_BETWEEN_HOSTS: &str = "wire bytes between hosts";
/// The same of sockets to other peers on its own host.
pub const WIRE_WITHIN_HOSTS: &str = "wire bytes within hosts";

/// What one superstep cost one peer.
///
/// The times do not overlap: their sum is the time from one end of a superstep to the next. The last record of
/// a peer is of the work between its last superstep's end and its return. Work that a peer does for another one while it
/// waits ([`Outbox::offer`](crate::Outbox::offer)) is booked as its own, in the superstep that it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuperstepRecord {
    /// The peer's index.
    pub peer: usize,
    /// The superstep, counted from 0.
    pub superstep: u64,
    /// Time in the program: all that is none of the other times.
    pub compute: Duration,
    /// Time in which the program read, as it said itself.
    pub read: Duration,
    /// Time in which messages were handed over and acknowledged.
    pub send: Duration,
    /// Time at the barrier.
    pub wait: Duration,
    /// Time in which the inbox was filled.
    pub receive: Duration,
    /// Time in which the program wrote, as it said itself.
    pub write: Duration,
    /// Bytes of messages and payloads sent, before compression, those to the peer itself included.
    pub bytes_sent: u64,
    /// Bytes of messages and payloads received at the end of the superstep, after decompression.
    pub bytes_received: u64,
    /// Bytes that the program read, as it said itself.
    pub bytes_read: u64,
    /// Bytes that the program wrote, as it said itself.
    pub bytes_written: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Messages received at the end of the superstep.
    pub messages_received: u64,
    /// Floating point operations done, as the program said itself.
    pub work: u64,
}

impl SuperstepRecord {
    /// Adds all figures of `other`; peer and superstep stay.
    pub fn add(&mut self, other: &SuperstepRecord) {
        self.compute += other.compute;
        self.read += other.read;
        self.send += other.send;
        self.wait += other.wait;
        self.receive += other.receive;
        self.write += other.write;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.messages_sent += other.messages_sent;
        self.messages_received += other.messages_received;
        self.work += other.work;
    }
}

/// How many units of its work a job has done, told by its peers and read by whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
}

impl Progress {
    /// Nothing done yet.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// `units` more are done.
    pub fn add(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    /// How many are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// What a peer has counted, by name: added to by its program, and read by whoever tells how it is. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Counters {
    pub(crate) fn add(&self, name: &'static str, n: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += n;
    }

    /// All so far.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
