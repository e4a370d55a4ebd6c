//! A job in this process: a thread for each peer, and the handle to wait for them; or one peer on the caller's thread.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::Span;

use crate::abort::Abort;
use crate::bsp::Bsp;
use crate::cancel::OnCancel;
use crate::error::{At, BoxError, Error, ErrorKind, Result};
use crate::ids::JobId;
use crate::message::codec;
use crate::peer::{Peer, Seat};
use crate::runner::board::Board;
use crate::runner::outcome::{Outcome, PeerOutcome};

/// A job that runs. Dropping the handle lets it run on by itself: it can still be cancelled, and the log says
/// why it fails if it does.
#[must_use = "the job's outcome comes by waiting for it"]
pub struct JobHandle<T: Send + 'static> {
    id: JobId,
    abort: Abort,
    board: Arc<Board<T>>,
}

impl<T: Send + 'static> JobHandle<T> {
    /// Waits for the end of the job.
    ///
    /// # Errors
    /// What ended the job first, with the peer and the superstep: `Program` when the program failed or panicked;
    /// the kind of the [`Error`] that it returned; `Cancelled` when the job was killed or cancelled; `Invalid`
    /// when peers ended a superstep in different ways or returned with unsent messages; `OutOfMemory` when a
    /// peer was sent more than it or its pool has room for; `Data` when bytes or counts were wrong; `PeerLost`
    /// when a connection broke; `Unavailable` when the system refused something; `Internal` for a defect of
    /// Hama. Peers that have not returned 2 s after that are named in it: their threads go on until the program
    /// returns. Only the single peer of [`Run::peers(1)`](crate::Run::peers), which has no thread of its own and no
    /// handle, is waited for.
    pub fn wait(self) -> Result<Outcome<T>> {
        self.board.wait()
    }

    /// Ends the job: it then fails with an error of kind `Cancelled`.
    ///
    /// ```
    /// use hama_core::{BoxError, Bsp, ErrorKind, LocalRunner, Peer, Pool};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Endless;
    ///
    /// impl Bsp for Endless {
    ///     const NAME: &'static str = "endless";
    ///     type Message = ();
    ///     type Output = ();
    ///
    ///     fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
    ///         loop {
    ///             drop(peer.sync()?);
    ///         }
    ///     }
    /// }
    ///
    /// let job = LocalRunner::new(Pool::new(1 << 20)).run(&Endless).submit(2)?;
    /// job.kill();
    /// assert_eq!(job.wait().unwrap_err().kind(), ErrorKind::Cancelled);
    /// # Ok::<(), hama_core::Error>(())
    /// ```
    pub fn kill(&self) {
        self.abort.request(&format!("job {} was killed", self.id));
    }

    /// The job's name.
    pub fn id(&self) -> JobId {
        self.id
    }
}

impl<T: Send + 'static> Drop for JobHandle<T> {
    fn drop(&mut self) {
        self.board.abandon();
    }
}

impl<T: Send + 'static> std::fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The parts of a job that all of its peers share.
pub(crate) struct Job<P: Bsp> {
    id: JobId,
    abort: Abort,
    program: Arc<[u8]>,
    span: Span,
    runs: PhantomData<fn() -> P>,
}

impl<P: Bsp> Job<P> {
    /// A job for a program, which is encoded here.
    ///
    /// # Errors
    /// `Program` when the program cannot be serialised, `Invalid` when it is too large.
    pub(crate) fn of(program: &P) -> Result<Job<P>> {
        let mut bytes = Vec::new();
        codec::encode(program, &format!("program {}", P::NAME), &mut bytes)?;
        let id = JobId::random();
        let span = tracing::info_span!("job", job = %id, program = P::NAME);
        Ok(Job { id, abort: Abort::new(), program: bytes.into(), span, runs: PhantomData })
    }

