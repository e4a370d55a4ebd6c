//! How the workspace is cut: who depends on whom, under which licences, and where a third-party crate is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate of ours with those of ours that it may use.
const ARROWS: [(&str, &[&str]); 5] = [
    ("hama", &["hama-matrix", "hama-hdfs", "hama-core"]),
    ("hama-matrix", &["hama-hdfs", "hama-core"]),
    ("hama-hdfs", &["hama-core"]),
    ("hama-core", &[]),
    ("xtask", &[]),
];

const LICENCES: [&str; 12] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Third-party crates, and the only file or folder of ours that may name them; in each layer one.
const PLACES: &[(&str, &str)] = &[
    ("bincode", "hama-core/src/message/codec.rs"),
    ("lz4_flex", "hama-core/src/message/compress.rs"),
    ("flate2", "hama-matrix/src/files/inflate.rs"),
    ("ruzstd", "hama-matrix/src/zarr/codecs.rs"),
    ("zip", "hama-matrix/src/files/npz.rs"),
    ("gemm", "hama-matrix/src/kernel/tests.rs"),
    ("hdfs_native", "hama-hdfs/src/store/hdfs"),
    ("futures_core", "hama-hdfs/src/store/hdfs/read.rs"),
    ("futures_core", "hama-core/src/cluster/rpc"),
    ("hyper_util", "hama-core/src/cluster/rpc"),
    ("roxmltree", "hama-hdfs/src/store/hdfs/config.rs"),
    ("sha2", "hama-core/src/cluster/digest.rs"),
    ("subtle", "hama-core/src/cluster/rpc/door.rs"),
    ("tokio", "hama-hdfs/src/store/hdfs"),
    ("tokio", "hama-core/src/cluster"),
    ("tonic", "hama-core/src/cluster/rpc"),
    ("tower", "hama-core/src/cluster/rpc"),
    ("ureq", "hama-hdfs/src/store/hdfs/web"),
    ("whoami", "hama-hdfs/src/store/hdfs/web"),
    ("zookeeper_client", "hama-core/src/cluster/zookeeper"),
    ("clap", "src/cli"),
    ("clap_complete", "src/cli/completions.rs"),
    ("clap_mangen", "src/cli/man.rs"),
    ("ctrlc", "src/cli/interrupt.rs"),
    ("font8x8", "src/cli/plot/canvas.rs"),
    ("humantime", "src/cli/gc.rs"),
    ("indicatif", "src/cli/progress.rs"),
    ("png", "src/cli/plot/canvas.rs"),
    ("signal_hook", "src/cli/limits.rs"),
    ("terminal_size", "src/cli/picture.rs"),
    ("toml", "src/cli/settings/file.rs"),
    ("tracing_subscriber", "src/cli/log.rs"),
];

/// The most packages that building and running the command takes. The cluster has some 100 of them: its client of ZooKeeper
/// brings an executor beside tokio, and gRPC what generates its code.
const PACKAGES_MAX: usize = 320;
/// And the same of the library without the command.
const EMBEDDED_PACKAGES_MAX: usize = 80;

#[test]
fn crates_depend_on_each_other_in_one_line() {
    let metadata = metadata();
    for (name, allowed) in ARROWS {
        let package = metadata.packages().find(|package| package["name"] == name).unwrap();
        for dependency in list(&package["dependencies"]) {
            let used = text(&dependency["name"]);
            // A crate's tests may want its own features, and what starts servers.
            let of_tests = dependency["kind"] == "dev" && used == "xtask";
            if dependency["path"].is_string() && used != name && !of_tests {
                assert!(allowed.contains(&used), "{name} must not depend on {used}");
            }
        }
    }
    let ours = metadata.packages().filter(|package| package["source"].is_null()).count();
    assert_eq!(ours, ARROWS.len(), "a crate of the workspace without a place in the line");
}

#[test]
fn every_dependency_has_a_licence_that_ours_allows() {
    let metadata = metadata();
    for package in metadata.packages() {
        let name = text(&package["name"]);
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        assert!(allowed(licence), "{name}: {licence}");
    }
}

#[test]
fn licences_are_read_as_written() {
    assert!(allowed("GPL-3.0 OR (MIT AND Zlib)"));
    assert!(allowed("GPL-2.0/MIT"));
    assert!(allowed("Apache-2.0 WITH LLVM-exception"));
    assert!(!allowed("MIT AND (GPL-3.0 OR AGPL-3.0)"));
    assert!(!allowed("GPL-3.0"));
    assert!(!allowed(""));
}

#[test]
fn the_builds_stay_small() {
    for (features, most) in [(&["--no-default-features"][..], EMBEDDED_PACKAGES_MAX), (&[], PACKAGES_MAX)] {
        let count = metadata_with(features).reachable("hama").len() - 1;
        println!("{count} packages for building and running hama with {features:?}");
        assert!(count < most, "{count} packages with {features:?}");
    }
}

#[test]
fn a_third_party_crate_is_named_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "hama-core/src", "hama-hdfs/src", "hama-matrix/src"] {
        rust_files(&root.join(folder), &mut files);
    }
    for file in files {
        let content = std::fs::read_to_string(&file).unwrap();
        for (name, _) in PLACES {
            let named = content.contains(&format!("{name}::")) || content.contains(&format!("use {name};"));
            let at = file.strip_prefix(root).unwrap().to_str().unwrap();
            let places: Vec<&str> =
                PLACES.iter().filter(|(of, _)| of == name).map(|(_, place)| *place).collect();
            let belongs = places.iter().any(|place| at.starts_with(place));
            assert!(!named || belongs, "{at} names {name}, which belongs into {places:?}");
        }
    }
}

struct Metadata(Value);

/// What cargo says about the workspace as it is built by default on this host.
fn metadata() -> Metadata {
    metadata_with(&[])
}

/// The same with some arguments more.
fn metadata_with(arguments: &[&str]) -> Metadata {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["metadata", "--locked", "--format-version=1", "--filter-platform", &host()])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Metadata(serde_json::from_slice(&output.stdout).unwrap())
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).args(["--version", "--verbose"]).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

impl Metadata {
    fn packages(&self) -> impl Iterator<Item = &Value> {
        list(&self.0["packages"])
    }

    /// The package `name` and what building and running it takes, without what only its tests do.
    fn reachable(&self, name: &str) -> BTreeSet<&str> {
        let nodes: BTreeMap<&str, &Value> =
            list(&self.0["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
        let start = text(&self.packages().find(|package| package["name"] == name).unwrap()["id"]);
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for dependency in list(&nodes[id]["deps"]) {
                let needed = list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev");
                if needed && seen.insert(text(&dependency["pkg"])) {
                    open.push(text(&dependency["pkg"]));
                }
            }
        }
        seen
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether an SPDX expression leaves a choice that the list allows. AND binds closer than OR.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize) -> bool {
    let mut met = all_of(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(words, at);
    }
    met
}

fn all_of(words: &[&str], at: &mut usize) -> bool {
    let mut met = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at);
    }
    met
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(&word) = words.get(*at) else { return false };
    *at += 1;
    if word == "(" {
        let met = any_of(words, at);
        *at += 1;
        return met;
    }
    let mut licence = word.to_owned();
    if let [_, "WITH", exception, ..] = words[*at - 1..] {
        licence = format!("{word} WITH {exception}");
        *at += 2;
    }
    LICENCES.contains(&licence.as_str())
}
