//! Work that peers of one process do for each other: who waits at the barrier helps those who are not there yet.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::context::Context;

/// Tasks of the peers of one process that nobody has begun, in the order of their offers.
#[derive(Default)]
pub(crate) struct Tasks {
    // So that a peer at the barrier sees without the lock that there is nothing to do.
    offers: AtomicUsize,
    queue: Mutex<VecDeque<Offered>>,
}

/// What is left of an offer. It is gone when nothing is.
struct Offered {
    id: Arc<()>,
    // The first one is its owner's: to help with a single task only moves it.
    has_owner_begun: bool,
    tasks: VecDeque<Task>,
}

type Task = Box<dyn FnOnce(&Context) + Send>;
type Outcome<R> = Result<R, Box<dyn Any + Send>>;

impl Tasks {
    /// Adds tasks, to be done in their order by the peer that offers them, and in the opposite one by others.
    pub(crate) fn offer<R, W>(self: &Arc<Self>, tasks: impl IntoIterator<Item = W>) -> Offer<R>
    where
        R: Send + 'static,
        W: FnOnce(&Context) -> R + Send + 'static,
    {
        let (done, results) = channel();
        // Code of the program, which may offer something itself: without the lock.
        let tasks: VecDeque<Task> = tasks.into_iter().map(|work| task(work, done.clone())).collect();
        let (left, id) = (tasks.len(), Arc::new(()));
        if left > 0 {
            let offered = Offered { id: Arc::clone(&id), has_owner_begun: false, tasks };
            self.change(|queue| queue.push_back(offered));
        }
        Offer { tasks: Arc::clone(self), id, left, results }
    }

    /// Does a task of the earliest offer that has one to spare: of the peer that is furthest behind.
    pub(crate) fn help(&self, context: &Context) -> bool {
        if self.offers.load(Ordering::Acquire) == 0 {
            return false;
        }
        let task = self.change(|queue| {
            let can_spare = |offered: &Offered| offered.has_owner_begun || offered.tasks.len() > 1;
            let at = queue.iter().position(can_spare)?;
            let task = queue[at].tasks.pop_back();
            queue.retain(|offered| !offered.tasks.is_empty());
            task
        });
        task.map(|task| task(context)).is_some()
    }

    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<Offered>) -> T) -> T {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut queue);
        self.offers.store(queue.len(), Ordering::Release);
        result
    }
}

fn task<R: Send + 'static>(
    work: impl FnOnce(&Context) -> R + Send + 'static,
    done: Sender<Outcome<R>>,
) -> Task {
    Box::new(move |context: &Context| {
        let outcome = catch_unwind(AssertUnwindSafe(|| work(context)));
        if let Err(unwanted) = done.send(outcome) {
            // The offer has been dropped. A result that panics when dropped is no matter of the peer that helps.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(unwanted)));
        }
    })
}

/// Tasks that a peer has offered, and their results.
///
/// Dropped, it takes back the tasks that nobody has begun.
#[must_use = "tasks are done when their results are asked for"]
pub struct Offer<R> {
    tasks: Arc<Tasks>,
    id: Arc<()>,
    left: usize,
    results: Receiver<Outcome<R>>,
}

impl<R> Offer<R> {
    /// The result of another of the tasks, in any order: one that another peer has done, else of the next one, which is
    /// done here; where others do the last ones, it waits for them. `None` after the last result.
    ///
    /// # Panics
    /// When the task did, wherever that was.
    pub fn next(&mut self, context: &Context) -> Option<R> {
        self.left = self.left.checked_sub(1)?;
        let outcome = self.results.try_recv().unwrap_or_else(|_| {
            if let Some(task) = self.first() {
                task(context);
            }
            self.results.recv().expect("a task that was taken is done, and tells its result")
        });
        Some(outcome.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn first(&self) -> Option<Task> {
        self.tasks.change(|queue| {
            let at = queue.iter().position(|offered| Arc::ptr_eq(&offered.id, &self.id))?;
            let offered = &mut queue[at];
            offered.has_owner_begun = true;
            let task = offered.tasks.pop_front();
            if offered.tasks.is_empty() {
                queue.remove(at);
            }
            task
        })
    }
}

impl<R> Drop for Offer<R> {
    fn drop(&mut self) {
        if self.left == 0 {
            return;
        }
        let own = self.tasks.change(|queue| {
            let at = queue.iter().position(|offered| Arc::ptr_eq(&offered.id, &self.id))?;
            queue.remove(at)
        });
        // What tasks own is dropped without the lock.
        drop(own);
    }
}

impl<R> fmt::Debug for Offer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("left", &self.left).finish_non_exhaustive()
    }
}
