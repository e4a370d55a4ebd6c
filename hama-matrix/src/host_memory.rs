//! The memory of this host, or of the control group that the process runs in.

use std::fs;
use std::path::Path;

/// What is assumed where neither the kernel nor a control group says anything: 4 GiB.
const ASSUMED: u64 = 4 << 30;

/// A quarter of the memory that the machine or the control group of this process has, in bytes.
pub fn default_memory() -> u64 {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| meminfo_total(&text));
    let group = read("/proc/self/cgroup").and_then(|text| group_limit(&text, read));
    machine.into_iter().chain(group).min().unwrap_or(ASSUMED) / 4
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The smallest limit of the group and its parents, in either version of control groups.
fn group_limit(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    groups.lines().filter_map(|line| limit_of_line(line, &read)).min()
}

/// The smallest limit along a line `number:controllers:path` of the process's groups.
fn limit_of_line(line: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|c| c == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let groups = Path::new(path).ancestors().filter_map(Path::to_str);
    let limits = groups.filter_map(|group| {
        let group = group.trim_matches('/');
        let slash = if group.is_empty() { "" } else { "/" };
        read(&format!("{root}/{group}{slash}{file}"))?.trim().parse().ok()
    });
    limits.min()
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

    #[test]
    fn the_smallest_limit_of_the_groups_counts() {
        let limit = |groups: &str, files: &[(&str, &str)]| {
            group_limit(groups, |path| {
                files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
            })
        };
        let second = [("/sys/fs/cgroup/a/b/memory.max", "max\n"), ("/sys/fs/cgroup/a/memory.max", "1000\n")];
        assert_eq!(limit("0::/a/b\n", &second), Some(1000));
        assert_eq!(limit("0::/\n", &[("/sys/fs/cgroup/memory.max", "500\n")]), Some(500));
        let first = [
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "2000\n"),
        ];
        assert_eq!(limit("4:cpu:/c\n5:memory,pids:/c\n", &first), Some(2000));
        assert_eq!(limit("0::/a/b\n", &[]), None);
        assert_eq!(limit("nonsense", &second), None);
    }
}
