//! Commands that write one table at once, and readers of one that is updated and collected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, Trial};
use crate::random::Random;

/// How many updates the readers see at least, however slow the machine is.
const VERSIONS_MIN: u64 = 3;

/// Two writers of a table that is not there: exactly one makes it.
pub(super) fn writers(bench: &Bench, trial: &Trial) -> Result<String, String> {
    let mut races = 0;
    for number in trial.tries(10, 200) {
        race(bench, trial, number).map_err(|message| format!("race {number}: {message}"))?;
        races += 1;
    }
    bench.is_clean()?;
    Ok(format!("{races} races, one winner each"))
}

fn race(bench: &Bench, trial: &Trial, number: u64) -> Result<(), String> {
    let lag = Duration::from_secs_f64(0.03 * Random::of(trial.seed, "race", number).share());
    bench.place.prepare(&["-matrix remove t"])?;
    let line = |seed: u64| format!("matrix random t --rows 60 --cols 60 --seed {seed} --json");
    let first = bench.place.start(&line(1))?;
    thread::sleep(lag);
    let second = bench.place.start(&line(2));
    // The first one is waited for whatever the second one does.
    let replies = [bench.place.finish(first)?, bench.place.finish(second?)?];
    let mut winners = Vec::new();
    for (seed, reply) in (1..).zip(replies) {
        match reply.status {
            0 => winners.push(seed),
            3 if ["\"conflict\"", "\"exists\""].iter().any(|kind| reply.out.contains(kind)) => {}
            _ => return Err(format!("neither won nor lost: {}", reply.said())),
        }
    }
    bench.place.ok("matrix check t")?;
    let info = bench.place.info("t")?.unwrap_or_default();
    let seed = info["attributes"].to_string();
    match winners[..] {
        [winner] if seed.contains(&format!("\"seed\":{winner}")) => Ok(()),
        _ => Err(format!("those of {winners:?} won, and the table has {seed}")),
    }
}

/// A table of equal elements is updated to others while two readers take it elsewhere: each sees one version.
pub(super) fn readers(bench: &Bench, trial: &Trial) -> Result<String, String> {
    let time = Duration::from_secs(if trial.quick { 4 } else { 60 });
    let (over, end) = (AtomicBool::new(false), trial.end.min(Instant::now() + time));
    bench.place.prepare(&["matrix full c --rows 1200 --cols 900 --value 0 --replace"])?;
    let outcome = thread::scope(|scope| {
        let readers: Vec<_> =
            ["1.npy", "2.npy"].map(|file| scope.spawn(|| read_often(bench, file, &over))).into();
        let mut written = Ok(0);
        while readers.iter().all(|reader| !reader.is_finished()) {
            let Ok(value) = written else { break };
            if value >= VERSIONS_MIN && Instant::now() > end {
                break;
            }
            written = update(bench, value + 1).map(|()| value + 1);
        }
        over.store(true, Ordering::Relaxed);
        let mut reads = 0;
        for reader in readers {
            reads += reader.join().map_err(|_| "a reader's thread failed".to_owned())??;
        }
        Ok::<_, String>((reads, written?))
    });
    let (reads, versions) = outcome?;
    bench.place.prepare(&["matrix remove c", "matrix remove d"])?;
    bench.is_clean()?;
    if reads == 0 {
        Err("nothing was read".to_owned())
    } else {
        Ok(format!("{reads} reads, {versions} versions"))
    }
}

/// Makes all elements of `c` another number, and clears the version before.
fn update(bench: &Bench, value: u64) -> Result<(), String> {
    let make = format!("matrix full d --rows 1200 --cols 900 --value {value} --replace");
    bench.place.prepare(&[&make, "matrix update c --at 0,0 d", "matrix gc --older-than 0s"])
}

fn read_often(bench: &Bench, file: &str, over: &AtomicBool) -> Result<u64, String> {
    let mut reads = 0;
    while !over.load(Ordering::Relaxed) {
        bench.place.ok(&format!("matrix export c {file} --replace"))?;
        let bytes = std::fs::read(bench.place.path().join(file)).map_err(|error| error.to_string())?;
        let data = bytes.len().checked_sub(1200 * 900 * 8).ok_or("the file is too short")?;
        let (elements, _) = bytes[data..].as_chunks::<8>();
        if let Some(other) = elements.iter().find(|element| **element != elements[0]) {
            let (one, other) = (f64::from_le_bytes(elements[0]), f64::from_le_bytes(*other));
            return Err(format!("a reader saw elements of two versions, {one} and {other}"));
        }
        reads += 1;
    }
    Ok(reads)
}
