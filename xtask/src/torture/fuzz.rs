//! The fuzz targets of `fuzz`, run by cargo-fuzz, which is installed into target.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::Table;
use crate::steps::{Steps, cargo, root, tail};

const VERSION: &str = "0.13.2";
/// For each target, where nothing else is said.
const TIME: Duration = Duration::from_secs(120);
/// A parser of inputs of 64 KiB that takes more has believed a length.
const RSS_LIMIT: &str = "-rss_limit_mb=1024";
const MALLOC_LIMIT: &str = "-malloc_limit_mb=256";

/// Runs every target for its share of `time`. What they find lies in `fuzz/artifacts`.
pub(super) fn run(
    steps: &mut Steps,
    seed: u64,
    time: Option<Duration>,
    table: &mut Table,
) -> Result<(), String> {
    let targets = targets()?;
    install(steps)?;
    steps.run("fuzz targets, with the address sanitizer", &mut cargo_fuzz(["build"]))?;
    let each = time.map_or(TIME, |time| time / targets.len() as u32);
    for target in targets {
        let work = root().join("target/fuzz/corpus").join(&target);
        fs::create_dir_all(&work).map_err(|error| format!("cannot make {}: {error}", work.display()))?;
        // What is new goes into the first folder.
        let mut command = cargo_fuzz(["run", &target]);
        command.arg(&work).arg(root().join("fuzz/corpus").join(&target));
        let (seconds, number) = (format!("-max_total_time={}", each.as_secs().max(1)), seed % (1 << 31));
        command.args(["--", &seconds, &format!("-seed={number}"), "-max_len=65536", "-timeout=20"]);
        command.args([RSS_LIMIT, MALLOC_LIMIT, "-print_final_stats=1"]);
        let output = steps.time(&format!("fuzz {target}, {} s", each.as_secs()), || command.output());
        let output = output.map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let stat = |name: &str| {
            said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned()
        };
        let (runs, peak) = (stat("stat::number_of_executed_units:"), stat("stat::peak_rss_mb:"));
        let inputs = format!("{runs} inputs");
        table.row(format!("{:9} {target:28} {inputs:22} {peak} MiB at most", "fuzz"));
        if !output.status.success() {
            table.find("fuzz", &format!("{target}{}", tail(&output.stderr)));
            let again =
                "RUSTC_BOOTSTRAP=1 target/fuzz-tools/bin/cargo-fuzz fuzz run --target-dir target/fuzz";
            table.row(format!("{:9} again: {again} {target} fuzz/artifacts/{target}/FILE", ""));
        }
    }
    Ok(())
}

/// The names of the targets.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn install(steps: &mut Steps) -> Result<(), String> {
    let home = root().join("target/fuzz-tools");
    let installed = Command::new(home.join("bin/cargo-fuzz")).args(["fuzz", "--version"]).output();
    if installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION)) {
        return Ok(());
    }
    let mut command = cargo(["install", "--quiet", "--locked", "cargo-fuzz", "--version", VERSION, "--root"]);
    steps.run("cargo-fuzz", command.arg(home))
}

/// cargo-fuzz. The sanitizer's options are those of a nightly compiler, which the variable turns on.
fn cargo_fuzz<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(root().join("target/fuzz-tools/bin/cargo-fuzz"));
    command.current_dir(root()).env("RUSTC_BOOTSTRAP", "1").arg("fuzz");
    let mut arguments = arguments.into_iter();
    command.args(arguments.next()).args(["--target-dir", "target/fuzz"]).args(arguments);
    command
}
