//! The engine: the barrier, messages, and payloads over sockets.

use super::Comparison;
use super::criterion;
use super::lab::Lab;
use super::rounds::Spread;
use super::row::{Aim, Found};
use crate::steps::{cargo, output};

const BARRIER: &str = "superstep/Memory/8";
const MESSAGES: &str = "messages/Memory/2";
const FRAMED: &str = "payloads/Framed/2";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    each(lab, found, &[barrier, exchange, socket]);
    Ok(())
}

/// Where one bench fails, the others have something to say.
fn each(lab: &mut Lab, found: &mut Found, benches: &[Comparison]) {
    for bench in benches {
        if let Err(message) = bench(lab, found) {
            lab.fail(&format!("engine: {message}"));
        }
    }
}

fn barrier(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    for sampled in criterion::run(lab, "barrier", &format!("^{BARRIER}$"))? {
        let time = Some(sampled.seconds.scaled(1e6));
        found.figure(("Empty superstep", "8 threads"), time, " us", Some(Aim::AtMost(30.0)));
    }
    Ok(())
}

fn exchange(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    for sampled in criterion::run(lab, "exchange", &format!("^({MESSAGES}|{FRAMED})$"))? {
        if sampled.id == MESSAGES {
            let rate = sampled.elements.map(|count| sampled.seconds.per(count / 1e6));
            let what = ("Messages of 16 bytes, a second and peer", "2 threads");
            found.figure(what, rate, " million", Some(Aim::AtLeast(5.0)));
        } else {
            let what = ("Payloads over the framed transport", "2 peers, each way at once");
            found.figure(what, sampled.gb_per_s(), " GB/s", None);
        }
    }
    Ok(())
}

/// The framed transport beside plain socket pairs: round by round, by the bench itself.
fn socket(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    lab.say("\nbench socket");
    let mut command = cargo(["bench", "--locked", "--quiet", "--bench", "socket", "--"]);
    let text = output(command.arg(lab.size("15", "1")))?;
    lab.say(text.trim_end());
    let rounds: Vec<Round> = text.lines().filter_map(Round::of).collect();
    if rounds.is_empty() {
        return Err("the bench socket has printed no round".into());
    }
    let what = "Payloads over the framed transport: rate, a plain socket pair with the same checksums = 1";
    let ratios = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of).collect());
    found.figure((what, "one buffer"), ratios(|round| round.of_one), "", Some(Aim::AtLeast(0.9)));
    found.figure((what, "all kept"), ratios(|round| round.of_all), "", None);
    Ok(())
}

/// The rate of the framed transport in one round of the bench `socket`, that of a plain pair being 1.
#[derive(Debug, PartialEq)]
struct Round {
    /// Of a pair that reads all payloads into the same buffer.
    of_one: f64,
    /// Of a pair that keeps those of a superstep.
    of_all: f64,
}

impl Round {
    /// From a line `round framed one of-one all of-all`.
    fn of(line: &str) -> Option<Round> {
        let numbers: Option<Vec<f64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        match numbers?[..] {
            [_, _, _, of_one, _, of_all] => Some(Round { of_one, of_all }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the bench prints it.
    const PRINTED: &str = "\
4 payloads of 8 MiB each way at once, GB/s each way, and the framed transport's part of it
round  framed  plain, one buffer  plain, all kept
    1    1.47        1.80   0.82      1.55   0.95
    2    1.49        1.76   0.85      1.55   0.96
median: 0.85 of a plain socket pair with one buffer, 0.96 of one that keeps all";

    #[test]
    fn a_line_of_six_numbers_is_a_round() {
        let rounds: Vec<Round> = PRINTED.lines().filter_map(Round::of).collect();
        assert_eq!(rounds, [Round { of_one: 0.82, of_all: 0.95 }, Round { of_one: 0.85, of_all: 0.96 }]);
    }

    #[test]
    fn a_bench_that_fails_leaves_the_others() {
        let bad: Comparison = |_, _| Err("no barrier".into());
        let good: Comparison = |_, found| {
            found.figure(("what", "case"), Some(Spread::single(1.0)), "", None);
            Ok(())
        };
        let (mut lab, mut found) = (Lab::for_tests(), Found::default());
        each(&mut lab, &mut found, &[good, bad, good]);
        assert_eq!((found.rows.len(), &lab.failures[..]), (2, &["engine: no barrier".to_owned()][..]));
    }

    #[test]
    fn what_is_no_round_is_left_out() {
        for line in ["", "1 2 3", "1 2 3 4", "1 2 3 4 5 6 7", "1 2 3 4 5 six"] {
            assert_eq!(Round::of(line), None, "{line}");
        }
    }
}
