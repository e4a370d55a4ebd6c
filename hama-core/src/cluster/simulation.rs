//! Whole clusters in virtual time, by seed: the two state machines over a network that loses, delays, doubles and
//! reorders, with masters that die and freeze, grooms that die, freeze, are cut off and come back, and programs that fail,
//! exit, are killed and hang. No socket, process, thread or clock.
//!
//! A world is struck for a while. Then it heals, and everything has to come to its end: each job in one state, which is
//! true, and nothing left on any host.

mod check;
mod client;
pub(crate) mod fleet;
mod host;
mod leader;
mod network;
mod plan;
mod process;
mod store;

use crate::cluster::model::ids::Moment;
use crate::transport::framed::faulty::Random;
use host::Host;
use leader::Leader;
use network::{Event, Network};
use plan::{Planned, Strike};
use process::Barriers;
use store::Store;

/// No world takes longer than this to come to its end, in milliseconds of its own time.
const END_MS: u64 = 400_000;

/// What a world went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulatedCluster {
    /// Jobs that ended well.
    pub succeeded: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were killed.
    pub killed: u64,
    /// Jobs that were refused, for they fitted nowhere.
    pub refused: u64,
    /// Masters that followed another.
    pub successions: u64,
    /// Grooms that died, froze or were cut off.
    pub strikes: u64,
    /// Requests and answers that were lost, late or doubled.
    pub faults: u64,
    /// Messages of masters that were none any more, and were refused.
    pub fenced: u64,
}

/// Runs the cluster that `seed` makes until everything has come to its end.
///
/// # Errors
/// What should never be.
pub fn simulate_cluster(seed: u64) -> Result<SimulatedCluster, String> {
    World::new(seed).run()
}

