//! A master of the simulated cluster: the scheduler, and around it what the real one has around it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::World;
use super::network::Event;
use crate::cluster::model::action::Answer;
use crate::cluster::model::ids::{Epoch, GroomId};
use crate::cluster::model::report::Request;
use crate::cluster::scheduler::{Effects, Scheduler, Times};
use crate::ids::JobId;

const TICK_MS: u64 = 500;
const HOLD_MS: u64 = 2000;

/// A master that leads, or did.
pub(super) struct Leader {
    pub(super) scheduler: Scheduler,
    /// The calls of grooms that wait for an answer: host, process and number.
    polls: BTreeMap<GroomId, (usize, u64, u64)>,
    pub(super) frozen_until: u64,
    /// It dies at its next write, after so many records.
    pub(super) dies_after: Option<usize>,
    is_dead: bool,
}

impl Leader {
    pub(super) fn is_dead(&self) -> bool {
        self.is_dead
    }
}

impl World {
    /// Another master takes the next epoch.
    pub(super) fn lead(&mut self) {
        self.seen.successions += u64::from(!self.leaders.is_empty());
        let stored = self.store.begin();
        let times = Times { patience: Duration::from_secs(60), ..Times::default() };
        let scheduler = Scheduler::restore(Epoch(self.store.epoch), times, self.now, stored);
        self.leaders.push(Leader {
            scheduler,
            polls: BTreeMap::new(),
            frozen_until: 0,
            dies_after: None,
            is_dead: false,
        });
        self.network.at(self.now.0, Event::MasterTick { leader: self.leaders.len() - 1 });
        self.close_over_jobs();
    }

    /// A master that died between the history and the client has told nobody.
    fn close_over_jobs(&mut self) {
        for job in &mut self.jobs {
            job.is_over |= self.store.history.contains_key(&job.id);
        }
    }

    /// Whether a master is there; where it is frozen, `event` happens when it is not any more.
    fn is_awake(&mut self, leader: usize, event: impl FnOnce() -> Event) -> bool {
        let frozen_until = self.leaders[leader].frozen_until;
        if self.leaders[leader].is_dead {
            return false;
        }
        if frozen_until > self.now.0 {
            self.network.at(frozen_until + 1, event());
            return false;
        }
        true
    }

    pub(super) fn request(
        &mut self,
        leader: usize,
        host: usize,
        call: u64,
        request: Request,
    ) -> Result<(), String> {
        let (groom, start) = match &request {
            Request::Register(registration) => (registration.groom.clone(), registration.session.start),
            Request::Report(report) => (report.groom.clone(), report.session.start),
        };
        if !self.is_awake(leader, || Event::Request { leader, host, call, request: request.clone() }) {
            return Ok(());
        }
        let heard = self.leaders[leader].scheduler.hear(self.now, &request);
        if !self.carry_out(leader)? {
            return Ok(());
        }
        match heard {
            Ok(()) => {
                let waits = self.leaders[leader].polls.insert(groom.clone(), (host, start, call));
                if let Some((host, start, call)) = waits.filter(|waits| waits.2 != call) {
                    self.send_orders(leader, &groom, host, start, call);
                }
                if self.leaders[leader].scheduler.has_orders(&groom) {
                    self.end_poll(leader, &groom);
                } else {
                    self.network.at(self.now.0 + HOLD_MS, Event::PollEnd { leader, groom, call });
                }
            }
            Err(answer) => self.send_answer(host, start, call, answer),
        }
        Ok(())
    }

    pub(super) fn poll_ends(&mut self, leader: usize, groom: &GroomId, call: u64) {
        let is_it = self.leaders[leader].polls.get(groom).is_some_and(|waits| waits.2 == call);
        if is_it && self.is_awake(leader, || Event::PollEnd { leader, groom: groom.clone(), call }) {
            self.end_poll(leader, groom);
        }
    }

