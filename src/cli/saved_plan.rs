//! `--plan FILE`: a plan that `--explain --json` has printed, to be run as it is.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use hama::{Error, ErrorKind, Plan, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// No plan is as long.
const BYTES_MAX: u64 = 16 << 20;
/// Of the documents that hold one.
const SCHEMA: u32 = 1;

/// Reads the plan that a file holds: a document of `--explain --json` or of a product, or the bare plan.
///
/// # Errors
/// `Invalid` where it is no regular file, longer than 16 MiB, or holds something else; `Data` where it is damaged; those of
/// the file system.
pub(crate) fn read(path: &Path) -> Result<Plan> {
    let failed = |error| Error::io(format!("cannot read the plan {}", path.display()), error);
    let refused =
        |why: String| Err(Error::invalid(format!("cannot read the plan {}: {why}", path.display())));
    // Asked before it is opened: opening a pipe waits for somebody to write into it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return refused("it is no regular file".into());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return refused("it is longer than 16 MiB, and no plan is".into());
    }
    match parse(&bytes) {
        Ok(Found::Plan(plan)) => Ok(*plan),
        Ok(Found::Else(what)) => refused(what),
        Err(error) => {
            let message = format!("the plan {} is damaged: {error}", path.display());
            Err(Error::new(ErrorKind::Data, message))
        }
    }
}

enum Found {
    Plan(Box<Plan>),
    Else(String),
}

fn parse(bytes: &[u8]) -> serde_json::Result<Found> {
    /// Read first: it takes no memory, whatever there is.
    #[derive(Deserialize)]
    struct Outline {
        schema: Option<IgnoredAny>,
        plan: Option<IgnoredAny>,
        problem: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    #[derive(Deserialize)]
    struct Document {
        plan: Box<Plan>,
    }
    let Outline { schema, plan, problem } = serde_json::from_slice(bytes)?;
    if schema.is_some() {
        let Version { schema } = serde_json::from_slice(bytes)?;
        if schema != SCHEMA {
            return Ok(Found::Else(format!("its schema is {schema}, and this hama reads {SCHEMA}")));
        }
    }
    match (plan, problem) {
        (Some(_), _) => serde_json::from_slice(bytes).map(|Document { plan }| Found::Plan(plan)),
        (None, Some(_)) => serde_json::from_slice(bytes).map(Found::Plan),
        (None, None) => {
            Ok(Found::Else("it holds none; `hama matrix multiply A B --explain --json` prints one".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use hama::{DenseMatrix, Hama};
    use serde_json::{Value, json};

    use super::*;

    fn plan(store: &str) -> Plan {
        let hama = Hama::builder().store(store).memory(64 << 20).build().unwrap();
        let a = DenseMatrix::<f64>::zeros(&hama, hama::replace("a"), (30, 30)).unwrap();
        a.mult(&a).unwrap().plan().unwrap()
    }

    fn found(value: &Value) -> serde_json::Result<Found> {
        parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_plan_comes_back_bare_and_in_a_document() {
        let plan = plan("memory:saved-plan");
        let bare = serde_json::to_value(&plan).unwrap();
        for value in
            [bare.clone(), json!({"schema": 1, "command": "matrix multiply", "plan": bare, "rates": {}})]
        {
            assert!(matches!(found(&value), Ok(Found::Plan(back)) if *back == plan), "{value}");
        }
    }

    #[test]
    fn what_holds_no_plan_is_told_from_what_is_damaged() {
        let other = |value: &Value| matches!(found(value), Ok(Found::Else(_)));
        assert!(
            other(&json!({})) && other(&json!({"schema": 1, "error": {}})) && other(&json!({"schema": 2}))
        );
        for value in [
            json!([]),
            json!(7),
            json!({"plan": {}}),
            json!({"plan": []}),
            json!({"schema": "x", "plan": {}}),
        ] {
            assert!(found(&value).is_err(), "{value}");
        }
        for bytes in [&b""[..], b"{", b"\xff\0", b"{\"plan\":", &[b'['; 100_000]] {
            assert!(parse(bytes).is_err());
        }
        let whole = serde_json::to_value(plan("memory:damaged-plan")).unwrap();
        for field in whole.as_object().unwrap().keys() {
            let mut value = whole.clone();
            value[field] = json!(-1);
            assert!(found(&value).is_err(), "{field}");
        }
    }

    #[test]
    fn no_changes_to_a_file_panic() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/plan");
        let seeds: Vec<Vec<u8>> =
            fs::read_dir(corpus).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        let given = hama_core::testing::mutate(&seeds, 5, std::time::Duration::from_secs(1), |bytes| {
            let _ = parse(bytes);
        });
        assert!(given > 100, "{given} inputs");
    }
}
