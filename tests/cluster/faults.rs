//! What happens when something breaks: grooms, masters and servers of ZooKeeper that die, freeze and come back while jobs run.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hama_core::testing::cluster::no_meetings;
use hama_core::testing::cluster::relay::Relay;
use hama_core::{Cluster, ErrorKind, Outcome, Result};

use crate::fleet::{Fit, Fleet, SLACK, until};
use crate::jobs::{MIB, ring};
use crate::programs::Ring;
use crate::{Test, one, own};

pub(crate) const TESTS: &[Test] = &[
    ("a_groom_dies", a_groom_dies),
    ("a_groom_freezes", a_groom_freezes),
    ("a_groom_is_cut_off_from_the_master", a_groom_is_cut_off_from_the_master),
    ("a_groom_is_cut_off_from_zookeeper", a_groom_is_cut_off_from_zookeeper),
    ("grooms_that_cannot_meet_end_the_job", grooms_that_cannot_meet_end_the_job),
    ("the_master_dies_and_is_restarted", the_master_dies_and_is_restarted),
    ("a_master_that_froze_leads_no_more", a_master_that_froze_leads_no_more),
    ("zookeeper_dies_and_comes_back_in_time", zookeeper_dies_and_comes_back_in_time),
    ("a_server_of_three_dies", a_server_of_three_dies),
    ("zookeeper_stays_away", zookeeper_stays_away),
];

/// How soon a groom that is gone is seen.
const SEEN: Duration = Duration::from_secs(10);

type Running = JoinHandle<Result<Outcome<(u64, String)>>>;

/// Runs a ring for some seconds on so many peers, and waits until it runs.
fn running(fleet: &Fleet, peers: usize, supersteps: u64) -> Running {
    let runner = fleet.runner();
    let before = fleet.cluster().jobs().unwrap().len();
    let ring = Ring { supersteps, pause: Duration::from_millis(5) };
    let job = thread::spawn(move || runner.run(&ring).pool_bytes(MIB).peers(peers));
    until("the job runs", || {
        let jobs = fleet.cluster().jobs().unwrap();
        jobs.len() > before && jobs[0].state == "running"
    });
    thread::sleep(Duration::from_millis(100));
    job
}

/// So many supersteps take longer than anything here.
const ENDLESS: u64 = 1_000_000;

fn runs(fleet: &Fleet, peers: usize) {
    let outcome = fleet.runner().run(&ring(5)).pool_bytes(MIB).peers(peers).unwrap();
    assert_eq!(outcome.supersteps, 5);
}

fn a_groom_dies() {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let job = running(&fleet, 3, ENDLESS);
    let died = Instant::now();
    fleet.groom("g1").kill();
    let error = job.join().unwrap().unwrap_err();
    println!("after {:?}: {error}", died.elapsed());
    assert_eq!(error.kind(), ErrorKind::PeerLost, "{error}");
    assert!(died.elapsed() < SEEN + SLACK, "{:?}", died.elapsed());
    assert!(error.to_string().contains("g1"), "{error}");
    // What is left serves on.
    runs(&fleet, 2);
    fleet.restart_groom("g1");
    fleet.wait_for_grooms(2);
    runs(&fleet, 4);
    fleet.is_clean();
}

