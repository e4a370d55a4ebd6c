//! Grooms that meet while servers and sessions end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fleet::{connect, vote};
use super::job::Job;
use super::relay::Relay;
use super::{block_on, settings, until_nothing_is_left};
use crate::abort::Abort;
use crate::barrier::{Barrier, Ending, Tally};
use crate::cluster::gather::{Participant, Summary};
use crate::cluster::meeting::{Meant, Meeting, sweep};
use crate::cluster::zookeeper::{Settings, ZooKeeper};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Host, JobId, PeerId};

/// How peers meet.
#[derive(Clone, Copy, Debug)]
pub struct Meet {
    /// So many grooms, with two peers each.
    pub grooms: usize,
    /// So often.
    pub supersteps: u64,
    /// Of the grooms' sessions.
    pub session: Duration,
}

/// What came of it for each peer: nothing, or the error and when it came, since the disturbance began.
pub type Outcome = Vec<Option<(Error, Duration)>>;

/// Has them meet, and disturbs them after a quarter of the supersteps, or 50. Checks every tally, and (where ZooKeeper serves in
/// the end, by `is_back`) that nothing is left.
///
/// # Panics
/// When a tally is wrong.
pub fn disturbed(servers: &str, meet: Meet, is_back: bool, disturb: impl FnOnce() + Send) -> Outcome {
    let settings = settings(servers, meet.session);
    let sessions = connect(&settings, meet.grooms);
    let outcome = run(&sessions, meet, disturb);
    drop(sessions);
    if is_back {
        block_on(until_nothing_is_left(&settings));
    }
    outcome
}

/// The same, where the last groom is cut off from the server without a word, and its session lasts `short`.
///
/// # Panics
/// As [`disturbed`].
pub fn cut_off(server: &str, meet: Meet, short: Duration) -> Outcome {
    let settings = settings(server, meet.session);
    let mut sessions = connect(&settings, meet.grooms - 1);
    let relay = Relay::start(server);
    let cut_off = Settings { servers: relay.address(), session: short, ..settings.clone() };
    sessions.extend(connect(&cut_off, 1));
    let outcome = run(&sessions, meet, || relay.cut());
    drop(sessions);
    block_on(until_nothing_is_left(&settings));
    outcome
}

fn run(sessions: &[ZooKeeper], meet: Meet, disturb: impl FnOnce() + Send) -> Outcome {
    let peers = 2 * meet.grooms;
    let job = Job::start(sessions, peers, &Abort::new());
    let (reached, start) = (AtomicU64::new(0), Instant::now());
    let disturbed_ms = AtomicU64::new(0);
    let (job_of_peers, reached, disturbed_ms) = (&job, &reached, &disturbed_ms);
    let now = || start.elapsed().as_millis() as u64;
    let outcome = thread::scope(|scope| {
        scope.spawn(move || {
            while reached.load(Ordering::Relaxed) < (meet.supersteps / 4).min(50) {
                thread::sleep(Duration::from_millis(1));
            }
            disturbed_ms.store(now(), Ordering::Relaxed);
            disturb();
        });
        let peer = |index: usize| {
            move || -> Option<(Error, Duration)> {
                let peer = PeerId::from_index(index as u32);
                for superstep in 0..meet.supersteps {
                    let messages = superstep * index as u64;
                    let tally = job_of_peers
                        .arrive(peer, superstep, vote(messages))
                        .and_then(|()| job_of_peers.wait(superstep, &|| false));
                    let sum = superstep * (peers * (peers - 1) / 2) as u64;
                    match tally {
                        Ok(tally) => {
                            assert_eq!(tally, Tally { halt: false, messages: sum }, "superstep {superstep}")
                        }
                        Err(error) => {
                            // The disturbance may be waiting for the rest.
                            reached.store(u64::MAX, Ordering::Relaxed);
                            let since = now().saturating_sub(disturbed_ms.load(Ordering::Relaxed));
                            return Some((error, Duration::from_millis(since)));
                        }
                    }
                    reached.fetch_max(superstep + 1, Ordering::Relaxed);
                }
                None
            }
        };
        let threads: Vec<_> = (0..peers).map(|index| scope.spawn(peer(index))).collect();
        threads.into_iter().map(|thread| thread.join().expect("tallies are right")).collect()
    });
    job.end();
    outcome
}

