//! How a task is, and how it ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::model::bounds;
use crate::cluster::model::error::WireError;
use crate::error::{ErrorKind, Result};
use crate::metrics::SuperstepRecord;

/// What the metrics of a superstep count as, in bytes that a peer leaves.
const RECORD_BYTES: usize = 144;

/// How a task is, as its groom says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskStatus {
    /// Its executable is fetched or its process starts.
    Launching,
    /// It listens, and waits for the addresses of the others.
    Ready,
    /// It has those.
    Running {
        /// The superstep that it is in.
        superstep: u64,
        /// The units of its work that it has done.
        units: u64,
        counters: BTreeMap<String, u64>,
    },
    /// Its process is gone.
    Ended(Ended),
    /// Its process is gone, and the master has heard how in this session.
    Told,
}

/// The end of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// The superstep that it was in.
    pub(crate) superstep: u64,
    pub(crate) how: How,
    /// The last that it printed.
    pub(crate) log: Arc<[u8]>,
}

impl Ended {
    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let said = match &self.how {
            How::Returned(returned) => returned.bytes(),
            How::Failed(error) => error.message.len(),
            How::Lost { why } => why.len(),
            How::Exited { .. } | How::Signalled { .. } | How::MemoryLimit { .. } | How::Killed => 0,
        };
        said + self.log.len()
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// Its program returned.
    Returned(Arc<Returned>),
    /// Its program failed, or Hama's part of it, and could say so.
    Failed(WireError),
    /// Its process exited by itself.
    Exited { code: i32 },
    /// A signal ended its process.
    Signalled { signal: i32 },
    /// Its process wanted more memory than it was given.
    MemoryLimit { bytes: u64 },
    /// The groom ended it because the master said so.
    Killed,
    /// Nobody knows: its groom went away.
    Lost { why: String },
}

/// What a peer leaves that returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Returned {
    /// What the program returned, encoded.
    pub(crate) output: Vec<u8>,
    pub(crate) counters: BTreeMap<String, u64>,
    pub(crate) supersteps: u64,
    pub(crate) records: Vec<SuperstepRecord>,
}

impl Returned {
    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let counters: usize = self.counters.keys().map(|name| name.len() + 16).sum();
        self.output.len() + counters + self.records.len() * RECORD_BYTES
    }

    /// Whether it is as small as it has to be.
    ///
    /// # Errors
    /// `Invalid`, naming what is too much.
    pub(crate) fn validate(&self) -> Result<()> {
        bounds::at_most("what a peer leaves, in bytes,", self.bytes(), bounds::OUTPUT_BYTES_MAX)?;
        validate_counters(&self.counters)
    }
}

impl TaskStatus {
    /// How far a task is: it never goes back.
    pub(crate) fn rank(&self) -> u32 {
        match self {
            TaskStatus::Launching => 0,
            TaskStatus::Ready => 1,
            TaskStatus::Running { .. } => 2,
            TaskStatus::Ended(_) | TaskStatus::Told => 3,
        }
    }

    /// The last superstep that it is known to have been in.
    pub(crate) fn superstep(&self) -> u64 {
        match self {
            TaskStatus::Running { superstep, .. } => *superstep,
            TaskStatus::Ended(ended) => ended.superstep,
            TaskStatus::Launching | TaskStatus::Ready | TaskStatus::Told => 0,
        }
    }

    /// Whether its process is gone.
    pub(crate) fn is_ended(&self) -> bool {
        self.rank() == 3
    }

    /// Whether it is as small as it has to be.
    pub(crate) fn validate(&self) -> Result<()> {
        match self {
            TaskStatus::Launching | TaskStatus::Ready | TaskStatus::Told => Ok(()),
            TaskStatus::Running { counters, .. } => validate_counters(counters),
            TaskStatus::Ended(ended) => {
                bounds::at_most("the log of a task, in bytes,", ended.log.len(), bounds::LOG_BYTES_MAX)?;
                ended.how.validate()
            }
        }
    }
}

impl How {
    /// Whether it is as small as it has to be.
    ///
    /// # Errors
    /// `Invalid`, naming what is too much.
    pub(crate) fn validate(&self) -> Result<()> {
        match self {
            How::Returned(returned) => returned.validate(),
            How::Failed(error) => error.validate(),
            How::Lost { why } => bounds::text("why a task is lost", why, bounds::MESSAGE_BYTES_MAX),
            How::Exited { .. } | How::Signalled { .. } | How::MemoryLimit { .. } | How::Killed => Ok(()),
        }
    }

