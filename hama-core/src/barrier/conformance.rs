//! What every barrier must do. Each implementation runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::abort::Abort;
use crate::barrier::{Barrier, Ending, Tally, Vote};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::PeerId;

type Make<'a> = &'a dyn Fn(usize, &Abort) -> Arc<dyn Barrier>;

/// Runs all of it on what `make` makes.
pub(crate) fn run(make: Make<'_>) {
    for count in [1, 2, 3, 7, 10] {
        nobody_passes_before_all_are_there(make, count);
        the_tally_is_of_this_superstep(make, count);
        arriving_does_not_wait(make, count);
        who_waits_helps_when_it_is_woken(make, count);
    }
    for count in [2, 3, 7, 10] {
        the_end_of_the_job_wakes_all(make, count);
        another_ending_is_refused(make, count);
        another_superstep_is_refused(make, count);
    }
}

fn vote(ending: Ending) -> Vote {
    Vote { ending, halt: true, messages: 1 }
}

/// Arrives and waits.
fn meet(barrier: &dyn Barrier, peer: PeerId, superstep: u64, vote: Vote) -> Result<Tally> {
    barrier.arrive(peer, superstep, vote)?;
    barrier.wait(superstep, &|| false)
}

/// Has every peer do `work`; returns what each returned.
fn each<T: Send>(count: usize, work: impl Fn(PeerId) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let peers = (0..count as u32).map(PeerId::from_index);
        let threads: Vec<_> = peers.map(|peer| scope.spawn(move || work(peer))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    })
}

fn nobody_passes_before_all_are_there(make: Make<'_>, count: usize) {
    let barrier = make(count, &Abort::new());
    let arrivals = AtomicU64::new(0);
    each(count, |peer| {
        for superstep in 0..200 {
            arrivals.fetch_add(1, Ordering::SeqCst);
            meet(&*barrier, peer, superstep, vote(Ending::Sync)).expect("all come");
            assert!(arrivals.load(Ordering::SeqCst) >= (superstep + 1) * count as u64);
        }
    });
}

fn the_tally_is_of_this_superstep(make: Make<'_>, count: usize) {
    let barrier = make(count, &Abort::new());
    each(count, |peer| {
        for superstep in 0..50 {
            // Another peer goes on in each superstep.
            let halt = peer.index() as u64 != superstep % (count as u64 + 1);
            let messages = superstep * peer.index() as u64;
            let tally = meet(&*barrier, peer, superstep, Vote { ending: Ending::Sync, halt, messages });
            let expected = Tally {
                halt: superstep % (count as u64 + 1) == count as u64,
                messages: (0..count as u64).map(|index| superstep * index).sum(),
            };
            assert_eq!(tally.expect("all come"), expected);
        }
    });
}

fn arriving_does_not_wait(make: Make<'_>, count: usize) {
    let barrier = make(count, &Abort::new());
    // One thread arrives for all of them, which would never end if it waited.
    for superstep in 0..3 {
        for peer in (0..count as u32).map(PeerId::from_index) {
            barrier.arrive(peer, superstep, vote(Ending::Sync)).expect("it is the first time");
        }
        for _ in 0..count {
            let tally = barrier.wait(superstep, &|| false).expect("all have arrived");
            assert_eq!(tally, Tally { halt: true, messages: count as u64 });
        }
    }
}

/// The last peer wakes the others until each has helped twice, and only then arrives.
fn who_waits_helps_when_it_is_woken(make: Make<'_>, count: usize) {
    let barrier = make(count, &Abort::new());
    let helped: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
    each(count, |peer| {
        if peer.index() + 1 == count {
            while helped[..count - 1].iter().any(|times| times.load(Ordering::SeqCst) < 2) {
                barrier.wake();
                thread::yield_now();
            }
        }
        barrier.arrive(peer, 0, vote(Ending::Sync)).expect("it is the first time");
        // Once it finds something to do, the next time nothing.
        let help = || helped[peer.index()].fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        barrier.wait(0, &help).expect("all come");
    });
}

fn the_end_of_the_job_wakes_all(make: Make<'_>, count: usize) {
    let abort = Abort::new();
    let barrier = make(count, &abort);
    let results = each(count, |peer| {
        if peer.index() + 1 == count {
            thread::sleep(Duration::from_millis(10));
            abort.end(Some(peer), Error::invalid("enough"));
        }
        meet(&*barrier, peer, 0, vote(Ending::Sync))
    });
    for result in results {
        let error = result.expect_err("the job is ended");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(error.message(), format!("peer {} ended the job", count - 1));
    }
}

/// As a peer does, the one that is refused ends the job.
fn refused(abort: &Abort, peer: PeerId, result: Result<Tally>) {
    abort.end(Some(peer), result.expect_err("the votes do not fit"));
}

fn another_ending_is_refused(make: Make<'_>, count: usize) {
    let abort = Abort::new();
    let barrier = make(count, &abort);
    each(count, |peer| {
        let ending = if peer.index() == 0 { Ending::Return } else { Ending::AllReduce };
        refused(&abort, peer, meet(&*barrier, peer, 0, vote(ending)));
    });
    let error = abort.take();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(
        text.contains("peer 0") && text.contains("its return") && text.contains("an all-reduce"),
        "{text}"
    );
}

fn another_superstep_is_refused(make: Make<'_>, count: usize) {
    let abort = Abort::new();
    let barrier = make(count, &abort);
    each(count, |peer| {
        let superstep = u64::from(peer.index() == 0);
        refused(&abort, peer, meet(&*barrier, peer, superstep, vote(Ending::Sync)));
    });
    assert_eq!(abort.take().kind(), ErrorKind::Internal);
}
