//! The servers that the tests start: they serve, their faults are faults, and nothing of them outlives its process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use xtask::zookeeper::{Options, ZooKeeper};

use crate::{Test, one, own, three};

pub(crate) const TESTS: &[Test] = &[
    ("servers_say_what_they_are", servers_say_what_they_are),
    ("faults_of_a_server", faults_of_a_server),
    ("an_ensemble_outlives_its_leader", an_ensemble_outlives_its_leader),
    ("what_cannot_start_says_why", what_cannot_start_says_why),
    ("nothing_is_left", nothing_is_left),
];

/// The word that starts this program as a process that holds servers until it is killed.
pub(crate) const INSIDE: &str = "inside";

const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn servers_say_what_they_are() {
    assert_eq!(one().mode(0).as_deref(), Some("standalone"));
    assert!(one().version().unwrap().starts_with("3."));
    assert_eq!(one().connect_string(), one().server(0));
    let modes: Vec<String> = (0..3).map(|index| three().mode(index).unwrap()).collect();
    assert_eq!(modes.iter().filter(|mode| *mode == "leader").count(), 1, "{modes:?}");
    assert_eq!(modes.iter().filter(|mode| *mode == "follower").count(), 2, "{modes:?}");
    assert_eq!(three().connect_string().split(',').count(), 3);
}

fn faults_of_a_server() {
    let zookeeper = own(1);
    zookeeper.kill(0).unwrap();
    assert_eq!(zookeeper.mode(0), None);
    assert!(zookeeper.kill(0).unwrap_err().contains("does not run"));
    assert!(zookeeper.freeze(0).unwrap_err().contains("does not run"));
    zookeeper.restart(0).unwrap();
    assert!(zookeeper.restart(0).unwrap_err().contains("runs"));
    zookeeper.freeze(0).unwrap();
    // Its threads stop one after the other.
    until("it says nothing", || zookeeper.mode(0).is_none());
    zookeeper.thaw(0).unwrap();
    until("it goes on", || zookeeper.mode(0).is_some());
    let port = zookeeper.server(0);
    zookeeper.stop().unwrap();
    assert!(std::net::TcpListener::bind(port).is_ok());
}

fn an_ensemble_outlives_its_leader() {
    let zookeeper = own(3);
    let leader = zookeeper.leader().unwrap();
    zookeeper.kill(leader).unwrap();
    until("another leads", || zookeeper.leader().is_some_and(|other| other != leader));
    zookeeper.restart(leader).unwrap();
    assert_eq!(zookeeper.mode(leader).as_deref(), Some("follower"));
    // One of three is no majority.
    zookeeper.kill(leader).unwrap();
    let other = zookeeper.leader().unwrap();
    zookeeper.kill(other).unwrap();
    until("the last one serves no more", || (0..3).all(|index| zookeeper.mode(index).is_none()));
    zookeeper.restart(other).unwrap();
    assert!(zookeeper.leader().is_some());
}

fn what_cannot_start_says_why() {
    let settings = vec!["clientPortAddress=256.0.0.1".to_owned()];
    let why = ZooKeeper::start(Options { settings, ..Options::default() }).unwrap_err();
    assert!(why.contains("server 0 has ended"), "{why}");
    for servers in [0, 2, 4] {
        assert!(ZooKeeper::start(Options { servers, ..Options::default() }).is_err());
    }
}

/// Kills a process that holds servers.
fn nothing_is_left() {
    for signal in ["-KILL", "-TERM"] {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).arg(INSIDE).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "it serves\n");
        let folders = folders_of(child.id());
        assert_eq!(folders.len(), 1);
        assert_eq!(processes_of(&folders[0]), 4, "a keeper and three servers");
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap();
        until("its processes end", || processes_of(&folders[0]) == 0);
        until("its folder goes", || folders_of(child.id()).is_empty());
    }
}

/// What [`nothing_is_left`] kills. One of its servers is frozen, which hears nothing of signals but of kill -9.
pub(crate) fn inside() -> ExitCode {
    let zookeeper = own(3);
    zookeeper.freeze(0).unwrap();
    println!("it serves");
    loop {
        thread::park();
    }
}

/// The folders of what a process has started.
fn folders_of(process: u32) -> Vec<PathBuf> {
    let target = xtask::root().join("target");
    let entries = fs::read_dir(target).unwrap().flatten().map(|entry| entry.path());
    let prefix = format!("zookeeper-{process}-");
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix)).collect()
}

/// How many processes name a folder in their command line.
fn processes_of(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(folder.to_str().unwrap())).count()
}
