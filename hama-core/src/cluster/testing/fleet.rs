//! Several grooms in this process, each with a session of its own: that their barrier is one, and what it costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::Job;
use super::{block_on, settings, until_nothing_is_left};
use crate::abort::Abort;
use crate::barrier::{Barrier, Ending, Vote, conformance as suite};
use crate::cluster::gather::{Participant, Summary};
use crate::cluster::meeting::{Meant, Meeting};
use crate::cluster::zookeeper::{Settings, ZooKeeper};
use crate::ids::{Host, JobId, PeerId};

const SESSION: Duration = Duration::from_secs(20);

/// Sessions of so many grooms.
pub(super) fn connect(settings: &Settings, grooms: usize) -> Vec<ZooKeeper> {
    (0..grooms).map(|_| block_on(ZooKeeper::connect(settings)).expect("ZooKeeper serves")).collect()
}

/// Runs what every barrier must do with peers on so many grooms.
///
/// # Panics
/// When it does something else.
pub fn conformance(servers: &str, grooms: usize) {
    let settings = settings(servers, SESSION);
    let sessions = connect(&settings, grooms);
    suite::run(&|count, abort: &Abort| Arc::new(Job::start(&sessions, count, abort)) as Arc<dyn Barrier>);
    block_on(until_nothing_is_left(&settings));
}

/// How long so many empty supersteps of so many grooms take, the first ones aside.
///
/// # Panics
/// When ZooKeeper does not serve.
pub fn empty_supersteps(servers: &str, grooms: usize, count: u64) -> Duration {
    const FIRST: u64 = 20;
    let settings = settings(servers, SESSION);
    let sessions = connect(&settings, grooms);
    let meant = Meant { job: JobId::random(), attempt: 0, epoch: 1 };
    let host = |groom| Host::new(format!("dn{groom}"));
    let participants: Vec<_> = (0..grooms).map(|groom| Participant { host: host(groom), peers: 1 }).collect();
    let tasks: Vec<_> = sessions
        .into_iter()
        .enumerate()
        .map(|(me, zookeeper)| {
            let participants = participants.clone();
            super::runtime().spawn(async move {
                let first = PeerId::from_index(me as u32);
                let said = Summary { ending: Ending::Sync, first, halt: false, messages: 0, peers: 1 };
                let mut meeting = Meeting::open(&zookeeper, meant, participants, me).await.expect("it opens");
                let mut begun = Instant::now();
                for superstep in 0..FIRST + count {
                    if superstep == FIRST {
                        begun = Instant::now();
                    }
                    meeting.meet(superstep, said).await.expect("all come");
                }
                let taken = begun.elapsed();
                meeting.close().await.expect("it closes");
                taken
            })
        })
        .collect();
    let taken = tasks.into_iter().map(|task| block_on(task).expect("it does not panic"));
    taken.max().unwrap_or_default()
}

/// A vote to go on.
pub(super) fn vote(messages: u64) -> Vote {
    Vote { ending: Ending::Sync, halt: false, messages }
}
