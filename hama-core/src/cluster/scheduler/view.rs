//! What those who ask are told about grooms and jobs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::model::ids::{GroomId, Moment};
use crate::cluster::model::job::{Came, JobState};
use crate::cluster::model::report::GroomInfo;
use crate::cluster::model::task::{How, TaskStatus};
use crate::cluster::scheduler::Scheduler;
use crate::cluster::scheduler::groom::{Draining, Groom, Presence};
use crate::cluster::scheduler::job::{Job, Task};
use crate::ids::{Host, JobId};

/// A groom, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroomView {
    pub(crate) groom: GroomId,
    pub(crate) health: Health,
    pub(crate) draining: Draining,
    /// What it offers, once it has registered.
    pub(crate) info: Option<GroomInfo>,
    pub(crate) slots_taken: u32,
    pub(crate) memory_taken: u64,
    /// The processes that may be there.
    pub(crate) tasks: usize,
    pub(crate) free_memory_bytes: u64,
    pub(crate) load_percent: u32,
    pub(crate) heard: Moment,
}

/// How a groom is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Health {
    /// The master before this one knew it, and it has not registered yet.
    Expected,
    Alive,
    Stale,
    Dead,
}

/// A job, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobView {
    pub(crate) job: JobId,
    pub(crate) program: String,
    pub(crate) peers: u32,
    pub(crate) state: JobState,
    pub(crate) history: Vec<Came>,
    /// The superstep that all of its peers have reached.
    pub(crate) superstep: u64,
    /// How many units of their work they have done.
    pub(crate) units: u64,
    /// The tasks that run, and those that have ended.
    pub(crate) running: usize,
    pub(crate) ended: usize,
    /// How many jobs start before it, while it waits.
    pub(crate) before: Option<usize>,
}

/// A peer of a job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerView {
    pub(crate) host: Host,
    pub(crate) superstep: u64,
    pub(crate) counters: BTreeMap<String, u64>,
}

impl Scheduler {
    /// All grooms, by name.
    pub(crate) fn grooms(&self, now: Moment) -> Vec<GroomView> {
        let view = |(name, groom): (&GroomId, &Groom)| GroomView {
            groom: name.clone(),
            health: self.health(groom, now),
            draining: groom.draining,
            info: groom.info().cloned(),
            slots_taken: groom.slots_taken(),
            memory_taken: groom.memory_taken(),
            tasks: groom.live(),
            free_memory_bytes: groom.free_memory_bytes,
            load_percent: groom.load_percent,
            heard: groom.heard,
        };
        self.grooms.iter().map(view).collect()
    }

    fn health(&self, groom: &Groom, now: Moment) -> Health {
        match groom.presence {
            Presence::Expected => Health::Expected,
            Presence::Present(..) if groom.silence(now) < self.times.stale => Health::Alive,
            Presence::Present(..) => Health::Stale,
            Presence::Gone(..) => Health::Dead,
        }
    }

    /// All jobs whose outcome is not in the history, in the order of their submission.
    pub(crate) fn jobs(&self) -> Vec<JobView> {
        let mut jobs: Vec<&Job> = self.jobs.values().collect();
        jobs.sort_by_key(|job| job.number);
        jobs.into_iter().map(|job| self.job_view(job)).collect()
    }

    /// One job.
    pub(crate) fn job(&self, id: JobId) -> Option<JobView> {
        self.jobs.get(&id).map(|job| self.job_view(job))
    }

    /// The peers of one job, by index; none before they have places.
    pub(crate) fn peers(&self, id: JobId) -> Option<Vec<PeerView>> {
        Some(self.jobs.get(&id)?.tasks.iter().map(PeerView::of).collect())
    }

    fn job_view(&self, job: &Job) -> JobView {
        let is_running = |status: &TaskStatus| matches!(status, TaskStatus::Running { .. });
        JobView {
            job: job.id(),
            program: job.spec().program.clone(),
            peers: job.spec().peers,
            state: job.state(),
            history: job.progress.history.clone(),
            superstep: job.tasks.iter().map(|task| task.superstep()).min().unwrap_or_default(),
            units: job.tasks.iter().fold(0, |sum, task| sum.saturating_add(task.units)),
            running: job.tasks.iter().filter(|task| is_running(&task.status)).count(),
            ended: job.tasks.iter().filter(|task| task.status.is_ended()).count(),
            before: self.queue.iter().position(|queued| *queued == job.id()),
        }
    }
}

impl PeerView {
    fn of(task: &Task) -> PeerView {
        let counters = match &task.status {
            TaskStatus::Running { counters, .. } => counters.clone(),
            TaskStatus::Ended(ended) => match &ended.how {
                How::Returned(returned) => returned.counters.clone(),
                _ => BTreeMap::new(),
            },
            _ => BTreeMap::new(),
        };
        PeerView { host: task.host.clone(), superstep: task.superstep(), counters }
    }
}
