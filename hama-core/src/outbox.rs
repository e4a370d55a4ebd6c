//! Where a peer puts what it sends in a superstep.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::abort::Abort;
use crate::barrier::{Barrier, Ending, Tally, Vote};
use crate::bsp::{Flow, Message};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::help::{Offer, Tasks};
use crate::ids::PeerId;
use crate::message::bundler::{Bundler, Totals};
use crate::message::codec;
use crate::metrics::{WIRE_BETWEEN_HOSTS, WIRE_WITHIN_HOSTS};
use crate::peer::Seat;
use crate::pool::Payload;
use crate::transport::{Arrived, Transport, WireBytes};

/// The messages that a peer sends in this superstep. It dereferences to the peer's [`Context`].
///
/// Messages to one destination are collected in bundles that leave when they are full, while the program goes
/// on; payloads leave at once.
pub struct Outbox<M> {
    context: Context,
    bundler: Bundler,
    transport: Box<dyn Transport>,
    barrier: Arc<dyn Barrier>,
    tasks: Arc<Tasks>,
    // The vote that this peer has cast for this superstep.
    vote: Option<Vote>,
    abort: Abort,
    // The message that is being sent, encoded.
    encoded: Vec<u8>,
    messages: PhantomData<fn(&M)>,
}

impl<M: Message> Outbox<M> {
    /// Sends a message. It is in `to`'s inbox of the next superstep.
    ///
    /// # Errors
    /// `Invalid` when there is no such peer, the message, encoded, has more than 16 MiB, or this peer has
    /// [arrived](Outbox::arrive); `Program` when it
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

    /// Arrives at the barrier of this superstep before its work is done: what was sent leaves now, and the others do not
    /// wait for the rest of the work. So a peer may be up to a superstep ahead of the slowest one, which hides the
    /// barrier, the messages, and a core that is slower for a while ("fuzzy barrier": Gupta, ASPLOS 1989). Messages and
    /// payloads of two supersteps may be there at once.
    ///
    /// Nothing more can be sent in the superstep, and it has to end with the same `flow`, or the job ends with an error;
    /// that of `init` ends with `Flow::Continue`.
    ///
    /// # Errors
    /// `Invalid` when this peer has arrived already, which changes nothing. Any other ends the job: `Invalid` when
    /// another peer ends the superstep in another way, `Cancelled` when the job has ended, `PeerLost` when a connection
    /// broke, `OutOfMemory` as for [`send`](Outbox::send).
    ///
    /// # Cost
    /// That of sending; l is paid at the end of the superstep, as far as it is not over by then.
    pub fn arrive(&mut self, flow: Flow) -> Result<()> {
        if self.vote.is_some() {
            return Err(Error::invalid("this peer has arrived at the barrier of this superstep already"));
        }
        let arrived = self.end_sending(Ending::Sync, flow == Flow::Halt);
        arrived.map_err(|error| self.end_job(error))
    }
}

impl<M> Outbox<M> {
    /// Offers work: the peer does it when it asks for the results, and peers of this process that wait at the barrier
    /// help with it, those furthest behind first. So a peer whose core is slow, or busy, does not keep the others waiting
    /// for long. A task is given the context of the peer that does it, which may be a superstep ahead and has the work
    /// booked for itself. One that takes long asks its `cancel` now and then; none may wait for another peer.
    ///
    /// ```
    /// use hama_core::{Context, Outbox};
    ///
    /// fn squares(outbox: &mut Outbox<u64>) -> u64 {
    ///     let tasks = (0..100u64).map(|i| move |_: &Context| i * i);
    ///     let mut offer = outbox.offer(tasks);
    ///     let mut sum = 0;
    ///     while let Some(square) = offer.next(outbox) {
    ///         sum += square;
    ///     }
    ///     sum
    /// }
    /// ```
    pub fn offer<R, W>(&self, tasks: impl IntoIterator<Item = W>) -> Offer<R>
    where
        R: Send + 'static,
        W: FnOnce(&Context) -> R + Send + 'static,
    {
        let offer = self.tasks.offer(tasks);
        if self.context.count() > 1 {
            self.barrier.wake();
        }
        offer
    }

