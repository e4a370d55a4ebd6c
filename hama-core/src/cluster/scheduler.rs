//! The master's state machine: who the grooms are, which jobs wait, run and end, and what is to be done about it.
//!
//! Its owner tells it what happens, in any order and with the time; after each of these calls it takes the effects and
//! carries them out in their order. The records come first: nothing else of them happens, and nobody gets
//! [`orders`](Scheduler::orders), before they are durable. Where they cannot be written because another master has
//! begun, the owner stops being one.
//!
//! Requests may come late, doubled, out of order or not at all; sessions, sequence numbers and ids of actions see to it
//! that each counts once.

pub(crate) mod groom;
mod hear;
pub(crate) mod job;
mod life;
mod mailbox;
pub(crate) mod placement;
mod queue;
mod restore;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::cluster::model::action::{Orders, What};
use crate::cluster::model::ids::{Epoch, GroomId, Moment};
use crate::cluster::model::job::{JobOutcome, JobState};
use crate::cluster::model::record::Record;
use crate::ids::JobId;
use groom::Groom;
use job::Job;

/// The most grooms.
const GROOMS_MAX: usize = 10_000;
/// The most jobs that have not ended, and the most bytes of their programs.
const JOBS_MAX: usize = 1000;
const PROGRAMS_BYTES_MAX: usize = 256 << 20;

/// How long the master waits for what.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// A groom that is silent for so long gets no tasks.
    pub(crate) stale: Duration,
    /// A groom that is silent for so long is gone, and its tasks are lost.
    pub(crate) dead: Duration,
    /// A new master waits so long for the grooms of the one before, and for grooms that start with it.
    pub(crate) grace: Duration,
    /// A job that ends waits so long for the ends of its tasks.
    pub(crate) ending: Duration,
    /// A job that waits does so for so long where the grooms that are there would not suffice if nothing else ran.
    pub(crate) patience: Duration,
    /// A groom that is gone is listed for so long.
    pub(crate) listed: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            stale: Duration::from_secs(5),
            dead: Duration::from_secs(9),
            grace: Duration::from_secs(10),
            ending: Duration::from_secs(10),
            patience: Duration::from_secs(300),
            listed: Duration::from_secs(3600),
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// To be made durable before anything else.
    pub(crate) records: Vec<Record>,
    /// Another master leads since this epoch: nothing else is to be done.
    pub(crate) deposed: Option<Epoch>,
    /// Outcomes to be put into the history, if it has none of that job; then `archived` is told what it has.
    pub(crate) archive: Vec<JobOutcome>,
    /// Jobs that have ended, for those who wait for them.
    pub(crate) done: Vec<(JobId, JobState)>,
    /// Grooms that have something to do: if they wait for an answer they get it now.
    pub(crate) wake: BTreeSet<GroomId>,
}

/// The state of a master.
#[derive(Debug)]
pub(crate) struct Scheduler {
    epoch: Epoch,
    times: Times,
    grooms: BTreeMap<GroomId, Groom>,
    jobs: BTreeMap<JobId, Job>,
    /// The jobs that wait, first come first.
    queue: VecDeque<JobId>,
    next_number: u64,
    grace_until: Moment,
    last_tick: Moment,
    /// Something may start that could not before.
    is_room_new: bool,
    effects: Effects,
}

impl Scheduler {
    /// What is to be done, once.
    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// The term that it is in.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What a groom that has registered is to be answered now.
    pub(crate) fn orders(&self, groom: &GroomId) -> Option<Orders> {
        self.grooms.get(groom)?.orders(self.epoch)
    }

    /// Whether a groom that waits has to be answered now.
    pub(crate) fn has_orders(&self, groom: &GroomId) -> bool {
        self.grooms.get(groom).is_some_and(|groom| !groom.mailbox.is_empty())
    }

    fn record_move(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        self.effects.records.push(Record::Moved { job: id, progress: job.progress.clone() });
    }
}

/// Tells a groom what to do and says the action's id.
fn tell(
    grooms: &mut BTreeMap<GroomId, Groom>,
    effects: &mut Effects,
    epoch: Epoch,
    id: &GroomId,
    what: What,
) -> u64 {
    let Some(groom) = grooms.get_mut(id) else { return 0 };
    effects.wake.insert(id.clone());
    groom.tell(epoch, what)
}
