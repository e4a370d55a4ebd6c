//! A master and grooms that talk to each other without loss, one thing after the other.

mod grooms;
mod life;
mod queue;
mod restore;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Effects, Scheduler, Times};
use crate::cluster::groom::state::{Effect, GroomState, HostLoad};
use crate::cluster::model::action::Answer;
use crate::cluster::model::ids::{Epoch, GroomId, Moment, Secret, TaskId};
use crate::cluster::model::job::{JobOutcome, JobState};
use crate::cluster::model::record::{Record, StoredJob};
use crate::cluster::model::report::tests::info;
use crate::cluster::model::spec::{JobSpec, Submission};
use crate::cluster::model::task::{How, Returned};
use crate::error::{Error, Result};
use crate::ids::{JobId, PeerId};

struct Cluster {
    master: Scheduler,
    epoch: u64,
    now: Moment,
    grooms: BTreeMap<GroomId, GroomState>,
    /// What grooms have done.
    done: Vec<(GroomId, Effect)>,
    stored: BTreeMap<JobId, StoredJob>,
    history: BTreeMap<JobId, JobOutcome>,
    /// Outcomes stay where they are: nobody puts them away.
    keeps: bool,
}

fn name(groom: &str) -> GroomId {
    groom.parse().unwrap()
}

fn id(job: u8) -> JobId {
    JobId::from_bytes([job; 16])
}

fn task(job: u8, peer: u32) -> TaskId {
    TaskId { job: id(job), peer: PeerId::from_index(peer), attempt: 0 }
}

fn submission(job: u8, spec: JobSpec) -> Submission {
    Submission { job: id(job), spec: Arc::new(spec), secret: Secret([1; 32]) }
}

impl Cluster {
    /// A master whose time for grooms to come is over, and grooms with their slots and 8 GiB, each on its host.
    fn new(grooms: &[(&str, u32)]) -> Cluster {
        let mut cluster = Cluster::without_grooms();
        for (groom, slots) in grooms {
            cluster.start_groom(groom, *slots);
        }
        cluster.exchange();
        cluster.pass(10);
        cluster
    }

    fn without_grooms() -> Cluster {
        Cluster {
            master: Scheduler::restore(Epoch(1), Times::default(), Moment(0), Vec::new()),
            epoch: 1,
            now: Moment(0),
            grooms: BTreeMap::new(),
            done: Vec::new(),
            stored: BTreeMap::new(),
            history: BTreeMap::new(),
            keeps: false,
        }
    }

    fn start_groom(&mut self, groom: &str, slots: u32) {
        let state = GroomState::new(name(groom), self.now.0 + 1, info(groom, slots, 8)).unwrap();
        self.grooms.insert(name(groom), state);
    }

    /// The master dies, and another goes on with what it has written.
    fn succeed(&mut self) {
        self.epoch += 1;
        let stored = self.stored.values().cloned().collect();
        self.master = Scheduler::restore(Epoch(self.epoch), Times::default(), self.now, stored);
        self.carry_out();
    }

    fn submit(&mut self, job: u8, spec: JobSpec) -> Result<()> {
        let submitted = self.master.submit(self.now, submission(job, spec));
        self.carry_out();
        submitted
    }

    fn carry_out(&mut self) {
        loop {
            let Effects { records, deposed, archive, .. } = self.master.take_effects();
            assert_eq!(deposed, None);
            for record in records {
                match record {
                    Record::Submitted(stored) => drop(self.stored.insert(stored.submission.job, stored)),
                    Record::Moved { job, progress } => self.stored.get_mut(&job).unwrap().progress = progress,
                    Record::Removed { job } => drop(self.stored.remove(&job)),
                }
            }
            if archive.is_empty() || self.keeps {
                return;
            }
            for outcome in archive {
                let (job, state) = (outcome.job, outcome.state.clone());
                assert!(self.history.insert(job, outcome).is_none(), "job {job} ends twice");
                self.master.archived(self.now, job, state);
            }
        }
    }

    /// Some of the grooms say what they have to say until nobody has anything new.
    fn exchange_with(&mut self, grooms: &[&str]) {
        for _ in 0..6 {
            for groom in grooms.iter().map(|groom| name(groom)) {
                self.exchange_once(&groom);
            }
        }
    }

