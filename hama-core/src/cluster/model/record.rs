//! What outlives a master: written where a job changes, before anybody hears of the change.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::model::ids::{Epoch, GroomId};
use crate::cluster::model::job::{Came, Cause, Stage};
use crate::cluster::model::spec::Submission;
use crate::ids::{Host, JobId, PeerId};

/// A change that has to be durable, in the order of its making. It is written only as long as no master of a later epoch
/// has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// There is another job.
    Submitted(StoredJob),
    /// This is how it is now.
    Moved { job: JobId, progress: Progress },
    /// Its outcome lies in the history.
    Removed { job: JobId },
}

/// A job as it outlives a master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredJob {
    /// Its place in the order of submission.
    pub(crate) number: u64,
    pub(crate) submission: Arc<Submission>,
    pub(crate) progress: Progress,
}

/// How far a job is. At most some hundred bytes for each groom that has tasks of it, and 4 for each peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    pub(crate) history: Vec<Came>,
    /// From [`Stage::Starting`] on.
    pub(crate) launched: Option<Launched>,
    /// In [`Stage::Ending`].
    pub(crate) cause: Option<Cause>,
}

/// Which grooms got which tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launched {
    pub(crate) attempt: u32,
    /// Of the master that did it.
    pub(crate) epoch: Epoch,
    pub(crate) bookings: Vec<Booking>,
}

/// What a job has of one groom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Booking {
    pub(crate) groom: GroomId,
    pub(crate) host: Host,
    /// The groom's process, which its tasks do not outlive.
    pub(crate) start: u64,
    /// The slots that it takes, as long as so many of its tasks are there.
    pub(crate) slots: u32,
    pub(crate) peers: Vec<PeerId>,
}