    /// What that means for its job. Nothing, where the task returned.
    pub(crate) fn error(&self) -> Option<WireError> {
        let (kind, message) = match self {
            How::Returned(_) => return None,
            How::Failed(error) => return Some(error.clone()),
            How::Exited { code } => {
                (ErrorKind::Program, format!("the peer's process exited with code {code} before it returned"))
            }
            How::Signalled { signal } => {
                (ErrorKind::PeerLost, format!("the peer's process was ended by signal {signal}"))
            }
            How::MemoryLimit { bytes } => (
                ErrorKind::OutOfMemory,
                format!("the peer's process wanted more memory than its {bytes} bytes"),
            ),
            How::Killed => (ErrorKind::PeerLost, "the peer's process was ended by its groom".to_owned()),
            How::Lost { why } => (ErrorKind::PeerLost, why.clone()),
        };
        Some(WireError { kind: kind.name().to_owned(), message, at: None })
    }

    /// Whether it may be the consequence of how another task ended.
    pub(crate) fn is_consequence(&self) -> bool {
        self.remoteness() > 0
    }

    /// How far it may be from the first cause: 0 is one, 1 may be the consequence of ZooKeeper's end, 2 of anything.
    pub(crate) fn remoteness(&self) -> u32 {
        match self {
            How::Failed(error) => match error.kind() {
                ErrorKind::Unavailable => 1,
                ErrorKind::PeerLost | ErrorKind::Cancelled => 2,
                _ => 0,
            },
            How::Killed => 2,
            How::Returned(_)
            | How::Exited { .. }
            | How::Signalled { .. }
            | How::MemoryLimit { .. }
            | How::Lost { .. } => 0,
        }
    }
}

/// Whether a peer can have counted so.
///
/// # Errors
/// `Invalid` where there are too many, or the name of one is too long or cannot be printed.
pub(crate) fn validate_counters(counters: &BTreeMap<String, u64>) -> Result<()> {
    bounds::at_most("a peer, in counters,", counters.len(), bounds::COUNTERS_MAX)?;
    counters
        .keys()
        .try_for_each(|name| bounds::text("the name of a counter", name, bounds::COUNTER_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(how: How) -> TaskStatus {
        TaskStatus::Ended(Ended { superstep: 3, how, log: Arc::default() })
    }

    #[test]
    fn what_a_peer_leaves_is_bounded() {
        let output =
            |bytes| How::Returned(Arc::new(Returned { output: vec![0; bytes], ..Returned::default() }));
        assert!(ended(output(bounds::OUTPUT_BYTES_MAX)).validate().is_ok());
        let error = ended(output(bounds::OUTPUT_BYTES_MAX + 1)).validate().unwrap_err();
        assert!(error.message().contains("16777217"), "{error}");
        let records = vec![SuperstepRecord::default(); bounds::OUTPUT_BYTES_MAX / RECORD_BYTES + 1];
        let many = How::Returned(Arc::new(Returned { records, ..Returned::default() }));
        assert!(ended(many).validate().is_err());
    }

    #[test]
    fn counters_and_messages_are_bounded() {
        let running = |counters: &[String]| TaskStatus::Running {
            units: 0,
            superstep: 0,
            counters: counters.iter().map(|name| (name.clone(), 1)).collect(),
        };
        assert!(running(&["words read".to_owned()]).validate().is_ok());
        assert!(running(&[String::new()]).validate().is_err());
        assert!(running(&["x".repeat(129)]).validate().is_err());
        assert!(running(&(0..257).map(|n| n.to_string()).collect::<Vec<_>>()).validate().is_err());
        assert!(ended(How::Lost { why: "x".repeat(9000) }).validate().is_err());
    }

    #[test]
    fn every_end_but_a_return_is_an_error() {
        assert!(How::Returned(Arc::default()).error().is_none());
        let kinds = [
            (How::Exited { code: 3 }, ErrorKind::Program, "code 3"),
            (How::Signalled { signal: 9 }, ErrorKind::PeerLost, "signal 9"),
            (How::MemoryLimit { bytes: 77 }, ErrorKind::OutOfMemory, "77 bytes"),
            (How::Killed, ErrorKind::PeerLost, "its groom"),
            (How::Lost { why: "groom g went away".to_owned() }, ErrorKind::PeerLost, "groom g"),
        ];
        for (how, kind, says) in kinds {
            let error = how.error().unwrap();
            assert_eq!(error.kind(), kind);
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}
