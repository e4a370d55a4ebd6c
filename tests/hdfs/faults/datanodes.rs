//! DataNodes that die, are frozen, or have a full disk, at random moments of a product. Every block has two replicas.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use xtask::hdfs::Hdfs;

use super::place::MULTIPLY;
use super::{Bench, SMALL, Trial};
use crate::random::Random;
use crate::running::Reply;

/// How long until the NameNode knows of a dead DataNode, and some more.
pub(super) const NOTICED: Duration = Duration::from_secs(60);

/// What a product does when the fault comes.
#[derive(Clone, Copy, PartialEq)]
enum While {
    Reading,
    Writing,
}

/// Breaks a DataNode, or repairs it.
type Act = fn(&Hdfs, usize) -> Result<(), String>;

pub(super) fn killed_while_reading(bench: &Bench, trial: &Trial) -> Result<String, String> {
    often(bench, trial, While::Reading, [Hdfs::kill_datanode, Hdfs::start_datanode])
}

pub(super) fn frozen_while_reading(bench: &Bench, trial: &Trial) -> Result<String, String> {
    often(bench, trial, While::Reading, [Hdfs::freeze_datanode, Hdfs::thaw_datanode])
}

pub(super) fn killed_while_writing(bench: &Bench, trial: &Trial) -> Result<String, String> {
    often(bench, trial, While::Writing, [Hdfs::kill_datanode, Hdfs::start_datanode])
}

pub(super) fn frozen_while_writing(bench: &Bench, trial: &Trial) -> Result<String, String> {
    often(bench, trial, While::Writing, [Hdfs::freeze_datanode, Hdfs::thaw_datanode])
}

fn often(bench: &Bench, trial: &Trial, during: While, [fault, repair]: [Act; 2]) -> Result<String, String> {
    let took = again(bench)?;
    let mut outcomes = Outcomes::default();
    for number in trial.tries(1, 12) {
        let mut random = Random::of(trial.seed, "datanode", number);
        let index = (random.share() * 3.0) as usize;
        let running = bench.place.start(MULTIPLY)?;
        let at = match during {
            While::Reading => took.mul_f64(0.5 * random.share()),
            While::Writing => {
                wait_for_shards(bench)?;
                took.mul_f64(0.3 * random.share())
            }
        };
        thread::sleep(at);
        fault(&bench.hdfs, index)?;
        let reply = bench.place.finish(running);
        let outcome = reply.and_then(|reply| settled(bench, &reply));
        repair(&bench.hdfs, index)?;
        outcomes.add(outcome.map_err(|message| format!("try {number}, DataNode {index}: {message}"))?);
        bench.is_clean()?;
        bench.place.prepare(&["-matrix remove t"])?;
    }
    outcomes.told()
}

/// Makes the product as it should be, removes it, and says how long it took.
pub(super) fn again(bench: &Bench) -> Result<Duration, String> {
    bench.place.prepare(&["-matrix remove t"])?;
    let took = bench.place.duration(MULTIPLY)?;
    bench.place.prepare(&["matrix remove t"])?;
    Ok(took)
}

/// Waits until shards are written, or the table is there.
fn wait_for_shards(bench: &Bench) -> Result<(), String> {
    let end = Instant::now() + NOTICED;
    let is_it = |file: &String| file.contains("/values/.hama-part-") || file.contains("/manifest-");
    while !bench.files("/faults/t")?.iter().any(is_it) {
        if Instant::now() > end {
            return Err("no shard is written".to_owned());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// What the command said, and whether the table is what it said: whether the product is there.
pub(super) fn settled(bench: &Bench, reply: &Reply) -> Result<bool, String> {
    reply.is_clear()?;
    let state = bench.place.state("t")?;
    let unknown = reply.status == 4 && reply.err.contains("cannot tell whether");
    match (reply.status, state) {
        (0, "product") => Ok(true),
        (1 | 4, "none") => Ok(false),
        (_, "none" | "product") if unknown => Ok(false),
        _ => Err(format!("the table is {state}: {}", reply.said())),
    }
}

/// How often a job went well, and how often it said why not.
#[derive(Default)]
pub(super) struct Outcomes {
    right: u64,
    errors: u64,
}

impl Outcomes {
    pub(super) fn add(&mut self, is_right: bool) {
        if is_right { self.right += 1 } else { self.errors += 1 }
    }

    pub(super) fn told(&self) -> Result<String, String> {
        Ok(format!("{} finished right, {} said why not", self.right, self.errors))
    }
}

/// One disk of three is full from a random moment of a product on; then there is no other.
pub(super) fn disk_fills(bench: &Bench, trial: &Trial) -> Result<String, String> {
    if bench.hdfs.options().small_volume.is_none() {
        return Ok("SKIPPED: this machine permits no mounts".to_owned());
    }
    let took = again(bench)?;
    let filler = bench.hdfs.data_dir(SMALL).join("filler");
    let mut outcomes = Outcomes::default();
    for number in trial.tries(1, 6) {
        let mut random = Random::of(trial.seed, "disk", number);
        let running = bench.place.start(MULTIPLY)?;
        thread::sleep(took.mul_f64(random.share()));
        fill(&filler)?;
        let reply = bench.place.finish(running)?;
        outcomes.add(settled(bench, &reply)?);
        bench.place.prepare(&["-matrix remove t"])?;
        if number == 0 && !trial.quick {
            only_the_full_one(bench)?;
        }
        std::fs::remove_file(&filler).map_err(|error| error.to_string())?;
        bench.is_clean()?;
    }
    outcomes.told()
}

fn only_the_full_one(bench: &Bench) -> Result<(), String> {
    let others: Vec<usize> = (0..3).filter(|index| *index != SMALL).collect();
    others.iter().try_for_each(|index| bench.hdfs.kill_datanode(*index))?;
    let end = Instant::now() + NOTICED;
    while bench.hdfs.live_datanodes()? > 1 && Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
    }
    let reply = bench.place.run("matrix random t --rows 1500 --cols 1500");
    others.iter().try_for_each(|index| bench.hdfs.start_datanode(*index))?;
    reply?.fails(1, &["full"])
}

/// Writes until no byte fits.
fn fill(path: &Path) -> Result<(), String> {
    let mut file = File::create(path).map_err(|error| error.to_string())?;
    for size in [1 << 20, 4096] {
        let zeros = vec![0; size];
        while file.write_all(&zeros).is_ok() {}
    }
    Ok(())
}
