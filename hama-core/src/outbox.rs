//! Where a peer puts what it sends in a superstep.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Instant;

use serde::Serialize;

use crate::abort::Abort;
use crate::bsp::Message;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::message::bundler::{Bundler, Totals};
use crate::message::codec;
use crate::pool::Payload;
use crate::transport::Transport;

/// The messages that a peer sends in this superstep. It dereferences to the peer's [`Context`].
///
/// Messages to one destination are collected in bundles that leave when they are full, while the program goes
/// on; payloads leave at once.
pub struct Outbox<M> {
    context: Context,
    bundler: Bundler,
    transport: Box<dyn Transport>,
    abort: Abort,
    // The message that is being sent, encoded.
    encoded: Vec<u8>,
    messages: PhantomData<fn(&M)>,
}

impl<M: Message> Outbox<M> {
    /// Sends a message. It is in `to`'s inbox of the next superstep.
    ///
    /// # Errors
    /// `Invalid` when there is no such peer or the message, encoded, has more than 16 MiB; `Program` when it
    /// refuses to be serialised. The message is not sent then, and the others are not touched. `Cancelled` when
    /// the job has ended, `PeerLost` when `to` has left, `OutOfMemory` when this peer sends itself more than
    /// [`INBOX_BYTES_MAX`](crate::INBOX_BYTES_MAX) in this superstep; sending another peer more than that ends the
    /// job there.
    ///
    /// # Cost
    /// g per byte.
    pub fn send(&mut self, to: PeerId, message: &M) -> Result<()> {
        self.send_encoded(&[to], message, None)
    }

    /// Sends a message with a payload: bytes that are not copied where sender and receiver share memory.
    ///
    /// # Errors
    /// As for [`send`](Outbox::send).
    ///
    /// # Cost
    /// g per byte of both.
    pub fn send_with(&mut self, to: PeerId, message: &M, payload: Payload) -> Result<()> {
        self.send_encoded(&[to], message, Some(&payload))
    }

    /// Sends a message to many peers, serialising it once.
    ///
    /// # Errors
    /// As for [`send`](Outbox::send). Where one of the peers does not exist it is sent to none.
    ///
    /// # Cost
    /// g per byte and destination.
    pub fn send_many(&mut self, to: &[PeerId], message: &M) -> Result<()> {
        self.send_encoded(to, message, None)
    }

    /// Sends a message with a payload to many peers, serialising it once.
    ///
    /// # Errors
    /// As for [`send_many`](Outbox::send_many).
    ///
    /// # Cost
    /// g per byte of both and destination.
    pub fn send_many_with(&mut self, to: &[PeerId], message: &M, payload: &Payload) -> Result<()> {
        self.send_encoded(to, message, Some(payload))
    }
}

impl<M> Outbox<M> {
    pub(crate) fn new(context: Context, transport: Box<dyn Transport>, abort: Abort) -> Outbox<M> {
        let bundler = Bundler::new(context.count());
        Outbox { context, bundler, transport, abort, encoded: Vec::new(), messages: PhantomData }
    }

    /// Sends a value of any type: collectives send their own.
    pub(crate) fn send_encoded<T: Serialize>(
        &mut self,
        to: &[PeerId],
        message: &T,
        payload: Option<&Payload>,
    ) -> Result<()> {
        self.abort.check()?;
        if let Some(missing) = to.iter().find(|to| to.index() >= self.context.count()) {
            return Err(self.context.no_peer(missing.index()));
        }
        self.encoded.clear();
        codec::encode(message, "a message", &mut self.encoded)?;
        let payload_bytes = payload.map(|payload| payload.len() as u64);
        for &to in to {
            if let Some(full) = self.bundler.push(to.index(), &self.encoded, payload_bytes) {
                self.hand_over(to, full)?;
            }
        }
        payload.map_or(Ok(()), |payload| self.hand_over_payload(to, payload))
    }

    /// Hands over what is left of the superstep and waits until every destination has all of it.
    pub(crate) fn finish(&mut self) -> Result<()> {
        for to in self.context.peers() {
            if let Some(bundle) = self.bundler.seal(to.index()) {
                self.hand_over(to, bundle)?;
            }
        }
        let started = Instant::now();
        self.transport.finish(self.context.superstep(), self.bundler.totals())?;
        self.context.add_send(started.elapsed());
        Ok(())
    }

    /// What was sent in this superstep, in all.
    pub(crate) fn total(&self) -> Totals {
        let mut total = Totals::default();
        self.bundler.totals().iter().for_each(|totals| total.add(totals));
        total
    }

    /// Begins the next superstep.
    pub(crate) fn next_superstep(&mut self) {
        self.bundler.reset();
        self.context.next_superstep();
    }

    pub(crate) fn into_context(self) -> Context {
        self.context
    }

    pub(crate) fn transport(&mut self) -> &mut dyn Transport {
        &mut *self.transport
    }

    /// An error where messages of this superstep are unsent.
    pub(crate) fn check_empty(&self, before: &str) -> Result<()> {
        match self.bundler.message_count() {
            0 => Ok(()),
            count => Err(Error::invalid(format!("{count} messages are unsent: call sync before {before}"))),
        }
    }

    fn hand_over(&mut self, to: PeerId, bundle: Vec<u8>) -> Result<()> {
        tracing::trace!(to = to.index(), bytes = bundle.len(), "bundle");
        let started = Instant::now();
        self.transport.send_bundle(self.context.superstep(), to, bundle)?;
        self.context.add_send(started.elapsed());
        Ok(())
    }

    fn hand_over_payload(&mut self, to: &[PeerId], payload: &Payload) -> Result<()> {
        let started = Instant::now();
        self.transport.send_payload(self.context.superstep(), to, payload)?;
        self.context.add_send(started.elapsed());
        Ok(())
    }
}

impl<M> Deref for Outbox<M> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl<M> fmt::Debug for Outbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("context", &self.context)
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}
