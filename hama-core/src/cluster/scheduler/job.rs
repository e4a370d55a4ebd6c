//! A job as the master knows it, from its submission until its outcome is put away.

use std::sync::Arc;

use crate::cluster::gather::Participant;
use crate::cluster::model::action::Roster;
use crate::cluster::model::bounds::JOB_OUTPUT_BYTES_MAX;
use crate::cluster::model::error::WireAt;
use crate::cluster::model::ids::{GroomId, Moment, RunId};
use crate::cluster::model::job::{Came, Cause, JobOutcome, JobState, PeerOutcome, Stage};
use crate::cluster::model::record::{Launched, Progress, StoredJob};
use crate::cluster::model::report::TaskReport;
use crate::cluster::model::spec::{JobSpec, Submission};
use crate::cluster::model::task::{Ended, How, Returned, TaskStatus};
use crate::error::ErrorKind;
use crate::ids::{Host, JobId, PeerId};

/// A job that is not put away.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) submission: Arc<Submission>,
    /// What grooms get of it.
    pub(crate) for_grooms: Arc<Submission>,
    pub(crate) progress: Progress,
    /// When it came to its stage, or this master took it over.
    pub(crate) since: Moment,
    /// By index, once it was launched.
    pub(crate) tasks: Vec<Task>,
    /// Since when it waits for more grooms than there are.
    pub(crate) unfit_since: Option<Moment>,
    /// What its peers have left that returned, in bytes.
    left_bytes: usize,
    /// Its outcome is being put away.
    pub(crate) is_settled: bool,
    /// How far its cause may be from the first one, which is not heard yet: [`How::remoteness`].
    pub(crate) remoteness: u32,
}

/// A task of a job.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) groom: GroomId,
    pub(crate) host: Host,
    pub(crate) addresses: Vec<String>,
    pub(crate) status: TaskStatus,
    /// How much of its work it has done, as far as it is known.
    pub(crate) units: u64,
}

impl Job {
    /// A job that was just submitted.
    pub(crate) fn new(number: u64, submission: Arc<Submission>, now: Moment) -> Job {
        let history = vec![Came { to: Stage::Queued, at: now }];
        let progress = Progress { stage: Stage::Queued, history, launched: None, cause: None };
        Job::stored(StoredJob { number, submission, progress }, now)
    }

    /// A job that another master has left.
    pub(crate) fn stored(stored: StoredJob, now: Moment) -> Job {
        let StoredJob { number, submission, progress } = stored;
        let mut job = Job {
            number,
            for_grooms: submission.for_grooms(),
            submission,
            progress,
            since: now,
            tasks: Vec::new(),
            unfit_since: None,
            left_bytes: 0,
            is_settled: false,
            remoteness: 0,
        };
        job.seat();
        job
    }

    fn seat(&mut self) {
        let Some(launched) = &self.progress.launched else { return };
        let mut tasks: Vec<(PeerId, Task)> = Vec::new();
        for booking in &launched.bookings {
            let task = || Task {
                groom: booking.groom.clone(),
                host: booking.host.clone(),
                addresses: Vec::new(),
                status: TaskStatus::Launching,
                units: 0,
            };
            tasks.extend(booking.peers.iter().map(|peer| (*peer, task())));
        }
        tasks.sort_by_key(|(peer, _)| *peer);
        self.tasks = tasks.into_iter().map(|(_, task)| task).collect();
    }

    pub(crate) fn id(&self) -> JobId {
        self.submission.job
    }

    pub(crate) fn spec(&self) -> &Arc<JobSpec> {
        &self.submission.spec
    }

    pub(crate) fn stage(&self) -> Stage {
        self.progress.stage
    }

    /// Its run, once it was launched.
    pub(crate) fn run(&self) -> Option<RunId> {
        let launched = self.progress.launched.as_ref()?;
        Some(RunId { job: self.id(), attempt: launched.attempt })
    }

    pub(crate) fn come(&mut self, to: Stage, now: Moment) {
        self.progress.stage = to;
        self.progress.history.push(Came { to, at: now });
        self.since = now;
    }

    pub(crate) fn launch(&mut self, launched: Launched, now: Moment) {
        self.progress.launched = Some(launched);
        self.seat();
        self.come(Stage::Starting, now);
    }

    /// The grooms that take part in its run, numbered. It has at most as many as peers.
    pub(crate) fn grooms(&self) -> impl Iterator<Item = (u32, &GroomId)> {
        let bookings = self.progress.launched.iter().flat_map(|launched| &launched.bookings);
        (0..).zip(bookings.map(|booking| &booking.groom))
    }

    /// Who takes part in its run.
    pub(crate) fn roster(&self) -> Roster {
        let bookings = self.progress.launched.iter().flat_map(|launched| &launched.bookings);
        let grooms = bookings.map(|booking| Participant {
            host: booking.host.clone(),
            peers: u32::try_from(booking.peers.len()).unwrap_or(u32::MAX),
        });
        let addresses = self.tasks.iter().map(|task| task.addresses.clone()).collect();
        Roster { addresses, grooms: grooms.collect() }
    }