    pub(crate) fn id(&self) -> JobId {
        self.id
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn abort(&self) -> &Abort {
        &self.abort
    }

    /// Starts a thread for each peer.
    pub(crate) fn start(
        self,
        seats: Vec<Seat>,
        cancelled_by: Vec<OnCancel>,
        grace: Duration,
    ) -> Result<JobHandle<P::Output>> {
        let board = Board::new(seats.len(), self.abort.clone(), self.span.clone(), grace, cancelled_by);
        for seat in seats {
            if let Err(error) = self.spawn(seat, &board) {
                self.abort.end(None, error.twin());
                return Err(error);
            }
        }
        Ok(JobHandle { id: self.id, abort: self.abort, board })
    }

    /// Runs the only peer of a job on the calling thread, to its end.
    pub(crate) fn run_here(self, seat: Seat, cancelled_by: Vec<OnCancel>) -> Result<Outcome<P::Output>> {
        // The peer has returned before the board is asked: there is nobody to wait for.
        let grace = Duration::ZERO;
        let board = Board::new(1, self.abort.clone(), self.span.clone(), grace, cancelled_by);
        self.task(seat, &board)();
        board.wait()
    }

    fn spawn(&self, seat: Seat, board: &Arc<Board<P::Output>>) -> Result<()> {
        let index = seat.membership.id.index();
        let spawned = thread::Builder::new().name(format!("peer-{index}")).spawn(self.task(seat, board));
        spawned.map_err(|e| Error::io(format!("cannot start a thread for peer {index}"), e))?;
        Ok(())
    }

    /// What one peer does, whatever thread it is on. It does not panic, and tells the board that the peer is gone.
    fn task(&self, seat: Seat, board: &Arc<Board<P::Output>>) -> impl FnOnce() + Send + use<P> {
        let program = Arc::clone(&self.program);
        let board = Arc::clone(board);
        let span = self.span.clone();
        move || {
            let at = first_place(&seat);
            let peer = at.peer;
            let _entered = tracing::debug_span!(parent: &span, "task", peer = peer.index()).entered();
            let abort = seat.abort.clone();
            // All code of the program is caught, but not what its values do when they are dropped.
            let ran = catch_unwind(AssertUnwindSafe(|| run_peer::<P>(&program, seat)));
            let outcome = ran.unwrap_or_else(|panic| {
                forget(panic);
                abort.end(Some(peer), dropped_badly().at(at));
                None
            });
            board.returned(peer, outcome);
        }
    }
}

fn first_place(seat: &Seat) -> At {
    At { host: seat.membership.host.clone(), peer: seat.membership.id, superstep: 0 }
}

#[cfg(feature = "cluster")]
/// Runs one peer, which has this process to itself, to its end. It does not panic.
///
/// # Errors
/// What ended the job first, as far as this peer knows.
pub(crate) fn run_encoded<P: Bsp>(program: &[u8], seat: Seat) -> Result<PeerOutcome<P::Output>> {
    let (abort, at) = (seat.abort.clone(), first_place(&seat));
    // All code of the program is caught, but not what its values do when they are dropped.
    match catch_unwind(AssertUnwindSafe(|| run_peer::<P>(program, seat))) {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => Err(abort.take()),
        Err(panic) => {
            forget(panic);
            Err(dropped_badly().at(at))
        }
    }
}

fn dropped_badly() -> Error {
    Error::new(ErrorKind::Program, "a value of the program panicked when dropped")
}

/// Runs one peer to its end. Where it fails, that ends the job.
fn run_peer<P: Bsp>(program: &[u8], seat: Seat) -> Option<PeerOutcome<P::Output>> {
    let abort = seat.abort.clone();
    let at = first_place(&seat);
    match try_run_peer::<P>(program, seat) {
        Ok(outcome) => Some(outcome),
        Err(error) => {
            abort.end(Some(at.peer), error.at(at));
            None
        }
    }
}

fn try_run_peer<P: Bsp>(program: &[u8], seat: Seat) -> Result<PeerOutcome<P::Output>> {
    let decoded = caught::<P, P>(|| Ok(codec::decode(program, "it")?));
    let program = decoded.map_err(|error| {
        Error::new(ErrorKind::Program, format!("program {} cannot travel", P::NAME)).with_source(error)
    })?;
    let mut peer = Peer::new(seat);
    let output = caught::<P, P::Output>(|| program.bsp(&mut peer));
    // Not within the same call: a panic while another unwinds would end the process.
    let dropped = caught::<P, ()>(|| {
        drop(program);
        Ok(())
    });
    let output =
        output.and_then(|output| dropped.map(|()| output)).map_err(|error| peer.outbox().end_job(error))?;
    let (context, records) = peer.leave()?;
    Ok(PeerOutcome { output, counters: context.counters(), supersteps: context.superstep(), records })
}

/// What `work`, the program's own code, returns or how it failed.
fn caught<P: Bsp, T>(work: impl FnOnce() -> Result<T, BoxError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => {
                Error::new(ErrorKind::Program, format!("program {} failed", P::NAME)).with_source(error)
            }
        }),
        Err(panic) => {
            let says = panic_message(&*panic);
            let error = Error::new(ErrorKind::Program, format!("program {} panicked: {says}", P::NAME));
            forget(panic);
            Err(error)
        }
    }
}

/// Drops what a panic was raised with, which may panic in turn.
fn forget(panic: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        // Its drop could panic for ever.
        std::mem::forget(another);
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&str>() {
        message
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else {
        "without a message"
    }
}
