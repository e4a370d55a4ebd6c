//! Tortures the built command: kills it at any moment, takes disk and descriptors from it, lets commands race for a
//! table, and simulates bad networks.
//!
//! `cargo xtask torture` runs it for minutes, on the optimised command. Under `cargo test` it runs a short set of each with
//! a fixed seed, and the words behind it choose among the sets by name.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that talks to the person who started it"
)]

mod fault;
mod generations;
mod kill;
mod place;
mod race;
mod random;
mod running;
mod simulate;
mod strays;

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What `cargo test` runs with.
const QUICK_SEED: u64 = 5;
/// A set by its name.
type Set = (&'static str, fn(&mut Torture));

const SETS: [Set; 4] =
    [("kill", kill::run), ("fault", fault::run), ("race", race::run), ("simulate", simulate::run)];

/// How much is done, by which seed, and what came of it.
pub(crate) struct Torture {
    pub(crate) seed: u64,
    /// Seconds instead of minutes.
    pub(crate) quick: bool,
    set: &'static str,
    started: Instant,
    time: Duration,
    findings: Vec<String>,
}

impl Torture {
    /// The end of the share `part` of `parts` of this set's time; of a quick one, too late to be met.
    pub(crate) fn end_of(&self, part: usize, parts: usize) -> Instant {
        self.started + self.time.mul_f64((part + 1) as f64 / parts as f64)
    }

    /// Adds a row to the table: what was tried, how often, and what was seen.
    pub(crate) fn row(&mut self, what: &str, tried: &str, seen: &str) {
        println!("{:9} {what:28} {tried:22} {seen}", self.set);
    }

    /// Adds a row that says what was not tried, and why. Where the variable `CI` is set, that is a finding.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        if std::env::var_os("CI").is_some() {
            self.find(&format!("{what}: SKIPPED, {why}"));
        } else {
            self.row(what, "SKIPPED", why);
        }
    }

    /// Reports what should not be.
    pub(crate) fn find(&mut self, what: &str) {
        let (set, seed) = (self.set, self.seed);
        println!("{set:9} FINDING: {what}\n{:9} again: cargo xtask torture --only {set} --seed {seed}", "");
        self.findings.push(what.to_owned());
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["inside", case, folder] => return fault::inside(case, folder.as_ref()),
        ["long", seed, minutes, only] => {
            let (Ok(seed), Ok(minutes)) = (seed.parse(), minutes.parse()) else {
                eprintln!("usage: torture long SEED MINUTES SET");
                return ExitCode::from(2);
            };
            return run(seed, Some(minutes), |set| set == only);
        }
        _ => {}
    }
    // What test harnesses are asked.
    if words.iter().any(|word| ["--list", "--ignored"].contains(word)) {
        return ExitCode::SUCCESS;
    }
    let chosen = Chosen::of(&words);
    run(QUICK_SEED, None, |set| chosen.has(set))
}

/// Options of test harnesses that are followed by a value, where it is not behind a `=`.
const VALUED: [&str; 6] = ["--test-threads", "--format", "--color", "--logfile", "--shuffle-seed", "-Z"];

/// Which sets the words of a test harness's command line choose.
#[derive(Default)]
struct Chosen<'a> {
    filters: Vec<&'a str>,
    skipped: Vec<&'a str>,
    exact: bool,
}

impl<'a> Chosen<'a> {
    fn of(words: &[&'a str]) -> Chosen<'a> {
        let mut chosen = Chosen::default();
        let mut rest = words.iter().copied();
        while let Some(word) = rest.next() {
            match word {
                "--skip" => chosen.skipped.extend(rest.next()),
                "--exact" => chosen.exact = true,
                _ if VALUED.contains(&word) => drop(rest.next()),
                _ => match word.strip_prefix("--skip=") {
                    Some(skipped) => chosen.skipped.push(skipped),
                    None if word.starts_with('-') => {}
                    None => chosen.filters.push(word),
                },
            }
        }
        chosen
    }

    fn has(&self, set: &str) -> bool {
        let fits = |word: &&str| if self.exact { set == *word } else { set.contains(*word) };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skipped.iter().any(fits)
    }
}

/// Runs the sets that are `wanted`, each for so many minutes.
fn run(seed: u64, minutes: Option<f64>, wanted: impl Fn(&str) -> bool) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    let quick = minutes.is_none();
    for (set, run) in SETS.into_iter().filter(|(set, _)| wanted(set)) {
        let time = Duration::from_secs_f64(minutes.unwrap_or(60.0) * 60.0);
        let started = Instant::now();
        let mut torture = Torture { seed, quick, set, started, time, findings: Vec::new() };
        run(&mut torture);
        eprintln!("{set}: {:.1} s", started.elapsed().as_secs_f64());
        if torture.findings.is_empty() { passed += 1 } else { failed += 1 }
    }
    println!("torture: {passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
