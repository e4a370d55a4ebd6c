//! Commands that are ended in the middle.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Place, Reply};

/// Long enough on any machine to be met in the middle.
const SIZE: u64 = 3500;
const PATIENCE: Duration = Duration::from_secs(60);

fn place() -> Place {
    let place = Place::new();
    place.random("a", SIZE, SIZE);
    place.random("small", 30, 30);
    place
}

/// A multiplication that has begun to write its result.
fn multiplying(place: &Place) -> Child {
    running(place, "matrix multiply a a --output c")
}

/// A command that has begun to write the table c.
fn running(place: &Place, line: &str) -> Child {
    let mut command = place.command(line);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !place.stored("c/generations").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        assert!(start.elapsed() < PATIENCE, "it never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn ctrl_c_ends_a_multiplication_and_leaves_nothing() {
    let place = place();
    let child = multiplying(&place);
    send(&child, Signal::INT);
    let start = Instant::now();
    let reply = Reply::of("multiply", child.wait_with_output().unwrap());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    reply.fails(130, &["cancelled"]);
    assert_eq!(place.names(), ["a", "small"]);
    assert!(!place.stored("c").exists(), "not even directories");
    place.ok("matrix multiply small small --output c");
}

#[test]
fn with_json_ctrl_c_is_one_document() {
    let place = place();
    let child = running(&place, "matrix multiply a a --output c --json");
    send(&child, Signal::INT);
    let reply = Reply::of("multiply", child.wait_with_output().unwrap()).ends_with(130);
    assert_eq!(reply.err, "");
    let document = reply.json();
    assert_eq!((&document["error"]["kind"], &document["exit_code"]), (&"cancelled".into(), &130.into()));
    assert_eq!(document["error"]["message"], "cancelled");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let place = place();
    let child = multiplying(&place);
    send(&child, Signal::INT);
    send(&child, Signal::TERM);
    let status = child.wait_with_output().unwrap().status;
    assert_eq!(status.code(), Some(130));
    assert_eq!(place.names(), ["a", "small"]);
}

#[test]
fn kill_9_leaves_no_table_and_the_next_command_works() {
    let place = place();
    let mut child = multiplying(&place);
    std::thread::sleep(Duration::from_millis(50));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.names(), ["a", "small"]);
    place.run("matrix info c").fails(1, &["c"]);
    place.ok("matrix multiply small small --output c --verify");
    place.ok("matrix check c");
    let generations = std::fs::read_dir(place.stored("c/generations")).unwrap();
    let folders = generations.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(folders, 1, "what the killed one left is collected");
    assert_eq!(place.names(), ["a", "c", "small"]);
}

#[test]
fn what_kill_9_left_can_be_removed() {
    let place = place();
    let mut child = multiplying(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    place.run("matrix remove small d").fails(1, &["no such matrix"]);
    assert_eq!(place.names(), ["a", "small"]);
    place.ok("matrix remove c");
    assert!(!place.stored("c").exists());
    place.run("matrix remove c").fails(1, &["no such matrix"]);
}

#[test]
fn kill_9_in_a_replacement_leaves_what_was_there() {
    let place = place();
    place.ok("matrix random c --rows 10 --cols 10");
    let before = place.ok("matrix show c");
    let mut child = place
        .command("matrix multiply a a --output c --replace")
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let generations = || {
        std::fs::read_dir(place.stored("c/generations"))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().is_dir())
            .count()
    };
    while generations() < 2 {
        assert!(child.try_wait().unwrap().is_none() && start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.ok("matrix show c"), before);
    place.ok("matrix check c");
    place.ok("matrix multiply small small --output c --replace");
}
