//! Tortures the optimised command: `tests/torture` kills it, takes disk and descriptors from it and lets it race; `tests/hdfs`
//! breaks the HDFS that it works in, `tests/cluster` masters, grooms and peers; cargo-fuzz gives its parsers what nobody would write.

mod fuzz;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::services;
use crate::steps::{Steps, cargo};

/// The sets, and which share of the time each may take at most.
const SETS: [(&str, f64); 7] = [
    ("kill", 0.3),
    ("fault", 0.1),
    ("race", 0.1),
    ("simulate", 0.05),
    ("hdfs", 0.15),
    ("cluster", 0.1),
    ("fuzz", 0.2),
];
const MINUTES: f64 = 20.0;
const MINUTES_MAX: f64 = 60.0;

/// What is asked for.
pub(crate) struct Options {
    seed: Option<u64>,
    minutes: Option<f64>,
    only: Vec<&'static str>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options { seed: None, minutes: None, only: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(option) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{option} needs a value"))?;
            let wrong = || format!("cannot read {option} {value}");
            match option.as_str() {
                "--seed" => options.seed = Some(value.parse().map_err(|_| wrong())?),
                "--minutes" => {
                    let minutes = value.parse().ok().filter(|minutes| (0.1..=MINUTES_MAX).contains(minutes));
                    options.minutes =
                        Some(minutes.ok_or_else(|| format!("{}: 0.1 to 60 are possible", wrong()))?);
                }
                "--only" => {
                    for name in value.split(',') {
                        let set = SETS.iter().find(|(set, _)| *set == name);
                        options.only.push(set.ok_or_else(|| format!("no set {name:?}"))?.0);
                    }
                }
                _ => return Err(format!("no option {option}")),
            }
        }
        Ok(options)
    }

    fn is_wanted(&self, set: &str) -> bool {
        self.only.is_empty() || self.only.contains(&set)
    }
}

/// What the sets have shown.
#[derive(Default)]
struct Table {
    rows: Vec<String>,
    findings: u64,
}

impl Table {
    /// Adds a row and shows it at once: what comes later may fail.
    fn row(&mut self, row: String) {
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// Adds a row that tells of what should not be.
    fn find(&mut self, set: &str, what: &str) {
        self.findings += 1;
        self.row(format!("{set:9} FINDING: {what}"));
    }
}

/// Runs the sets that are wanted, and says what they tried and found. That a set cannot run is a finding; the others go on.
///
/// # Errors
/// Says so where there are findings.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), String> {
    let seed = options
        .seed
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()));
    eprintln!("seed {seed}: cargo xtask torture --seed {seed} does the same again");
    let wanted: Vec<(&str, f64)> = SETS.into_iter().filter(|(set, _)| options.is_wanted(set)).collect();
    let all: f64 = wanted.iter().map(|(_, share)| share).sum();
    let mut table = Table::default();
    for (set, share) in wanted {
        let minutes = options.minutes.unwrap_or(MINUTES) * share / all;
        let outcome = if set == "fuzz" {
            let given = options.minutes.is_some() || options.only != ["fuzz"];
            let time = given.then(|| Duration::from_secs_f64(minutes * 60.0));
            fuzz::run(steps, seed, time, &mut table)
        } else {
            run_set(steps, set, seed, minutes, &mut table)
        };
        if let Err(message) = outcome {
            table.find(set, &message);
        }
    }
    eprintln!("\nin all:");
    table.rows.iter().for_each(|row| eprintln!("{row}"));
    match table.findings {
        0 => Ok(()),
        count => Err(format!("torture found {count}, with seed {seed}")),
    }
}

/// Runs a set of `tests/torture`, `tests/hdfs` or `tests/cluster`, which prints its rows.
fn run_set(steps: &mut Steps, set: &str, seed: u64, minutes: f64, table: &mut Table) -> Result<(), String> {
    let (seed, limit) = (seed.to_string(), minutes.to_string());
    let program = if ["hdfs", "cluster"].contains(&set) { set } else { "torture" };
    if program == set {
        services::set_up(steps)?;
    }
    let mut command =
        cargo(["test", "--quiet", "--release", "--locked", "--package", "hama", "--test", program]);
    command.args(["--", "long", &seed, &limit, set]).stdout(Stdio::piped());
    let (before, name) = (table.findings, format!("{set}, {minutes:.1} minutes at most"));
    let status = steps.time(&name, || {
        let mut child = command.spawn()?;
        for line in child.stdout.take().into_iter().flat_map(|said| BufReader::new(said).split(b'\n')) {
            let line = String::from_utf8_lossy(&line?).into_owned();
            table.findings += u64::from(line.contains(" FINDING: "));
            if !line.starts_with("torture:") {
                table.row(line);
            }
        }
        child.wait()
    });
    let status = status.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() || table.findings > before { Ok(()) } else { Err(format!("it failed ({status})")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let Ok(options) = parse("--seed 7 --minutes 60 --only kill,fuzz") else {
            unreachable!("it is right")
        };
        assert_eq!((options.seed, options.minutes), (Some(7), Some(60.0)));
        assert!(options.is_wanted("kill") && options.is_wanted("fuzz") && !options.is_wanted("race"));
        assert!(parse("").is_ok_and(|options| options.is_wanted("race")));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "--seed",
            "--seed x",
            "--seed -1",
            "--minutes 61",
            "--minutes 0",
            "--minutes NaN",
            "--only all",
            "kill 1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn no_set_is_forgotten() {
        assert!((SETS.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
