//! Jobs on a master and grooms that are processes, with a real ZooKeeper between them.

use std::thread;
use std::time::{Duration, Instant};

use hama_core::{Cancel, ErrorKind, JobId};

use crate::fleet::{Fit, Fleet, SLACK, until};
use crate::programs::{Fails, Fault, Ring};
use crate::{Test, one};

pub(crate) const TESTS: &[Test] = &[
    ("a_job_runs_on_two_grooms", a_job_runs_on_two_grooms),
    ("a_peer_that_fails_ends_its_job_and_nothing_else", a_peer_that_fails_ends_its_job_and_nothing_else),
    ("jobs_wait_for_slots_and_are_killed_in_each_state", jobs_wait_for_slots_and_are_killed_in_each_state),
    ("what_can_never_fit_is_refused_with_the_numbers", what_can_never_fit_is_refused_with_the_numbers),
    ("a_client_that_cancels_or_goes_away_leaves_nothing", a_client_that_cancels_or_goes_away_leaves_nothing),
    ("a_groom_that_is_drained_gets_no_more_and_ends", a_groom_that_is_drained_gets_no_more_and_ends),
];

pub(crate) const MIB: u64 = 1 << 20;

/// A ring that passes numbers so often, as fast as it can.
pub(crate) fn ring(supersteps: u64) -> Ring {
    Ring { supersteps, pause: Duration::ZERO }
}

fn a_job_runs_on_two_grooms() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let runner = fleet.runner();
    for peers in [1, 2, 3, 4] {
        let started = Instant::now();
        let outcome = runner.run(&ring(20)).pool_bytes(MIB).peers(peers).unwrap();
        println!("{peers} peers: {:?}", started.elapsed());
        let passed: Vec<u64> = outcome.outputs.iter().map(|(has, _)| *has).collect();
        let expected: Vec<u64> =
            (0..peers).map(|peer| ((peer + 20 * peers - 20) % peers) as u64 + 20).collect();
        assert_eq!(passed, expected);
        assert_eq!((outcome.supersteps, outcome.counters["passed"]), (20, 20 * peers as u64));
        let hosts: std::collections::BTreeSet<&String> =
            outcome.outputs.iter().map(|(_, host)| host).collect();
        assert_eq!(hosts.len(), peers.min(2), "{hosts:?}");
    }
    fleet.is_clean();
    let cluster = fleet.cluster();
    let jobs = cluster.jobs().unwrap();
    assert_eq!(jobs.len(), 4);
    assert!(jobs.iter().all(|job| job.state == "succeeded" && job.program == "ring"), "{jobs:?}");
    let peers = cluster.peers(jobs[0].id).unwrap();
    assert_eq!(String::from_utf8_lossy(&peers[3].log), "peer 3 of 4 is here\n");
    assert_eq!(peers[3].counters["passed"], 20);
    let unknown = cluster.job(JobId::random()).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

fn a_peer_that_fails_ends_its_job_and_nothing_else() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let runner = fleet.runner();
    let cases = [
        (Fault::Error, ErrorKind::Program, "this is wrong"),
        (Fault::Panic, ErrorKind::Program, "this is worse"),
        (Fault::Exit, ErrorKind::Program, "exited with code 9"),
        (Fault::Kill, ErrorKind::PeerLost, "signal 9"),
        (Fault::Memory, ErrorKind::OutOfMemory, "more memory"),
        (Fault::Counters, ErrorKind::Invalid, "where 256 is the most"),
    ];
    for (fault, kind, says) in cases {
        let started = Instant::now();
        let program = Fails { peer: 1, superstep: 3, fault };
        let error = runner.run(&program).pool_bytes(MIB).memory_bytes(200 * MIB).peers(3).unwrap_err();
        println!("{fault:?} after {:?}: {error}", started.elapsed());
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        let at = error.place().unwrap();
        assert_eq!((at.peer.index(), at.superstep), (1, 3), "{error}");
        assert!(started.elapsed() < Duration::from_secs(4) + SLACK, "{fault:?}");
        fleet.is_clean();
    }
    let outcome = runner.run(&ring(5)).pool_bytes(MIB).peers(4).unwrap();
    assert_eq!(outcome.supersteps, 5);
    let job = fleet.cluster().jobs().unwrap().into_iter().find(|job| job.state == "failed").unwrap();
    assert!(job.why.unwrap().contains("counters"));
}

/// A job that runs or waits, and its end.
struct Submitted {
    id: JobId,
    ended: thread::JoinHandle<hama_core::Result<()>>,
}

fn submit(fleet: &Fleet, peers: usize, pause: Duration) -> Submitted {
    let job =
        fleet.runner().run(&Ring { supersteps: 1_000_000, pause }).pool_bytes(MIB).submit(peers).unwrap();
    Submitted { id: job.id(), ended: thread::spawn(move || job.wait().map(drop)) }
}

