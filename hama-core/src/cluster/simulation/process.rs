//! The processes of the simulated peers: they listen, connect, go through their supersteps together and end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::World;
use super::host::Noticed;
use super::network::Event;
use super::plan::Planned;
use crate::cluster::model::action::Launch;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{RunId, TaskId};
use crate::cluster::model::task::{How, Returned};
use crate::error::ErrorKind;
use crate::ids::{JobId, PeerId};

/// A peer's process.
pub(super) struct Process {
    launch: Arc<Launch>,
    phase: Phase,
    superstep: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starts,
    Listens,
    Runs,
}

/// Who waits for the end of a superstep, who was ever started, and who returned.
#[derive(Default)]
pub(super) struct Barriers {
    arrived: BTreeMap<(RunId, u64), BTreeSet<PeerId>>,
    forked: BTreeSet<TaskId>,
    pub(super) returned: BTreeMap<JobId, BTreeSet<PeerId>>,
}

impl Process {
    pub(super) fn peers(&self) -> u32 {
        self.launch.submission.spec.peers
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.launch.submission.spec.memory_bytes
    }

    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// It is told where all peers listen.
    pub(super) fn connect(&mut self, task: TaskId, addresses: &[Vec<String>]) -> Result<(), String> {
        let all: Vec<Vec<String>> =
            (0..self.peers()).map(|peer| vec![address(task.run().task(PeerId::from_index(peer)))]).collect();
        if addresses != all || self.phase != Phase::Listens {
            return Err(format!("{task} is connected to {addresses:?}"));
        }
        self.phase = Phase::Runs;
        Ok(())
    }
}

fn address(task: TaskId) -> String {
    format!("{task}")
}

/// What a peer leaves.
pub(super) fn output(job: JobId, peer: PeerId) -> Vec<u8> {
    [&job.as_bytes()[..], &peer.index().to_le_bytes()].concat()
}

impl World {
    pub(super) fn fork(&mut self, host: usize, task: TaskId, launch: Arc<Launch>) -> Result<(), String> {
        if !self.barriers.forked.insert(task) {
            return Err(format!("{task} is started twice"));
        }
        self.hosts[host].processes.insert(task, Process { launch, phase: Phase::Starts, superstep: 0 });
        let (at, start) = (self.now.0 + 1 + self.random.below(200), self.hosts[host].start);
        self.network.at(at, Event::Step { host, start, task });
        Ok(())
    }

    fn planned(&self, job: JobId) -> Result<&Planned, String> {
        self.jobs
            .iter()
            .find(|planned| planned.id == job)
            .ok_or_else(|| format!("nobody submitted job {job}"))
    }

    pub(super) fn step(&mut self, host: usize, start: u64, task: TaskId) -> Result<(), String> {
        if self.hosts[host].start != start {
            return Ok(());
        }
        let Some(process) = self.hosts[host].processes.get_mut(&task) else { return Ok(()) };
        match process.phase {
            Phase::Starts => {
                process.phase = Phase::Listens;
                self.notice(host, Noticed::Ready(task, vec![address(task)]))
            }
            Phase::Listens => Ok(()),
            Phase::Runs => {
                let superstep = process.superstep;
                self.run_peer(host, start, task, superstep)
            }
        }
    }

    fn run_peer(&mut self, host: usize, start: u64, task: TaskId, superstep: u64) -> Result<(), String> {
        let planned = self.planned(task.job)?;
        match planned.fates.get(&task.peer.index()) {
            Some((at, fate)) if *at == superstep => match fate.how() {
                Some(how) => self.die(host, start, task, how),
                None => Ok(()),
            },
            _ if superstep == planned.supersteps => {
                self.barriers.returned.entry(task.job).or_default().insert(task.peer);
                let output = output(task.job, task.peer);
                let returned = Returned { output, supersteps: superstep, ..Returned::default() };
                self.die(host, start, task, How::Returned(Arc::new(returned)))
            }
            _ => self.arrive(task, superstep),
        }
    }

    /// A peer waits for the others; the last one wakes them all.
    fn arrive(&mut self, task: TaskId, superstep: u64) -> Result<(), String> {
        let run = task.run();
        let peers = self.planned(run.job)?.spec.peers as usize;
        let arrived = self.barriers.arrived.entry((run, superstep)).or_default();
        arrived.insert(task.peer);
        if arrived.len() < peers {
            return Ok(());
        }
        for host in 0..self.hosts.len() {
            let start = self.hosts[host].start;
            let mine = |(id, process): (&TaskId, &mut Process)| {
                let is_it = id.run() == run && process.superstep == superstep;
                is_it.then(|| {
                    process.superstep += 1;
                    *id
                })
            };
            let woken: Vec<TaskId> = self.hosts[host].processes.iter_mut().filter_map(mine).collect();
            for task in woken {
                self.notice(host, Noticed::Superstep(task, superstep + 1))?;
                let at = self.now.0 + 1 + self.random.below(800);
                self.network.at(at, Event::Step { host, start, task });
            }
        }
        Ok(())
    }

    pub(super) fn die(&mut self, host: usize, start: u64, task: TaskId, how: How) -> Result<(), String> {
        if self.hosts[host].start != start {
            return Ok(());
        }
        let Some(process) = self.hosts[host].processes.remove(&task) else { return Ok(()) };
        if !matches!(how, How::Returned(_)) {
            self.notice_end(task.run(), process.peers());
        }
        self.notice(host, Noticed::Ended(task, how))
    }

    /// Some of the others notice that a peer of their run is gone, some do not.
    pub(super) fn notice_end(&mut self, run: RunId, peers: u32) {
        let gone = WireError {
            kind: ErrorKind::PeerLost.name().to_owned(),
            message: "a connection broke".to_owned(),
            at: None,
        };
        for host in 0..self.hosts.len() {
            let start = self.hosts[host].start;
            for task in (0..peers).map(|peer| run.task(PeerId::from_index(peer))) {
                let runs =
                    self.hosts[host].processes.get(&task).is_some_and(|process| process.phase == Phase::Runs);
                if runs && self.random.below(2) == 0 {
                    let at = self.now.0 + 1 + self.random.below(500);
                    self.network.at(at, Event::Die { host, start, task, how: How::Failed(gone.clone()) });
                }
            }
        }
    }
}