    fn exchange_once(&mut self, groom: &GroomId) {
        let state = self.grooms.get_mut(groom).unwrap();
        let request = state.request(HostLoad::default());
        let answer = match self.master.hear(self.now, &request) {
            Ok(()) => Answer::Orders(self.master.orders(groom).unwrap()),
            Err(answer) => answer,
        };
        self.carry_out();
        let state = self.grooms.get_mut(groom).unwrap();
        state.hear(answer).unwrap();
        for effect in state.take_effects() {
            if let Effect::Fetch(executable) = effect {
                state.fetched(executable, Ok(()));
                let forks = state.take_effects().into_iter().map(|effect| (groom.clone(), effect));
                self.done.extend(forks);
            } else {
                self.done.push((groom.clone(), effect));
            }
        }
    }

    fn exchange(&mut self) {
        let grooms: Vec<String> = self.grooms.keys().map(GroomId::to_string).collect();
        self.exchange_with(&grooms.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// So many seconds pass, in which only these grooms are heard.
    fn pass_with(&mut self, seconds: u64, grooms: &[&str]) {
        for _ in 0..seconds * 2 {
            self.now = self.now.after(Duration::from_millis(500));
            self.exchange_with(grooms);
            self.master.tick(self.now);
            self.carry_out();
        }
    }

    fn pass(&mut self, seconds: u64) {
        let grooms: Vec<String> = self.grooms.keys().map(GroomId::to_string).collect();
        self.pass_with(seconds, &grooms.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Where the tasks of a job were started, by peer.
    fn forked(&self, job: u8) -> Vec<(u32, String)> {
        let fork = |(groom, effect): &(GroomId, Effect)| match effect {
            Effect::Fork { task, .. } if task.job == id(job) => {
                Some((task.peer.index() as u32, groom.to_string()))
            }
            _ => None,
        };
        let mut forked: Vec<_> = self.done.iter().filter_map(fork).collect();
        forked.sort();
        forked
    }

    /// Which tasks of a job grooms were told to end.
    fn killed(&self, job: u8) -> Vec<u32> {
        let kill = |(_, effect): &(GroomId, Effect)| match effect {
            Effect::Kill { task, .. } if task.job == id(job) => Some(task.peer.index() as u32),
            _ => None,
        };
        let mut killed: Vec<_> = self.done.iter().filter_map(kill).collect();
        killed.sort_unstable();
        killed
    }

    fn groom_of(&self, job: u8, peer: u32) -> GroomId {
        name(&self.forked(job).iter().find(|(forked, _)| *forked == peer).unwrap().1)
    }

    /// All peers of a job listen, and are connected.
    fn run(&mut self, job: u8) {
        for (peer, _) in self.forked(job) {
            self.ready(job, peer);
        }
        self.exchange();
    }

    fn ready(&mut self, job: u8, peer: u32) {
        let groom = self.groom_of(job, peer);
        self.grooms.get_mut(&groom).unwrap().ready(task(job, peer), vec![format!("{groom}:{peer}")]);
    }

    fn end(&mut self, job: u8, peer: u32, how: How) {
        let groom = self.groom_of(job, peer);
        self.grooms.get_mut(&groom).unwrap().ended(task(job, peer), how, Arc::default());
    }

    /// All peers of a job return.
    fn finish(&mut self, job: u8) {
        for (peer, _) in self.forked(job) {
            let output = vec![job, peer as u8];
            self.end(job, peer, How::Returned(Arc::new(Returned { output, ..Returned::default() })));
        }
        self.exchange();
    }

    fn state(&self, job: u8) -> JobState {
        match self.history.get(&id(job)) {
            Some(outcome) => outcome.state.clone(),
            None => self.master.job(id(job)).unwrap().state,
        }
    }

    /// Why a job failed.
    fn error(&self, job: u8) -> Error {
        match self.state(job) {
            JobState::Failed(error) => Error::from(error),
            state => unreachable!("job {job} did not fail: it is {state:?}"),
        }
    }

    fn slots_taken(&self) -> u32 {
        self.master.grooms(self.now).iter().map(|groom| groom.slots_taken).sum()
    }
}
