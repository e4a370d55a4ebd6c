//! What has to be true after everything that happens, and what in the end.

use std::collections::BTreeSet;

use super::World;
use super::host::Host;
use super::plan::{Fate, Planned};
use super::process;
use crate::cluster::model::error::WireError;
use crate::cluster::model::job::{JobOutcome, JobState};
use crate::cluster::model::spec::{JobSpec, Slots};
use crate::cluster::scheduler::groom::Draining;
use crate::cluster::scheduler::placement::{self, Room};
use crate::cluster::scheduler::view::{GroomView, Health};
use crate::error::ErrorKind;
use crate::ids::PeerId;

impl World {
    /// After everything that happens.
    pub(super) fn check(&self) -> Result<(), String> {
        self.hosts.iter().try_for_each(check_room)?;
        self.check_queue()
    }

    /// Nothing waits while there is room for it.
    fn check_queue(&self) -> Result<(), String> {
        let Some(leader) =
            self.leaders.last().filter(|leader| !leader.is_dead() && leader.frozen_until <= self.now.0)
        else {
            return Ok(());
        };
        let Some(first) = leader.scheduler.jobs().into_iter().find(|job| job.before == Some(0)) else {
            return Ok(());
        };
        let Some(planned) = self.jobs.iter().find(|job| job.id == first.job && job.spec.slots == Slots::Own)
        else {
            return Ok(());
        };
        let room: u64 =
            leader.scheduler.grooms(self.now).iter().map(|groom| peers_that_fit(groom, &planned.spec)).sum();
        if room >= u64::from(planned.spec.peers) {
            return Err(format!("job {} waits, and there is room for {room} peers", first.job));
        }
        Ok(())
    }

    /// Whether a job would fit into all hosts, with nothing else on them.
    pub(super) fn fits_ever(&self, spec: &JobSpec) -> bool {
        let room = |host: &Host| Room {
            host: host.host(),
            slots: host.plan.slots,
            memory_bytes: host.plan.memory_bytes,
        };
        let rooms: Vec<Room> = self.hosts.iter().map(room).collect();
        placement::fits_ever(spec, &rooms).is_ok()
    }

    /// What is said of a job is true.
    pub(super) fn check_outcome(&self, outcome: &JobOutcome) -> Result<(), String> {
        let Some(planned) = self.jobs.iter().find(|planned| planned.id == outcome.job) else {
            return Err(format!("nobody submitted job {}", outcome.job));
        };
        let is_true = match &outcome.state {
            JobState::Succeeded => self.is_success(planned, outcome),
            JobState::Failed(error) => self.is_failure(planned, error),
            JobState::Killed { .. } => planned.is_killed,
            _ => false,
        };
        if is_true {
            Ok(())
        } else {
            Err(format!("it is not true that job {} {:?}", outcome.job, outcome.state))
        }
    }

    fn is_success(&self, planned: &Planned, outcome: &JobOutcome) -> bool {
        let all: BTreeSet<PeerId> = (0..planned.spec.peers).map(PeerId::from_index).collect();
        let is_output = |(peer, left): (&PeerId, &crate::cluster::model::job::PeerOutcome)| {
            let output = left.returned.as_ref().map(|returned| &returned.output);
            output == Some(&process::output(planned.id, *peer))
        };
        self.barriers.returned.get(&planned.id) == Some(&all)
            && outcome.peers.len() == all.len()
            && all.iter().zip(&outcome.peers).all(is_output)
    }

    fn is_failure(&self, planned: &Planned, error: &WireError) -> bool {
        let of_peer = |fates: &[Fate]| {
            let Some(at) = &error.at else { return false };
            let fate = planned.fates.get(&at.peer.index());
            fate.is_some_and(|(superstep, fate)| *superstep == at.superstep && fates.contains(fate))
        };
        match error.kind() {
            ErrorKind::Program => of_peer(&[Fate::Fails, Fate::Exits]),
            ErrorKind::OutOfMemory => of_peer(&[Fate::WantsMemory]),
            // Where nothing else is in the way it is no mere consequence.
            ErrorKind::PeerLost => !self.is_calm || of_peer(&[Fate::IsSignalled]),
            ErrorKind::Invalid => !self.is_calm || !self.fits_ever(&planned.spec),
            ErrorKind::Unavailable => !self.is_calm,
            _ => false,
        }
    }

    /// When everything has come to its end.
    pub(super) fn check_end(&mut self) -> Result<(), String> {
        for planned in self.jobs.iter().filter(|planned| planned.accepted) {
            let Some(outcome) = self.store.history.get(&planned.id) else {
                return Err(format!("job {} was taken and is in no history", planned.id));
            };
            match outcome.state {
                JobState::Succeeded => self.seen.succeeded += 1,
                JobState::Failed(_) => self.seen.failed += 1,
                _ => self.seen.killed += 1,
            }
        }
        if let Some(job) = self.store.jobs.keys().find(|job| !self.store.history.contains_key(job)) {
            return Err(format!("job {job} has a record in the end, and no outcome"));
        }
        Ok(())
    }

    /// Whether the master that leads knows of no task any more.
    pub(super) fn is_master_idle(&self) -> bool {
        let is_idle =
            |groom: &GroomView| groom.tasks == 0 && groom.slots_taken == 0 && groom.memory_taken == 0;
        let last = self.leaders.last().filter(|leader| !leader.is_dead());
        last.is_some_and(|leader| {
            leader.scheduler.jobs().is_empty() && leader.scheduler.grooms(self.now).iter().all(is_idle)
        })
    }
}

/// The processes of a host have the slots and the memory that they need.
fn check_room(host: &Host) -> Result<(), String> {
    let (mut slots, mut sharing, mut memory) = (0, BTreeSet::new(), 0);
    for (task, process) in &host.processes {
        memory += process.memory_bytes();
        match process.launch().submission.spec.slots {
            Slots::Own => slots += 1,
            Slots::Unneeded => {}
            Slots::Shared => {
                sharing.insert(task.run());
            }
        }
    }
    let slots = slots + sharing.len() as u32;
    if slots > host.plan.slots || memory > host.plan.memory_bytes {
        return Err(format!(
            "groom {} has {slots} of {} slots taken, {memory} bytes",
            host.name, host.plan.slots
        ));
    }
    Ok(())
}

fn peers_that_fit(groom: &GroomView, spec: &JobSpec) -> u64 {
    match &groom.info {
        Some(info) if groom.health == Health::Alive && groom.draining == Draining::No => {
            let slots = u64::from(info.slots.saturating_sub(groom.slots_taken));
            slots.min(info.memory_bytes.saturating_sub(groom.memory_taken) / spec.memory_bytes)
        }
        _ => 0,
    }
}
