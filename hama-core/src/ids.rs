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
        Err(Error::invalid(format!(
            "cannot read {text:.300?} as the name of a host: it is 1 to {HOST_BYTES_MAX} of A-Z a-z 0-9 - _ . : [ ]"
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
    pub fn from_bytes(bytes: [u8; 16]) -> JobId {
        JobId(Uuid::from_bytes(bytes))
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
    fn names_of_hosts_are_read() {
        for name in ["dn1", "node-7.rack_2.example.org", "10.0.0.7:9866", "[::1]", &"x".repeat(255)] {
            assert_eq!(name.parse::<Host>().unwrap().name(), name);
        }
        for wrong in ["", " ", "a b", "a,b", "/rack/a", "a\"b", "a\0", "h\u{f6}st", &"x".repeat(256)] {
            assert!(wrong.parse::<Host>().unwrap_err().message().len() < 500, "{wrong}");
        }
    }
}
