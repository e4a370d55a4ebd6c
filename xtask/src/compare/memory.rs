//! Products within less and less memory: whether it holds, and what it costs.

use super::lab::Lab;
use super::rounds::{Spread, alternate_cold};
use super::row::{Aim, Found};

const DEFAULT: &str = "default";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    let n = lab.size(8000u64, 1000);
    lab.need_disk(5 * n * n * 8)?;
    lab.random("a", n, n, "f64")?;
    lab.random("b", n, n, "f64")?;
    let limits_mib = lab.size(vec![128.0, 256.0, 512.0], vec![32.0, 64.0]);
    let name = |mib: f64| format!("{mib}MiB");
    let line = "matrix multiply a b --output c --replace";
    let mut candidates = Vec::new();
    for &mib in &limits_mib {
        candidates.extend(lab.measured(&name(mib), &format!("{line} --memory {}", name(mib))));
    }
    candidates.extend(lab.measured(DEFAULT, line));
    let count = lab.size(3, 1);
    let rounds = alternate_cold(lab, &format!("memory, N = {n}, f64"), candidates, count);

    for &mib in &limits_mib {
        let (name, case) = (name(mib), format!("`--memory {}`, N = {n}, f64", name(mib)));
        let above = rounds.numbers(&name, "resident_bytes");
        let above = Spread::of(above.into_iter().map(|bytes| bytes / f64::from(1 << 20) - mib).collect());
        let what = "Memory resident at the peak, above what was given";
        found.figure((what, &case), above, " MiB", Some(Aim::AtMost(64.0)));
        let aim = (mib == 256.0).then_some(Aim::AtMost(1.15));
        let what = "Less memory: time, the default's = 1";
        found.figure((what, &case), rounds.times(&name, DEFAULT), "", aim);
        // The command's own figure is what people see: it must be the kernel's.
        let own = rounds.ratio((&name, "memory_bytes_peak"), (&name, "resident_bytes"));
        if let Some(own) = own.filter(|own| own.min < 0.95 || own.max > 1.05) {
            lab.fail(&format!("{case}: memory_bytes_peak is {:.2} of what the kernel saw", own.median));
        }
    }
    let resident = rounds.numbers(DEFAULT, "resident_bytes");
    let resident = Spread::of(resident.into_iter().map(|bytes| bytes / f64::from(1 << 20)).collect());
    let case = format!("no `--memory`, N = {n}, f64");
    found.figure(("Memory resident at the peak", &case), resident, " MiB", None);
    Ok(())
}
