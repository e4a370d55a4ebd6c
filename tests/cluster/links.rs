//! What happens to frames between peers on two hosts: nothing of it is lost, doubled or believed.

use std::io::Write as _;
use std::time::{Duration, Instant};

use hama_core::testing::cluster::between::{between, is_peer};
use hama_core::testing::cluster::mistreat::{Mistreat, way};
use hama_core::{ClusterRunner, ErrorKind, Outcome, Result};

use crate::fleet::{Fit, Fleet, SLACK};
use crate::jobs::{MIB, ring};
use crate::programs::Swap;
use crate::{Test, doors, one};

pub(crate) const TESTS: &[Test] = &[
    ("frames_that_are_damaged_doubled_or_foreign_are_refused", frames_are_refused),
    ("a_connection_that_ends_in_a_frame_ends_the_job", a_connection_that_ends),
    ("grooms_that_cannot_reach_each_other_any_more", grooms_that_cannot_reach_each_other_any_more),
    ("grooms_that_never_reach_each_other", grooms_that_never_reach_each_other),
];

/// What a job's peers find in their environment: what happens on the way to the first of them, and to which frame.
pub(crate) const WAY: &str = "HAMA_TEST_WAY";
const WHICH: &str = "HAMA_TEST_FRAME";
/// What happens before there is a way: strangers call.
pub(crate) const HOSTILE: &str = "Hostile";

/// How long peers may hear nothing of each other.
const SILENT: Duration = Duration::from_secs(10);
const SWAP: Swap = Swap { supersteps: 12, payload_bytes: 300_000 };

/// The process between a groom and a peer, where this is one: it does not return.
pub(crate) fn between_groom_and_peer() {
    let word = |name| std::env::var(name).ok();
    let (true, Some(what)) = (is_peer(), word(WAY)) else { return };
    let ended = between(|peer, address| {
        if what == HOSTILE {
            doors::molest(address);
        } else if peer == 0 {
            return way(what.parse().unwrap(), word(WHICH).unwrap().parse().unwrap(), address).unwrap();
        }
        address
    });
    std::io::stderr().flush().unwrap();
    std::process::exit(ended.unwrap());
}

/// A swap of two peers on two hosts, on whose way something happens.
pub(crate) fn swap(runner: &ClusterRunner, what: Mistreat, which: u64) -> Result<Outcome<u64>> {
    let environment = [(WAY.to_owned(), what.to_string()), (WHICH.to_owned(), which.to_string())];
    runner.run(&SWAP).pool_bytes(16 * MIB).environment(environment).peers(2)
}

fn fleet() -> Fleet {
    Fleet::start(&one().connect_string(), &Fit { slots: 1, ..Fit::default() })
}

fn frames_are_refused() {
    let fleet = fleet();
    let runner = fleet.runner();
    let sound = runner.run(&SWAP).pool_bytes(16 * MIB).peers(2).unwrap();
    assert!(!sound.counters.contains_key("refused frames"), "{:?}", sound.counters);
    for what in [Mistreat::Body, Mistreat::Double, Mistreat::Replay, Mistreat::Foreign, Mistreat::Header] {
        for which in [1, 8] {
            match swap(&runner, what, which) {
                Ok(outcome) => {
                    println!("{what} of frame {which}: {:?}", outcome.counters);
                    assert_eq!(outcome.outputs, sound.outputs);
                    assert!(outcome.counters["refused frames"] >= 1, "{what}");
                }
                // Where a frame ends nobody can say then.
                Err(error) => {
                    println!("{what} of frame {which}: {error}");
                    assert!([Mistreat::Header, Mistreat::Foreign].contains(&what), "{what}: {error}");
                    names_both(&error.to_string());
                }
            }
            fleet.is_clean();
        }
    }
    assert_eq!(runner.run(&ring(5)).pool_bytes(MIB).peers(2).unwrap().supersteps, 5);
}

fn a_connection_that_ends() {
    let fleet = fleet();
    let runner = fleet.runner();
    let error = swap(&runner, Mistreat::Truncate, 8).unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::PeerLost, "{error}");
    names_both(&error.to_string());
    fleet.is_clean();
    assert_eq!(runner.run(&ring(5)).pool_bytes(MIB).peers(2).unwrap().supersteps, 5);
}

fn grooms_that_cannot_reach_each_other_any_more() {
    end_in_time(Mistreat::Lose);
}

fn grooms_that_never_reach_each_other() {
    end_in_time(Mistreat::Mute);
}

fn end_in_time(what: Mistreat) {
    let fleet = fleet();
    let runner = fleet.runner();
    let began = Instant::now();
    let error = swap(&runner, what, 8).unwrap_err();
    println!("{what} after {:?}: {error}", began.elapsed());
    assert!(began.elapsed() < SILENT + SLACK, "{:?}", began.elapsed());
    assert_eq!(error.kind(), ErrorKind::PeerLost, "{error}");
    names_both(&error.to_string());
    fleet.is_clean();
    assert_eq!(runner.run(&ring(5)).pool_bytes(MIB).peers(2).unwrap().supersteps, 5);
}

/// Both peers, or where they are.
fn names_both(error: &str) {
    let names = |peer: &str, host: &str| error.contains(peer) || error.contains(host);
    assert!(names("peer 0", "g0") && names("peer 1", "g1"), "{error}");
}
