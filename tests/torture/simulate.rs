//! Supersteps over networks that lose, delay, double, reorder, damage and replay, with peers that die; and whole clusters
//! whose masters and grooms die, freeze and come back: by thousands.

use std::time::{Duration, Instant};

use hama_core::testing::{simulate, simulate_cluster};

use crate::Torture;

pub(crate) fn run(torture: &mut Torture) {
    networks(torture);
    clusters(torture);
}

/// Half of the set's time, and seconds of a quick one.
fn end_of(torture: &Torture, part: usize) -> Instant {
    let time = if torture.quick { Duration::from_secs(1) } else { Duration::from_secs(60) };
    torture.end_of(part, 2).min(Instant::now() + time)
}

fn networks(torture: &mut Torture) {
    let end = end_of(torture, 0);
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

fn clusters(torture: &mut Torture) {
    let end = end_of(torture, 1);
    let (mut runs, mut jobs, mut strikes, mut successions) = (0, 0, 0, 0);
    let mut seed = torture.seed.wrapping_mul(1 << 32);
    while Instant::now() < end {
        match simulate_cluster(seed) {
            Ok(seen) => {
                runs += 1;
                jobs += seen.succeeded + seen.failed + seen.killed;
                strikes += seen.strikes;
                successions += seen.successions;
            }
            Err(message) => return torture.find(&format!("cluster {seed}: {message}")),
        }
        seed = seed.wrapping_add(1);
    }
    torture.row(
        "clusters that break",
        &format!("{runs} seeds"),
        &format!("{jobs} jobs, {strikes} strikes, {successions} masters after another"),
    );
}
