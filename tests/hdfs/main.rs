//! Tests against a real HDFS, which they start and end: one for all of them, and others for those that break it.
//!
//! `cargo xtask test` fetches what it needs. Where that is missing they say aloud that they did not run; where the variable
//! `CI` is set, that is a failure. They run in a network namespace of their own where the DataNodes are hosts, if that is permitted.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of tests that talks to the person who started it"
)]

mod array;
mod command;
mod faults;
#[path = "../torture/generations.rs"]
mod generations;
mod harness;
mod lease;
#[path = "../torture/random.rs"]
mod random;
#[path = "../torture/running.rs"]
mod running;
mod store;
mod upload;

use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libtest_mimic::{Arguments, Conclusion, Trial};
use xtask::hdfs::{self, Hdfs, Options, Services};

/// A test by its name. It panics where something is wrong.
pub(crate) type Test = (&'static str, fn());

/// All tests, by file. A name in here is enough for a test to run.
const TESTS: &[(&str, &[Test])] = &[
    ("array", array::TESTS),
    ("command", command::TESTS),
    ("harness", harness::TESTS),
    ("lease", lease::TESTS),
    ("store", store::TESTS),
    ("upload", upload::TESTS),
];

static SHARED: OnceLock<Hdfs> = OnceLock::new();
static OWN: Mutex<()> = Mutex::new(());

/// The HDFS of all tests that leave it as it was, but for a folder of their own name: three DataNodes, which are hosts where
/// [`hdfs::are_hosts_here`].
pub(crate) fn shared() -> &'static Hdfs {
    SHARED
        .get_or_init(|| Hdfs::start(Options { hosts: hdfs::are_hosts_here(), ..Options::default() }).unwrap())
}

/// An HDFS for a test that breaks it. One at a time, since each takes half a gigabyte and much of a processor.
pub(crate) fn own(options: Options) -> (Hdfs, MutexGuard<'static, ()>) {
    let turn = turn();
    (Hdfs::start(options).unwrap(), turn)
}

/// The turn of a test with an HDFS of its own.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there are no hosts; a test that needs them says so and ends. In CI that is a failure.
pub(crate) fn no_hosts(test: &str) -> bool {
    skips(test, hdfs::are_hosts_here().then_some(()).ok_or_else(|| "no hosts".to_owned()))
}

/// Whether a test does not run, because something is not permitted; it says so. In CI that is a failure.
pub(crate) fn skips(test: &str, permitted: Result<(), String>) -> bool {
    let Err(why) = permitted else { return false };
    assert!(std::env::var_os("CI").is_none(), "{test} cannot run: {why}");
    println!("hdfs: {test} SKIPPED: {why}");
    true
}

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == harness::INSIDE) {
        return harness::inside();
    }
    if std::env::args().nth(1).is_some_and(|word| word == lease::HOLDER) {
        return lease::hold();
    }
    if let [_, word, seed, minutes, _] = &std::env::args().collect::<Vec<_>>()[..]
        && word == "long"
    {
        enter_hosts();
        return faults::long(seed.parse().unwrap(), minutes.parse().unwrap());
    }
    let arguments = Arguments::from_args();
    let tests = TESTS.iter().flat_map(|(file, tests)| tests.iter().map(move |test| (file, test)));
    let trials = tests.map(|(file, (name, test))| {
        Trial::test(format!("{file}::{name}"), move || {
            test();
            Ok(())
        })
    });
    let cases = faults::CASES.iter().map(|(name, case)| {
        Trial::test(format!("faults::{name}"), move || {
            faults::short(*case);
            Ok(())
        })
    });
    let trials: Vec<Trial> = trials.chain(cases).collect();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    if let Err(why) = Services::found() {
        println!("hdfs: {} tests DID NOT RUN: {why}: cargo xtask test sets up what they need", trials.len());
        return if std::env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    enter_hosts();
    let conclusion = libtest_mimic::run(&arguments, trials);
    faults::end();
    let line = summary(&conclusion);
    println!("{line}");
    if let Some(file) = std::env::var_os(hdfs::SUMMARY) {
        // It is printed already.
        let _ = std::fs::write(file, format!("{line}\n"));
    }
    conclusion.exit_code()
}

/// Starts this program again where the DataNodes are hosts, if it is not and may.
fn enter_hosts() {
    if hdfs::are_hosts_here() {
        return;
    }
    match hdfs::may_make_hosts() {
        Ok(()) => {
            let program = std::env::current_exe().unwrap();
            let error = hdfs::on_hosts(&program).args(std::env::args_os().skip(1)).exec();
            println!("hdfs: cannot start again on hosts: {error}");
        }
        Err(why) => println!("hdfs: all DataNodes are one host: {why}"),
    }
}

/// What ran against what, and the end of the shared HDFS.
fn summary(conclusion: &Conclusion) -> String {
    let Some(hdfs) = SHARED.get() else {
        return format!("hdfs: {} tests passed, none used the shared HDFS", conclusion.num_passed);
    };
    let version = hdfs.version().unwrap_or_else(|why| format!("? ({why})"));
    let hosts = if hdfs::are_hosts_here() { "hosts" } else { "DataNodes on one host" };
    let count = hdfs.options().datanodes;
    let end = hdfs.stop().err().map(|why| format!("; {why}")).unwrap_or_default();
    let Conclusion { num_passed, num_failed, .. } = conclusion;
    format!(
        "hdfs: {num_passed} tests passed and {num_failed} failed against Hadoop {version} on {count} {hosts}{end}"
    )
}
