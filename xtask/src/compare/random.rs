//! Making random matrices.

use super::criterion;
use super::lab::Lab;
use super::rounds::{Spread, alternate};
use super::row::{Aim, Found};

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    let n = lab.size(8000u64, 1000);
    lab.need_disk(3 * n * n * 8)?;
    let line = |dtype| format!("matrix random r --rows {n} --cols {n} --dtype {dtype} --replace");
    let candidates = vec![lab.command("f64", line("f64")), lab.command("f32", line("f32"))];
    let count = lab.size(5, 1);
    let rounds = alternate(lab, &format!("random, N = {n}"), candidates, count);
    for (dtype, size) in [("f64", 8.0), ("f32", 4.0)] {
        let bytes = (n * n) as f64 * size / lab.threads as f64;
        let rates = rounds.numbers(dtype, "seconds").into_iter().map(|seconds| bytes / seconds / 1e9);
        let what = "`hama matrix random` into a table: a second and core";
        found.figure((what, &format!("N = {n}, {dtype}")), Spread::of(rates.collect()), " GB", None);
    }
    for result in criterion::run(lab, "random", "")? {
        let what = "Random numbers into memory: a second and core";
        let case = format!("bench `{}`", result.id);
        found.figure((what, &case), result.gb_per_s(), " GB", Some(Aim::AtLeast(1.0)));
    }
    Ok(())
}
