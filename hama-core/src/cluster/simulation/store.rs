//! What outlives masters: the records, which only the last of them may write, and the history, to which an outcome is put
//! once.

use std::collections::BTreeMap;

use crate::cluster::model::job::{JobOutcome, Stage};
use crate::cluster::model::record::{Record, StoredJob};
use crate::cluster::model::spec::Slots;
use crate::ids::JobId;

#[derive(Default)]
pub(super) struct Store {
    pub(super) epoch: u64,
    pub(super) jobs: BTreeMap<JobId, StoredJob>,
    pub(super) history: BTreeMap<JobId, JobOutcome>,
}

impl Store {
    /// Writes what a master of `epoch` wants to be written, if it still leads. Says whether it does.
    ///
    /// # Errors
    /// When a job starts before one that came first, or is written that is not there.
    pub(super) fn write(&mut self, epoch: u64, record: Record) -> Result<bool, String> {
        if epoch != self.epoch {
            return Ok(false);
        }
        match record {
            Record::Submitted(stored) => {
                if let Some(was) = self.jobs.insert(stored.submission.job, stored) {
                    return Err(format!("job {} is submitted twice", was.submission.job));
                }
            }
            Record::Moved { job, progress } => {
                self.check_order(job, progress.stage)?;
                let Some(stored) = self.jobs.get_mut(&job) else {
                    return Err(format!("job {job} comes to {:?} and is not stored", progress.stage));
                };
                if progress.stage < stored.progress.stage {
                    return Err(format!("job {job} goes back from {:?}", stored.progress.stage));
                }
                stored.progress = progress;
            }
            Record::Removed { job } => {
                if !self.history.contains_key(&job) {
                    return Err(format!("job {job} is removed and has no outcome"));
                }
                self.jobs.remove(&job);
            }
        }
        Ok(true)
    }

    fn check_order(&self, job: JobId, to: Stage) -> Result<(), String> {
        let Some(number) = self.jobs.get(&job).map(|stored| stored.number) else { return Ok(()) };
        // A client may have to wait for other clients, and the jobs behind it go on.
        let waits = |stored: &&StoredJob| {
            let is_client = stored.submission.spec.slots == Slots::Unneeded;
            stored.number < number && stored.progress.stage == Stage::Queued && !is_client
        };
        match self.jobs.values().find(waits) {
            Some(first) if to == Stage::Starting => {
                Err(format!("job {job} starts, and job {} came before it", first.submission.job))
            }
            _ => Ok(()),
        }
    }

    /// Another master begins: what it has to go on with.
    pub(super) fn begin(&mut self) -> Vec<StoredJob> {
        self.epoch += 1;
        let history = &self.history;
        self.jobs.retain(|job, _| !history.contains_key(job));
        self.jobs.values().cloned().collect()
    }
}
