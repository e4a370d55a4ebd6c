//! Python environments, made once: the oracles, whose libraries the tests compare results with, and MKL beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::steps::{Steps, root};

/// Tells the tests which interpreter has the oracles.
pub(crate) const VARIABLE: &str = "HAMA_ORACLE_PYTHON";

/// The environment that the tests compare with.
pub(crate) const ORACLES: &str = "oracles";

const PYTHONS: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// The interpreter of `target/NAME`, made when it is missing or when `xtask/NAME.txt`, the list of its packages, has
/// changed.
pub(crate) fn set_up(steps: &mut Steps, name: &str) -> Result<PathBuf, String> {
    let list = root().join(format!("xtask/{name}.txt"));
    let wanted =
        fs::read_to_string(&list).map_err(|error| format!("cannot read {}: {error}", list.display()))?;
    let home = root().join("target").join(name);
    let python = home.join("bin/python");
    let stamp = home.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == wanted) && runs(&python) {
        return Ok(python);
    }
    let base = PYTHONS.iter().map(Path::new).find(|python| runs(python)).ok_or(
        "no Python 3.11 or newer with venv found, which results are compared with \
         (Debian: apt-get install python3-venv)",
    )?;
    let mut make = Command::new(base);
    steps.run(&format!("{name}: environment"), make.args(["-m", "venv", "--clear"]).arg(&home))?;
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&list);
    steps.run(&format!("{name}: packages"), &mut install)?;
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(python)
}

/// Whether this is a Python that can make and run the environment.
fn runs(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
