//! Work that is shared out to whoever is free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use hama_core::{Error, Result};

/// Does `work` on every item, on a thread for each of `workers`: one that is free takes the next item, so that none
/// waits for one that is slower. After an error nobody takes another.
///
/// # Errors
/// That of `work`; `Internal` where it panicked.
pub(super) fn in_turns<W: Send, I: Send, O: Send>(
    workers: impl IntoIterator<Item = W>,
    items: impl Iterator<Item = I> + Send,
    work: impl Fn(&mut W, I) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    let (items, stop) = (Mutex::new(items), AtomicBool::new(false));
    let next = || match stop.load(Ordering::Relaxed) {
        true => None,
        false => items.lock().unwrap_or_else(PoisonError::into_inner).next(),
    };
    std::thread::scope(|scope| {
        let run = |mut worker: W| {
            let done: Result<Vec<O>> =
                std::iter::from_fn(&next).map(|item| work(&mut worker, item)).collect();
            done.inspect_err(|_| stop.store(true, Ordering::Relaxed))
        };
        let threads: Vec<_> = workers.into_iter().map(|worker| scope.spawn(move || run(worker))).collect();
        let lost = |_| Err(Error::internal("a thread that measured has panicked"));
        // All are joined before the first error is returned.
        let done: Vec<Result<Vec<O>>> =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect();
        Ok(done.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn who_is_free_takes_the_next_item() {
        let done = AtomicUsize::new(0);
        let results = in_turns(0..2, 0..7, |_, item| {
            let start = Instant::now();
            // The first one takes as long as all others.
            while item == 0 && done.load(Ordering::SeqCst) < 6 && start.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
            Ok((item, done.fetch_add(1, Ordering::SeqCst)))
        });
        let mut results = results.unwrap();
        results.sort_unstable();
        assert_eq!(results.len(), 7);
        assert_eq!(results[0], (0, 6), "the first one was done last");
    }

    #[test]
    fn after_an_error_nobody_takes_another_item() {
        let error = in_turns(0..1, 0.., |_, item| match item {
            3 => Err(Error::invalid("three")),
            item if item < 3 => Ok(item),
            item => unreachable!("{item} comes after the error"),
        });
        assert_eq!(error.unwrap_err().message(), "three");
    }
}
