//! How a job is, and what is left of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::Moment;
use crate::cluster::model::spec::JobSpec;
use crate::cluster::model::task::Returned;
use crate::error::ErrorKind;
use crate::ids::{Host, JobId};

/// How far a job is that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It waits for slots and memory.
    Queued,
    /// Its tasks are launched.
    Starting,
    /// All of its peers listen and are told where the others do.
    Running,
    /// All of its peers have returned, and what they left is put away.
    Returned,
    /// It has a cause to end without a result, and its tasks are ended.
    Ending,
}

/// Why a job ends without a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    Failed(WireError),
    Killed { why: String },
}

/// How a job is, for those who ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JobState {
    Queued,
    Starting,
    Running,
    Ending,
    Succeeded,
    Failed(WireError),
    Killed { why: String },
}

/// When a job came to a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Came {
    pub(crate) to: Stage,
    pub(crate) at: Moment,
}

/// All that is left of a job: what its client and its history get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobOutcome {
    pub(crate) job: JobId,
    pub(crate) spec: Arc<JobSpec>,
    /// Succeeded, failed or killed.
    pub(crate) state: JobState,
    pub(crate) history: Vec<Came>,
    pub(crate) ended: Moment,
    /// By index; nothing where it never started.
    pub(crate) peers: Vec<PeerOutcome>,
}

/// What is left of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerOutcome {
    pub(crate) host: Host,
    /// The last that it is known to have been in.
    pub(crate) superstep: u64,
    /// What it left, where it returned.
    pub(crate) returned: Option<Arc<Returned>>,
    /// The last that it printed.
    pub(crate) log: Arc<[u8]>,
}

impl Stage {
    /// What those who ask are told.
    pub(crate) fn state(self) -> JobState {
        match self {
            Stage::Queued => JobState::Queued,
            Stage::Starting => JobState::Starting,
            Stage::Running => JobState::Running,
            Stage::Returned | Stage::Ending => JobState::Ending,
        }
    }
}

impl Cause {
    /// A failure of a `kind`, without a place.
    pub(crate) fn failed(kind: ErrorKind, message: String) -> Cause {
        Cause::Failed(WireError { kind: kind.name().to_owned(), message, at: None })
    }

    /// The state of a job that ended by it.
    pub(crate) fn state(&self) -> JobState {
        match self {
            Cause::Failed(error) => JobState::Failed(error.clone()),
            Cause::Killed { why } => JobState::Killed { why: why.clone() },
        }
    }

    /// In a few words, for the grooms.
    pub(crate) fn why(&self) -> String {
        match self {
            Cause::Failed(error) => match &error.at {
                Some(at) => format!("peer {} of the job failed", at.peer),
                None => "the job failed".to_owned(),
            },
            Cause::Killed { .. } => "the job was killed".to_owned(),
        }
    }
}
