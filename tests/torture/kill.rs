//! `kill -9` at any moment of a verb: afterwards the tables are the old ones or the new ones, sound, and the next writer
//! leaves nothing but its own.

mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::Torture;
use crate::place::Place;
use crate::random::Random;
use verbs::{VERBS, Verb};

/// What every verb finds, beside what it makes itself.
const SETUP: [&str; 13] = [
    "matrix random old --rows {n} --cols {n} --seed 1",
    "matrix random new --rows {n} --cols {n} --seed 2",
    "matrix random a --rows {n} --cols {n} --seed 3",
    "matrix multiply a a --output product",
    "matrix export new new.npy",
    "matrix full patch --rows 200 --cols 300 --value 7",
    "matrix random updated --rows {n} --cols {n} --seed 1",
    "matrix update updated --at 100,200 patch",
    "matrix random tall --rows 1100 --cols 10",
    "matrix random flat --rows 10 --cols {n}",
    "matrix multiply tall flat --output spread --grid 2x1x1 --peers 2",
    // Of both shards.
    "matrix multiply tall flat --output patched --grid 2x1x1 --peers 2",
    "matrix update patched --at 450,200 patch",
];
/// The tables of these that others are compared with.
const REFERENCES: [&str; 6] = ["old", "new", "product", "updated", "spread", "patched"];
const FILES: [&str; 2] = ["new.npy", ROWS];
/// A label for each row.
const ROWS: &str = "rows.txt";
/// What `kill -9` makes of a reply's status.
const KILLED: i32 = -9;
/// Of so many kills, two thirds of which come at any moment of the verb, one hits.
const TRIED_ENOUGH: u64 = 10;

pub(crate) fn run(torture: &mut Torture) {
    let (n, count) = if torture.quick { (600, 2) } else { (1100, 100) };
    let place = match set_up(n) {
        Ok(place) => place,
        Err(message) => return torture.find(&message),
    };
    let verbs: Vec<&Verb> = VERBS.iter().filter(|verb| is_there(&place, verb)).collect();
    for (part, verb) in verbs.iter().enumerate() {
        let end = torture.end_of(part, verbs.len());
        match kill_often(torture.seed, &place, verb, count, end) {
            Ok(Kills { seen, took }) => {
                let tried: u64 = seen.values().sum();
                let early = if tried < count { format!(" of {count}: out of time") } else { String::new() };
                let seen: Vec<String> =
                    seen.iter().map(|(state, times)| format!("{times} {state}")).collect();
                let tried = format!("{tried} kills{early}, of {:.0} ms", took.as_secs_f64() * 1e3);
                torture.row(verb.name, &tried, &seen.join(", "));
            }
            Err(message) => torture.find(&format!("{}: {message}", verb.name)),
        }
    }
}

fn set_up(n: u64) -> Result<Place, String> {
    let place = Place::new(n)?;
    place.prepare(&SETUP)?;
    place.is_spread("spread")?;
    place.is_spread("patched")?;
    let rows: String = (0..n).map(|row| format!("row {row}\n")).collect();
    std::fs::write(place.path().join(ROWS), rows).map_err(|error| error.to_string())?;
    Ok(place)
}

/// Whether the command has the verb.
fn is_there(place: &Place, verb: &Verb) -> bool {
    let (name, word) = verb.needs;
    place.run(&format!("matrix {name} --help")).is_ok_and(|help| help.status == 0 && help.out.contains(word))
}

struct Kills {
    /// How often the tables were what afterwards.
    seen: BTreeMap<String, u64>,
    took: Duration,
}

fn kill_often(seed: u64, place: &Place, verb: &Verb, count: u64, end: Instant) -> Result<Kills, String> {
    let took = duration(place, verb)?;
    let (mut seen, mut hits) = (BTreeMap::new(), 0);
    for number in 0..count {
        if Instant::now() > end {
            break;
        }
        let at = moment(&mut Random::of(seed, verb.name, number), took);
        let told = |message: String| {
            format!("kill {number}, {:.1} of {:.1} ms: {message}", millis(at), millis(took))
        };
        let (state, done) = kill_once(place, verb, at).map_err(told)?;
        hits += u64::from(!done);
        *seen.entry(if done { format!("{state} (done)") } else { state }).or_default() += 1;
    }
    let tried: u64 = seen.values().sum();
    if hits == 0 && tried >= TRIED_ENOUGH {
        return Err(format!("none of {tried} kills hit, of {:.1} ms", millis(took)));
    }
    Ok(Kills { seen, took })
}

