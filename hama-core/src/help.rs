//! Work that peers of one process do for each other: who waits at the barrier helps those who are not there yet.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::Context;

/// Tasks of the peers of one process that nobody has begun.
#[derive(Default)]
pub(crate) struct Tasks {
    // So that a peer at the barrier sees without the lock that there is nothing to do.
    count: AtomicUsize,
    queue: Mutex<VecDeque<Task>>,
}

struct Task {
    of: Arc<()>,
    work: Box<dyn FnOnce(&Context) + Send>,
}

type Outcome<R> = Result<R, Box<dyn Any + Send>>;

impl Tasks {
    /// Adds tasks, to be done in their order by the peer that offers them, and in the opposite one by others.
    pub(crate) fn offer<R, W>(self: &Arc<Self>, tasks: impl IntoIterator<Item = W>) -> Offer<R>
    where
        R: Send + 'static,
        W: FnOnce(&Context) -> R + Send + 'static,
    {
        let (done, results) = channel();
        let of = Arc::new(());
        let mut queue = self.queue();
        let before = queue.len();
        queue.extend(tasks.into_iter().map(|work| task(&of, work, done.clone())));
        let left = queue.len() - before;
        self.count.store(queue.len(), Ordering::Release);
        Offer { tasks: Arc::clone(self), of, left, results }
    }

    /// Does a task of any peer, if there is one.
    pub(crate) fn help(&self, context: &Context) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let task = self.taken(|queue| queue.pop_back());
        task.map(|task| (task.work)(context)).is_some()
    }

    fn taken<T>(&self, take: impl FnOnce(&mut VecDeque<Task>) -> T) -> T {
        let mut queue = self.queue();
        let taken = take(&mut queue);
        self.count.store(queue.len(), Ordering::Release);
        taken
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Task>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn task<R: Send + 'static>(
    of: &Arc<()>,
    work: impl FnOnce(&Context) -> R + Send + 'static,
    done: Sender<Outcome<R>>,
) -> Task {
    let work = move |context: &Context| {
        let outcome = catch_unwind(AssertUnwindSafe(|| work(context)));
        // Where the offer has been dropped nobody wants it.
        let _ = done.send(outcome);
    };
    Task { of: Arc::clone(of), work: Box::new(work) }
}

/// Tasks that a peer has offered, and their results.
///
/// Dropped, it takes back the tasks that nobody has begun.
#[must_use = "tasks are done when their results are asked for"]
pub struct Offer<R> {
    tasks: Arc<Tasks>,
    of: Arc<()>,
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
        let outcome = self.results.try_recv().ok().or_else(|| {
            if let Some(task) = self.tasks.taken(|queue| self.first_in(queue)) {
                (task.work)(context);
            }
            self.results.recv().ok()
        });
        outcome.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn first_in(&self, queue: &mut VecDeque<Task>) -> Option<Task> {
        let at = queue.iter().position(|task| Arc::ptr_eq(&task.of, &self.of))?;
        queue.remove(at)
    }
}

impl<R> Drop for Offer<R> {
    fn drop(&mut self) {
        // What tasks own is dropped without the lock.
        let own = self.tasks.taken(|queue| {
            let (own, others) = queue.drain(..).partition(|task| Arc::ptr_eq(&task.of, &self.of));
            *queue = others;
            own
        });
        let own: VecDeque<Task> = own;
        drop(own);
    }
}

impl<R> fmt::Debug for Offer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("left", &self.left).finish_non_exhaustive()
    }
}