    pub(crate) fn new(seat: Seat) -> Outbox<M> {
        let Seat { membership, transport, barrier, tasks, abort } = seat;
        let (context, encoded) = (Context::new(membership), Vec::new());
        let bundler = Bundler::new(context.count());
        Outbox {
            context,
            bundler,
            transport,
            barrier,
            tasks,
            vote: None,
            abort,
            encoded,
            messages: PhantomData,
        }
    }

    /// Sends a value of any type: collectives send their own.
    pub(crate) fn send_encoded<T: Serialize>(
        &mut self,
        to: &[PeerId],
        message: &T,
        payload: Option<&Payload>,
    ) -> Result<()> {
        self.abort.check()?;
        if self.vote.is_some() {
            return Err(Error::invalid(
                "this peer has arrived at the barrier: it can send again in the next superstep",
            ));
        }
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

    /// Ends the sending of this superstep, unless [`arrive`](Outbox::arrive) has: hands over what is left, waits until
    /// every destination has all of it, and casts the vote.
    pub(crate) fn end_sending(&mut self, ending: Ending, halt: bool) -> Result<()> {
        match self.vote {
            None => {
                self.finish()?;
                self.vote(ending, halt)
            }
            Some(vote) if (vote.ending, vote.halt) == (ending, halt) => Ok(()),
            Some(vote) => {
                let said = |halt| if halt { "to halt" } else { "to continue" };
                Err(Error::invalid(format!(
                    "this peer arrived at the barrier with {} and a vote {}, and ended the superstep with {ending} and \
                     one {}",
                    vote.ending,
                    said(vote.halt),
                    said(halt)
                )))
            }
        }
    }

    /// Casts this peer's vote for the superstep.
    pub(crate) fn vote(&mut self, ending: Ending, halt: bool) -> Result<()> {
        let vote = Vote { ending, halt, messages: self.total().messages };
        self.barrier.arrive(self.context.id(), self.context.superstep(), vote)?;
        self.vote = Some(vote);
        Ok(())
    }

    /// Waits for the votes of all peers, and helps those who still work. Returns the time that it helped, too.
    pub(crate) fn wait(&self) -> Result<(Tally, Duration)> {
        let helped = Cell::new(Duration::ZERO);
        let help = || {
            let started = Instant::now();
            let has_helped = self.tasks.help(&self.context);
            if has_helped {
                helped.set(helped.get() + started.elapsed());
            }
            has_helped
        };
        let tally = self.barrier.wait(self.context.superstep(), &help)?;
        Ok((tally, helped.get()))
    }

    /// Ends the job with an error that no peer can go on after, even if the program hides it. Returns it for
    /// the program.
    pub(crate) fn end_job(&self, error: Error) -> Error {
        let error = error.at(self.context.at());
        let twin = error.twin();
        // The client has the causes as they are: it may look for one by its type.
        self.abort.end(Some(self.context.id()), error);
        twin
    }

    fn finish(&mut self) -> Result<()> {
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
        self.vote = None;
        self.context.next_superstep();
        self.abort.begun(self.context.superstep());
    }

    /// The context of a peer that is done, with what its sockets took in its counters.
    pub(crate) fn into_context(self) -> Context {
        let WireBytes { between_hosts, within_hosts } = self.transport.wire();
        for (counter, bytes) in [(WIRE_BETWEEN_HOSTS, between_hosts), (WIRE_WITHIN_HOSTS, within_hosts)] {
            if bytes > 0 {
                self.context.add(counter, bytes);
            }
        }
        self.context
    }

    /// What came for this peer, once all have arrived.
    pub(crate) fn take(&mut self) -> Result<Vec<Arrived>> {
        self.transport.take(self.context.superstep())
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
