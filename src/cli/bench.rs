//! `hama bench`: what this machine does, and what products take on it.

mod cluster;
pub(crate) mod multiply;
pub(crate) mod probe;
pub(crate) mod scratch;

use hama::Scalar;
use hama::measure::peak_flop_per_s;
use hama::table::ElementType;

use super::Global;
use super::output::warn;

/// The best of so many is the peak: other work on the cores only makes it less.
const PEAKS: usize = 3;

fn peak(element: ElementType, threads: usize) -> f64 {
    (0..PEAKS).map(|_| peak_flop_per_s(element, threads)).fold(0.0, f64::max)
}

/// Whether what a product in memory takes, five matrices, fits into half of the machine's memory. It lies outside of
/// the pool, so `--memory` does not bound it.
fn fits_memory<T: Scalar>(n: u64) -> bool {
    let bytes = n.saturating_mul(n).saturating_mul(5 * T::TYPE.size_bytes() as u64);
    bytes <= hama::default_memory().saturating_mul(2)
}

/// A machine whose peak differs by more before and after was not the same, or not alone.
const STEADY: f64 = 0.1;

/// Whether a machine with these peaks was as fast after as before.
fn is_steady(before: f64, after: f64) -> bool {
    (after / before - 1.0).abs() <= STEADY
}

/// Says on standard error what is being done.
fn note(global: &Global, text: &str) {
    if !global.quiet && !global.json {
        warn(&format!("{text}\n"));
    }
}
