//! Sessions with ZooKeeper: what is refused, what is bounded, whose the nodes are.

use std::net::TcpListener;
use std::time::Duration;

use hama_core::ErrorKind;
use hama_core::testing::{cluster, in_time};

use crate::{Test, one, own, three};

pub(crate) const TESTS: &[Test] = &[
    ("who_finds_nobody_is_told_in_time", who_finds_nobody_is_told_in_time),
    ("nodes_are_for_those_with_the_password", || cluster::sessions::passwords(&one().connect_string())),
    ("too_much_is_refused", || cluster::sessions::bounds(&one().connect_string())),
    ("news_are_told_in_order", || cluster::sessions::news(&one().connect_string())),
    ("an_ensemble_tells_them_too", || cluster::sessions::news(&three().connect_string())),
    ("a_frozen_server_is_told_in_time", a_frozen_server_is_told_in_time),
];

fn who_finds_nobody_is_told_in_time() {
    // One that refuses, one that takes connections and says nothing, one that there is not.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    for servers in ["127.0.0.1:1".to_owned(), silent, "no-such-host.invalid:2181".to_owned()] {
        let (error, taken) = in_time({
            let servers = servers.clone();
            move || cluster::sessions::nobody(&servers)
        });
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(&servers) && error.message().contains("see that"), "{error}");
        assert!(taken < Duration::from_secs(30), "{servers}: {taken:?}");
    }
}

fn a_frozen_server_is_told_in_time() {
    let zookeeper = own(1);
    zookeeper.freeze(0).unwrap();
    let servers = zookeeper.connect_string();
    let (error, _) = in_time(move || cluster::sessions::nobody(&servers));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
