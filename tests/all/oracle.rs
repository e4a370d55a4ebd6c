//! Runs Python where the oracles are: zarr, dask, xarray, numpy and scikit-learn.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter that has what the tests compare with.
///
/// Where `HAMA_ORACLE_PYTHON` names none, it says so and gives nothing; under `CI` that is a failure.
#[track_caller]
pub(crate) fn interpreter() -> Option<PathBuf> {
    let python = std::env::var_os("HAMA_ORACLE_PYTHON");
    if python.is_none() {
        assert!(std::env::var_os("CI").is_none(), "HAMA_ORACLE_PYTHON is not set: run `cargo xtask test`");
        // Straight to standard error: what a test prints is shown only where it fails.
        let text = b"SKIPPED: HAMA_ORACLE_PYTHON is not set; `cargo xtask test` sets it up\n";
        std::io::stderr().write_all(text).unwrap();
    }
    python.map(PathBuf::from)
}

/// Runs a script in `folder` with arguments, and gives what it prints; nothing where there is no [interpreter].
#[track_caller]
pub(crate) fn python(folder: &Path, script: &str, arguments: &[&str]) -> Option<String> {
    let python = interpreter()?;
    let output = Command::new(python)
        .current_dir(folder)
        // Warnings of zarr about foreign objects would mean that the layout is not clean.
        .args(["-W", "error::UserWarning", "-c", script])
        .args(arguments)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    Some(out.into_owned())
}