fn a_groom_freezes() {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let job = running(&fleet, 3, ENDLESS);
    let froze = Instant::now();
    fleet.groom("g1").freeze();
    let error = job.join().unwrap().unwrap_err();
    println!("after {:?}: {error}", froze.elapsed());
    assert!([ErrorKind::PeerLost, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
    assert!(froze.elapsed() < SEEN + SLACK, "{:?}", froze.elapsed());
    assert!(error.to_string().contains("g1"), "{error}");
    until("it is dead", || fleet.status("g1").health == "dead");
    runs(&fleet, 2);
    fleet.groom("g1").thaw();
    fleet.wait_for_grooms(2);
    fleet.is_clean();
    runs(&fleet, 4);
}

/// A fleet of which one groom reaches the others by ways that can be cut.
fn with_ways() -> (Fleet, Relay, Relay) {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit { grooms: 1, ..Fit::default() });
    let (master, zookeeper) = (Relay::start(fleet.address()), Relay::start(&one().connect_string()));
    fleet.add_groom_by("g1", &master.address(), &zookeeper.address());
    fleet.wait_for_grooms(2);
    (fleet, master, zookeeper)
}

fn a_groom_is_cut_off_from_the_master() {
    let (fleet, master, _zookeeper) = with_ways();
    let job = running(&fleet, 3, ENDLESS);
    let cut = Instant::now();
    master.cut();
    let error = job.join().unwrap().unwrap_err();
    println!("after {:?}: {error}", cut.elapsed());
    assert_eq!(error.kind(), ErrorKind::PeerLost, "{error}");
    assert!(cut.elapsed() < SEEN + SLACK, "{:?}", cut.elapsed());
    assert!(error.to_string().contains("g1"), "{error}");
    runs(&fleet, 2);
    master.mend();
    fleet.wait_for_grooms(2);
    fleet.is_clean();
    runs(&fleet, 4);
}

fn a_groom_is_cut_off_from_zookeeper() {
    let (fleet, _master, zookeeper) = with_ways();
    let job = running(&fleet, 3, ENDLESS);
    let cut = Instant::now();
    zookeeper.cut();
    let error = job.join().unwrap().unwrap_err();
    println!("after {:?}: {error}", cut.elapsed());
    assert!([ErrorKind::PeerLost, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
    assert!(cut.elapsed() < SEEN + SLACK, "{:?}", cut.elapsed());
    assert!(error.to_string().contains("ZooKeeper"), "{error}");
    zookeeper.mend();
    fleet.is_clean();
    until("it meets again", || fleet.runner().run(&ring(5)).pool_bytes(MIB).peers(4).is_ok());
    fleet.is_clean();
}

fn grooms_that_cannot_meet_end_the_job() {
    let zookeeper = one().connect_string();
    let fleet = Fleet::start(&zookeeper, &Fit::default());
    let kept_apart = no_meetings(&zookeeper, fleet.root());
    // They know before the peers are connected with each other.
    let begun = Instant::now();
    let runner = fleet.runner();
    let job = thread::spawn(move || runner.run(&ring(5)).pool_bytes(MIB).peers(4));
    until("it ends", || job.is_finished());
    let error = job.join().unwrap().unwrap_err();
    println!("after {:?}: {error}", begun.elapsed());
    assert!(begun.elapsed() < SEEN + SLACK, "{:?}", begun.elapsed());
    assert!(error.to_string().contains("cannot take part in the barrier"), "{error}");
    drop(kept_apart);
    fleet.is_clean();
    until("they meet again", || fleet.runner().run(&ring(5)).pool_bytes(MIB).peers(4).is_ok());
    fleet.is_clean();
}

fn the_master_dies_and_is_restarted() {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let job = running(&fleet, 4, 600);
    // No slot is left for this one.
    let runner = fleet.runner();
    let queued = thread::spawn(move || runner.run(&ring(5)).pool_bytes(MIB).peers(3));
    until("it waits", || fleet.cluster().jobs().unwrap().iter().any(|job| job.state == "queued"));
    fleet.master().kill();
    thread::sleep(Duration::from_secs(1));
    fleet.restart_master();
    let outcome = job.join().unwrap().unwrap();
    assert_eq!(outcome.supersteps, 600);
    assert_eq!(queued.join().unwrap().unwrap().supersteps, 5);
    assert_eq!(fleet.cluster().jobs().unwrap().len(), 2);
    fleet.wait_for_grooms(2);
    fleet.is_clean();
}

fn a_master_that_froze_leads_no_more() {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit { grooms: 1, ..Fit::default() });
    let epoch = fleet.cluster().status().unwrap().epoch;
    let (_second, options) = fleet.second_master();
    assert_eq!(Cluster::connect(&options).unwrap_err().kind(), ErrorKind::Unavailable);
    fleet.master().freeze();
    until("the second leads", || Cluster::connect(&options).is_ok());
    let second = Cluster::connect(&options).unwrap();
    assert!(second.status().unwrap().epoch > epoch);
    fleet.master().thaw();
    // It must not say anything in its old epoch, at no time.
    for _ in 0..20 {
        let old = Cluster::connect(&fleet.connect_options());
        assert_eq!(old.unwrap_err().kind(), ErrorKind::Unavailable);
        thread::sleep(Duration::from_millis(50));
    }
}

fn zookeeper_dies_and_comes_back_in_time() {
    let zookeeper = own(1);
    let fit = Fit { session: Duration::from_secs(40), ..Fit::default() };
    let fleet = Fleet::start(&zookeeper.connect_string(), &fit);
    let job = running(&fleet, 4, 300);
    zookeeper.kill(0).unwrap();
    thread::sleep(Duration::from_millis(500));
    zookeeper.restart(0).unwrap();
    assert_eq!(job.join().unwrap().unwrap().supersteps, 300);
    runs(&fleet, 4);
    fleet.is_clean();
}

fn a_server_of_three_dies() {
    let zookeeper = own(3);
    let fit = Fit { session: Duration::from_secs(40), ..Fit::default() };
    let fleet = Fleet::start(&zookeeper.connect_string(), &fit);
    let job = running(&fleet, 4, 300);
    zookeeper.kill(zookeeper.leader().unwrap()).unwrap();
    assert_eq!(job.join().unwrap().unwrap().supersteps, 300);
    runs(&fleet, 4);
    fleet.is_clean();
}

fn zookeeper_stays_away() {
    let zookeeper = own(1);
    let fleet = Fleet::start(&zookeeper.connect_string(), &Fit::default());
    let job = running(&fleet, 4, ENDLESS);
    let away = Instant::now();
    zookeeper.kill(0).unwrap();
    // The peers end soon, and the client hears of it when somebody leads again.
    let tasks: Vec<_> = ["g0", "g1"].iter().map(|name| fleet.tasks(name)).collect();
    until("the peers end", || tasks.iter().all(|folder| crate::fleet::peers_of(folder).is_empty()));
    println!("the peers ended after {:?}", away.elapsed());
    assert!(away.elapsed() < Duration::from_secs(6) + SLACK, "{:?}", away.elapsed());
    zookeeper.restart(0).unwrap();
    let error = job.join().unwrap().unwrap_err();
    println!("after {:?}: {error}", away.elapsed());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("ZooKeeper"), "{error}");
    until("it serves again", || fleet.runner().run(&ring(5)).pool_bytes(MIB).peers(4).is_ok());
    fleet.is_clean();
}
