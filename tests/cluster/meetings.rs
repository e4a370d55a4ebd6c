//! The barrier of jobs whose grooms meet in ZooKeeper, while servers and sessions end.

use std::thread;
use std::time::Duration;

use hama_core::ErrorKind;
use hama_core::testing::cluster::conformance;
use hama_core::testing::cluster::meetings::{self, Meet, Outcome};

use crate::{Test, one, own, three};

pub(crate) const TESTS: &[Test] = &[
    ("one_groom_conforms", || conformance(&one().connect_string(), 1)),
    ("three_grooms_conform", || conformance(&one().connect_string(), 3)),
    ("ten_grooms_conform_with_an_ensemble", || conformance(&three().connect_string(), 10)),
    ("who_does_not_belong_here_is_told", || meetings::refusals(&one().connect_string())),
    ("who_do_not_fit_are_told", || {
        MANNERS.iter().for_each(|n| meetings::misfits(&one().connect_string(), *n))
    }),
    ("two_grooms_go_on_after_a_server_was_gone", || goes_on_after_a_server_was_gone(2)),
    ("ten_grooms_go_on_after_a_server_was_gone", || goes_on_after_a_server_was_gone(10)),
    ("a_server_of_three_may_die", a_server_of_three_may_die),
    ("the_leader_of_three_may_die", the_leader_of_three_may_die),
    ("a_server_that_stays_away_ends_the_job", a_server_that_stays_away_ends_the_job),
    ("a_groom_that_is_cut_off_ends_the_job", a_groom_that_is_cut_off_ends_the_job),
];

/// Few grooms tell each other that they have arrived, and many are counted.
const MANNERS: [usize; 2] = [3, 9];
/// Sessions that outlast a server's start on a busy machine.
const LONG: Duration = Duration::from_secs(40);
/// How much longer than promised anything may take on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

fn went_well(outcome: Outcome) {
    let failed: Vec<_> = outcome.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn goes_on_after_a_server_was_gone(grooms: usize) {
    let zookeeper = own(1);
    let meet = Meet { grooms, supersteps: 200, session: LONG };
    went_well(meetings::disturbed(&zookeeper.connect_string(), meet, true, || {
        zookeeper.kill(0).unwrap();
        thread::sleep(Duration::from_millis(500));
        zookeeper.restart(0).unwrap();
    }));
}

fn a_server_of_three_may_die() {
    for grooms in MANNERS {
        let zookeeper = own(3);
        let follower = (0..3).find(|index| zookeeper.leader() != Some(*index)).unwrap();
        let meet = Meet { grooms, supersteps: 200, session: LONG };
        let disturb = || zookeeper.kill(follower).unwrap();
        went_well(meetings::disturbed(&zookeeper.connect_string(), meet, true, disturb));
    }
}

fn the_leader_of_three_may_die() {
    for grooms in MANNERS {
        let zookeeper = own(3);
        let meet = Meet { grooms, supersteps: 200, session: LONG };
        let disturb = || zookeeper.kill(zookeeper.leader().unwrap()).unwrap();
        went_well(meetings::disturbed(&zookeeper.connect_string(), meet, true, disturb));
    }
}

fn a_server_that_stays_away_ends_the_job() {
    for (grooms, freezes) in [(2, false), (2, true), (9, false), (9, true)] {
        let zookeeper = own(1);
        let meet = Meet { grooms, supersteps: 1 << 40, session: Duration::from_secs(3) };
        let outcome = meetings::disturbed(&zookeeper.connect_string(), meet, false, || {
            if freezes { zookeeper.freeze(0).unwrap() } else { zookeeper.kill(0).unwrap() }
        });
        assert_eq!(outcome.len(), 2 * grooms);
        for ended in outcome {
            let (error, taken) = ended.unwrap();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains("ZooKeeper at 127.0.0.1:"), "{error}");
            assert!(taken < meet.session + SLACK, "{taken:?}: {error}");
        }
    }
}

fn a_groom_that_is_cut_off_ends_the_job() {
    MANNERS.iter().for_each(|grooms| one_of_them_is_cut_off(*grooms));
}

fn one_of_them_is_cut_off(grooms: usize) {
    let short = Duration::from_secs(8);
    let meet = Meet { grooms, supersteps: 1 << 40, session: LONG };
    let outcome = meetings::cut_off(&one().connect_string(), meet, short);
    for (index, ended) in outcome.into_iter().enumerate() {
        let (error, taken) = ended.unwrap();
        assert!(taken < short + SLACK, "{taken:?}: {error}");
        if index % grooms == grooms - 1 {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.message().contains("the session with ZooKeeper"), "{error}");
        } else {
            assert_eq!(error.kind(), ErrorKind::PeerLost, "{error}");
            assert!(error.message().contains(&format!("the groom on dn{}", grooms - 1)), "{error}");
        }
    }
}