/// A cluster, and all who want something from it.
struct World {
    random: Random,
    now: Moment,
    network: Network,
    store: Store,
    /// Those that ever led, the last one last.
    leaders: Vec<Leader>,
    hosts: Vec<Host>,
    jobs: Vec<Planned>,
    barriers: Barriers,
    /// Whether something may be in the way of a job that does nothing wrong.
    is_calm: bool,
    healed_at: u64,
    seen: SimulatedCluster,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed);
        let plan = plan::Plan::of(&mut random);
        let mut network = Network::new(plan.rate);
        for (index, planned) in plan.jobs.iter().enumerate() {
            network.at(planned.submit_ms, Event::Submit(index));
            if let Some(at) = planned.kill_ms {
                network.at(at, Event::Kill(index));
            }
        }
        for (at, strike) in &plan.strikes {
            network.at(*at, Event::Strike(*strike));
        }
        for (index, host) in plan.hosts.iter().enumerate() {
            network.at(host.start_ms, Event::Start(index));
        }
        network.at(plan.master_ms, Event::Lead);
        network.at(plan.healed_ms, Event::Heal);
        World {
            random,
            now: Moment(0),
            network,
            store: Store::default(),
            leaders: Vec::new(),
            is_calm: plan.rate == 0 && plan.strikes.is_empty(),
            healed_at: plan.healed_ms,
            hosts: plan.hosts.into_iter().map(Host::new).collect(),
            jobs: plan.jobs,
            barriers: Barriers::default(),
            seen: SimulatedCluster::default(),
        }
    }

    fn run(&mut self) -> Result<SimulatedCluster, String> {
        while let Some((at, event)) = self.network.next() {
            self.now = Moment(at);
            if at > END_MS {
                return Err(format!("it does not come to its end: {}", self.unended()));
            }
            self.happen(event).map_err(|message| format!("at {at} ms: {message}"))?;
            self.check().map_err(|message| format!("at {at} ms: {message}"))?;
            if at > self.healed_at && self.is_over() {
                self.seen.faults = self.network.faults;
                return self.check_end().map(|()| self.seen);
            }
        }
        Err("nothing happens any more".to_owned())
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Request { leader, host, call, request } => {
                return self.request(leader, host, call, request);
            }
            Event::PollEnd { leader, groom, call } => self.poll_ends(leader, &groom, call),
            Event::Archived { leader, job } => return self.archived(leader, job),
            Event::MasterTick { leader } => return self.master_tick(leader),
            Event::Lead => self.lead(),
            Event::Submit(job) => return self.submit(job),
            Event::Kill(job) => return self.kill(job),
            Event::Start(host) => self.start_host(host)?,
            Event::Answer { host, start, call, answer } => return self.answer(host, start, call, answer),
            Event::Ask { host, start, call } => self.ask_again(host, start, call),
            Event::Fetched { host, start, executable } => return self.fetched(host, start, executable),
            Event::Step { host, start, task } => return self.step(host, start, task),
            Event::Die { host, start, task, how } => return self.die(host, start, task, how),
            Event::Thaw { host } => return self.thaw(host),
            Event::Strike(strike) => return self.strike(strike),
            Event::Heal => self.heal(),
        }
        Ok(())
    }

    fn strike(&mut self, strike: Strike) -> Result<(), String> {
        self.seen.strikes += 1;
        let now = self.now.0;
        match strike {
            Strike::KillGroom { host, back_ms } => return self.kill_host(host, back_ms),
            Strike::FreezeGroom { host, ms } => {
                self.hosts[host].frozen_until = now + ms;
                self.network.at(now + ms, Event::Thaw { host });
            }
            Strike::CutGroom { host, ms } => self.hosts[host].cut_until = now + ms,
            Strike::DrainGroom { host } => self.drain(host),
            Strike::KillMaster { writes, back_ms } => {
                if let Some(leader) = self.leaders.last_mut() {
                    leader.dies_after = Some(writes);
                    self.network.at(now + back_ms, Event::Lead);
                }
            }
            Strike::FreezeMaster { ms } => {
                if let Some(leader) = self.leaders.last_mut() {
                    leader.frozen_until = now + ms;
                    // Another leads once the session of the first is over, if it is not back by then.
                    if ms > 6000 {
                        self.network.at(now + 6000, Event::Lead);
                    }
                }
            }
        }
        Ok(())
    }

    /// From now on nothing is in the way, and whoever waits for something endless gives up.
    fn heal(&mut self) {
        self.network.rate = 0;
        let now = self.now.0;
        for (index, job) in self.jobs.iter().enumerate() {
            if job.is_endless() {
                self.network.at(now + 100, Event::Kill(index));
            }
        }
        if self.leaders.last().is_none_or(|leader| leader.is_dead() || leader.frozen_until > now) {
            self.network.at(now + 7000, Event::Lead);
        }
    }

    fn is_over(&self) -> bool {
        self.jobs.iter().all(|job| job.is_over)
            && self.hosts.iter().all(Host::is_idle)
            && self.is_master_idle()
    }

    fn unended(&self) -> String {
        let open: Vec<_> =
            self.jobs.iter().filter(|job| !job.is_over).map(|job| (job.id, job.accepted)).collect();
        let hosts: Vec<_> = self.hosts.iter().map(Host::left).collect();
        let known = self.leaders.last().map(|leader| leader.scheduler.jobs());
        let grooms = self.leaders.last().map(|leader| leader.scheduler.grooms(self.now));
        let leads: Vec<_> =
            self.leaders.iter().map(|leader| (leader.is_dead(), leader.frozen_until)).collect();
        format!("jobs {open:?}, on hosts {hosts:?}, of {leads:?} the last says {known:?} and {grooms:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_comes_to_its_true_end_whatever_breaks() {
        let mut all = SimulatedCluster::default();
        for seed in 0..3000 {
            let seen = simulate_cluster(seed)
                .unwrap_or_else(|message| unreachable!("simulate_cluster({seed}): {message}"));
            all.succeeded += seen.succeeded;
            all.failed += seen.failed;
            all.killed += seen.killed;
            all.refused += seen.refused;
            all.successions += seen.successions;
            all.strikes += seen.strikes;
            all.faults += seen.faults;
            all.fenced += seen.fenced;
        }
        // Tests in which nothing happened prove nothing.
        assert!(
            all.succeeded > 3000 && all.failed > 3000 && all.killed > 500 && all.refused > 100,
            "{all:?}"
        );
        assert!(
            all.successions > 1000 && all.strikes > 5000 && all.faults > 10_000 && all.fenced > 300,
            "{all:?}"
        );
    }

    #[test]
    fn a_seed_replays() {
        for seed in 0..30 {
            assert_eq!(simulate_cluster(seed), simulate_cluster(seed));
        }
    }
}
