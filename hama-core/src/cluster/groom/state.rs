//! The groom's state machine: which tasks it has, how they are, what it was told and what it says.
//!
//! The groom goes on with its tasks when the master is away, for however long; whether they are still wanted, the
//! master says when it is there again. It never forgets a task before the master says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::model::action::{Action, Answer, Launch, Orders, Roster, What};
use crate::cluster::model::bounds::PART_BYTES_MAX;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Digest, Epoch, GroomId, RunId, Session, TaskId};
use crate::cluster::model::report::{
    Drained, GroomInfo, Held, Registration, Report, Request, TaskReport, validate_addresses,
};
use crate::cluster::model::task::{Ended, How, TaskStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::PeerId;

/// What the groom has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Get an executable, from the cache or the master, and say [`fetched`](GroomState::fetched).
    Fetch(Digest),
    /// Start the process of a task.
    Fork { task: TaskId, launch: Arc<Launch> },
    /// Tell a peer where the others listen; the groom is number `me` of those that take part.
    Connect { task: TaskId, me: u32, roster: Arc<Roster> },
    /// End the process of a task, and say [`ended`](GroomState::ended) once it is gone.
    Kill { task: TaskId, why: String },
    /// Remove what a task has left on this host.
    Remove(TaskId),
    /// There is something to say that should not wait.
    Tell,
    /// The groom is told to expect no more tasks.
    Drain,
    /// The groom is told to end.
    Stop,
}

/// What the host is like at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostLoad {
    pub(crate) free_memory_bytes: u64,
    pub(crate) load_percent: u32,
}

/// The state of a groom.
#[derive(Debug)]
pub(crate) struct GroomState {
    id: GroomId,
    info: GroomInfo,
    session: Session,
    /// The greatest that it has seen.
    epoch: Epoch,
    /// The master has answered in this session.
    is_open: bool,
    /// The last report of this session.
    sequence: u64,
    /// The last action of this session.
    seen: u64,
    tasks: BTreeMap<TaskId, Task>,
    draining: Option<Drained>,
    effects: Vec<Effect>,
}

#[derive(Debug)]
struct Task {
    launch: Arc<Launch>,
    /// Its process was started, or is about to be.
    is_forked: bool,
    is_killed: bool,
    /// It goes as soon as it has ended.
    is_forgotten: bool,
    addresses: Vec<String>,
    status: TaskStatus,
    /// The report since when each of the session says how it ended.
    told_in: Option<u64>,
    /// The master has heard that.
    is_heard: bool,
}

impl GroomState {
    /// A groom that was just started, in milliseconds since 1970.
    ///
    /// # Errors
    /// `Invalid` when it offers what cannot be.
    pub(crate) fn new(id: GroomId, start: u64, info: GroomInfo) -> Result<GroomState> {
        id.validate()?;
        info.validate()?;
        Ok(GroomState {
            id,
            info,
            session: Session { start, number: 1 },
            epoch: Epoch(0),
            is_open: false,
            sequence: 0,
            seen: 0,
            tasks: BTreeMap::new(),
            draining: None,
            effects: Vec::new(),
        })
    }

    /// What is to be done, once.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What it has to say now: that it is there, or how its tasks are. What was said before and may not have arrived is
    /// part of it.
    pub(crate) fn request(&mut self, host: HostLoad) -> Request {
        if self.is_open { Request::Report(self.report(host)) } else { Request::Register(self.registration()) }
    }

    fn registration(&self) -> Registration {
        let held = |(task, state): (&TaskId, &Task)| Held {
            task: *task,
            memory_bytes: state.launch.submission.spec.memory_bytes,
        };
        Registration {
            groom: self.id.clone(),
            session: self.session,
            epoch: self.epoch,
            info: self.info.clone(),
            draining: self.draining,
            tasks: self.tasks.iter().map(held).collect(),
        }
    }

    fn report(&mut self, host: HostLoad) -> Report {
        self.sequence += 1;
        let mut room = PART_BYTES_MAX;
        let sequence = self.sequence;
        let tasks = self.tasks.iter_mut().map(|(id, task)| task.report(*id, sequence, &mut room)).collect();
        Report {
            groom: self.id.clone(),
            session: self.session,
            epoch: self.epoch,
            sequence,
            seen: self.seen,
            free_memory_bytes: host.free_memory_bytes,
            load_percent: host.load_percent,
            tasks,
        }
    }

