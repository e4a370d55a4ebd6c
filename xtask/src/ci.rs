//! What a change must pass, cheapest first and the tests last.

use serde_json::Value;

use crate::steps::{Steps, cargo};
use crate::{compare, oracles, services};

/// Format, lints (every feature set alone too), docs, benches that run once, tests, the quick comparison.
pub(crate) fn all(steps: &mut Steps) -> Result<(), String> {
    steps.run("format", &mut cargo(["fmt", "--all", "--check"]))?;
    let everything =
        ["clippy", "--locked", "--workspace", "--all-targets", "--all-features", "--", "-Dwarnings"];
    steps.run("lints", &mut cargo(everything))?;
    for (package, feature) in feature_sets()? {
        let mut set = vec!["clippy", "--locked", "--package", &package, "--no-default-features"];
        set.extend(feature.iter().flat_map(|feature| ["--features", feature]));
        set.extend(["--", "-Dwarnings"]);
        let name = format!("lints: {package} with {}", feature.as_deref().unwrap_or("no features"));
        steps.run(&name, &mut cargo(set))?;
    }
    // A workspace of its own, so nothing else builds its targets.
    let fuzz =
        ["clippy", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz-check"];
    steps.run("lints: fuzz targets", cargo(fuzz).args(["--", "-Dwarnings"]))?;
    let mut docs = cargo(["doc", "--locked", "--workspace", "--no-deps", "--all-features"]);
    steps.run("docs", docs.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    steps.run("benches, once each", &mut cargo(["bench", "--locked", "--", "--test"]))?;
    test(steps, &[])?;
    compare::run(steps, &compare::Options::QUICK)
}

/// Every test, with the oracles, with HDFS and with ZooKeeper.
///
/// Without them the tests that need them say that they skip; under `CI` that is an error.
pub(crate) fn test(steps: &mut Steps, arguments: &[String]) -> Result<(), String> {
    let mut tests = cargo(["test", "--locked", "--workspace", "--all-features"]);
    match oracles::set_up(steps, oracles::ORACLES) {
        Ok(python) => {
            tests.env(oracles::VARIABLE, python);
        }
        Err(message) if std::env::var_os("CI").is_some() => return Err(message),
        Err(message) => eprintln!("xtask: going on without the comparison with Python: {message}"),
    }
    match services::set_up(steps) {
        Err(message) if std::env::var_os("CI").is_some() => return Err(message),
        Err(message) => eprintln!("xtask: going on without HDFS and ZooKeeper: {message}"),
        Ok(()) => {}
    }
    let summaries = services::summaries(&mut tests)?;
    let outcome = steps.run("tests", tests.args(arguments));
    // Again, since much was printed after them.
    for line in summaries.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
        eprint!("\n{line}");
    }
    outcome
}

/// Every package with no features, and with each of its features by itself.
fn feature_sets() -> Result<Vec<(String, Option<String>)>, String> {
    let mut metadata = cargo(["metadata", "--locked", "--no-deps", "--format-version=1"]);
    let output = metadata.output().map_err(|error| format!("cannot start {metadata:?}: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cannot read the output of cargo metadata: {error}"))?;
    let mut sets = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        sets.push((name.to_owned(), None));
        for feature in package["features"].as_object().into_iter().flatten().map(|(feature, _)| feature) {
            if feature != "default" {
                sets.push((name.to_owned(), Some(feature.clone())));
            }
        }
    }
    Ok(sets)
}
