//! The command itself, where there is little to compute.

use super::lab::Lab;
use super::rounds::alternate;
use super::row::{Aim, Found};

const VERSION: &str = "--version";
const PRODUCT: &str = "100 x 100";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    lab.random("a", 100, 100, "f64")?;
    lab.random("b", 100, 100, "f64")?;
    let candidates = vec![
        lab.command(VERSION, "--version"),
        lab.command(PRODUCT, "matrix multiply a b --output c --replace"),
    ];
    let count = lab.size(20, 3);
    let rounds = alternate(lab, "the command", candidates, count);
    let ms = |name| rounds.of(name, "seconds").map(|seconds| seconds.scaled(1e3));
    let what = "The whole command";
    found.figure((what, "`hama --version`"), ms(VERSION), " ms", None);
    let case = "`hama matrix multiply` of 100 x 100";
    found.figure((what, case), ms(PRODUCT), " ms", Some(Aim::AtMost(30.0)));
    Ok(())
}