    /// A master answers.
    ///
    /// # Errors
    /// `Conflict` when it is one that another has followed: look for that. `Invalid` when no master says that. What the
    /// master says where it refuses the groom.
    pub(crate) fn hear(&mut self, answer: Answer) -> Result<()> {
        answer.validate()?;
        let (epoch, session) = match &answer {
            Answer::Orders(Orders { epoch, session, .. })
            | Answer::Reregister { epoch, session }
            | Answer::Refused { epoch, session, .. } => (*epoch, *session),
        };
        if epoch < self.epoch {
            let message =
                format!("cannot take orders of epoch {epoch}: groom {} knows epoch {}", self.id, self.epoch);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        // An answer to a question of long ago.
        if session != self.session {
            return Ok(());
        }
        match answer {
            // The master that it registered with had that epoch, so nobody who knows the session has another.
            Answer::Orders(_) if epoch > self.epoch => {}
            Answer::Orders(orders) => self.obey(orders),
            Answer::Reregister { .. } => self.reopen(epoch),
            Answer::Refused { error, .. } => {
                self.epoch = epoch;
                return Err(Error::from(error));
            }
        }
        Ok(())
    }

    /// Opens another session, where everything is to be said again.
    fn reopen(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.session.number += 1;
        (self.is_open, self.sequence, self.seen) = (false, 0, 0);
        for task in self.tasks.values_mut() {
            (task.told_in, task.is_heard) = (None, false);
        }
        self.effects.push(Effect::Tell);
    }

    fn obey(&mut self, orders: Orders) {
        self.is_open = true;
        for task in self.tasks.values_mut() {
            task.is_heard |= task.told_in.is_some_and(|told| told <= orders.heard);
        }
        let before = self.seen;
        for Action { id, what, .. } in orders.actions {
            // Before that it was done; after that one is missing, and comes again.
            if id == self.seen + 1 {
                self.seen = id;
                self.act(what);
            }
        }
        if self.seen > before {
            self.effects.push(Effect::Tell);
        }
    }

    fn act(&mut self, what: What) {
        match what {
            What::Launch(launch) => self.launch(launch),
            What::Connect { run, me, roster } => self.connect(run, me, &roster),
            What::Kill { run, why } => self.kill(run, &why),
            What::Forget { run } => self.forget(run),
            What::Drain { stop } => {
                self.draining = Some(Drained { stop });
                self.effects.push(Effect::Drain);
            }
            What::Stop => self.effects.push(Effect::Stop),
        }
    }

    fn launch(&mut self, launch: Launch) {
        let (launch, mut is_new) = (Arc::new(launch), false);
        for peer in &launch.peers {
            let id = launch.run.task(*peer);
            self.tasks.entry(id).or_insert_with(|| {
                is_new = true;
                Task::new(Arc::clone(&launch))
            });
        }
        if is_new {
            self.effects.push(Effect::Fetch(launch.submission.spec.executable));
        }
    }

    fn connect(&mut self, run: RunId, me: u32, roster: &Arc<Roster>) {
        for (id, task) in of_run(&mut self.tasks, run).filter(|(_, task)| task.status == TaskStatus::Ready) {
            task.status = TaskStatus::Running { superstep: 0, units: 0, counters: BTreeMap::new() };
            self.effects.push(Effect::Connect { task: *id, me, roster: Arc::clone(roster) });
        }
    }

    fn kill(&mut self, run: RunId, why: &str) {
        for (id, task) in of_run(&mut self.tasks, run) {
            if task.status.is_ended() || task.is_killed {
                continue;
            }
            task.is_killed = true;
            if task.is_forked {
                self.effects.push(Effect::Kill { task: *id, why: why.to_owned() });
            } else {
                task.end(0, How::Killed, Arc::default());
            }
        }
    }

    fn forget(&mut self, run: RunId) {
        self.kill(run, "the job is over");
        of_run(&mut self.tasks, run).for_each(|(_, task)| task.is_forgotten = true);
        self.remove_forgotten();
    }

    fn remove_forgotten(&mut self) {
        let effects = &mut self.effects;
        self.tasks.retain(|id, task| {
            let is_over = task.is_forgotten && task.status.is_ended();
            if is_over {
                effects.push(Effect::Remove(*id));
            }
            !is_over
        });
    }

    /// An executable is here, or cannot be had.
    pub(crate) fn fetched(&mut self, executable: Digest, fetched: Result<(), WireError>) {
        for (id, task) in &mut self.tasks {
            let is_it = task.launch.submission.spec.executable == executable;
            if !is_it || task.is_forked || task.status.is_ended() {
                continue;
            }
            match &fetched {
                Ok(()) => {
                    task.is_forked = true;
                    self.effects.push(Effect::Fork { task: *id, launch: Arc::clone(&task.launch) });
                }
                Err(error) => {
                    task.end(0, How::Failed(error.clone()), Arc::default());
                    self.effects.push(Effect::Tell);
                }
            }
        }
        self.remove_forgotten();
    }

    /// A peer listens.
    pub(crate) fn ready(&mut self, id: TaskId, addresses: Vec<String>) {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.status == TaskStatus::Launching) else {
            return;
        };
        // Others are of no use, and the master would refuse all of the groom's report: the peer waits in vain.
        if addresses.is_empty() || validate_addresses(&addresses).is_err() {
            return;
        }
        task.addresses = addresses;
        task.status = TaskStatus::Ready;
        self.effects.push(Effect::Tell);
    }

