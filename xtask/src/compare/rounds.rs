//! Candidates measured in turns, so that a machine whose speed changes does not decide.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lab::Lab;

/// Threads of a library may spin for a while after a product: the next candidate shall not pay for that.
const PAUSE: Duration = Duration::from_millis(300);

/// What is measured in one of its turns.
pub(crate) struct Candidate<'a> {
    name: String,
    run: Box<Run<'a>>,
}

/// Gives an object of numbers, `seconds` among them.
type Run<'a> = dyn FnMut(&mut Lab) -> Result<Value, String> + 'a;

impl<'a> Candidate<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        run: impl FnMut(&mut Lab) -> Result<Value, String> + 'a,
    ) -> Candidate<'a> {
        Candidate { name: name.into(), run: Box::new(run) }
    }
}

/// The least, the middle and the most of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of no numbers.
    pub(crate) fn of(mut numbers: Vec<f64>) -> Option<Spread> {
        numbers.sort_by(f64::total_cmp);
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        let (low, high) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
        Some(Spread { median: (low + high) / 2.0, min, max })
    }

    /// A number that is known once.
    pub(crate) fn single(number: f64) -> Spread {
        Spread { median: number, min: number, max: number }
    }

    /// In another unit; `factor` is positive.
    pub(crate) fn scaled(self, factor: f64) -> Spread {
        Spread { median: self.median * factor, min: self.min * factor, max: self.max * factor }
    }

    /// So much in this time: the rate, of which the longest time has the least.
    pub(crate) fn per(self, amount: f64) -> Spread {
        Spread { median: amount / self.median, min: amount / self.max, max: amount / self.min }
    }
}

/// All rounds of some candidates.
pub(crate) struct Rounds {
    runs: Vec<(String, Vec<Value>)>,
    /// Floating-point operations of f64 a second, of all threads: the better of before and after.
    pub(crate) peak_flop_per_s: f64,
}

impl Rounds {
    /// `field` of every round of a candidate; nothing where it failed.
    pub(crate) fn numbers(&self, name: &str, field: &str) -> Vec<f64> {
        let runs = self.runs.iter().find(|(other, _)| other == name).map(|(_, runs)| runs.as_slice());
        runs.unwrap_or_default().iter().filter_map(|run| run[field].as_f64()).collect()
    }

    /// `field` of one candidate.
    pub(crate) fn of(&self, name: &str, field: &str) -> Option<Spread> {
        Spread::of(self.numbers(name, field))
    }

    /// A field of one candidate over a field of another, round by round.
    pub(crate) fn ratio(&self, name: (&str, &str), to: (&str, &str)) -> Option<Spread> {
        let (above, below) = (self.numbers(name.0, name.1), self.numbers(to.0, to.1));
        Spread::of(above.iter().zip(below).map(|(above, below)| above / below).collect())
    }

    /// The time of one candidate over that of another.
    pub(crate) fn times(&self, name: &str, to: &str) -> Option<Spread> {
        self.ratio((name, "seconds"), (to, "seconds"))
    }
}

/// Runs every candidate once to warm up and then `count` rounds of all of them. Each round begins with another one.
///
/// A candidate that fails is reported and left out.
pub(crate) fn alternate(lab: &mut Lab, title: &str, candidates: Vec<Candidate<'_>>, count: usize) -> Rounds {
    let warm_up = if lab.quick { WarmUp::Never } else { WarmUp::Once };
    in_turns(lab, title, candidates, warm_up, count)
}

/// The same without the round that warms up: for whole commands that take long. Each is a process whose memory is new
/// in every round, and one more round would be minutes.
pub(crate) fn alternate_cold(
    lab: &mut Lab,
    title: &str,
    candidates: Vec<Candidate<'_>>,
    count: usize,
) -> Rounds {
    in_turns(lab, title, candidates, WarmUp::Never, count)
}

/// How often a round is not counted.
#[derive(PartialEq)]
enum WarmUp {
    Once,
    Never,
}

