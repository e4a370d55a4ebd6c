//! Masters that lead one after the other, and their ledger.

use std::thread;
use std::time::Duration;

use hama_core::testing::cluster::leaders;

use crate::{Test, one, own, three};

pub(crate) const TESTS: &[Test] = &[
    ("one_leads_after_the_other", || leaders::succession(&one().connect_string())),
    ("one_leads_after_the_other_with_an_ensemble", || leaders::succession(&three().connect_string())),
    ("who_deletes_a_leaders_node_ends_it", || leaders::deposed(&one().connect_string())),
    ("records_change_as_told_or_not_at_all", || leaders::records(&one().connect_string())),
    ("a_leader_that_hears_nothing_stops", a_leader_that_hears_nothing_stops),
    ("a_leader_before_a_frozen_server_stops", a_leader_before_a_frozen_server_stops),
    ("a_leader_goes_on_after_a_moment", a_leader_goes_on_after_a_moment),
    ("a_leader_goes_on_with_another_server", a_leader_goes_on_with_another_server),
];

fn a_leader_that_hears_nothing_stops() {
    let zookeeper = own(1);
    leaders::silence(
        &zookeeper.connect_string(),
        || zookeeper.kill(0).unwrap(),
        || zookeeper.restart(0).unwrap(),
    );
}

fn a_leader_before_a_frozen_server_stops() {
    let zookeeper = own(1);
    leaders::silence(
        &zookeeper.connect_string(),
        || zookeeper.freeze(0).unwrap(),
        || zookeeper.thaw(0).unwrap(),
    );
}

fn a_leader_goes_on_after_a_moment() {
    let zookeeper = own(1);
    leaders::a_moment(&zookeeper.connect_string(), || {
        zookeeper.kill(0).unwrap();
        thread::sleep(Duration::from_millis(500));
        zookeeper.restart(0).unwrap();
    });
}

fn a_leader_goes_on_with_another_server() {
    let zookeeper = own(3);
    leaders::a_moment(&zookeeper.connect_string(), || zookeeper.kill(zookeeper.leader().unwrap()).unwrap());
}
