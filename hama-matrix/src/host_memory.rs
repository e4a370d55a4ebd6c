//! The memory of this host, or of the control group that the process runs in.

use std::fs;

/// What is assumed where neither the kernel nor a control group says anything: 4 GiB.
const ASSUMED: u64 = 4 << 30;

/// A quarter of the memory that the machine or the control group of this process has, in bytes.
pub fn default_memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo_total(&text));
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| group_limit(&text));
    machine.into_iter().chain(group).min().unwrap_or(ASSUMED) / 4
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The smallest limit of the group and its parents, in either version of control groups.
fn group_limit(text: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let (root, file) = match controllers {
                "" => ("/sys/fs/cgroup", "memory.max"),
                _ if controllers.split(',').any(|c| c == "memory") => {
                    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
                }
                _ => return None,
            };
            let parents = std::path::Path::new(path).ancestors();
            let limits = parents.filter_map(|parent| {
                let parent = parent.to_str()?.trim_start_matches('/');
                fs::read_to_string(format!("{root}/{parent}/{file}")).ok()?.trim().parse().ok()
            });
            limits.min()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_file_is_read() {
        assert_eq!(meminfo_total("MemFree: 1 kB\nMemTotal:       24000 kB\n"), Some(24_576_000));
        assert_eq!(meminfo_total("nothing"), None);
        assert!(default_memory() > 0);
    }
}
