//! Supersteps over networks that lose, delay, double, reorder, damage and replay, with peers that die: by thousands.

use std::time::{Duration, Instant};

use hama_core::testing::simulate;

use crate::Torture;

pub(crate) fn run(torture: &mut Torture) {
    let time = if torture.quick { Duration::from_secs(1) } else { Duration::from_secs(60) };
    let end = torture.end_of(0, 1).min(Instant::now() + time);
    let (mut runs, mut faults, mut deaths) = (0, 0, 0);
    let mut seed = torture.seed.wrapping_mul(1 << 32);
    while Instant::now() < end {
        match simulate(seed) {
            Ok(report) => {
                runs += 1;
                faults += report.faults;
                deaths += report.deaths;
            }
            Err(message) => return torture.find(&format!("network {seed}: {message}")),
        }
        seed = seed.wrapping_add(1);
    }
    torture.row(
        "jobs over bad networks",
        &format!("{runs} seeds"),
        &format!("{faults} faults, {deaths} deaths"),
    );
}
