//! The names of hosts, jobs and peers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