/// Takes part in one meeting more, by hand.
async fn open(zookeeper: &ZooKeeper, meant: Meant, peers: &[u32], me: usize) -> Result<Meeting> {
    let host = |groom| Host::new(format!("dn{groom}"));
    let participants = peers.iter().enumerate();
    let participants = participants.map(|(groom, peers)| Participant { host: host(groom), peers: *peers });
    Meeting::open(zookeeper, meant, participants.collect(), me).await
}

fn meant(attempt: u32) -> Meant {
    Meant { job: JobId::from_bytes([7; 16]), attempt, epoch: 1 }
}

fn said(first: u32, ending: Ending, peers: u32) -> Summary {
    Summary { ending, first: PeerId::from_index(first), halt: true, messages: 1, peers }
}

/// That so many grooms all hear the same reason where they do not fit together, and attempts do not hear of each other.
///
/// # Panics
/// When it is otherwise.
pub fn misfits(servers: &str, grooms: usize) {
    let settings = settings(servers, Duration::from_secs(20));
    let sessions = connect(&settings, grooms);
    let last = grooms - 1;
    let meet = |attempt, said: &dyn Fn(u32) -> Summary| -> Vec<Error> {
        let meet = sessions.iter().cloned().enumerate().map(|(me, zookeeper)| {
            let said = said(me as u32);
            super::runtime().spawn(async move {
                let mut meeting =
                    open(&zookeeper, meant(attempt), &vec![1; grooms], me).await.expect("it opens");
                let error = meeting.meet(0, said).await.unwrap_err();
                assert_eq!(meeting.meet(3, said).await.unwrap_err().kind(), ErrorKind::Internal);
                meeting.close().await.expect("it closes");
                error
            })
        });
        let tasks: Vec<_> = meet.collect();
        tasks.into_iter().map(|task| block_on(task).expect("it does not panic")).collect()
    };
    let ways = |me| said(me, if me as usize == last { Ending::AllReduce } else { Ending::Sync }, 1);
    for error in meet(0, &ways) {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        let names = [format!("peer {last}"), "peer 0".to_owned(), "an all-reduce".to_owned()];
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
    let counts = |me| said(me, Ending::Sync, if me == 0 { 2 } else { 1 });
    for error in meet(1, &counts) {
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains("dn0 counted 2 peers"), "{error}");
    }
    block_on(until_nothing_is_left(&settings));
}

/// That who does not belong to a meeting is told so, and who leaves it is missed.
///
/// # Panics
/// When it is otherwise.
pub fn refusals(servers: &str) {
    let settings = settings(servers, Duration::from_secs(20));
    let sessions = connect(&settings, 2);
    let [one, other] = &sessions[..] else { unreachable!("there are two") };
    block_on(async {
        let first = open(one, meant(0), &[2, 1], 0).await.expect("it opens");
        let error = open(other, meant(0), &[2, 2], 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("peers: 1") && error.message().contains("peers: 2"), "{error}");
        assert_eq!(open(other, meant(0), &[2, 1], 0).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(open(other, meant(0), &[2, 1], 2).await.unwrap_err().kind(), ErrorKind::Invalid);

        first.close().await.expect("it closes");
        // One leaves in good order, which the other hears only when it needs it.
        let mut first = open(one, meant(1), &[2, 1], 0).await.expect("it opens");
        let second = open(other, meant(1), &[2, 1], 1).await.expect("it opens");
        second.close().await.expect("it closes");
        let error = first.meet(0, said(0, Ending::Sync, 2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerLost);
        assert!(error.message().contains("dn1"), "{error}");
        drop(first);

        // What is left is removed by who knows that the job has ended.
        let names = one.children("/meetings").await.expect("ZooKeeper answers");
        assert_eq!(names.map(|names| names.len()), Some(1));
        sweep(other, JobId::random()).await.expect("there is nothing to remove");
        sweep(other, meant(1).job).await.expect("it is removed");
    });
    block_on(until_nothing_is_left(&settings));
}
