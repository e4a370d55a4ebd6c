//! Products whose tables are larger than the memory given, beside the disk's own speed.

use super::lab::Lab;
use super::rounds::{Rounds, Spread, alternate_cold};
use super::row::{Aim, Found};

const SMALL: &str = "small";
const LARGE: &str = "large";
const DISK: &str = "disk";

/// m x k times k x n.
struct Product {
    m: u64,
    k: u64,
    n: u64,
}

impl Product {
    fn bytes(&self) -> u64 {
        (self.m * self.k + self.k * self.n + self.m * self.n) * 8
    }

    fn flop(&self) -> f64 {
        2.0 * self.m as f64 * self.k as f64 * self.n as f64
    }

    fn name(&self) -> String {
        let Product { m, k, n } = self;
        if m == k && k == n { format!("N = {n}") } else { format!("{m} x {k} times {k} x {n}") }
    }
}

/// The bytes of the plain file beside which the products are measured.
const PLAIN_BYTES: u64 = 4 << 30;

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    let small = lab.size(cube(8000), cube(600));
    // The first one takes minutes, and three quarters of an hour are what all comparisons may take.
    let real = [(cube(24_000), 2), (flat(40_000, 1000), 3)];
    for (large, count) in lab.size(real, [(cube(1200), 1), (flat(1500, 100), 1)]) {
        lab.clear()?;
        product(lab, found, (&small, &large), count)?;
    }
    Ok(())
}

fn cube(n: u64) -> Product {
    Product { m: n, k: n, n }
}

fn flat(n: u64, k: u64) -> Product {
    Product { m: n, k, n }
}

/// The bytes that both products, the plain file and what lies beside them take at most.
fn disk_bytes(small: &Product, large: &Product, plain: u64) -> u64 {
    small.bytes() + large.bytes() + plain + (1 << 30)
}

fn product(
    lab: &mut Lab,
    found: &mut Found,
    (small, large): (&Product, &Product),
    count: usize,
) -> Result<(), String> {
    let plain = lab.size(PLAIN_BYTES, 8 << 20);
    lab.need_disk(disk_bytes(small, large, plain))?;
    let memory = lab.size("1GiB", "64MiB");
    for (name, product) in [("s", small), ("l", large)] {
        lab.random(&format!("{name}a"), product.m, product.k, "f64")?;
        lab.random(&format!("{name}b"), product.k, product.n, "f64")?;
    }
    let folder = lab.folder.display().to_string();
    let mut candidates = vec![
        lab.product(SMALL, format!("sa sb --memory {memory}"), "sc"),
        lab.product(LARGE, format!("la lb --memory {memory}"), "lc"),
    ];
    candidates.extend(lab.python(DISK, &[&"disk", &folder, &plain]));
    let case = format!("{}, f64, `--memory {memory}`", large.name());
    let rounds = alternate_cold(lab, &format!("larger: {case}"), candidates, count);

    let rate = rounds.times(SMALL, LARGE).map(|times| times.scaled(large.flop() / small.flop()));
    let disk = Spread::of(disk_shares(&rounds));
    // Where the disk binds, the rate is no matter of ours.
    let disk_binds = disk.is_some_and(|share| share.median > 0.9);
    let aim = (!disk_binds).then_some(Aim::AtLeast(1.0));
    let what = format!("Larger than memory: rate, that of {} = 1", small.name());
    found.figure((&what, &case), rate, "", aim);
    let what = "Larger than memory: what the disk needs for the bytes, the product's time = 1";
    found.figure((what, &case), disk, "", None);
    for (way, field) in [("writing, synced", "write_bytes_per_s"), ("reading, cold", "cold_read_bytes_per_s")]
    {
        let speed = rounds.of(DISK, field).map(|speed| speed.scaled(1e-9));
        let case = format!("{way}, beside {}", large.name());
        found.figure(("The disk by itself", &case), speed, " GB/s", None);
    }
    Ok(())
}

/// What part of each round's time a disk of the measured speed needs to read and write the bytes of the plan.
fn disk_shares(rounds: &Rounds) -> Vec<f64> {
    let numbers = |name, field| rounds.numbers(name, field).into_iter();
    let read = numbers(LARGE, "read_bytes").zip(numbers(DISK, "cold_read_bytes_per_s"));
    let written = numbers(LARGE, "written_bytes").zip(numbers(DISK, "write_bytes_per_s"));
    let disk = read.zip(written).map(|((read, reads), (written, writes))| read / reads + written / writes);
    disk.zip(numbers(LARGE, "seconds")).map(|(disk, seconds)| disk / seconds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_name_the_disk_that_it_takes() {
        let most =
            [cube(24_000), flat(40_000, 1000)].map(|large| disk_bytes(&cube(8000), &large, PLAIN_BYTES));
        let said = format!("{} GB of disk", most[0].max(most[1]).div_ceil(1_000_000_000));
        assert!(crate::USAGE.contains(&said), "{said}");
        assert!(include_str!("../../../benches/README.md").contains(&said), "{said}");
    }
}