/// How long the verb takes, of three times the median.
fn duration(place: &Place, verb: &Verb) -> Result<Duration, String> {
    let mut times = Vec::new();
    for _ in 0..3 {
        place.prepare(verb.before)?;
        let started = Instant::now();
        place.ok(verb.line)?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[1])
}

/// Any moment, and each third time one about the end, where the commit is.
fn moment(random: &mut Random, took: Duration) -> Duration {
    let share = if random.share() < 2.0 / 3.0 { random.share() } else { 0.8 + 0.3 * random.share() };
    took.mul_f64(share)
}

/// Kills the verb after `at`; says what the tables are then, and whether it was done before.
fn kill_once(place: &Place, verb: &Verb, at: Duration) -> Result<(String, bool), String> {
    place.prepare(verb.before)?;
    let running = place.start(verb.line)?;
    std::thread::sleep(at);
    running.kill();
    let reply = running.finish()?;
    if ![0, KILLED].contains(&reply.status) {
        return Err(format!("ended by itself: {}", reply.said()));
    }
    let done = reply.status == 0;
    let state = states(place, verb)?;
    if !verb.allowed.contains(&state.as_str()) || done && verb.allowed.last() != Some(&&*state) {
        let (allowed, said) = (verb.allowed, reply.said());
        return Err(format!("the table is {state}, allowed are {allowed:?}: {said}"));
    }
    // What is left of the killed one goes, and nothing else does.
    place.ok("matrix gc")?;
    let collected = states(place, verb)?;
    if collected != state {
        return Err(format!("the table was {state} and is {collected} after gc"));
    }
    for table in verb.tables {
        // Of a file nothing is left beside it, without any collector.
        if let Some(file) = table.strip_prefix("./") {
            place.has_only(&[FILES[0], FILES[1], file])?;
            continue;
        }
        place.is_clean(table, &FILES).map_err(|message| format!("after gc: {message}"))?;
        place.ok(&format!("matrix random {table} --rows 5 --cols 5 --replace"))?;
        place.is_clean(table, &FILES)?;
    }
    Ok((state, done))
}

/// What the tables of the verb are.
fn states(place: &Place, verb: &Verb) -> Result<String, String> {
    let words = verb.allowed.iter().flat_map(|allowed| allowed.split(' '));
    let references: BTreeSet<&str> = words.filter(|word| REFERENCES.contains(word)).collect();
    let references: Vec<&str> = references.into_iter().collect();
    let states = verb.tables.iter().map(|table| state(place, table, &references));
    Ok(states.collect::<Result<Vec<String>, String>>()?.join(" and "))
}

/// Which of the references a table is, and what it has beside its elements: `old in [3,3], copied, with row labels`.
fn state(place: &Place, table: &str, references: &[&str]) -> Result<String, String> {
    let mut state = place.state(table, references)?;
    let (Some(info), Some(reference)) = (place.info(table)?, place.info(&state)?) else { return Ok(state) };
    if !info["blocks"].is_null() {
        state += &format!(" in {}", info["blocks"]);
    }
    match info["copy_shards_stale"][0].as_u64() {
        None => {}
        Some(0) => state += ", copied",
        Some(stale) => state += &format!(", copied but for {stale} shards"),
    }
    for (member, labels) in [("row_labels", ", with row labels"), ("column_labels", ", with column labels")] {
        if info[member] == true {
            state += labels;
        }
    }
    for (name, value) in info["attributes"].as_object().into_iter().flatten() {
        if reference["attributes"][name] != *value {
            state += &format!(", with {name}={value}");
        }
    }
    Ok(state)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