    /// Its task for `peer`, where that is on `groom` in this run.
    pub(crate) fn task_on(&mut self, run: RunId, peer: PeerId, groom: &GroomId) -> Option<&mut Task> {
        let is_run = self.run() == Some(run);
        self.tasks.get_mut(peer.index()).filter(|task| is_run && task.groom == *groom)
    }

    /// Whether every task has told where it listens.
    pub(crate) fn is_ready(&self) -> bool {
        self.tasks.iter().all(|task| !task.addresses.is_empty())
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.tasks.iter().all(|task| task.status.is_ended())
    }

    /// A task has ended: whether that makes the job end without a result, or tells more truly why.
    pub(crate) fn cause_of(&self, peer: PeerId, ended: &Ended) -> Option<Cause> {
        let task = self.tasks.get(peer.index())?;
        let wanted = match (&self.progress.cause, self.stage()) {
            (None, _) => true,
            (Some(_), Stage::Ending) => ended.how.remoteness() < self.remoteness,
            (Some(_), _) => false,
        };
        let error = if wanted { ended.how.error()? } else { return None };
        let at = WireAt { host: task.host.clone(), peer, superstep: ended.superstep };
        Some(Cause::Failed(error.at(at)))
    }

    /// A peer has returned: why the job has to end although it did, where all of them leave too much.
    pub(crate) fn has_returned(&mut self, peer: PeerId) -> Option<Cause> {
        let returned = self.tasks.get(peer.index())?.returned()?;
        self.left_bytes += returned.bytes();
        (self.left_bytes > JOB_OUTPUT_BYTES_MAX).then(|| {
            let message = format!(
                "cannot keep what the {} peers of {} leave: {} bytes so far, the limit is {JOB_OUTPUT_BYTES_MAX}",
                self.tasks.len(),
                self.spec().program,
                self.left_bytes
            );
            Cause::failed(ErrorKind::Invalid, message)
        })
    }

    /// It ends without a result: what its peers have left is of no use.
    pub(crate) fn forget_outputs(&mut self) {
        self.tasks.iter_mut().for_each(Task::forget_output);
    }

    /// How it is, for those who ask.
    pub(crate) fn state(&self) -> JobState {
        self.stage().state()
    }

    /// All that is left of it.
    pub(crate) fn outcome(&self, now: Moment) -> JobOutcome {
        let state = self.progress.cause.as_ref().map_or(JobState::Succeeded, Cause::state);
        JobOutcome {
            job: self.id(),
            spec: Arc::clone(self.spec()),
            state,
            history: self.progress.history.clone(),
            ended: now,
            peers: self.tasks.iter().map(Task::outcome).collect(),
        }
    }
}

impl Task {
    /// Takes what its groom says. Says whether that changes anything.
    pub(crate) fn told(&mut self, report: &TaskReport) -> bool {
        if self.status.is_ended() {
            return false;
        }
        let mut is_changed = false;
        if let TaskStatus::Running { units, .. } = &report.status {
            self.units = self.units.max(*units);
        }
        if self.addresses.is_empty() && !report.addresses.is_empty() {
            self.addresses.clone_from(&report.addresses);
            is_changed = true;
        }
        if report.status == TaskStatus::Told {
            let why = "its groom says to have told how it ended, and has not".to_owned();
            return self.end(How::Lost { why });
        }
        if report.status.rank() < self.status.rank() || report.status == self.status {
            return is_changed;
        }
        is_changed |= report.status.rank() > self.status.rank();
        self.status = report.status.clone();
        is_changed
    }

    /// Its groom will not say how it ended. Says whether that changes anything.
    pub(crate) fn end(&mut self, how: How) -> bool {
        let superstep = self.superstep();
        if self.status.is_ended() {
            return false;
        }
        self.status = TaskStatus::Ended(Ended { superstep, how, log: Arc::default() });
        true
    }

    /// The last superstep that it is known to have been in.
    pub(crate) fn superstep(&self) -> u64 {
        self.status.superstep()
    }

    fn returned(&self) -> Option<&Arc<Returned>> {
        match &self.status {
            TaskStatus::Ended(Ended { how: How::Returned(returned), .. }) => Some(returned),
            _ => None,
        }
    }

    fn forget_output(&mut self) {
        if let TaskStatus::Ended(Ended { how: How::Returned(returned), .. }) = &mut self.status {
            *returned = Arc::default();
        }
    }

    fn outcome(&self) -> PeerOutcome {
        PeerOutcome {
            host: self.host.clone(),
            superstep: self.superstep(),
            returned: self.returned().cloned(),
            log: self.ended().map_or_else(Arc::default, |ended| Arc::clone(&ended.log)),
        }
    }

    /// Its end, if it has ended.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        match &self.status {
            TaskStatus::Ended(ended) => Some(ended),
            _ => None,
        }
    }
}
