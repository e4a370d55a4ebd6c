//! Commands that write one table at once, and readers of one that is replaced: one writer wins, a reader sees one
//! generation.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Torture;
use crate::place::Place;
use crate::random::Random;

const SETUP: [&str; 8] = [
    "matrix random r --rows 1100 --cols {n} --seed 1",
    "matrix full f --rows 1100 --cols {n} --value 7",
    "matrix random tall --rows 1100 --cols 10 --seed 3",
    "matrix random flat --rows 10 --cols {n} --seed 4",
    "matrix multiply tall flat --output p --grid 2x1x1 --peers 2",
    "matrix random i --rows 1100 --cols {n} --seed 5",
    "matrix export i i.npy",
    "matrix full ones --rows 10 --cols {n} --value 1",
];
const REFERENCES: [&str; 4] = ["r", "f", "p", "i"];
/// What makes a table `t`, and the table that is the same. The last one needs a table that is there.
const WRITERS: [(&str, &str); 5] = [
    ("matrix random t --rows 1100 --cols {n} --seed 1", "r"),
    ("matrix full t --rows 1100 --cols {n} --value 7", "f"),
    ("matrix multiply tall flat --output t --grid 2x1x1 --peers 2", "p"),
    ("matrix import i.npy t", "i"),
    (UPDATE, "r"),
];
/// What writers of `t` replace: a table of two shards.
const BEFORE: &str = "matrix multiply tall ones --output t --grid 2x1x1 --peers 2 --replace";
/// A constant table of two shards.
const REPLACE: &str = "matrix multiply factor ones --output c --grid 2x1x1 --peers 2 --replace";
const ROWS: u64 = 1100;
/// However slow the machine is.
const VERSIONS_MIN: u64 = 4;
const UPDATE: &str = "matrix update t --at 0,0 r";

pub(crate) fn run(torture: &mut Torture) {
    let (n, count) = if torture.quick { (500, 8) } else { (1000, 200) };
    let place = match set_up(n) {
        Ok(place) => place,
        Err(message) => return torture.find(&message),
    };
    let end = torture.end_of(0, 2);
    match races(torture.seed, &place, count, end) {
        Ok(seen) => {
            let tried: u64 = seen.values().sum();
            let seen: Vec<String> = seen.iter().map(|(what, times)| format!("{times} {what}")).collect();
            torture.row("two writers of one table", &format!("{tried} of {count} races"), &seen.join(", "));
        }
        Err(message) => torture.find(&message),
    }
    let end = torture.end_of(1, 2);
    let time = if torture.quick { Duration::from_secs(1) } else { Duration::from_secs(60) };
    match reading(&place, end.min(Instant::now() + time)) {
        Ok((reads, writes)) if reads > 0 && writes > 1 => {
            torture.row(
                "readers during replacements",
                &format!("{reads} reads"),
                &format!("{writes} versions"),
            );
        }
        Ok((reads, writes)) => {
            torture.find(&format!("{reads} reads during {writes} replacements show nothing"))
        }
        Err(message) => torture.find(&message),
    }
}

fn set_up(n: u64) -> Result<Place, String> {
    let place = Place::new(n)?;
    place.prepare(&SETUP)?;
    place.prepare(&[BEFORE])?;
    replace(&place, 0)?;
    for table in ["p", "t", "c"] {
        place.is_spread(table)?;
    }
    Ok(place)
}

fn races(seed: u64, place: &Place, count: u64, end: Instant) -> Result<BTreeMap<&'static str, u64>, String> {
    let mut seen = BTreeMap::new();
    for number in 0..count {
        if Instant::now() > end {
            break;
        }
        let outcome = race(place, number, &mut Random::of(seed, "race", number));
        *seen.entry(outcome.map_err(|message| format!("race {number}: {message}"))?).or_default() += 1;
    }
    Ok(seen)
}

