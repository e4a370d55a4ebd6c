//! What the host of a groom has, and how busy it is.

use std::fs;
use std::path::Path;

use crate::cluster::groom::state::HostLoad;

/// The memory that processes of this one's control group may have, or the machine's where it has no limit, in bytes.
pub(crate) fn memory_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    let machine = machine.totalram.saturating_mul(u64::from(machine.mem_unit.max(1)));
    limits().map(|(most, _)| most).fold(machine, u64::min)
}

/// How busy it is now.
pub(crate) fn load() -> HostLoad {
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let left = limits().map(|(most, used)| most.saturating_sub(used));
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|text| load_percent(&text));
    HostLoad {
        free_memory_bytes: left.fold(available.unwrap_or_default(), u64::min),
        load_percent: load.unwrap_or_default(),
    }
}

/// The limits of the control groups that this process is in, with what is used of each.
fn limits() -> impl Iterator<Item = (u64, u64)> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let mut folder = Some(Path::new("/sys/fs/cgroup").join(group));
    std::iter::from_fn(move || {
        let here = folder.take()?;
        folder = here.parent().filter(|parent| parent.starts_with("/sys/fs/cgroup")).map(Path::to_owned);
        let number = |name| fs::read_to_string(here.join(name)).ok()?.trim().parse::<u64>().ok();
        Some(number("memory.max").map(|most| (most, number("memory.current").unwrap_or_default())))
    })
    .flatten()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn load_percent(loadavg: &str) -> Option<u32> {
    let load: f64 = loadavg.split_whitespace().next()?.parse().ok()?;
    Some((load * 100.0).clamp(0.0, f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_memory_of_which_some_is_free() {
        let all = memory_bytes();
        let free = load().free_memory_bytes;
        assert!(all > 0 && free > 0 && free <= all, "{free} of {all}");
    }

    #[test]
    fn what_the_system_says_is_read() {
        assert_eq!(available("MemTotal: 5 kB\nMemAvailable:   12 kB\n"), Some(12 << 10));
        assert_eq!(available("MemTotal: 5 kB\n"), None);
        assert_eq!(load_percent("1.25 0.5 0.1 1/2 3"), Some(125));
        assert_eq!(load_percent(""), None);
    }
}