    fn end_poll(&mut self, leader: usize, groom: &GroomId) {
        if let Some((host, start, call)) = self.leaders[leader].polls.remove(groom) {
            self.send_orders(leader, groom, host, start, call);
        }
    }

    fn send_orders(&mut self, leader: usize, groom: &GroomId, host: usize, start: u64, call: u64) {
        if let Some(orders) = self.leaders[leader].scheduler.orders(groom) {
            self.send_answer(host, start, call, Answer::Orders(orders));
        }
    }

    fn send_answer(&mut self, host: usize, start: u64, call: u64, answer: Answer) {
        if self.hosts[host].cut_until <= self.now.0 {
            self.network.send(self.now.0, &mut self.random, Event::Answer { host, start, call, answer });
        }
    }

    pub(super) fn master_tick(&mut self, leader: usize) -> Result<(), String> {
        if self.is_awake(leader, || Event::MasterTick { leader }) {
            self.leaders[leader].scheduler.tick(self.now);
            if self.carry_out(leader)? {
                self.network.at(self.now.0 + TICK_MS, Event::MasterTick { leader });
            }
        }
        Ok(())
    }

    pub(super) fn archived(&mut self, leader: usize, job: JobId) -> Result<(), String> {
        if self.is_awake(leader, || Event::Archived { leader, job }) {
            let state = self.store.history.get(&job).map(|outcome| outcome.state.clone());
            let state = state.ok_or("an outcome was put away and is not there")?;
            self.leaders[leader].scheduler.archived(self.now, job, state);
            self.carry_out(leader)?;
        }
        Ok(())
    }

    pub(super) fn cut_off(&mut self, host: usize) -> Result<(), String> {
        let (name, start) = (self.hosts[host].name.clone(), self.hosts[host].start);
        let awake = |leader: &Leader| !leader.is_dead && leader.frozen_until <= self.now.0;
        let Some(leader) = self.leaders.iter().rposition(awake) else { return Ok(()) };
        self.leaders[leader].scheduler.cut_off(self.now, &name, start);
        self.carry_out(leader).map(drop)
    }

    pub(super) fn drain(&mut self, host: usize) {
        let name = self.hosts[host].name.clone();
        if let Some(leader) = self.leaders.last_mut().filter(|leader| !leader.is_dead) {
            // Where it is not there, nothing is drained.
            let _ = leader.scheduler.drain(self.now, &name, crate::cluster::scheduler::groom::Draining::Stop);
        }
    }

    /// Carries out what a master wants. Says whether it still is one.
    pub(super) fn carry_out(&mut self, leader: usize) -> Result<bool, String> {
        let epoch = self.leaders[leader].scheduler.epoch().0;
        let Effects { records, deposed, archive, done, wake } = self.leaders[leader].scheduler.take_effects();
        let count = records.len();
        let writes = match self.leaders[leader].dies_after {
            Some(writes) if count > 0 => writes.min(count),
            _ => count,
        };
        let is_dying = count > 0 && self.leaders[leader].dies_after.is_some();
        let mut leads = deposed.is_none();
        for record in records.into_iter().take(writes) {
            leads = leads && self.store.write(epoch, record)?;
        }
        if !leads || is_dying {
            self.seen.fenced += u64::from(!leads);
            self.leaders[leader].is_dead = true;
            return Ok(false);
        }
        for outcome in archive {
            let job = outcome.job;
            self.check_outcome(&outcome)?;
            self.store.history.entry(job).or_insert(outcome);
            let took = 1 + self.random.below(50);
            self.network.at(self.now.0 + took, Event::Archived { leader, job });
        }
        for (id, state) in done {
            if self.store.history.get(&id).is_none_or(|outcome| outcome.state != state) {
                return Err(format!("job {id} is said to be {state:?}, and the history says otherwise"));
            }
            self.close_over_jobs();
        }
        for groom in wake {
            self.end_poll(leader, &groom);
        }
        Ok(true)
    }
}
