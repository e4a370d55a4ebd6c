//! What grooms and clients ask the master, and its replies.

use serde::{Deserialize, Serialize};

use crate::cluster::model::action::Answer;
use crate::cluster::model::bounds;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Digest, Epoch, GroomId, Moment};
use crate::cluster::model::job::JobOutcome;
use crate::cluster::model::report::Request;
use crate::cluster::model::spec::JobSpec;
use crate::cluster::model::task::Returned;
use crate::cluster::scheduler::view::{GroomView, JobView, PeerView};
use crate::error::Result;
use crate::ids::{JobId, PeerId};

/// What somebody asks. Each has one reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// A groom reports. The reply may be held for two seconds.
    Groom(Request),
    /// Run this, once: who hears no reply asks again.
    Submit {
        job: JobId,
        spec: Box<JobSpec>,
    },
    /// Whether an executable is there.
    Has(Digest),
    /// How a job is: at once where it has ended, otherwise when it does, or in two seconds. It says that its client is there.
    Wait {
        job: JobId,
    },
    /// How a job is, at once. Who looks is not its client.
    Look {
        job: JobId,
    },
    /// All that is left of a job that has ended, but for what its peers returned; of another one how its peers are.
    Outcome {
        job: JobId,
    },
    /// What a peer of a job that has ended returned.
    Returned {
        job: JobId,
        peer: PeerId,
    },
    /// The jobs that there are, and the last that have ended.
    Jobs,
    /// End a job.
    Kill {
        job: JobId,
        why: String,
    },
    Grooms,
    /// Give a groom no more tasks, and end it then if that is wanted.
    Drain {
        groom: GroomId,
        stop: bool,
    },
    Status,
}

/// What the master replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Groom(Answer),
    Done,
    Has(bool),
    /// It has not ended.
    Job(Box<JobView>),
    /// It has.
    Outcome(Box<JobOutcome>),
    Returned(Returned),
    Jobs {
        live: Vec<JobView>,
        ended: Vec<JobOutcome>,
    },
    Grooms {
        now: Moment,
        grooms: Vec<GroomView>,
    },
    Status(Status),
    Failed(WireError),
    /// Of a job that has not ended.
    Peers(Vec<PeerView>),
}

/// How a master is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) epoch: Epoch,
    /// Since when it leads, and what it is now.
    pub(crate) since: Moment,
    pub(crate) now: Moment,
    /// How many connections were refused.
    pub(crate) refused: u64,
    pub(crate) zookeeper: String,
}

impl Question {
    /// Whether somebody can have asked that. Requests of grooms and specifications of jobs are looked at where they are
    /// taken.
    ///
    /// # Errors
    /// `Invalid`, naming what cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        match self {
            Question::Kill { why, .. } => {
                bounds::text("the reason of a kill", why, bounds::MESSAGE_BYTES_MAX)
            }
            Question::Drain { groom, .. } => groom.validate(),
            _ => Ok(()),
        }
    }
}
