//! A request to end, seen by everything that works on one thing.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// A request to end that its clones share. It cannot be taken back.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    next: AtomicU64,
    calls: Mutex<Vec<(u64, Call)>>,
}

type Call = Arc<dyn Fn() + Send + Sync>;

impl Cancel {
    /// One that nobody has asked yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Asks for the end. The first who asks calls what waits for that, on this thread.
    pub fn cancel(&self) {
        if self.0.cancelled.swap(true, Ordering::SeqCst) {
            return;
        }
        let calls: Vec<Call> = self.calls().iter().map(|(_, call)| Arc::clone(call)).collect();
        for call in calls {
            call();
        }
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// An error once somebody asked.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::new(ErrorKind::Cancelled, "cancelled")) } else { Ok(()) }
    }

    /// Calls `call` when somebody asks (at once where somebody has), until the guard is dropped.
    ///
    /// It may be called twice; it must not block.
    pub(crate) fn on_cancel(&self, call: impl Fn() + Send + Sync + 'static) -> OnCancel {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let call: Call = Arc::new(call);
        self.calls().push((id, Arc::clone(&call)));
        if self.is_cancelled() {
            call();
        }
        OnCancel { cancel: self.clone(), id }
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Call)>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

/// Keeps a call of [`Cancel::on_cancel`] registered.
#[must_use = "the call is forgotten when this is dropped"]
#[derive(Debug)]
pub(crate) struct OnCancel {
    cancel: Cancel,
    id: u64,
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        self.cancel.calls().retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_when_cancelled_and_not_after_the_guard() {
        let cancel = Cancel::new();
        let count = Arc::new(AtomicU64::new(0));
        let add = |count: &Arc<AtomicU64>| {
            let count = Arc::clone(count);
            move || {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let kept = cancel.on_cancel(add(&count));
        drop(cancel.on_cancel(add(&count)));
        assert!(cancel.check().is_ok());
        cancel.cancel();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert_eq!(cancel.check().unwrap_err().kind(), ErrorKind::Cancelled);
        let _late = cancel.on_cancel(add(&count));
        assert_eq!(count.load(Ordering::Relaxed), 2);
        cancel.cancel();
        assert_eq!(count.load(Ordering::Relaxed), 2);
        drop(kept);
    }
}
