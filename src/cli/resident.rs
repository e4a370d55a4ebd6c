//! The memory that this process had at most.

/// The process's peak resident memory in bytes, where the system tells it.
pub(crate) fn bytes_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Lets the peak begin anew at what the process has now; whether the system does that.
pub(crate) fn begin_anew() -> bool {
    // proc(5): 5 resets the peak resident set size.
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn it_is_known_and_plausible() {
        let bytes = super::bytes_peak().unwrap();
        assert!((1 << 16..1 << 45).contains(&bytes), "{bytes}");
    }
}
