//! Faults of a real HDFS while the built command works: it finishes right, or says what the matter is in bounded time; the
//! tables are the old or the new ones, sound, and `gc` leaves nothing.
//!
//! As tests they are short; `cargo xtask torture --only hdfs` does them for minutes.

mod bytes;
mod clients;
mod datanodes;
mod left;
mod namenode;
mod place;
mod races;
mod refusals;

use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xtask::hdfs::{self, Hdfs, Options};

use crate::turn;
use place::Place;

/// One kind of fault. It says what was seen.
pub(crate) type Case = fn(&Bench, &Trial) -> Result<String, String>;

pub(crate) const CASES: &[(&str, Case)] = &[
    ("a_datanode_dies_while_a_product_reads", datanodes::killed_while_reading),
    ("a_datanode_is_frozen_while_a_product_reads", datanodes::frozen_while_reading),
    ("a_datanode_dies_while_a_product_is_written", datanodes::killed_while_writing),
    ("a_datanode_is_frozen_while_a_product_is_written", datanodes::frozen_while_writing),
    ("a_disk_fills", datanodes::disk_fills),
    ("all_replicas_are_gone", bytes::all_gone),
    ("a_replica_has_flipped_bytes", bytes::flipped),
    ("the_namenode_is_frozen", namenode::frozen),
    ("the_namenode_is_killed_and_starts_again", namenode::killed),
    ("there_is_no_namenode", namenode::none),
    ("safe_mode", refusals::safe_mode),
    ("quotas", refusals::quotas),
    ("permission_is_denied", refusals::denied),
    ("names", refusals::names),
    ("a_client_is_killed", clients::killed),
    ("two_writers_of_one_table", races::writers),
    ("readers_during_updates", races::readers),
];

/// What `cargo test` runs with.
const QUICK_SEED: u64 = 5;
/// What the command is told; not what it would wait for by itself.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Enough for the largest of the tables here, and soon full.
const VOLUME_BYTES: u64 = 256 << 20;
/// The DataNode whose disk is so small.
const SMALL: usize = 2;

/// By which seed, how often, and until when.
pub(crate) struct Trial {
    seed: u64,
    quick: bool,
    end: Instant,
}

impl Trial {
    /// How often something is tried.
    fn count(&self, quick: u64, long: u64) -> u64 {
        if self.quick { quick } else { long }
    }

    /// The numbers of the tries, as far as there is time.
    fn tries(&self, quick: u64, long: u64) -> impl Iterator<Item = u64> {
        let end = self.end;
        (0..self.count(quick, long)).take_while(move |number| *number == 0 || Instant::now() < end)
    }
}

/// An HDFS to be broken, and a folder in it with the tables that the cases begin with.
pub(crate) struct Bench {
    hdfs: Hdfs,
    place: Place,
}

/// The HDFS of all cases: each leaves it as it was, or takes it away.
static BENCH: Mutex<Option<Bench>> = Mutex::new(None);

impl Bench {
    fn new() -> Result<Bench, String> {
        let options = Options {
            replication: 2,
            permissions: true,
            small_volume: hdfs::may_mount().is_ok().then_some((SMALL, VOLUME_BYTES)),
            ..Options::default()
        };
        let hdfs = Hdfs::start(options)?;
        let place = Place::new(&format!("{}/faults", hdfs.url()), &hdfs.web())?;
        place.set_up()?;
        Ok(Bench { hdfs, place })
    }
}

/// Runs a case as a test, on an HDFS that no other one uses meanwhile.
pub(crate) fn short(case: Case) {
    let trial = Trial { seed: QUICK_SEED, quick: true, end: Instant::now() + Duration::from_secs(600) };
    let (_turn, mut bench) = (turn(), bench());
    let seen = run(&mut bench, case, &trial).unwrap();
    println!("hdfs: {seen}");
}

/// Ends the HDFS of the cases.
pub(crate) fn end() {
    *bench() = None;
}

fn bench() -> MutexGuard<'static, Option<Bench>> {
    BENCH.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(bench: &mut Option<Bench>, case: Case, trial: &Trial) -> Result<String, String> {
    let ready = match bench.take() {
        Some(bench) => bench,
        None => Bench::new()?,
    };
    // What a case that failed leaves is not for the next one.
    let seen = case(&ready, trial)?;
    *bench = Some(ready);
    Ok(seen)
}

/// Runs all cases for so many minutes, and prints a row for each, as `cargo xtask torture` expects them.
pub(crate) fn long(seed: u64, minutes: f64) -> ExitCode {
    let (started, time) = (Instant::now(), Duration::from_secs_f64(minutes * 60.0));
    let mut findings = 0;
    for (number, (name, case)) in CASES.iter().enumerate() {
        let end = started + time.mul_f64((number + 1) as f64 / CASES.len() as f64);
        let (name, began) = (name.replace('_', " "), Instant::now());
        match run(&mut bench(), *case, &Trial { seed, quick: false, end }) {
            Ok(seen) => {
                println!("{:9} {name:48} {:6.1} s  {seen}", "hdfs", began.elapsed().as_secs_f64());
            }
            Err(message) => {
                println!("{:9} FINDING: {name}: {message}", "hdfs");
                println!("{:9} again: cargo xtask torture --only hdfs --seed {seed}", "");
                findings += 1;
            }
        }
    }
    end();
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
