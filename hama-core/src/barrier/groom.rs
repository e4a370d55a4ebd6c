//! A barrier that a peer in a process of its own reaches through its groom.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::abort::Abort;
use crate::barrier::{Barrier, Tally, Vote};
use crate::cancel::OnCancel;
use crate::cluster::control::{FromPeer, ToPeer, frame};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::PeerId;

/// The barrier of one peer. It writes votes to the control connection; whoever reads that connection hands it what the
/// groom [tells](GroomBarrier::told).
pub(crate) struct GroomBarrier {
    peer: PeerId,
    shared: Arc<Shared>,
    _wake: OnCancel,
}

struct Shared {
    abort: Abort,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    connection: Box<dyn Write + Send>,
    /// The superstep at whose end the peer is.
    arrived: Option<u64>,
    /// The last one that has ended.
    released: Option<(u64, Tally)>,
    failed: Option<Error>,
    /// How often somebody had something to do for the one who waits.
    woken: u64,
}

impl GroomBarrier {
    /// That of `peer`, whose votes are written to `connection`.
    pub(crate) fn new(peer: PeerId, connection: Box<dyn Write + Send>, abort: &Abort) -> GroomBarrier {
        let state = State { connection, arrived: None, released: None, failed: None, woken: 0 };
        let shared =
            Arc::new(Shared { abort: abort.clone(), state: Mutex::new(state), changed: Condvar::new() });
        let weak = Arc::downgrade(&shared);
        let wake = abort.cancel().on_cancel(move || {
            if let Some(shared) = weak.upgrade() {
                // With the lock held nobody is between looking and waiting.
                drop(shared.lock());
                shared.changed.notify_all();
            }
        });
        GroomBarrier { peer, shared, _wake: wake }
    }

    /// Takes what the groom says of barriers.
    pub(crate) fn told(&self, message: ToPeer) {
        let mut state = self.shared.lock();
        match message {
            ToPeer::Released { superstep, tally } if state.arrived == Some(superstep) => {
                state.arrived = None;
                state.released = Some((superstep, tally));
            }
            ToPeer::Released { superstep, .. } => {
                let at = state.arrived.map_or("none".to_owned(), |superstep| superstep.to_string());
                state.fail(Error::data(format!(
                    "the groom ended superstep {superstep}, the peer waits for the end of {at}"
                )));
            }
            ToPeer::Failed(failure) => state.fail(failure.into()),
            ToPeer::Begin(_) | ToPeer::Connect { .. } => {
                state.fail(Error::data("the groom told a peer that runs to begin"));
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Nothing more will be told: the control connection has ended. A process ends with it, threads in its place do not.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn lost(&self, error: Error) {
        self.shared.lock().fail(error);
        self.shared.changed.notify_all();
    }
}

impl Barrier for GroomBarrier {
    fn arrive(&self, peer: PeerId, superstep: u64, vote: Vote) -> Result<()> {
        let mut state = self.shared.lock();
        self.shared.abort.check()?;
        state.check()?;
        if peer != self.peer || state.arrived.is_some() {
            return Err(Error::internal(format!(
                "peer {peer} is at the barrier of superstep {superstep}, where peer {} was last at {:?}",
                self.peer, state.arrived
            )));
        }
        let bytes = frame(&FromPeer::Arrive { superstep, vote })?;
        let written = state.connection.write_all(&bytes).and_then(|()| state.connection.flush());
        written.map_err(|error| {
            let what = "cannot tell the groom of the end of a superstep: its connection is lost";
            Error::new(ErrorKind::PeerLost, what).with_source(error)
        })?;
        state.arrived = Some(superstep);
        Ok(())
    }

    fn wait(&self, superstep: u64, help: &dyn Fn() -> bool) -> Result<Tally> {
        let mut state = self.shared.lock();
        loop {
            if let Some((ended, tally)) = state.released
                && ended == superstep
            {
                return Ok(tally);
            }
            self.shared.abort.check()?;
            state.check()?;
            let woken = state.woken;
            drop(state);
            let helped = help();
            state = self.shared.lock();
            if !helped && state.woken == woken && !state.is_over(superstep) {
                self.shared.abort.check()?;
                state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn wake(&self) {
        self.shared.lock().woken += 1;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first error stays.
    fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
    }

    fn check(&self) -> Result<()> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.twin()))
    }

    fn is_over(&self, superstep: u64) -> bool {
        self.failed.is_some() || self.released.is_some_and(|(ended, _)| ended == superstep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Ending;
    use crate::cluster::model::error::WireError;

    const VOTE: Vote = Vote { ending: Ending::Sync, halt: false, messages: 3 };
    const TALLY: Tally = Tally { halt: false, messages: 3 };

    fn peer() -> PeerId {
        PeerId::from_index(4)
    }

    fn barrier(abort: &Abort) -> GroomBarrier {
        GroomBarrier::new(peer(), Box::new(std::io::sink()), abort)
    }

    #[test]
    fn a_peer_goes_on_when_its_groom_says_so() {
        let barrier = barrier(&Abort::new());
        for superstep in 0..3 {
            barrier.arrive(peer(), superstep, VOTE).unwrap();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| barrier.wait(superstep, &|| false));
                barrier.told(ToPeer::Released { superstep, tally: TALLY });
                assert_eq!(waiting.join().unwrap().unwrap(), TALLY);
            });
        }
    }

    #[test]
    fn what_the_groom_says_of_a_failure_is_what_the_peer_gets() {
        let barrier = barrier(&Abort::new());
        barrier.arrive(peer(), 0, VOTE).unwrap();
        let error = Error::new(ErrorKind::PeerLost, "the groom on dn2 went away");
        barrier.told(ToPeer::Failed(WireError::from(&error)));
        barrier.lost(Error::internal("a consequence"));
        for error in [barrier.wait(0, &|| false).unwrap_err(), barrier.arrive(peer(), 1, VOTE).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::PeerLost);
            assert_eq!(error.message(), "the groom on dn2 went away");
        }
    }

    #[test]
    fn an_end_that_nobody_waits_for_is_refused() {
        for arrived in [None, Some(0)] {
            let barrier = barrier(&Abort::new());
            if let Some(superstep) = arrived {
                barrier.arrive(peer(), superstep, VOTE).unwrap();
            }
            barrier.told(ToPeer::Released { superstep: 1, tally: TALLY });
            assert_eq!(barrier.wait(0, &|| false).unwrap_err().kind(), ErrorKind::Data);
        }
    }

    #[test]
    fn a_connection_that_has_ended_is_an_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let barrier = GroomBarrier::new(peer(), Box::new(Closed), &Abort::new());
        assert_eq!(barrier.arrive(peer(), 0, VOTE).unwrap_err().kind(), ErrorKind::PeerLost);
        let twice = self::barrier(&Abort::new());
        twice.arrive(peer(), 0, VOTE).unwrap();
        assert_eq!(twice.arrive(peer(), 0, VOTE).unwrap_err().kind(), ErrorKind::Internal);
        twice.lost(Error::new(ErrorKind::PeerLost, "the groom is gone"));
        assert_eq!(twice.wait(0, &|| false).unwrap_err().kind(), ErrorKind::PeerLost);
    }
}
