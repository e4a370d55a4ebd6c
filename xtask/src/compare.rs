//! `cargo xtask compare`: Hama beside NumPy, Dask with Zarr and distributed, MKL, Hadoop's shell and its own parts, every figure a ratio within one run.

mod child;
mod cluster;
mod command;
mod criterion;
mod engine;
mod files;
mod hdfs;
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
use std::time::Instant;

use crate::steps::{Steps, root};
use lab::{Lab, Programs};
use machine::Machine;
use report::Findings;
use row::Found;

/// Fills in what it finds as it goes, so that an error leaves what was found before.
type Comparison = fn(&mut Lab, &mut Found) -> Result<(), String>;

/// What can be compared, in the order of the table.
const COMPARISONS: [(&str, Comparison); 10] = [
    ("kernel", kernel::run),
    ("files", files::run),
    ("memory", memory::run),
    ("larger", larger::run),
    ("random", random::run),
    ("transposed", transposed::run),
    ("engine", engine::run),
    ("command", command::run),
    ("hdfs", hdfs::run),
    ("cluster", cluster::run),
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
    /// Tables and files while it runs.
    data: PathBuf,
}

impl Results {
    /// In the repository, or for a quick run in a folder of its own.
    fn of(quick: bool) -> Results {
        let target = root().join("target/compare");
        let (home, work) =
            if quick { (target.join("quick"), target.join("quick")) } else { (root(), target) };
        Results {
            readme: home.join("README.md"),
            plot: home.join("docs/compare.svg"),
            runs: home.join("benches/runs"),
            kept: work.join("results.json"),
            data: work.join("data"),
        }
    }

    /// With the folders that they need. A quick run's begins with a copy of the README and nothing else.
    fn at(quick: bool) -> Result<Results, String> {
        let results = Results::of(quick);
        let home = results.readme.parent().ok_or("a README without a folder")?;
        if quick && home.exists() {
            fs::remove_dir_all(home).map_err(|error| format!("cannot clear {}: {error}", home.display()))?;
        }
        for folder in [&results.data, &results.runs, &home.join("docs")] {
            fs::create_dir_all(folder)
                .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        }
        if quick {
            write(&results.readme, &read(&root().join("README.md"))?)?;
        }
        Ok(results)
    }

    /// Puts the table and the plot in place, where this run has found something.
    fn show(&self, findings: &Findings, put: usize) -> Result<(), String> {
        if put == 0 {
            return Ok(());
        }
        write(&self.plot, &plot::svg(&findings.machine, &findings.bars(&names())))?;
        let text = format!("{}\n![the same as bars](docs/compare.svg)\n", findings.table(&names()));
        write(&self.readme, &report::between_marks(&read(&self.readme)?, &text)?)?;
        for path in [&self.readme, &self.plot] {
            eprintln!("written: {}", path.display());
        }
        Ok(())
    }
}

/// Runs what was asked for, and writes what it found. A comparison that fails is reported, and the others go on.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), String> {
    let results = Results::at(options.quick)?;
    let mkl = options.wants("kernel") && !options.quick;
    let programs = Programs::set_up(steps, mkl, options.wants("hdfs") || options.wants("cluster"))?;
    let machine = Machine::here(&programs)?;
    let raw = format!("{}-compare-{}.txt", machine.date, machine.slug);
    let mut lab = Lab::new(programs, options.quick, machine.is_amd, &results.data, &results.runs.join(&raw))?;
    lab.say("$ cargo xtask compare");
    machine.lines.iter().for_each(|line| lab.say(line));

    let mut findings = Findings::load(&results.kept, &machine.name);
    let mut put = 0;
    for (name, compare) in COMPARISONS.into_iter().filter(|(name, _)| options.wants(name)) {
        let found = steps.time(&format!("compare {name}"), || measure(&mut lab, name, compare));
        if found != Found::default() {
            findings.put(name, &machine.date, &raw, found);
            put += 1;
            // What is found is kept even if a later one is interrupted.
            findings.save(&results.kept)?;
        }
    }
    if let Err(message) = lab.clear() {
        lab.fail(&message);
    }

    results.show(&findings, put)?;
    eprintln!("written: {}", results.runs.join(&raw).display());
    match &lab.failures[..] {
        [] => Ok(()),
        failures => Err(format!("{} failed:\n  {}", failures.len(), failures.join("\n  "))),
    }
}

/// What one comparison finds, in a folder that is empty when it begins: where it fails, what it has found before.
fn measure(lab: &mut Lab, name: &str, compare: Comparison) -> Found {
    let start = Instant::now();
    let mut found = Found::default();
    if let Err(message) = lab.clear().and_then(|()| compare(lab, &mut found)) {
        lab.fail(&format!("{name}: {message}"));
    }
    lab.say("");
    for row in &mut found.rows {
        // Small sizes have no aims.
        row.aim = row.aim.filter(|_| !lab.quick);
        lab.say(&format!("{}, {}: {}{}", row.what, row.case, row.figure(), row.verdict()));
    }
    lab.say(&format!("{name} took {:.0} s", start.elapsed().as_secs_f64()));
    found
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

    #[test]
    fn a_quick_run_has_a_folder_of_its_own() {
        let (quick, real) = (Results::of(true), Results::of(false));
        let own = root().join("target/compare/quick");
        for path in [&quick.readme, &quick.plot, &quick.runs, &quick.kept, &quick.data] {
            assert!(path.starts_with(&own), "{}", path.display());
        }
        for path in [&real.readme, &real.plot, &real.runs, &real.kept, &real.data] {
            assert!(!path.starts_with(&own), "{}", path.display());
        }
    }

    /// A folder of the test `name`, which does not exist.
    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("hama-compare-{name}-{}", std::process::id()))
    }

    fn one_and_an_error(_: &mut Lab, found: &mut Found) -> Result<(), String> {
        found.figure(("what", "case"), Some(rounds::Spread::single(2.0)), "", None);
        Err("the second one failed".into())
    }

    #[test]
    fn what_was_found_before_an_error_is_kept() {
        let mut lab = Lab::for_tests();
        lab.folder = folder("error");
        let found = measure(&mut lab, "engine", one_and_an_error);
        assert_eq!(found.rows.len(), 1);
        assert_eq!(lab.failures, ["engine: the second one failed"]);
        fs::remove_dir_all(&lab.folder).unwrap();
    }

    #[test]
    fn a_run_that_finds_nothing_leaves_the_table_and_the_plot() {
        let home = folder("nothing");
        fs::create_dir_all(&home).unwrap();
        let at = |name| home.join(name);
        let (readme, plot) = (at("README.md"), at("compare.svg"));
        let results = Results {
            readme: readme.clone(),
            plot: plot.clone(),
            runs: at("runs"),
            kept: at("kept"),
            data: at("data"),
        };
        let page = "<!-- cargo xtask compare: begin -->\nold\n<!-- cargo xtask compare: end -->\n";
        write(&readme, page).unwrap();
        write(&plot, "old").unwrap();
        let mut findings = Findings::load(&results.kept, "a machine");
        results.show(&findings, 0).unwrap();
        assert_eq!((read(&readme).unwrap().as_str(), read(&plot).unwrap().as_str()), (page, "old"));

        let mut found = Found::default();
        found.figure(("what", "case"), Some(rounds::Spread::single(2.0)), "", None);
        findings.put("kernel", "2026-11-21", "one.txt", found);
        results.show(&findings, 1).unwrap();
        assert!(read(&readme).unwrap().contains("| what |") && read(&plot).unwrap() != "old");
        fs::remove_dir_all(&home).unwrap();
    }
}
