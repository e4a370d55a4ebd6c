//! Products from files to a file, beside the same kernel in memory, NumPy, and dask with zarr.

use super::lab::Lab;
use super::rounds::{Spread, alternate};
use super::row::{Aim, Found, Panel};

const HAMA: &str = "Hama";
const MEMORY: &str = "Hama's kernel, in memory";
const NUMPY: &str = "NumPy load, dot, save";
const DASK: &str = "dask + zarr";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    for (n, count) in lab.size(vec![(4000, 9), (8000, 5)], vec![(1000, 1)]) {
        for dtype in ["f64", "f32"] {
            lab.clear()?;
            size(lab, found, n, dtype, count)?;
        }
    }
    Ok(())
}

fn size(lab: &mut Lab, found: &mut Found, n: u64, dtype: &str, count: usize) -> Result<(), String> {
    // Three matrices in three forms, and what replaces a result beside it.
    lab.need_disk(12 * n * n * 8)?;
    let folder = lab.folder.display().to_string();
    for name in ["a", "b"] {
        lab.random(name, n, n, dtype)?;
        lab.hama(&format!("matrix export {name} {name}.npy"))?;
    }
    let (threads, chunk) = (lab.threads, lab.size(2000, 500));
    let mut candidates = vec![lab.product(HAMA, "a b", "c")];
    candidates.extend(lab.rust(MEMORY, &[&"kernel", &n, &dtype, &threads]));
    candidates.extend(lab.python(NUMPY, &[&"numpy_files", &folder, &threads]));
    candidates.extend(lab.python(DASK, &[&"dask_files", &folder, &chunk, &threads]));
    let rounds = alternate(lab, &format!("file to file, N = {n}, {dtype}"), candidates, count);
    same(lab);

    let case = format!("N = {n}, {dtype}");
    let of_dask = (n == 8000).then_some(Aim::AtMost(if lab.is_amd { 0.88 } else { 0.8 }));
    for (other, field, name, aim) in [
        (MEMORY, "seconds", "the same kernel in memory", Some(Aim::AtMost(1.08))),
        (NUMPY, "seconds", "NumPy load + dot + save, synced", Some(Aim::AtMost(1.0))),
        (NUMPY, "unsynced_seconds", "NumPy, not synced", None),
        (DASK, "seconds", "dask + zarr, not synced", of_dask),
        (DASK, "synced_seconds", "dask + zarr, synced", None),
    ] {
        let what = format!("Files to a file: time, {name} = 1");
        found.figure((&what, &case), rounds.ratio((HAMA, "seconds"), (other, field)), "", aim);
    }

    found.bar(Panel::Files, &case, HAMA, rounds.of(HAMA, "seconds").map(|_| Spread::single(1.0)));
    for name in [MEMORY, NUMPY, DASK] {
        found.bar(Panel::Files, &case, name, rounds.times(name, HAMA));
    }
    Ok(())
}

/// Whether all that got through have computed the same.
fn same(lab: &mut Lab) {
    let paths = [lab.array("c"), lab.folder.join("c.npy"), lab.folder.join("c.zarr")];
    let paths: Vec<_> =
        paths.iter().filter(|path| path.exists()).map(|path| path.to_string_lossy()).collect();
    let mut question = vec!["agree"];
    question.extend(paths.iter().map(AsRef::as_ref));
    match lab.ask(&question) {
        Ok(answer) if answer["agree"] == true => {
            lab.say(&format!("the products agree: they differ by {} of the largest", answer["difference"]));
        }
        Ok(answer) => lab.fail(&format!("the products differ: {answer}")),
        Err(message) => lab.fail(&message),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use super::super::lab::script;
    use crate::oracles::VARIABLE;
    use crate::steps::output;

    /// Runs of `compare.py agree` on files that Python makes; nothing where there is no Python with the oracles.
    fn agree(name: &str, make: &str, products: &[&str]) -> Option<Result<String, String>> {
        let Some(python) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            assert!(std::env::var_os("CI").is_none(), "{VARIABLE} is not set: run `cargo xtask test`");
            let text = format!("SKIPPED: {VARIABLE} is not set; `cargo xtask test` sets it up\n");
            std::io::stderr().write_all(text.as_bytes()).unwrap();
            return None;
        };
        let folder = std::env::temp_dir().join(format!("hama-agree-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let make = format!("import numpy as np; a = np.ones((2500, 4)); s = np.save; {make}");
        output(std::process::Command::new(&python).current_dir(&folder).args(["-c", &make])).unwrap();
        let mut arguments = vec!["agree"];
        arguments.extend(products);
        let answer = output(script(&python, &arguments).current_dir(&folder));
        fs::remove_dir_all(&folder).unwrap();
        Some(answer)
    }

    #[test]
    fn products_agree_within_rounding() {
        let make = "s('x', a); s('y', a * (1 + 2e-16)); s('z', a * 1.001)";
        let Some(answer) = agree("rounding", make, &["x.npy", "y.npy"]) else { return };
        assert!(answer.unwrap().contains(r#""agree": true"#));
        let answer = agree("other", make, &["x.npy", "y.npy", "z.npy"]).unwrap();
        assert!(answer.unwrap().contains(r#""agree": false"#));
    }

    #[test]
    fn what_is_not_a_number_does_not_agree_wherever_it_stands() {
        for row in [0, 1500, 2499] {
            let make = format!("s('x', a); b = a.copy(); b[{row}, 1] = np.nan; s('y', b)");
            let Some(answer) = agree("nan", &make, &["x.npy", "y.npy"]) else { return };
            let answer: serde_json::Value = serde_json::from_str(&answer.unwrap()).unwrap();
            assert_eq!((&answer["agree"], &answer["difference"]), (&false.into(), &"nan".into()), "{row}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let make = "s('x', a); s('y', a[:1])";
        let Some(answer) = agree("one", make, &["x.npy"]) else { return };
        assert!(answer.unwrap_err().contains("cannot compare 1 products"));
        let answer = agree("shapes", make, &["x.npy", "y.npy"]).unwrap();
        assert!(answer.unwrap_err().contains("shapes (2500, 4), (1, 4)"));
    }
}