    /// A peer is in this superstep. That can wait for the next report.
    pub(crate) fn superstep(&mut self, id: TaskId, now_in: u64) {
        if let Some(Task { status: TaskStatus::Running { superstep, .. }, .. }) = self.tasks.get_mut(&id) {
            *superstep = now_in.max(*superstep);
        }
    }

    /// A peer has done so much and counted so far. That can wait for the next report.
    pub(crate) fn progress(&mut self, id: TaskId, done: u64, counted: BTreeMap<String, u64>) {
        let task = self.tasks.get_mut(&id);
        if let Some(Task { status: TaskStatus::Running { units, counters, .. }, .. }) = task {
            (*units, *counters) = (done, counted);
        }
    }

    /// The process of a task is gone, or could not be started; `log` is the last that it printed. What a kill may have caused
    /// counts as that.
    pub(crate) fn ended(&mut self, id: TaskId, how: How, log: Arc<[u8]>) {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| !task.status.is_ended()) else { return };
        let is_of_kill = matches!(how, How::Signalled { .. } | How::Exited { .. }) || how.is_consequence();
        let how = if task.is_killed && is_of_kill { How::Killed } else { how };
        task.end(task.status.superstep(), how, log);
        self.effects.push(Effect::Tell);
        self.remove_forgotten();
    }

    /// The tasks whose processes are there or about to be.
    pub(crate) fn live(&self) -> impl Iterator<Item = (TaskId, &Launch)> {
        let live = self.tasks.iter().filter(|(_, task)| !task.status.is_ended());
        live.map(|(id, task)| (*id, &*task.launch))
    }

    /// Whether it has no task, and none to remember.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Task {
    fn new(launch: Arc<Launch>) -> Task {
        Task {
            launch,
            is_forked: false,
            is_killed: false,
            is_forgotten: false,
            addresses: Vec::new(),
            status: TaskStatus::Launching,
            told_in: None,
            is_heard: false,
        }
    }

    fn end(&mut self, superstep: u64, how: How, log: Arc<[u8]>) {
        self.status = TaskStatus::Ended(Ended { superstep, how, log });
    }

    /// What report `sequence` says of it, where `room` is left for what peers leave.
    fn report(&mut self, task: TaskId, sequence: u64, room: &mut usize) -> TaskReport {
        let addresses = self.addresses.clone();
        let status = match &self.status {
            TaskStatus::Ended(_) if self.is_heard => TaskStatus::Told,
            TaskStatus::Ended(ended) => {
                let bytes = ended.bytes();
                if bytes > *room && *room < PART_BYTES_MAX {
                    self.told_in = None;
                    // It goes on for now. One that never listened cannot be said to run.
                    let (superstep, units, counters) = (ended.superstep, 0, BTreeMap::new());
                    let status = match addresses.is_empty() {
                        true => TaskStatus::Launching,
                        false => TaskStatus::Running { superstep, units, counters },
                    };
                    return TaskReport { task, addresses, status };
                }
                *room = room.saturating_sub(bytes);
                self.told_in.get_or_insert(sequence);
                self.status.clone()
            }
            status => status.clone(),
        };
        TaskReport { task, addresses, status }
    }
}

fn of_run(tasks: &mut BTreeMap<TaskId, Task>, run: RunId) -> impl Iterator<Item = (&TaskId, &mut Task)> {
    let first = TaskId { job: run.job, peer: PeerId::from_index(0), attempt: 0 };
    let last = TaskId { job: run.job, peer: PeerId::from_index(u32::MAX), attempt: u32::MAX };
    tasks.range_mut(first..=last).filter(move |(id, _)| id.attempt == run.attempt)
}
