//! The io thread of a peer: does all reads and writes on its sockets, so that reading never waits for writing
//! and peers that all send at once cannot block each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::transport::framed::fault::Fault;
use crate::transport::framed::outgoing::Turn;
use crate::transport::framed::shared::{Goodbye, Shared};
use crate::transport::framed::socket::{self, Moved, Ready, Socket};
use crate::transport::framed::wire::Wire;

// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What the io thread works on.
#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) shared: Arc<Shared>,
    pub(crate) woken_by: Socket,
    pub(crate) wires: Vec<Wire>,
    pub(crate) repeat_after: Duration,
}

impl Io {
    /// Runs until the peer is done or the job ends. What goes wrong ends the job.
    pub(crate) fn run(mut self) {
        let result = catch_unwind(AssertUnwindSafe(|| self.try_run()));
        let result = result.unwrap_or_else(|_| Err(Error::internal("the io thread panicked")));
        if let Err(error) = result {
            let error = error.at(self.shared.at());
            self.shared.abort.end(Some(self.shared.me), error);
        }
    }

    fn try_run(&mut self) -> Result<()> {
        let mut closing_until = None;
        while !self.shared.abort.cancel().is_cancelled() {
            let more = self.write()?;
            if self.shared.lock().closing {
                let until = *closing_until.get_or_insert_with(|| Instant::now() + GOODBYE_MAX);
                if self.is_parted() || Instant::now() > until {
                    break;
                }
            }
            let tick_ms = (self.repeat_after.as_millis() / 2).min(1000) as u32;
            let more = more || self.wires.iter().any(|wire| wire.has_more);
            self.wait(if more { 0 } else { tick_ms })?;
            self.read()?;
            self.repeat()?;
        }
        Ok(())
    }

    /// Writes on every connection that takes something. Says whether one has more to write at once.
    fn write(&mut self) -> Result<bool> {
        let shared = &self.shared;
        let mut more = false;
        for wire in self.wires.iter_mut().filter(|wire| !wire.is_closed && !wire.is_blocked) {
            let other = wire.other;
            let turn = wire.outgoing.write(&wire.socket, || shared.lock().link(other).give());
            match turn.map_err(|error| Fault::Io(error).between(shared.me, other))? {
                Turn::Done => {}
                Turn::More => more = true,
                Turn::Blocked => wire.is_blocked = true,
                // What the other end wrote before, its goodbye perhaps, is read first.
                Turn::Closed => wire.is_blocked = true,
            }
        }
        Ok(more)
    }

    /// Waits for something to read, for room where writing is blocked, or to be woken.
    fn wait(&mut self, timeout_ms: u32) -> Result<()> {
        let mut sockets = vec![(&self.woken_by, Ready { read: true, write: false })];
        let open = self.wires.iter().filter(|wire| !wire.is_closed);
        sockets.extend(open.map(|wire| (&wire.socket, Ready { read: true, write: wire.is_blocked })));
        let waited = socket::wait(&mut sockets, timeout_ms);
        waited.map_err(|error| Error::io("cannot wait for the sockets of a peer", error))?;
        let ready: Vec<Ready> = sockets.into_iter().map(|(_, ready)| ready).collect();
        if ready[0].read {
            while let Ok(Moved::Bytes(_)) = self.woken_by.read(&mut [0; 16]) {}
        }
        self.shared.awake();
        let open = self.wires.iter_mut().filter(|wire| !wire.is_closed);
        for (wire, ready) in open.zip(&ready[1..]) {
            wire.is_blocked &= !ready.write;
            wire.is_readable = ready.read || wire.has_more;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let shared = &self.shared;
        for wire in self.wires.iter_mut().filter(|wire| wire.is_readable && !wire.is_closed) {
            wire.read(shared).map_err(|fault| fault.between(shared.me, wire.other))?;
            // Who sends also reads. The system says that there is room only once most of what it holds is gone.
            wire.is_blocked = false;
        }
        Ok(())
    }

    /// Sends again what nobody acknowledges.
    fn repeat(&mut self) -> Result<()> {
        let shared = &self.shared;
        for wire in self.wires.iter_mut().filter(|wire| !wire.is_closed && !wire.is_blocked) {
            let repeated = wire.repeat(shared, self.repeat_after);
            repeated.map_err(|violation| Fault::from(violation).between(shared.me, wire.other))?;
        }
        Ok(())
    }

    fn is_parted(&self) -> bool {
        let mut state = self.shared.lock();
        self.wires.iter().all(|wire| {
            let said = state.link(wire.other).goodbye == Goodbye::Said;
            wire.is_closed || said && wire.outgoing.is_idle()
        })
    }
}
