//! What strangers say on the ports of daemons and peers: it is refused and counted, and the others are served.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hama_core::testing::Random;
use hama_core::{Cluster, ConnectOptions, ErrorKind};

use crate::fleet::{Fit, Fleet, SLACK};
use crate::jobs::{MIB, ring};
use crate::links::{HOSTILE, WAY};
use crate::programs::Swap;
use crate::{Test, one};

pub(crate) const TESTS: &[Test] = &[
    ("a_wrong_token_opens_no_port", a_wrong_token_opens_no_port),
    ("hostile_bytes_to_the_master_are_refused", hostile_bytes_to_the_master_are_refused),
    ("hostile_bytes_to_a_peer_are_refused", hostile_bytes_to_a_peer_are_refused),
];

fn token(folder: &Path, name: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("a token of many bytes: {name}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn a_wrong_token_opens_no_port() {
    let folder = tempfile::tempdir().unwrap();
    let right = token(folder.path(), "right", 0o600);
    let fit = Fit { token: Some(right.clone()), ..Fit::default() };
    let mut fleet = Fleet::start(&one().connect_string(), &fit);
    assert_eq!(fleet.runner().run(&ring(3)).pool_bytes(MIB).peers(4).unwrap().supersteps, 3);
    let before = fleet.cluster().status().unwrap().refused;
    let connect = |token_file| Cluster::connect(&ConnectOptions { token_file, ..fleet.connect_options() });
    for wrong in [None, Some(token(folder.path(), "wrong", 0o600))] {
        let error = connect(wrong).unwrap_err();
        println!("{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("--token-file"), "{error}");
    }
    let open = connect(Some(token(folder.path(), "open", 0o644))).unwrap_err();
    assert_eq!(open.kind(), ErrorKind::Invalid, "{open}");
    assert!(open.to_string().contains("chmod 600"), "{open}");
    assert!(fleet.cluster().status().unwrap().refused >= before + 2);
    // A groom that has another one is no groom of this cluster, however often it asks.
    fleet.add_groom_with_token("g2", &token(folder.path(), "other", 0o600));
    std::thread::sleep(Duration::from_secs(2));
    assert!(fleet.cluster().grooms().unwrap().iter().all(|groom| groom.name != "g2"));
    assert!(fleet.cluster().status().unwrap().refused > before + 2);
    assert_eq!(fleet.runner().run(&ring(3)).pool_bytes(MIB).peers(4).unwrap().supersteps, 3);
}

/// What a stranger may say, of every length: nothing, noise, the beginnings of other protocols.
fn say_much(address: SocketAddr, count: u64) {
    let mut random = Random(11);
    let mut open = Vec::new();
    for number in 0..count {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let begin: &[u8] = match number % 5 {
            0 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            2 => b"hama control\0\0\0\x01",
            3 => b"MESH\x01\0\0\0",
            _ => b"",
        };
        let noise: Vec<u8> = (0..random.below(200_000)).map(|_| random.below(256) as u8).collect();
        // It may be closed after the first bytes.
        let _ = stream.write_all(begin).and_then(|()| stream.write_all(&noise));
        if number % 3 == 0 {
            open.push(stream);
        }
    }
}

fn hostile_bytes_to_the_master_are_refused() {
    let mut fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let before = fleet.cluster().status().unwrap().refused;
    say_much(fleet.address().parse().unwrap(), 200);
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(fleet.address()).unwrap()).collect();
    let began = Instant::now();
    assert_eq!(fleet.runner().run(&ring(3)).pool_bytes(MIB).peers(4).unwrap().supersteps, 3);
    println!("a job beside {} connections: {:?}", idle.len(), began.elapsed());
    crate::fleet::until("all strangers are counted", || {
        fleet.cluster().status().unwrap().refused >= before + 200 + idle.len() as u64
    });
    assert!(began.elapsed() < Duration::from_secs(5) + SLACK);
    assert!(!fleet.master().has_ended());
    fleet.is_clean();
}

fn hostile_bytes_to_a_peer_are_refused() {
    let fleet = Fleet::start(&one().connect_string(), &Fit { slots: 1, ..Fit::default() });
    let swap = Swap { supersteps: 3, payload_bytes: 10_000 };
    let run = fleet.runner();
    let run = run.run(&swap).pool_bytes(MIB).memory_bytes(100 * MIB);
    let environment = [(WAY.to_owned(), HOSTILE.to_owned())];
    let outcome = run.environment(environment).peers(2).unwrap();
    println!("{:?}", outcome.counters);
    assert!(outcome.counters["refused connections"] >= 20, "{:?}", outcome.counters);
    fleet.is_clean();
}

/// What the process between a groom and a peer does before others are told where the peer listens.
pub(crate) fn molest(peer: SocketAddr) {
    say_much(peer, 40);
}
