//! `cargo xtask compare`: Hama beside NumPy, Dask with Zarr, MKL and its own parts, every figure a ratio within one run.

mod child;
mod command;
mod criterion;
mod engine;
mod files;
mod kernel;
mod lab;
mod larger;
mod machine;
mod memory;
mod plot;
mod random;
mod report;
mod rounds;
mod row;
mod transposed;

use std::fs;
use std::path::{Path, PathBuf};

use crate::steps::{Steps, root};
use lab::{Lab, Programs};
use machine::Machine;
use report::Findings;
use row::Found;

type Comparison = fn(&mut Lab) -> Result<Found, String>;

/// What can be compared, in the order of the table.
const COMPARISONS: [(&str, Comparison); 8] = [
    ("kernel", kernel::run),
    ("files", files::run),
    ("memory", memory::run),
    ("larger", larger::run),
    ("random", random::run),
    ("transposed", transposed::run),
    ("engine", engine::run),
    ("command", command::run),
];

/// What `cargo xtask compare` was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    quick: bool,
    /// Empty: all.
    only: Vec<String>,
}

impl Options {
    /// The quick run of everything.
    pub(crate) const QUICK: Options = Options { quick: true, only: Vec::new() };

    /// `[--quick] [--only NAME,...]`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options { quick: false, only: Vec::new() };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--quick" => options.quick = true,
                "--only" => {
                    let names = arguments.next().ok_or("--only wants names, such as kernel,files")?;
                    options.only.extend(names.split(',').map(str::to_owned));
                }
                other => return Err(format!("compare has no {other}")),
            }
        }
        let known = names();
        match options.only.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(format!("no comparison {name}: there are {}", known.join(", "))),
            None => Ok(options),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

fn names() -> [&'static str; COMPARISONS.len()] {
    COMPARISONS.map(|(name, _)| name)
}

/// Where the results go.
struct Results {
    readme: PathBuf,
    plot: PathBuf,
    runs: PathBuf,
    /// What earlier runs on this machine found.
    kept: PathBuf,
}

impl Results {
    /// In the repository, or for a quick run in a folder of its own, which begins with a copy of the README.
    fn at(quick: bool) -> Result<Results, String> {
        let target = root().join("target/compare");
        let home = if quick { target.join("quick") } else { root() };
        let kept = if quick { home.join("results.json") } else { target.join("results.json") };
        let results = Results {
            readme: home.join("README.md"),
            plot: home.join("docs/compare.svg"),
            runs: home.join("benches/runs"),
            kept,
        };
        if quick && home.exists() {
            fs::remove_dir_all(&home).map_err(|error| format!("cannot clear {}: {error}", home.display()))?;
        }
        for folder in [&target, &results.runs, &home.join("docs")] {
            fs::create_dir_all(folder)
                .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        }
        if quick {
            write(&results.readme, &read(&root().join("README.md"))?)?;
        }
        Ok(results)
    }
}

/// Runs what was asked for, and writes what it found. A comparison that fails is reported, and the others go on.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), String> {
    let results = Results::at(options.quick)?;
    let mkl = options.wants("kernel") && !options.quick;
    let programs = Programs::set_up(steps, mkl)?;
    let machine = Machine::here(&programs)?;
    let raw = format!("{}-compare-{}.txt", machine.date, machine.slug);
    let folder = root().join("target/compare/data");
    let mut lab = Lab::new(programs, options.quick, machine.is_amd, &folder, &results.runs.join(&raw))?;
    lab.say("$ cargo xtask compare");
    machine.lines.iter().for_each(|line| lab.say(line));

    let mut findings = Findings::load(&results.kept, &machine.name);
    for (name, compare) in COMPARISONS.into_iter().filter(|(name, _)| options.wants(name)) {
        let outcome = steps.time(&format!("compare {name}"), || lab.clear().and_then(|()| compare(&mut lab)));
        match outcome {
            Ok(mut found) => {
                lab.say("");
                for row in &mut found.rows {
                    // Small sizes have no aims.
                    row.aim = row.aim.filter(|_| !options.quick);
                    lab.say(&format!("{}, {}: {}{}", row.what, row.case, row.figure(), row.verdict()));
                }
                findings.put(name, &machine.date, &raw, found);
                // What is found is kept even if a later one is interrupted.
                findings.save(&results.kept)?;
            }
            Err(message) => lab.fail(&format!("{name}: {message}")),
        }
    }
    if let Err(message) = lab.clear() {
        lab.fail(&message);
    }

    write(&results.plot, &plot::svg(&machine.name, &findings.bars(&names())))?;
    let text = format!("{}\n![the same as bars](docs/compare.svg)\n", findings.table(&names()));
    write(&results.readme, &report::between_marks(&read(&results.readme)?, &text)?)?;
    for path in [&results.readme, &results.plot, &results.runs.join(&raw)] {
        eprintln!("written: {}", path.display());
    }
    match &lab.failures[..] {
        [] => Ok(()),
        failures => Err(format!("{} failed:\n  {}", failures.len(), failures.join("\n  "))),
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let all = parse("").unwrap();
        assert!(!all.quick && names().iter().all(|name| all.wants(name)));
        assert_eq!(parse("--quick").unwrap(), Options::QUICK);
        let some = parse("--only kernel,files --quick").unwrap();
        assert!(some.quick && some.wants("kernel") && some.wants("files") && !some.wants("larger"));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        assert!(parse("--only").unwrap_err().contains("--only wants"));
        assert!(parse("--only kernel,speed").unwrap_err().contains("no comparison speed: there are kernel,"));
        assert!(parse("--only kernel,").is_err());
        assert!(parse("fast").unwrap_err().contains("fast"));
    }
}
