//! Criterion's benches: run, and their samples read.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::lab::Lab;
use super::rounds::Spread;
use crate::steps::{cargo, output};

/// What one bench measured.
pub(super) struct Sampled {
    /// Its group, function and parameter.
    pub(super) id: String,
    /// Seconds of one iteration.
    pub(super) seconds: Spread,
    /// Elements or bytes of one iteration, where the bench says it.
    pub(super) elements: Option<f64>,
    pub(super) bytes: Option<f64>,
}

impl Sampled {
    pub(super) fn gb_per_s(&self) -> Option<Spread> {
        self.bytes.map(|bytes| self.seconds.per(bytes / 1e9))
    }
}

/// Runs what a bench has whose ids match `filter`, a regular expression.
pub(super) fn run(lab: &mut Lab, bench: &str, filter: &str) -> Result<Vec<Sampled>, String> {
    let home = lab.folder.join("criterion").join(bench);
    lab.say(&format!("\nbench {bench} {filter}"));
    lab.peak();
    let mut command = cargo(["bench", "--locked", "--quiet", "--bench", bench, "--", filter]);
    // Estimates of its own: nothing old can be taken for what was measured now.
    command.args(lab.quick.then_some("--quick")).env("CRITERION_HOME", &home);
    output(&mut command)?;
    lab.peak();
    let mut found = Vec::new();
    read_folder(&home, &mut found)?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    for sampled in &found {
        let Spread { median, min, max } = sampled.seconds;
        lab.say(&format!("{:<28} {median:.4e} s ({min:.4e} to {max:.4e})", sampled.id));
    }
    if found.is_empty() { Err(format!("{command:?} has measured nothing")) } else { Ok(found) }
}

/// All `new` samples under a folder.
fn read_folder(folder: &Path, found: &mut Vec<Sampled>) -> Result<(), String> {
    let at = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.ends_with("new") {
            let (about, sample) = (json(&path.join("benchmark.json"))?, json(&path.join("sample.json"))?);
            found.push(sampled(&about, &sample).ok_or_else(|| format!("no sample in {}", path.display()))?);
        } else if path.is_dir() {
            read_folder(&path, found)?;
        }
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value, String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn sampled(about: &Value, sample: &Value) -> Option<Sampled> {
    let numbers = |name: &str| Some(sample[name].as_array()?.iter().filter_map(Value::as_f64));
    let seconds = numbers("times")?.zip(numbers("iters")?).map(|(nanos, count)| nanos / count / 1e9);
    Some(Sampled {
        id: about["full_id"].as_str()?.to_owned(),
        seconds: Spread::of(seconds.collect())?,
        elements: about["throughput"]["Elements"].as_f64(),
        bytes: about["throughput"]["Bytes"].as_f64(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sample_gives_the_seconds_of_one_iteration() {
        let about = json!({ "full_id": "messages/Memory/2", "throughput": { "Bytes": 2e9 } });
        let sample = json!({ "iters": [1.0, 2.0, 4.0], "times": [3e9, 4e9, 4e9] });
        let sampled = sampled(&about, &sample).unwrap();
        assert_eq!(sampled.id, "messages/Memory/2");
        assert_eq!(sampled.seconds, Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(sampled.gb_per_s(), Some(Spread { median: 1.0, min: 2.0 / 3.0, max: 2.0 }));
        assert_eq!(sampled.elements, None);
    }

    #[test]
    fn a_sample_of_another_form_is_none() {
        assert!(sampled(&json!({}), &json!({ "iters": [1.0], "times": [1.0] })).is_none());
        assert!(sampled(&json!({ "full_id": "x" }), &json!({ "iters": [], "times": [] })).is_none());
        assert!(sampled(&json!({ "full_id": "x" }), &json!({})).is_none());
    }
}
