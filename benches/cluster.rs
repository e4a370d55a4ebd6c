//! What a cluster of processes on this machine costs, with a real ZooKeeper: a job that does nothing from its submission to
//! its outcome, an empty superstep, small messages, and the memory of it all. `cargo bench --bench cluster -- [ROUNDS]`, 20 by
//! default; `cargo xtask test` sets up what it needs.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that says what it measured, and ends where something is wrong"
)]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/cluster/fleet.rs"]
mod fleet;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use fleet::{Fit, Fleet, GROOM, MASTER, until};
use hama_core::{BoxError, Bsp, ClusterRunner, Peer, programs};
use serde::{Deserialize, Serialize};
use xtask::zookeeper::{Options, Services, ZooKeeper};

const MIB: u64 = 1 << 20;
/// Small messages that each peer sends the next in a superstep.
const MESSAGES: u64 = 500_000;

/// A job of which the first peer says how many seconds a superstep took.
#[derive(Serialize, Deserialize)]
enum Work {
    Nothing,
    Supersteps { count: u32, messages: u64 },
    Sleep { millis: u64 },
}

impl Bsp for Work {
    const NAME: &'static str = "work";
    type Message = [u64; 2];
    type Output = f64;

    fn bsp(&self, peer: &mut Peer<[u64; 2]>) -> Result<f64, BoxError> {
        match *self {
            Work::Nothing => Ok(0.0),
            Work::Sleep { millis } => {
                thread::sleep(Duration::from_millis(millis));
                Ok(0.0)
            }
            Work::Supersteps { count, messages } => {
                let next = peer.peer((peer.index() + 1) % peer.count())?;
                // All peers are there when the first one is over.
                drop(peer.sync()?);
                let begun = Instant::now();
                for _ in 0..count {
                    for number in 0..messages {
                        peer.send(next, &[number; 2])?;
                    }
                    let inbox = peer.sync()?;
                    assert_eq!(inbox.into_iter().count() as u64, messages);
                }
                Ok(begun.elapsed().as_secs_f64() / f64::from(count))
            }
        }
    }
}

fn main() -> ExitCode {
    hama_core::peer_main(programs![Work]);
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((word, arguments)) = words.split_first()
        && [MASTER, GROOM].contains(&word.as_str())
    {
        return fleet::run(word, arguments);
    }
    if let Err(why) = Services::found() {
        println!("cluster: skipped, {why}");
        return ExitCode::SUCCESS;
    }
    let is_test = words.iter().any(|word| word == "--test");
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(if is_test { 1 } else { 20 });
    let zookeeper = ZooKeeper::start(Options::default()).unwrap();
    measure(&zookeeper.connect_string(), rounds);
    zookeeper.stop().unwrap();
    ExitCode::SUCCESS
}

fn measure(zookeeper: &str, rounds: u32) {
    for grooms in [2, 8] {
        let fit = Fit { grooms, slots: 1, ..Fit::default() };
        let fleet = Fleet::start(zookeeper, &fit);
        let runner = fleet.runner();
        let run = |work: &Work| runner.run(work).pool_bytes(64 * MIB).peers(grooms).unwrap();
        let superstep = || {
            let count = if rounds == 1 { 20 } else { 1000 };
            run(&Work::Supersteps { count, messages: 0 }).outputs[0] * 1e3
        };
        let (median, range) = median((0..rounds.div_ceil(4)).map(|_| superstep()).collect());
        println!("superstep over ZooKeeper, {grooms} grooms: {median:.2} ms {range}");
        if grooms > 2 {
            continue;
        }
        // The executable is there by now.
        let job = || {
            let begun = Instant::now();
            run(&Work::Nothing);
            begun.elapsed().as_secs_f64()
        };
        let (median, range) = self::median((0..rounds).map(|_| job()).collect());
        println!("a job of 2 peers that does nothing, submitted and finished: {median:.3} s {range}");
        println!("memory in use of its master, grooms and peers: {:.1} MiB", memory(&fleet, &runner));
        let messages = || {
            let work = Work::Supersteps { count: 3, messages: MESSAGES };
            MESSAGES as f64 / run(&work).outputs[0] / 1e6
        };
        let (median, range) = self::median((0..rounds.div_ceil(4)).map(|_| messages()).collect());
        println!("16-byte messages of a peer: {median:.2} million a second {range}");
    }
}

/// What all processes of a job of 2 peers have in use that is their own, in MiB.
fn memory(fleet: &Fleet, runner: &ClusterRunner) -> f64 {
    let job = runner.run(&Work::Sleep { millis: 1500 }).pool_bytes(64 * MIB).submit(2).unwrap();
    let cluster = fleet.cluster();
    until("it runs", || cluster.job(job.id()).unwrap().state == "running");
    thread::sleep(Duration::from_millis(300));
    let bytes: u64 = fleet.processes().into_iter().map(resident).sum();
    job.wait().unwrap();
    bytes as f64 / MIB as f64
}

/// What a process has in memory, its share of what it has with others included.
fn resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or_default() << 10
}

fn median(mut values: Vec<f64>) -> (f64, String) {
    values.sort_by(f64::total_cmp);
    let (first, last) = (values[0], values[values.len() - 1]);
    (values[values.len() / 2], format!("({first:.3} to {last:.3})"))
}
