//! Where the peers of a job leave their outcomes and the client waits for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Span;

use crate::abort::Abort;
use crate::cancel::OnCancel;
use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::runner::outcome::{Outcome, PeerOutcome};

/// What has become of each peer of a job.
pub(crate) struct Board<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    abort: Abort,
    span: Span,
    // How long an ended job waits for peers that do not return.
    grace: Duration,
    // What cancels the job from outside, for as long as somebody works on it or waits for it.
    _cancelled_by: Vec<OnCancel>,
}

struct State<T> {
    // By peer. None are left once the client has them.
    fates: Vec<Fate<T>>,
    // Nobody will wait for the job.
    is_abandoned: bool,
}

enum Fate<T> {
    Running,
    // Without an outcome where the peer failed.
    Returned(Option<PeerOutcome<T>>),
}

impl<T: Send + 'static> Board<T> {
    /// One for `peer_count` peers that run.
    pub(crate) fn new(
        peer_count: usize,
        abort: Abort,
        span: Span,
        grace: Duration,
        cancelled_by: Vec<OnCancel>,
    ) -> Arc<Board<T>> {
        let fates = (0..peer_count).map(|_| Fate::Running).collect();
        Arc::new(Board {
            state: Mutex::new(State { fates, is_abandoned: false }),
            changed: Condvar::new(),
            abort,
            span,
            grace,
            _cancelled_by: cancelled_by,
        })
    }

    /// A peer returned.
    pub(crate) fn returned(&self, peer: PeerId, outcome: Option<PeerOutcome<T>>) {
        let mut state = self.lock();
        // A peer that returns after the client stopped waiting has no place any more.
        if let Some(fate) = state.fates.get_mut(peer.index()) {
            *fate = Fate::Returned(outcome);
        }
        let is_lost = state.is_lost();
        drop(state);
        self.changed.notify_all();
        self.tell(is_lost);
    }

    /// Nobody will wait for the job, if nobody did.
    pub(crate) fn abandon(&self) {
        let is_lost = {
            let mut state = self.lock();
            state.is_abandoned = true;
            state.is_lost()
        };
        self.tell(is_lost);
    }

    /// Waits until all peers have returned; once the job is ended before its time, for a while only.
    pub(crate) fn wait(self: &Arc<Self>) -> Result<Outcome<T>> {
        let _wake = self.wake_on_abort();
        let mut deadline = None;
        let mut state = self.lock();
        while state.fates.iter().any(Fate::is_running) {
            let now = Instant::now();
            let left = match self.abort.check() {
                Ok(()) => Duration::from_secs(3600),
                Err(_) => deadline.get_or_insert(now + self.grace).saturating_duration_since(now),
            };
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let fates = std::mem::take(&mut state.fates);
        drop(state);
        self.outcome(fates)
    }

    fn wake_on_abort(self: &Arc<Self>) -> OnCancel {
        let board = Arc::downgrade(self);
        self.abort.cancel().on_cancel(move || {
            if let Some(board) = board.upgrade() {
                // With the lock held nobody is between looking and waiting.
                drop(board.lock());
                board.changed.notify_all();
            }
        })
    }

    fn outcome(&self, fates: Vec<Fate<T>>) -> Result<Outcome<T>> {
        let running: Vec<String> = (0..)
            .zip(&fates)
            .filter(|(_, fate)| fate.is_running())
            .map(|(index, _): (usize, _)| index.to_string())
            .collect();
        let peers: Option<Vec<_>> = fates.into_iter().map(Fate::outcome).collect();
        match peers {
            Some(peers) => Ok(Outcome::of(peers)),
            None => Err(with_running(self.abort.take(), &running, self.grace)),
        }
    }

    /// Says why a job failed that nobody waits for.
    fn tell(&self, is_lost: bool) {
        if is_lost {
            let error = self.abort.take();
            self.span.in_scope(|| tracing::error!(%error, "a job failed that nobody waits for"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Whether nobody will hear that the job has failed. The last peer to return brings it about.
    fn is_lost(&self) -> bool {
        self.is_abandoned
            && !self.fates.iter().any(Fate::is_running)
            && self.fates.iter().any(|fate| matches!(fate, Fate::Returned(None)))
    }
}

impl<T> Fate<T> {
    fn is_running(&self) -> bool {
        matches!(self, Fate::Running)
    }

    fn outcome(self) -> Option<PeerOutcome<T>> {
        match self {
            Fate::Returned(outcome) => outcome,
            Fate::Running => None,
        }
    }
}

fn with_running(error: Error, running: &[String], grace: Duration) -> Error {
    match running {
        [] => error,
        [one] => error.and(&format!("; peer {one} still runs after {grace:?}")),
        many => error.and(&format!("; peers {} still run after {grace:?}", many.join(", "))),
    }
}