fn in_turns(
    lab: &mut Lab,
    title: &str,
    mut candidates: Vec<Candidate<'_>>,
    warm_up: WarmUp,
    count: usize,
) -> Rounds {
    lab.say(&format!("\n{title}"));
    let before = lab.peak();
    if warm_up == WarmUp::Once {
        turn(lab, 0, &mut candidates, |_, _, _| {});
    }
    let mut runs: Vec<(String, Vec<Value>)> =
        candidates.iter().map(|candidate| (candidate.name.clone(), Vec::new())).collect();
    for round in 1..=count {
        turn(lab, round, &mut candidates, |lab, name, run| {
            lab.say(&format!("{round:5}  {name:<24} {}", fields(&run)));
            if let Some((_, runs)) = runs.iter_mut().find(|(other, _)| other == name) {
                runs.push(run);
            }
        });
    }
    let after = lab.peak();
    if (after / before - 1.0).abs() > 0.1 {
        lab.say("the machine's speed changed meanwhile: compare the ratios only");
    }
    // Rounds are compared with each other, so a candidate needs all of them.
    runs.retain(|(_, runs)| runs.len() == count);
    Rounds { runs, peak_flop_per_s: before.max(after) }
}

fn turn(
    lab: &mut Lab,
    round: usize,
    candidates: &mut Vec<Candidate<'_>>,
    mut done: impl FnMut(&mut Lab, &str, Value),
) {
    let mut failed = Vec::new();
    let count = candidates.len();
    for index in (0..count).map(|index| (index + round) % count) {
        if !lab.quick {
            std::thread::sleep(PAUSE);
        }
        let candidate = &mut candidates[index];
        match (candidate.run)(lab) {
            Ok(run) => done(lab, &candidate.name, run),
            Err(message) => {
                lab.fail(&format!("{}: {message}", candidate.name));
                failed.push(index);
            }
        }
    }
    failed.sort_unstable();
    for index in failed.into_iter().rev() {
        candidates.remove(index);
    }
}

/// The numbers of a run, as a person reads them.
fn fields(run: &Value) -> String {
    let fields = run.as_object().into_iter().flatten();
    let mut words = Vec::new();
    for (name, value) in fields {
        match value.as_f64() {
            Some(number) if number >= 1e5 => words.push(format!("{name} {number:.4e}")),
            Some(number) => words.push(format!("{name} {number:.4}")),
            None => words.push(format!("{name} {value}")),
        }
    }
    words.join("  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![3.0]), Some(Spread { median: 3.0, min: 3.0, max: 3.0 }));
        assert_eq!(Spread::of(vec![3.0, 1.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
    }

    #[test]
    fn ratios_are_made_round_by_round() {
        let runs = |numbers: [f64; 3]| numbers.iter().map(|n| json!({ "seconds": n })).collect();
        // The machine is twice as slow in the second round: the ratio does not see it.
        let runs = vec![("a".into(), runs([1.0, 2.0, 1.0])), ("b".into(), runs([2.0, 4.0, 2.0]))];
        let rounds = Rounds { runs, peak_flop_per_s: 1.0 };
        assert_eq!(rounds.times("a", "b"), Some(Spread::single(0.5)));
        assert_eq!(rounds.times("a", "one that failed"), None);
        assert_eq!(rounds.of("b", "seconds"), Some(Spread { median: 2.0, min: 2.0, max: 4.0 }));
    }

    #[test]
    fn a_candidate_that_fails_is_left_out_and_the_others_go_on() {
        let mut lab = Lab::for_tests();
        let mut left = 2;
        let bad = Candidate::new("bad", move |_| {
            left -= 1;
            if left == 0 { Err("no more".into()) } else { Ok(json!({ "seconds": 1 })) }
        });
        let good = Candidate::new("good", |_| Ok(json!({ "seconds": 2 })));
        let rounds = alternate(&mut lab, "a test", vec![bad, good], 3);
        assert_eq!(rounds.numbers("good", "seconds"), [2.0, 2.0, 2.0]);
        assert_eq!(rounds.numbers("bad", "seconds"), [] as [f64; 0]);
        assert_eq!(lab.failures, ["bad: no more"]);
    }

    #[test]
    fn long_commands_do_not_warm_up() {
        let mut lab = Lab::for_tests();
        lab.quick = false;
        for (cold, runs) in [(true, 2), (false, 3)] {
            let mut count = 0;
            let counted = vec![Candidate::new("counted", |_| {
                count += 1;
                Ok(json!({ "seconds": 1 }))
            })];
            let rounds = if cold {
                alternate_cold(&mut lab, "a test", counted, 2)
            } else {
                alternate(&mut lab, "a test", counted, 2)
            };
            assert_eq!(rounds.numbers("counted", "seconds").len(), 2);
            assert_eq!(count, runs);
        }
    }
}