impl Submitted {
    fn was_killed(self, says: &str) {
        let error = self.ended.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

fn jobs_wait_for_slots_and_are_killed_in_each_state() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let cluster = fleet.cluster();
    let state = |id: JobId| cluster.job(id).unwrap().state;
    let first = submit(&fleet, 4, Duration::from_millis(5));
    until("the first runs", || state(first.id) == "running");
    let second = submit(&fleet, 1, Duration::from_millis(5));
    let third = submit(&fleet, 2, Duration::from_millis(5));
    assert_eq!((state(second.id), state(third.id)), ("queued", "queued"));
    assert_eq!(cluster.job(third.id).unwrap().before, Some(1));
    // What peers have counted is told while they run.
    until("all peers of the first have told", || {
        let peers = cluster.peers(first.id).unwrap();
        let told = peers.iter().filter(|peer| peer.superstep > 0 && peer.counters.get("passed") > Some(&9));
        told.count() == 4
    });
    assert!(cluster.peers(second.id).unwrap().is_empty());
    cluster.kill(third.id, "nobody wants it").unwrap();
    third.was_killed("nobody wants it");
    let killed = Instant::now();
    cluster.kill(first.id, "it is in the way").unwrap();
    first.was_killed("it is in the way");
    assert!(killed.elapsed() < Duration::from_secs(2) + SLACK);
    until("the second runs", || state(second.id) == "running");
    // A kill of what has ended changes nothing, and two are as good as one.
    cluster.kill(second.id, "once").unwrap();
    let _ = cluster.kill(second.id, "twice");
    second.was_killed("once");
    assert_eq!(cluster.kill(JobId::random(), "x").unwrap_err().kind(), ErrorKind::NotFound);
    // One that is killed while its processes start.
    let starting = submit(&fleet, 4, Duration::ZERO);
    cluster.kill(starting.id, "at once").unwrap();
    starting.was_killed("at once");
    fleet.is_clean();
}

fn what_can_never_fit_is_refused_with_the_numbers() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let runner = fleet.runner();
    let slots = runner.run(&ring(1)).pool_bytes(MIB).peers(5).unwrap_err();
    assert_eq!(slots.kind(), ErrorKind::Invalid, "{slots}");
    assert!(slots.to_string().contains('5') && slots.to_string().contains('4'), "{slots}");
    let memory = runner.run(&ring(1)).pool_bytes(64 << 30).peers(1).unwrap_err();
    assert_eq!(memory.kind(), ErrorKind::Invalid, "{memory}");
    // Those that share slots run, and are as right.
    let outcome = runner.run(&ring(3)).pool_bytes(MIB).shares_slots(true).peers(7).unwrap();
    assert_eq!(outcome.outputs.len(), 7);
    let program = runner.run(&ring(1)).executable("/bin/true").pool_bytes(MIB).peers(1).unwrap_err();
    assert_eq!(program.kind(), ErrorKind::Program, "{program}");
    fleet.is_clean();
}

fn a_client_that_cancels_or_goes_away_leaves_nothing() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let (cancel, tells) = (Cancel::new(), Cancel::new());
    let runner = fleet.runner().with_cancel(cancel.clone());
    let ring = Ring { supersteps: 1_000_000, pause: Duration::from_millis(5) };
    let job = runner.run(&ring).pool_bytes(MIB).submit(3).unwrap();
    let cluster = fleet.cluster();
    until("it runs", || cluster.job(job.id()).unwrap().state == "running");
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    let error = job.wait().unwrap_err();
    canceller.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    fleet.is_clean();
    // This client does not wait.
    let gone = fleet.runner().with_cancel(tells).run(&ring).pool_bytes(MIB).submit(3).unwrap().id();
    until("it is killed", || cluster.job(gone).unwrap().state == "killed");
    assert!(cluster.job(gone).unwrap().why.unwrap().contains("client"));
    let stays = fleet.runner().run(&ring).pool_bytes(MIB).detached(true).submit(3).unwrap().id();
    thread::sleep(Duration::from_secs(12));
    assert_eq!(cluster.job(stays).unwrap().state, "running");
    cluster.kill(stays, "enough").unwrap();
    fleet.is_clean();
}

fn a_groom_that_is_drained_gets_no_more_and_ends() {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let cluster = fleet.cluster();
    let job = submit(&fleet, 4, Duration::from_millis(5));
    until("it runs", || cluster.job(job.id).unwrap().state == "running");
    cluster.drain("g1", true).unwrap();
    assert!(fleet.status("g1").draining);
    assert_eq!(cluster.job(job.id).unwrap().state, "running");
    cluster.kill(job.id, "enough").unwrap();
    job.was_killed("enough");
    until("it has ended", || fleet.groom("g1").has_ended());
    let outcome = fleet.runner().run(&ring(3)).pool_bytes(MIB).peers(2).unwrap();
    assert!(outcome.outputs.iter().all(|(_, host)| host == "g0"));
    assert_eq!(cluster.drain("nobody", false).unwrap_err().kind(), ErrorKind::NotFound);
}
