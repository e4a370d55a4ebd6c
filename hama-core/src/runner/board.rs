//! Where the peers of a job leave their outcomes and the client waits for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::abort::Abort;
use crate::cancel::OnCancel;
use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::runner::outcome::{Outcome, PeerOutcome};

/// How long a job that is ended before its time waits for peers that do not return.
const GRACE: Duration = Duration::from_secs(2);

/// One place for each peer's outcome.
pub(crate) struct Board<T> {
    places: Mutex<Vec<Place<T>>>,
    changed: Condvar,
}

enum Place<T> {
    Running,
    // Without an outcome where the peer failed.
    Returned(Option<PeerOutcome<T>>),
}

impl<T: Send + 'static> Board<T> {
    /// One for `peer_count` peers that run.
    pub(crate) fn new(peer_count: usize) -> Arc<Board<T>> {
        let places = (0..peer_count).map(|_| Place::Running).collect();
        Arc::new(Board { places: Mutex::new(places), changed: Condvar::new() })
    }

    /// A peer returned.
    pub(crate) fn returned(&self, peer: PeerId, outcome: Option<PeerOutcome<T>>) {
        // A peer that returns after the client stopped waiting has no place any more.
        if let Some(place) = self.places().get_mut(peer.index()) {
            *place = Place::Returned(outcome);
        }
        self.changed.notify_all();
    }

    /// Waits until all peers have returned; once the job is ended before its time, for a while only.
    pub(crate) fn wait(self: &Arc<Self>, abort: &Abort) -> Result<Outcome<T>> {
        let _wake = self.wake_on(abort);
        let mut deadline = None;
        let mut places = self.places();
        while places.iter().any(Place::is_running) {
            let now = Instant::now();
            let left = match abort.check() {
                Ok(()) => Duration::from_secs(3600),
                Err(_) => deadline.get_or_insert(now + GRACE).saturating_duration_since(now),
            };
            if left.is_zero() {
                break;
            }
            places = self.changed.wait_timeout(places, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        outcome(std::mem::take(&mut *places), abort)
    }

    fn wake_on(self: &Arc<Self>, abort: &Abort) -> OnCancel {
        let board = Arc::downgrade(self);
        abort.cancel().on_cancel(move || {
            if let Some(board) = board.upgrade() {
                // With the lock held nobody is between looking and waiting.
                drop(board.places());
                board.changed.notify_all();
            }
        })
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place<T>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Place<T> {
    fn is_running(&self) -> bool {
        matches!(self, Place::Running)
    }
}

fn outcome<T>(places: Vec<Place<T>>, abort: &Abort) -> Result<Outcome<T>> {
    let running: Vec<String> = (0..)
        .zip(&places)
        .filter(|(_, place)| place.is_running())
        .map(|(index, _): (usize, _)| index.to_string())
        .collect();
    let peers: Option<Vec<_>> = places
        .into_iter()
        .map(|place| match place {
            Place::Returned(outcome) => outcome,
            Place::Running => None,
        })
        .collect();
    match peers {
        Some(peers) => Ok(Outcome::of(peers)),
        None => Err(with_running(abort.take(), &running)),
    }
}

fn with_running(error: Error, running: &[String]) -> Error {
    let seconds = GRACE.as_secs();
    match running {
        [] => error,
        [one] => error.and(&format!("; peer {one} still runs after {seconds} s")),
        many => error.and(&format!("; peers {} still run after {seconds} s", many.join(", "))),
    }
}
