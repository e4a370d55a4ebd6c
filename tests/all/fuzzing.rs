//! Every parser of foreign bytes: the corpus of its fuzz target, and a second of changes to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hama_core::testing::{mutate, parse as core};
use hama_hdfs::testing::parse as hdfs;
use hama_matrix::parse as matrix;

/// A parser by the name of its target.
type Parser = (&'static str, fn(&[u8]));

/// The fuzz targets.
const PARSERS: &[Parser] = &[
    ("bundle", core::bundle),
    ("chunk", matrix::chunk),
    #[cfg(feature = "cluster")]
    ("control", core::control),
    ("csv", matrix::csv),
    ("frames", core::frames),
    ("hello", core::hello),
    ("inbox", core::inbox),
    ("index", hdfs::index),
    ("labels", hdfs::labels),
    ("locations", hdfs::locations),
    ("manifest", hdfs::manifest),
    ("market", matrix::market),
    ("names", hdfs::names),
    ("npy", matrix::npy),
    ("npz", matrix::npz),
    ("plan", matrix::plan),
    ("size", matrix::size),
    ("table", hdfs::table),
    #[cfg(feature = "cluster")]
    ("words", core::words),
    ("zarr", matrix::zarr),
];

const TIME: Duration = Duration::from_secs(1);
const SEED: u64 = 5;
/// What a process may have mapped while it reads inputs of 64 KiB at most, in KiB.
const MAPPED_KIB: u64 = 1 << 20;
/// Says to a process of this program which parser to run.
const VARIABLE: &str = "HAMA_TEST_PARSER";

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_parser_has_a_fuzz_target_and_a_corpus() {
    let mut names: BTreeSet<String> = PARSERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    // That of `hama.toml` belongs to the command, and its changes to its unit tests.
    names.insert("settings".to_owned());
    // Only with the feature `cluster`.
    names.insert("control".to_owned());
    assert_eq!(names_in("fuzz_targets"), names);
    assert_eq!(names_in("corpus"), names);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not built");
    }
}

#[test]
fn no_parser_panics_or_takes_much_memory() {
    let this = "fuzzing::one_parser_in_a_process_of_its_own";
    for (name, _) in PARSERS {
        let limited = format!("ulimit -v {MAPPED_KIB} && exec \"$0\" --exact {this} --nocapture");
        let output = Command::new("sh")
            .args(["-c", &limited])
            .arg(std::env::current_exe().unwrap())
            .env(VARIABLE, name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("inputs"), "{name}: {said}{error}");
        println!("{name}: {}", said.lines().find(|line| line.contains("inputs")).unwrap_or_default());
    }
}

#[test]
fn one_parser_in_a_process_of_its_own() {
    let Ok(wanted) = std::env::var(VARIABLE) else { return };
    let (name, parse) = PARSERS.iter().find(|(name, _)| *name == wanted).unwrap();
    let mut files: Vec<PathBuf> =
        fs::read_dir(fuzz().join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let mut last = Vec::new();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        mutate(&seeds, SEED, TIME, |bytes| {
            last.clear();
            last.extend_from_slice(bytes);
            parse(bytes);
        })
    }));
    match outcome {
        Ok(count) => println!("{count} inputs"),
        Err(_) => panic!("{name} fails of {:?}", String::from_utf8_lossy(&last)),
    }
}
