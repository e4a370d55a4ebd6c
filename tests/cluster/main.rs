//! Tests against real servers of ZooKeeper, which they start and end: one server and an ensemble of three for all of them, and
//! others for those that break them.
//!
//! `cargo xtask test` fetches what it needs. Where that is missing they say aloud that they did not run; where the variable
//! `CI` is set, that is a failure.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of tests that talks to the person who started it"
)]

mod command;
mod disks;
mod doors;
mod faults;
mod fleet;
mod harness;
mod jobs;
mod leaders;
mod links;
mod matrix;
mod meetings;
mod programs;
mod sessions;
mod torture;

use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Conclusion, Trial};
use xtask::zookeeper::{self, Options, Services, ZooKeeper};

/// A test by its name. It panics where something is wrong.
pub(crate) type Test = (&'static str, fn());

/// All tests, by file. A name in here is enough for a test to run.
const TESTS: &[(&str, &[Test])] = &[
    ("command", command::TESTS),
    ("disks", disks::TESTS),
    ("doors", doors::TESTS),
    ("faults", faults::TESTS),
    ("harness", harness::TESTS),
    ("jobs", jobs::TESTS),
    ("leaders", leaders::TESTS),
    ("links", links::TESTS),
    ("matrix", matrix::TESTS),
    ("meetings", meetings::TESTS),
    ("sessions", sessions::TESTS),
    ("torture", torture::TESTS),
];

static ONE: OnceLock<ZooKeeper> = OnceLock::new();
static THREE: OnceLock<ZooKeeper> = OnceLock::new();

/// The single server of all tests that leave it as it was.
pub(crate) fn one() -> &'static ZooKeeper {
    ONE.get_or_init(|| own(1))
}

/// The ensemble of three servers of all tests that leave it as it was.
pub(crate) fn three() -> &'static ZooKeeper {
    THREE.get_or_init(|| own(3))
}

/// Servers for a test that breaks them.
pub(crate) fn own(servers: usize) -> ZooKeeper {
    ZooKeeper::start(Options { servers, ..Options::default() }).unwrap()
}

fn main() -> ExitCode {
    // Jobs run this program.
    links::between_groom_and_peer();
    hama::peer_main(programs::all());
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((word, _)) if word == harness::INSIDE => return harness::inside(),
        Some((word, _)) if word == disks::INSIDE => return disks::inside(),
        Some((word, arguments)) if word == torture::LONG => return torture::long(arguments),
        Some((word, arguments)) if [fleet::MASTER, fleet::GROOM].contains(&word.as_str()) => {
            return fleet::run(word, arguments);
        }
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    // They wait for sessions to end more than they compute, but servers that starve look as if they were gone.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let tests = TESTS.iter().flat_map(|(file, tests)| tests.iter().map(move |test| (file, test)));
    let trials = tests.map(|(file, (name, test))| {
        Trial::test(format!("{file}::{name}"), move || {
            test();
            Ok(())
        })
    });
    let trials: Vec<Trial> = trials.collect();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    if let Err(why) = Services::found() {
        println!(
            "cluster: {} tests DID NOT RUN: {why}: cargo xtask test sets up what they need",
            trials.len()
        );
        return if std::env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let line = summary(&conclusion);
    println!("{line}");
    if let Some(file) = std::env::var_os(zookeeper::SUMMARY) {
        // It is printed already.
        let _ = std::fs::write(file, format!("{line}\n"));
    }
    conclusion.exit_code()
}

/// What ran against what, and the end of the shared servers.
fn summary(conclusion: &Conclusion) -> String {
    let shared: Vec<&ZooKeeper> = ONE.get().into_iter().chain(THREE.get()).collect();
    let version = shared.first().map_or("none".to_owned(), |zookeeper| {
        zookeeper.version().unwrap_or_else(|why| format!("? ({why})"))
    });
    let ends = shared.iter().filter_map(|zookeeper| zookeeper.stop().err());
    let ends: String = ends.map(|why| format!("; {why}")).collect();
    let Conclusion { num_passed, num_failed, .. } = conclusion;
    format!("cluster: {num_passed} tests passed and {num_failed} failed against ZooKeeper {version}{ends}")
}
