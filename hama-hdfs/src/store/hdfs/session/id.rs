//! The id of a session, which tells where its process runs.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use uuid::Uuid;

/// `BOOT-NAMESPACE-PID-START-RANDOM`: this boot of a kernel, the PID namespace, the process there and when it started, and
/// what tells its sessions apart. Two processes that agree in the first two see each other's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store::hdfs) struct SessionId {
    place: Place,
    pid: u32,
    started: u64,
    random: String,
}

/// A boot of a kernel, and a PID namespace of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    boot: String,
    namespace: u64,
}

const BOOT_LEN: usize = 16;
const RANDOM_LEN: usize = 16;

impl SessionId {
    /// A new session of this process.
    pub(in crate::store::hdfs) fn new() -> SessionId {
        let nowhere = || Place { boot: "0".repeat(BOOT_LEN), namespace: 0 };
        let mut random = Uuid::new_v4().simple().to_string();
        random.truncate(RANDOM_LEN);
        SessionId {
            place: Place::here().unwrap_or_else(nowhere),
            pid: std::process::id(),
            started: stat_of("self").map_or(0, |stat| stat.started),
            random,
        }
    }

    /// The id that `text` is.
    pub(in crate::store::hdfs) fn parse(text: &str) -> Option<SessionId> {
        let mut parts = text.split('-');
        let boot = parts.next().filter(|boot| is_hex(boot, BOOT_LEN))?.to_owned();
        let namespace = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        let random = parts.next().filter(|random| is_hex(random, RANDOM_LEN))?.to_owned();
        let id = SessionId { place: Place { boot, namespace }, pid, started, random };
        // Numbers can be written in more than one way.
        (id.to_string() == text).then_some(id)
    }

    /// Whether its process can be seen to be gone from here. False says nothing.
    pub(in crate::store::hdfs) fn has_ended(&self) -> bool {
        if Place::here().is_none_or(|here| here != self.place) {
            return false;
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return false };
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return true;
        }
        // Another process may have its number now, or nobody has asked yet how it ended. What others hide is there.
        stat_of(&self.pid.to_string()).is_some_and(|stat| stat.has_ended || stat.started != self.started)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionId { place, pid, started, random } = self;
        write!(f, "{}-{}-{pid}-{started}-{random}", place.boot, place.namespace)
    }
}

impl Place {
    /// Where this process runs; `None` where that cannot be told, or `/proc` shows another namespace's processes.
    fn here() -> Option<Place> {
        let shown = fs::read_link("/proc/self").ok()?;
        if shown.to_str() != Some(&std::process::id().to_string()) {
            return None;
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(BOOT_LEN).collect();
        let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        is_hex(&boot, BOOT_LEN).then_some(Place { boot, namespace })
    }
}

/// What `/proc/PID/stat` says.
struct Stat {
    has_ended: bool,
    started: u64,
}

fn stat_of(process: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let state = rest.split(' ').next()?;
    let started = rest.split(' ').nth(19)?.parse().ok()?;
    Some(Stat { has_ended: matches!(state, "Z" | "X"), started })
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
pub(in crate::store::hdfs) mod tests {
    use std::process::Command;

    use super::*;

    /// A session of a process of this host that is there no longer.
    pub(in crate::store::hdfs) fn ended() -> SessionId {
        let mut child = Command::new("true").spawn().unwrap();
        let id = SessionId { pid: child.id(), ..SessionId::new() };
        child.wait().unwrap();
        id
    }

    /// A session of a process elsewhere.
    pub(in crate::store::hdfs) fn elsewhere() -> SessionId {
        let id = SessionId::new();
        SessionId { place: Place { boot: "0123456789abcdef".to_owned(), ..id.place }, pid: 7, ..id }
    }

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let id = SessionId::new();
        assert_eq!(SessionId::parse(&id.to_string()), Some(id.clone()));
        assert_ne!(SessionId::new(), id, "a process may have several");
        let text = id.to_string();
        let longer = format!("{text}-1");
        let upper = text.to_uppercase();
        for bad in ["", "-", "a-b-c-d-e", "0-0-0-0-0", &text[1..], &text[..text.len() - 1], &longer] {
            assert_eq!(SessionId::parse(bad), None, "{bad:?}");
        }
        assert!(upper == text || SessionId::parse(&upper).is_none());
        assert_eq!(SessionId::parse(&text.replacen('-', "-+", 1)), None);
        assert_eq!(SessionId::parse(&text.replacen('-', "-0", 1)), None);
        assert_eq!(SessionId::parse(&text.replacen('-', "-99999999999999999999", 1)), None);
    }

    #[test]
    fn only_what_can_be_seen_to_be_gone_has_ended() {
        assert!(!SessionId::new().has_ended());
        assert!(!elsewhere().has_ended());
        assert!(ended().has_ended());
        let me = SessionId::new();
        assert!(SessionId { started: me.started + 1, ..me.clone() }.has_ended(), "another had the number");
        assert!(!SessionId { pid: 0, ..me.clone() }.has_ended());
        assert!(!SessionId { pid: u32::MAX, ..me.clone() }.has_ended());
        assert!(!SessionId { place: Place { namespace: 1, ..me.place.clone() }, pid: 1, ..me }.has_ended());
    }

    #[test]
    fn a_process_that_was_killed_and_not_waited_for_has_ended() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let started = stat_of(&child.id().to_string()).unwrap().started;
        let id = SessionId { pid: child.id(), started, ..SessionId::new() };
        assert!(!id.has_ended());
        child.kill().unwrap();
        while !id.has_ended() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(id.has_ended());
    }
}
