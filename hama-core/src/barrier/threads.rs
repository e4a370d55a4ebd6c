//! A barrier between threads of one process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::abort::Abort;
use crate::barrier::{Barrier, Count, Tally, Vote};
use crate::cancel::OnCancel;
use crate::error::Result;
use crate::ids::PeerId;

// About 20 us: what a thread that parks and wakes loses anyway.
const SPINS: u32 = 400;
// Some microseconds, or the time that others take of whom there are more than cores.
const YIELDS: u32 = 50;

/// A barrier that opens when all threads are there, or when the job ends.
pub(crate) struct ThreadBarrier {
    shared: Arc<Shared>,
    _wake: OnCancel,
}

struct Shared {
    peer_count: usize,
    spins: u32,
    // What a thread does between two looks.
    pause: fn(),
    abort: Abort,
    // How many supersteps have ended.
    ended: AtomicU64,
    // How often somebody had something to do for those who wait.
    woken: AtomicU64,
    // The tally of the last superstep that ended. Nobody changes it before all have left that barrier, for the
    // next one needs them all.
    halt: AtomicBool,
    messages: AtomicU64,
    count: Mutex<Count>,
    opened: Condvar,
}

impl ThreadBarrier {
    /// One for `peer_count` threads.
    pub(crate) fn new(peer_count: usize, abort: &Abort) -> ThreadBarrier {
        // A spinning thread must not keep the one that it waits for from running.
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
        let (spins, pause): (u32, fn()) =
            if peer_count <= cores { (SPINS, std::hint::spin_loop) } else { (YIELDS, thread::yield_now) };
        let shared = Arc::new(Shared {
            peer_count,
            spins,
            pause,
            abort: abort.clone(),
            ended: AtomicU64::new(0),
            woken: AtomicU64::new(0),
            halt: AtomicBool::new(false),
            messages: AtomicU64::new(0),
            count: Mutex::new(Count::new(0)),
            opened: Condvar::new(),
        });
        let weak = Arc::downgrade(&shared);
        let wake = abort.cancel().on_cancel(move || {
            if let Some(shared) = weak.upgrade() {
                // With the lock held nobody is between looking and waiting.
                drop(shared.lock());
                shared.opened.notify_all();
            }
        });
        ThreadBarrier { shared, _wake: wake }
    }
}

impl Barrier for ThreadBarrier {
    fn arrive(&self, peer: PeerId, superstep: u64, vote: Vote) -> Result<()> {
        let shared = &*self.shared;
        let mut count = shared.lock();
        shared.abort.check()?;
        if let Some(tally) = count.add(shared.peer_count, peer, superstep, vote)? {
            *count = Count::new(superstep + 1);
            shared.open(superstep, tally);
            drop(count);
            shared.opened.notify_all();
        }
        Ok(())
    }

    fn wait(&self, superstep: u64, help: &dyn Fn() -> bool) -> Result<Tally> {
        let shared = &*self.shared;
        while !shared.has_ended(superstep) {
            shared.abort.check()?;
            let woken = shared.woken.load(Ordering::Acquire);
            if !help() {
                shared.wait_for_end_or_more(superstep, woken)?;
            }
        }
        Ok(Tally {
            halt: shared.halt.load(Ordering::Relaxed),
            messages: shared.messages.load(Ordering::Relaxed),
        })
    }

    fn wake(&self) {
        let shared = &*self.shared;
        // With the lock held nobody is between looking and waiting.
        let count = shared.lock();
        shared.woken.fetch_add(1, Ordering::Release);
        drop(count);
        shared.opened.notify_all();
    }
}

impl Shared {
    /// To be called with the lock held, so that nobody is between looking and waiting.
    fn open(&self, superstep: u64, tally: Tally) {
        self.halt.store(tally.halt, Ordering::Relaxed);
        self.messages.store(tally.messages, Ordering::Relaxed);
        self.ended.store(superstep + 1, Ordering::Release);
    }

    fn has_ended(&self, superstep: u64) -> bool {
        self.ended.load(Ordering::Acquire) > superstep
    }

    fn wait_for_end_or_more(&self, superstep: u64, woken: u64) -> Result<()> {
        let is_over = || self.has_ended(superstep) || self.woken.load(Ordering::Acquire) != woken;
        for _ in 0..self.spins {
            if is_over() {
                return Ok(());
            }
            (self.pause)();
        }
        let mut count = self.lock();
        while !is_over() {
            self.abort.check()?;
            count = self.opened.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::conformance;

    #[test]
    fn it_conforms() {
        conformance::run(&|count, abort| Arc::new(ThreadBarrier::new(count, abort)));
    }
}
