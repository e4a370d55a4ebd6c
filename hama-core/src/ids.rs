//! The names of hosts, jobs and peers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};

/// The longest name of a host.
const HOST_BYTES_MAX: usize = 255;

/// A host, by the name that its operator gives it.
///
/// Two things with equal hosts can reach each other without the network. It is a label, not an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Host(Arc<str>);

impl Host {
    /// The host with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Host {
        Host(name.into())
    }

    /// The host that everything is on when nothing else is said: `localhost`.
    pub fn local() -> Host {
        Host::new("localhost")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = Error;

    /// Reads a name as it is typed: 1 to 255 letters, digits and `- _ . : [ ]`, as in names and addresses of hosts.
    fn from_str(text: &str) -> Result<Host> {
        let fits = (1..=HOST_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b)) {
            return Ok(Host::new(text));
        }
        let text: String = text.chars().take(300).collect();
        Err(Error::invalid(format!(
            "cannot read {text:?} as the name of a host: it is 1 to {HOST_BYTES_MAX} of A-Z a-z 0-9 - _ . : [ ]"
        )))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job: one run of one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(Uuid);

impl JobId {
    /// A job that differs from all others.
    pub fn random() -> JobId {
        JobId(Uuid::new_v4())
    }

    /// The 16 bytes that stand for it on the wire.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The job that these bytes stand for.
    pub const fn from_bytes(bytes: [u8; 16]) -> JobId {
        JobId(Uuid::from_bytes(bytes))
    }
}

impl FromStr for JobId {
    type Err = Error;

    /// Reads a job as it is shown.
    fn from_str(text: &str) -> Result<JobId> {
        let id = Uuid::parse_str(text).ok().filter(|id| id.to_string() == text);
        id.map(JobId).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            Error::invalid(format!(
                "cannot read {shown:?} as a job: it is like 67e55044-10b1-426f-9247-bb680e5fe0c8"
            ))
        })
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A peer of a job, by its index from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(u32);

impl PeerId {
    /// The peer with this index. Whether a job has it, only the job can say.
    pub fn from_index(index: u32) -> PeerId {
        PeerId(index)
    }

    /// Its index, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_as_they_are_shown() {
        let job = JobId::random();
        assert_eq!(job.to_string().parse::<JobId>().unwrap(), job);
        let whole = job.to_string();
        for wrong in
            ["", "x", &whole[1..], &whole.replace('-', ""), &format!("{{{whole}}}"), &"x".repeat(9999)]
        {
            assert!(wrong.parse::<JobId>().unwrap_err().message().len() < 500, "{wrong}");
        }
    }

    #[test]
    fn names_of_hosts_are_read() {
        for name in ["dn1", "node-7.rack_2.example.org", "10.0.0.7:9866", "[::1]", &"x".repeat(255)] {
            assert_eq!(name.parse::<Host>().unwrap().name(), name);
        }
        for wrong in ["", " ", "a b", "a,b", "/rack/a", "a\"b", "a\0", "h\u{f6}st", &"x".repeat(1 << 20)] {
            assert!(wrong.parse::<Host>().unwrap_err().message().len() < 500, "{wrong}");
        }
    }
}
