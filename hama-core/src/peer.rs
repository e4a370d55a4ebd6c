//! A peer: one of the parallel workers of a job, as its program sees it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use tracing::span::EnteredSpan;

use crate::abort::Abort;
use crate::barrier::{Barrier, Ending, Tally};
use crate::bsp::Message;
use crate::context::{Context, Membership};
use crate::error::Result;
use crate::help::Tasks;
use crate::ids::PeerId;
use crate::message::inbox::Inbox;
use crate::metrics::SuperstepRecord;
use crate::outbox::Outbox;
use crate::pool::Payload;
use crate::transport::{Arrived, Transport};

// A program of a million short supersteps must not fill the memory with records.
const RECORDS_MAX: usize = 1 << 16;

/// One peer of a job. It dereferences to its [`Context`].
pub struct Peer<M> {
    outbox: Outbox<M>,
    records: Vec<SuperstepRecord>,
    started: Instant,
    // Always there but while one is replaced by the next.
    span: Option<EnteredSpan>,
}

/// What a peer is given to take part in a job.
pub(crate) struct Seat {
    pub(crate) membership: Membership,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) barrier: Arc<dyn Barrier>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) abort: Abort,
}

impl<M: Message> Peer<M> {
    /// Sends a message. It is in the inbox that `to`'s next [`sync`](Peer::sync) returns.
    ///
    /// # Errors
    /// As for [`Outbox::send`].
    ///
    /// # Cost
    /// g per byte.
    pub fn send(&mut self, to: PeerId, message: &M) -> Result<()> {
        self.outbox.send(to, message)
    }

    /// Sends a message with a payload: bytes that are not copied where sender and receiver share memory.
    ///
    /// # Errors
    /// As for [`Outbox::send`].
    ///
    /// # Cost
    /// g per byte of both.
    pub fn send_with(&mut self, to: PeerId, message: &M, payload: Payload) -> Result<()> {
        self.outbox.send_with(to, message, payload)
    }

    /// Sends a message to many peers, serialising it once.
    ///
    /// # Errors
    /// As for [`Outbox::send_many`].
    ///
    /// # Cost
    /// g per byte and destination.
    pub fn send_many(&mut self, to: &[PeerId], message: &M) -> Result<()> {
        self.outbox.send_many(to, message)
    }

    /// Sends a message with a payload to many peers, serialising it once.
    ///
    /// # Errors
    /// As for [`Outbox::send_many`].
    ///
    /// # Cost
    /// g per byte of both and destination.
    pub fn send_many_with(&mut self, to: &[PeerId], message: &M, payload: &Payload) -> Result<()> {
        self.outbox.send_many_with(to, message, payload)
    }

    /// Ends the superstep: waits for all peers, and returns all that they sent to this one in it.
    ///
    /// # Errors
    /// `Cancelled` when the job ends before all peers are there, naming the peer that ended it; `Invalid` when
    /// another peer returned or called a collective instead; `PeerLost` when a connection broke; `Data` when
    /// messages were damaged, cannot be decoded, or are not as many as their sender said; `OutOfMemory` when they
    /// are more than the pool or [`INBOX_BYTES_MAX`](crate::INBOX_BYTES_MAX) has room for; `Unavailable` when the
    /// system refuses to wait for sockets; `Internal` for a defect of Hama, such as peers in different
    /// supersteps. Any of them ends the job.
    ///
    /// # Cost
    /// One superstep: g times the most bytes that any peer sent or received, and l.
    pub fn sync(&mut self) -> Result<Inbox<M>> {
        self.sync_with(false).map(|(inbox, _)| inbox)
    }

    /// As `sync`, saying whether this peer would halt and returning what all said.
    pub(crate) fn sync_with(&mut self, halt: bool) -> Result<(Inbox<M>, Tally)> {
        let me = self.id();
        self.end_superstep(Ending::Sync, halt, |arrived| Inbox::decode(arrived, me))
    }
}

impl<M> Peer<M> {
    pub(crate) fn new(seat: Seat) -> Peer<M> {
        Peer {
            outbox: Outbox::new(seat),
            records: Vec::new(),
            started: Instant::now(),
            span: Some(tracing::debug_span!("superstep", superstep = 0u64).entered()),
        }
    }

    pub(crate) fn outbox(&mut self) -> &mut Outbox<M> {
        &mut self.outbox
    }

    /// Ends the superstep as `ending` says, and makes of what arrived what `decode` makes of it.
    pub(crate) fn end_superstep<T>(
        &mut self,
        ending: Ending,
        halt: bool,
        decode: impl FnOnce(Vec<Arrived>) -> Result<T>,
    ) -> Result<(T, Tally)> {
        let result = self.try_end_superstep(ending, halt, decode);
        result.map_err(|error| self.outbox.end_job(error))
    }

    /// Ends the peer's part of the job: its program has returned.
    pub(crate) fn leave(mut self) -> Result<(Context, Vec<SuperstepRecord>)> {
        // Before the peer's end of the transport closes: that would look like a cause of its own.
        self.try_leave().map_err(|error| self.outbox.end_job(error))?;
        Ok((self.outbox.into_context(), self.records))
    }

    fn try_leave(&mut self) -> Result<()> {
        self.outbox.check_empty("returning")?;
        let wait = Instant::now();
        let mut record = self.outbox.take_record(wait - self.started);
        self.outbox.vote(Ending::Return, true)?;
        let (_, helped) = self.outbox.wait()?;
        record.wait = wait.elapsed().saturating_sub(helped);
        record.add(&self.outbox.take_record(helped));
        self.keep(record);
        Ok(())
    }

    fn try_end_superstep<T>(
        &mut self,
        ending: Ending,
        halt: bool,
        decode: impl FnOnce(Vec<Arrived>) -> Result<T>,
    ) -> Result<(T, Tally)> {
        self.outbox.end_sending(ending, halt)?;
        let sent = self.outbox.total();
        let wait = Instant::now();
        let mut record = self.outbox.take_record(wait - self.started);
        let (tally, helped) = self.outbox.wait()?;
        let receive = Instant::now();
        let arrived = self.outbox.take()?;
        record.bytes_sent = sent.bytes();
        record.messages_sent = sent.messages;
        record.bytes_received = arrived.iter().map(|from| from.told.bytes()).sum();
        record.messages_received = arrived.iter().map(|from| from.told.messages).sum();
        let decoded = decode(arrived)?;
        record.wait = (receive - wait).saturating_sub(helped);
        record.receive = receive.elapsed();
        record.add(&self.outbox.take_record(helped));
        self.keep(record);
        self.next_superstep();
        Ok((decoded, tally))
    }

    fn next_superstep(&mut self) {
        self.outbox.next_superstep();
        self.started = Instant::now();
        // The next one is a sibling of the last, not its child.
        self.span = None;
        self.span = Some(tracing::debug_span!("superstep", superstep = self.superstep()).entered());
    }

    fn keep(&mut self, record: SuperstepRecord) {
        tracing::debug!(
            bytes_sent = record.bytes_sent,
            bytes_received = record.bytes_received,
            messages_sent = record.messages_sent,
            messages_received = record.messages_received,
            compute_us = record.compute.as_micros() as u64,
            wait_us = record.wait.as_micros() as u64,
            "superstep ended"
        );
        if self.records.len() < RECORDS_MAX {
            self.records.push(record);
        } else if let Some(last) = self.records.last_mut() {
            last.add(&record);
        }
    }
}

impl<M> Deref for Peer<M> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.outbox
    }
}

impl<M> fmt::Debug for Peer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.outbox).finish()
    }
}
