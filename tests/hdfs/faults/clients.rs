//! kill -9 of the command at any moment: the table is the old or the new one, and `gc` and the next writer find their way.

use std::thread;
use std::time::Duration;

use super::place::MULTIPLY;
use super::{Bench, Trial};
use crate::random::Random;

/// What `kill -9` makes of a reply's status.
const KILLED: i32 = -9;
const MAKE_OLD: &str = "matrix random t --rows 1500 --cols 1500 --seed 2 --replace";
const NONE: &str = "-matrix remove t";

/// What is killed: what comes before it, and what table `t` is before and after.
struct Verb {
    name: &'static str,
    before: &'static str,
    line: &'static str,
    states: [&'static str; 2],
}

const VERBS: [Verb; 5] = [
    Verb { name: "multiply", before: NONE, line: MULTIPLY, states: ["none", "product"] },
    Verb {
        name: "random",
        before: NONE,
        line: "matrix random t --rows 1500 --cols 1500 --seed 3",
        states: ["none", "new"],
    },
    Verb {
        name: "random --replace",
        before: MAKE_OLD,
        line: "matrix random t --rows 1500 --cols 1500 --seed 3 --replace",
        states: ["old", "new"],
    },
    Verb {
        name: "update",
        before: MAKE_OLD,
        line: "matrix update t --at 600,700 patch",
        states: ["old", "updated"],
    },
    Verb { name: "copy", before: NONE, line: "matrix copy old t", states: ["none", "old"] },
];

pub(super) fn killed(bench: &Bench, trial: &Trial) -> Result<String, String> {
    let (mut kills, mut hits, mut unfinished) = (0, 0, 0);
    for verb in &VERBS {
        bench.place.prepare(&[verb.before])?;
        let took = bench.place.duration(verb.line)?;
        for number in trial.tries(2, 20) {
            let mut random = Random::of(trial.seed, verb.name, number);
            let at = took.mul_f64(random.share());
            let told = |message: String| {
                format!("{} killed after {at:.2?} of {took:.2?} (try {number}): {message}", verb.name)
            };
            let (is_hit, open) = kill_once(bench, verb, at).map_err(told)?;
            kills += 1;
            hits += u64::from(is_hit);
            unfinished += u64::from(open > 0);
        }
    }
    bench.place.prepare(&[NONE])?;
    if hits == 0 {
        return Err(format!("none of {kills} kills hit"));
    }
    Ok(format!("{kills} kills, {hits} hit, {unfinished} left unfinished files until gc"))
}

/// Whether the command was killed before its end, and how many unfinished files it left.
fn kill_once(bench: &Bench, verb: &Verb, at: Duration) -> Result<(bool, usize), String> {
    bench.place.prepare(&[verb.before])?;
    let running = bench.place.start(verb.line)?;
    thread::sleep(at);
    running.kill();
    let reply = bench.place.finish(running)?;
    if ![0, KILLED].contains(&reply.status) {
        return Err(format!("ended by itself: {}", reply.said()));
    }
    let left = bench.unfinished()?;
    let state = bench.place.state("t")?;
    let [before, after] = verb.states;
    if state != after && (state != before || reply.status == 0) {
        return Err(format!("the table is {state}: {}", reply.said()));
    }
    bench.is_clean()?;
    let collected = bench.place.state("t")?;
    if collected != state {
        return Err(format!("the table was {state} and is {collected} after gc"));
    }
    bench.place.prepare(&["matrix random t --rows 5 --cols 5 --replace"])?;
    Ok((reply.status == KILLED, left))
}
