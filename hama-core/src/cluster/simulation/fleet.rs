//! A master and many grooms in one process, for benches: what the master does with requests as they come off the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::groom::state::{Effect, GroomState, HostLoad};
use crate::cluster::model::action::Answer;
use crate::cluster::model::ids::{Digest, Epoch, GroomId, Moment, Secret};
use crate::cluster::model::report::{GroomInfo, Request};
use crate::cluster::model::spec::{JobSpec, Slots, Submission};
use crate::cluster::model::task::{How, Returned};
use crate::cluster::scheduler::{Effects, Scheduler, Times};
use crate::error::Result;
use crate::ids::{Host, JobId};
use crate::message::codec;

const MEMORY_BYTES: u64 = 1 << 40;

/// Grooms that do what they are told at once, and their master.
#[derive(Debug)]
pub struct Fleet {
    master: Scheduler,
    grooms: BTreeMap<GroomId, GroomState>,
    now: Moment,
    jobs: u64,
}

impl Fleet {
    /// So many grooms with so many slots each, all registered.
    ///
    /// # Errors
    /// `Invalid` when no groom has so many slots.
    pub fn new(grooms: usize, slots: u32) -> Result<Fleet> {
        let groom = |index: usize| {
            let info = GroomInfo {
                host: Host::new(format!("host-{index}")),
                address: format!("10.0.{}.{}:0", index / 256, index % 256),
                slots,
                memory_bytes: MEMORY_BYTES,
                rack: None,
                version: "0.1.0".to_owned(),
                labels: BTreeMap::new(),
            };
            let name: GroomId = format!("groom-{index:05}").parse()?;
            Ok((name.clone(), GroomState::new(name, 1, info)?))
        };
        let grooms = (0..grooms).map(groom).collect::<Result<_>>()?;
        let master = Scheduler::restore(Epoch(1), Times::default(), Moment(0), Vec::new());
        let mut fleet = Fleet { master, grooms, now: Moment(0), jobs: 0 };
        fleet.heartbeat()?;
        fleet.heartbeat()?;
        Ok(fleet)
    }

    /// What all grooms say now, as it goes over the wire.
    ///
    /// # Errors
    /// `Invalid` when that is too large.
    pub fn requests(&mut self) -> Result<Vec<Vec<u8>>> {
        let host = HostLoad { free_memory_bytes: MEMORY_BYTES, load_percent: 100 };
        let encoded = |groom: &mut GroomState| {
            let mut bytes = Vec::new();
            codec::encode(&groom.request(host), "a request", &mut bytes)?;
            Ok(bytes)
        };
        self.grooms.values_mut().map(encoded).collect()
    }

    /// The master's part: it reads every request, takes it in and writes the answer.
    ///
    /// # Errors
    /// `Data` when a request cannot be read.
    pub fn answer(&mut self, requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        self.now = self.now.after(Duration::from_millis(500));
        self.master.tick(self.now);
        let mut answers = Vec::with_capacity(requests.len());
        for bytes in requests {
            let request: Request = codec::decode(bytes, "a request")?;
            let heard = self.master.hear(self.now, &request);
            self.put_away();
            let answer = match heard {
                Ok(()) => self.master.orders(groom_of(&request)).map(Answer::Orders),
                Err(answer) => Some(answer),
            };
            let mut bytes = Vec::new();
            codec::encode(&answer, "an answer", &mut bytes)?;
            answers.push(bytes);
        }
        Ok(answers)
    }

    /// Outcomes are put away at once.
    fn put_away(&mut self) {
        loop {
            let Effects { archive, .. } = self.master.take_effects();
            if archive.is_empty() {
                return;
            }
            for outcome in archive {
                self.master.archived(self.now, outcome.job, outcome.state);
            }
        }
    }

    /// The grooms do what they are told: fetch, start, and their peers listen.
    ///
    /// # Errors
    /// What a groom says to an answer that it does not take.
    pub fn obey(&mut self, answers: &[Vec<u8>]) -> Result<()> {
        for (groom, answer) in self.grooms.values_mut().zip(answers) {
            if let Some(answer) = codec::decode::<Option<Answer>>(answer, "an answer")? {
                groom.hear(answer)?;
            }
            let mut effects = groom.take_effects();
            while let Some(effect) = effects.pop() {
                match effect {
                    Effect::Fetch(executable) => groom.fetched(executable, Ok(())),
                    Effect::Fork { task, .. } => groom.ready(task, vec![format!("10.0.0.1:{}", task.peer)]),
                    _ => {}
                }
                effects.extend(groom.take_effects());
            }
        }
        Ok(())
    }

    /// All peers return.
    pub fn finish(&mut self) {
        for groom in self.grooms.values_mut() {
            let tasks: Vec<_> = groom.live().map(|(task, _)| task).collect();
            for task in tasks {
                groom.ended(task, How::Returned(Arc::new(Returned::default())), Arc::default());
            }
        }
    }

    /// All grooms are heard and answered once.
    ///
    /// # Errors
    /// As of its parts.
    pub fn heartbeat(&mut self) -> Result<()> {
        let requests = self.requests()?;
        let answers = self.answer(&requests)?;
        self.obey(&answers)
    }

    /// Clients submit so many jobs of so many peers each; those that have room are placed.
    ///
    /// # Errors
    /// Why the master does not take one.
    pub fn submit(&mut self, jobs: u64, peers: u32) -> Result<()> {
        for _ in 0..jobs {
            self.jobs += 1;
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.jobs.to_le_bytes());
            let preferred = (0..peers).map(|peer| Some(Host::new(format!("host-{}", peer % 700)))).collect();
            let spec = JobSpec {
                program: "bench".to_owned(),
                arguments: vec![0; 1000].into(),
                executable: Digest([1; 32]),
                peers,
                slots: Slots::Own,
                pool_bytes: 0,
                memory_bytes: 1 << 30,
                preferred,
                environment: BTreeMap::new(),
                detached: false,
            };
            let submission =
                Submission { job: JobId::from_bytes(id), spec: Arc::new(spec), secret: Secret([0; 32]) };
            self.master.submit(self.now, submission)?;
            self.put_away();
        }
        Ok(())
    }

    /// How many processes there are, as the master knows.
    pub fn tasks(&self) -> usize {
        self.master.grooms(self.now).iter().map(|groom| groom.tasks).sum()
    }

    /// How many jobs have not ended.
    pub fn jobs(&self) -> usize {
        self.master.jobs().len()
    }
}

fn groom_of(request: &Request) -> &GroomId {
    match request {
        Request::Register(registration) => &registration.groom,
        Request::Report(report) => &report.groom,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_on_a_fleet() {
        let mut fleet = Fleet::new(50, 4).unwrap();
        fleet.submit(3, 90).unwrap();
        assert_eq!((fleet.tasks(), fleet.jobs()), (180, 3));
        for _ in 0..2 {
            for _ in 0..4 {
                fleet.heartbeat().unwrap();
            }
            fleet.finish();
            fleet.heartbeat().unwrap();
        }
        assert_eq!((fleet.tasks(), fleet.jobs()), (0, 0));
    }
}