/// Two writers, one of them up to 60 ms later.
fn race(place: &Place, number: u64, random: &mut Random) -> Result<&'static str, String> {
    let replace = number.is_multiple_of(2);
    let choice = if replace { WRITERS.len() } else { WRITERS.len() - 1 };
    let mut pick = || WRITERS[(random.share() * choice as f64) as usize];
    let writers = [pick(), pick()];
    place.prepare(if replace { &[BEFORE] } else { &["-matrix remove t"] })?;
    let lag = Duration::from_secs_f64(0.06 * random.share() * random.share());
    let start = |line: &str| {
        let option = if replace && line != UPDATE { " --replace" } else { "" };
        place.start(&format!("{line}{option} --json"))
    };
    let first = start(writers[0].0)?;
    thread::sleep(lag);
    let second = start(writers[1].0);
    // The first one is waited for whatever the second one does.
    let replies = [first.finish()?, second?.finish()?];
    let mut winners = Vec::new();
    for (reply, (_, same)) in replies.into_iter().zip(writers) {
        match reply.status {
            0 => winners.push(same),
            3 if ["\"conflict\"", "\"exists\""].iter().any(|kind| reply.out.contains(kind)) => {}
            _ => return Err(format!("neither won nor lost: {}", reply.said())),
        }
    }
    let state = place.state("t", &REFERENCES)?;
    if !winners.contains(&state.as_str()) || !replace && winners.len() != 1 {
        return Err(format!("{writers:?}: those of {winners:?} won, and the table is {state}"));
    }
    place.prepare(&["matrix random t --rows 5 --cols 5 --replace"])?;
    place.is_clean("t", &["i.npy"])?;
    Ok(match (replace, winners.len()) {
        (true, 1) => "one lost by conflict",
        (true, _) => "one after the other",
        (false, _) => "one found that it exists",
    })
}

/// Replaces a table by constant ones while two readers take it elsewhere; how many reads and versions there were.
fn reading(place: &Place, end: Instant) -> Result<(u64, u64), String> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> =
            ["1.npy", "2.npy"].map(|file| scope.spawn(|| read_often(place, file, &over))).into();
        let mut written = Ok(0);
        while readers.iter().all(|reader| !reader.is_finished()) {
            let Ok(value) = written else { break };
            if value >= VERSIONS_MIN && Instant::now() > end {
                break;
            }
            written = replace(place, value).map(|()| value + 1);
        }
        over.store(true, Ordering::Relaxed);
        let mut reads = 0;
        for reader in readers {
            reads += reader.join().map_err(|_| "a reader's thread failed".to_owned())??;
        }
        Ok((reads, written?))
    })
}

/// Makes all elements of `c` equal, to another number for each `value`: a new matrix, or an update of all of it. Now and then history goes.
fn replace(place: &Place, value: u64) -> Result<(), String> {
    if value.is_multiple_of(2) {
        let factor = format!("matrix full factor --rows 1100 --cols 10 --value {value} --replace");
        return place.prepare(&[factor.as_str(), REPLACE]);
    }
    let line = format!("matrix full d --rows 1100 --cols {{n}} --value {value} --replace");
    place.prepare(&[line.as_str(), "matrix update c --at 0,0 d", "matrix gc --older-than 0s"])
}

fn read_often(place: &Place, file: &str, over: &AtomicBool) -> Result<u64, String> {
    let mut reads = 0;
    while !over.load(Ordering::Relaxed) {
        place.ok(&format!("matrix export c {file} --replace"))?;
        let bytes = fs::read(place.path().join(file)).map_err(|error| error.to_string())?;
        let data = bytes.len() - (ROWS * place.n * 8) as usize;
        let (elements, _) = bytes[data..].as_chunks::<8>();
        if let Some(other) = elements.iter().find(|element| **element != elements[0]) {
            let (one, other) = (f64::from_le_bytes(elements[0]), f64::from_le_bytes(*other));
            return Err(format!("a reader saw elements of two generations, {one} and {other}"));
        }
        reads += 1;
    }
    Ok(reads)
}
