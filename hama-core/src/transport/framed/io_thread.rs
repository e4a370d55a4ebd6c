//! The io thread of a peer: does all reads and writes on its sockets, so that reading never waits for writing
//! and peers that all send at once cannot block each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::transport::framed::Common;
use crate::transport::framed::fault::Fault;
use crate::transport::framed::outgoing::Turn;
use crate::transport::framed::shared::{Goodbye, Shared};
use crate::transport::framed::socket::{self, Moved, Ready, Socket};
use crate::transport::framed::wire::Wire;

// How long it waits at most before it looks after time.
const TICK_MAX: Duration = Duration::from_secs(1);
// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What the io thread works on.
#[derive(Debug)]
pub(crate) struct Io {
    shared: Arc<Shared>,
    woken_by: Socket,
    wires: Vec<Wire>,
    repeat_after: Duration,
    lost_after: Duration,
    // When it last looked after time.
    looked: Instant,
}

impl Io {
    /// To move the frames of `shared` through `wires`; a byte in `woken_by` wakes it.
    pub(crate) fn new(shared: &Arc<Shared>, woken_by: Socket, wires: Vec<Wire>, common: &Common) -> Io {
        let Common { repeat_after, lost_after, .. } = *common;
        Io { shared: Arc::clone(shared), woken_by, wires, repeat_after, lost_after, looked: Instant::now() }
    }

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
            let tick = (self.repeat_after.min(self.lost_after) / 2).min(TICK_MAX);
            let more = more || self.wires.iter().any(|wire| wire.has_more);
            self.wait(if more { 0 } else { tick.as_millis() as u32 })?;
            self.read()?;
            self.repeat()?;
            self.watch()?;
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
            shared.add_sent(other, wire.outgoing.take_written());
            match turn.map_err(|error| Fault::Io(error).on(shared.me, wire))? {
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
            wire.room(ready.write);
            wire.is_readable = ready.read || wire.has_more;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let shared = &self.shared;
        for wire in self.wires.iter_mut().filter(|wire| wire.is_readable && !wire.is_closed) {
            wire.read(shared).map_err(|fault| fault.on(shared.me, wire))?;
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
            repeated.map_err(|violation| Fault::from(violation).on(shared.me, wire))?;
        }
        Ok(())
    }

    /// Notices who is gone though the connection does not say so.
    fn watch(&mut self) -> Result<()> {
        let now = Instant::now();
        // While this thread did not run, nobody was heard: that of a process that was stopped tells nothing.
        let passed = (now - self.looked).min(2 * TICK_MAX);
        self.looked = now;
        let shared = &self.shared;
        for wire in self.wires.iter_mut().filter(|wire| !wire.is_closed) {
            let watched = wire.watch(shared, passed, self.lost_after);
            watched.map_err(|fault| fault.on(shared.me, wire))?;
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
