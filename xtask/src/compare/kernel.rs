//! The kernel over tiles in memory, beside those of others.

use super::lab::Lab;
use super::rounds::{Rounds, Spread, alternate};
use super::row::{Aim, Found, Panel};

const HAMA: &str = "Hama";
const NUMPY: &str = "NumPy `dot`";
const MKL: &str = "MKL";
const GEMM: &str = "gemm crate";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    let n = lab.size(4000u64, 1000);
    for (dtype, of_numpy, per_f64) in [("f64", "f8", 1.0), ("f32", "f4", 2.0)] {
        let threads = lab.threads;
        let mut candidates = Vec::new();
        candidates.extend(lab.rust(HAMA, &[&"kernel", &n, &dtype, &threads]));
        candidates.extend(lab.python(NUMPY, &[&"dot", &n, &of_numpy, &threads]));
        if !lab.quick {
            candidates.extend(lab.mkl(MKL, &[&"mkl", &n, &of_numpy, &threads]));
        }
        candidates.extend(lab.rust(GEMM, &[&"gemm", &n, &dtype, &threads]));
        let count = lab.size(5, 1);
        let rounds = alternate(lab, &format!("kernel, N = {n}, {dtype}"), candidates, count);
        let case = format!("N = {n}, {dtype}");
        for (name, aim) in [(NUMPY, Some(Aim::AtMost(1.0))), (MKL, Some(Aim::AtMost(1.0))), (GEMM, None)] {
            let what = format!("Kernel in memory: time, {name} = 1");
            found.figure((&what, &case), rounds.times(HAMA, name), "", aim);
        }
        // A register holds twice as many numbers of f32.
        let peak = rounds.peak_flop_per_s * per_f64;
        let what = "Kernel in memory: share of the multiply-add peak";
        found.figure((what, &case), share(&rounds, HAMA, n, peak), " %", None);
        for name in [HAMA, NUMPY, MKL, GEMM] {
            found.bar(Panel::Kernel, &case, name, share(&rounds, name, n, peak));
        }
    }
    Ok(())
}

/// Per cent of the peak.
fn share(rounds: &Rounds, name: &str, n: u64, peak_flop_per_s: f64) -> Option<Spread> {
    let flop = 2.0 * (n as f64).powi(3);
    let seconds = rounds.numbers(name, "seconds");
    Spread::of(seconds.into_iter().map(|seconds| 100.0 * flop / seconds / peak_flop_per_s).collect())
}
