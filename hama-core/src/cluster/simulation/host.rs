//! A host of the simulated cluster: its groom, and around that what the real one has around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use super::network::Event;
use super::plan::HostPlan;
use super::process::Process;
use crate::cluster::groom::state::{Effect, GroomState, HostLoad};
use crate::cluster::model::action::Answer;
use crate::cluster::model::ids::{Digest, GroomId, TaskId};
use crate::cluster::model::report::GroomInfo;
use crate::cluster::model::task::How;
use crate::ids::Host as HostName;

/// A groom without an answer asks again.
const TIMEOUT_MS: u64 = 3000;

pub(super) struct Host {
    pub(super) plan: HostPlan,
    pub(super) name: GroomId,
    /// When its groom's process started.
    pub(super) start: u64,
    pub(super) groom: Option<GroomState>,
    /// The groom was told to stop.
    is_stopped: bool,
    pub(super) frozen_until: u64,
    /// Nothing gets to a master from here, or back.
    pub(super) cut_until: u64,
    call: u64,
    pub(super) processes: BTreeMap<TaskId, Process>,
    /// What a frozen groom will notice.
    unnoticed: Vec<Noticed>,
}

/// What a groom notices of a process.
#[derive(Debug)]
pub(super) enum Noticed {
    Ready(TaskId, Vec<String>),
    Superstep(TaskId, u64),
    Ended(TaskId, How),
}

impl Host {
    pub(super) fn new(plan: HostPlan) -> Host {
        Host {
            name: format!("g{}", plan.index).parse().expect("it is a name"),
            plan,
            start: 0,
            groom: None,
            is_stopped: false,
            frozen_until: 0,
            cut_until: 0,
            call: 0,
            processes: BTreeMap::new(),
            unnoticed: Vec::new(),
        }
    }

    pub(super) fn host(&self) -> HostName {
        HostName::new(format!("h{}", self.plan.index))
    }

    /// Whether nothing of any job is left on it.
    pub(super) fn is_idle(&self) -> bool {
        self.processes.is_empty() && self.groom.as_ref().is_none_or(GroomState::is_idle)
    }

    /// What is left on it.
    pub(super) fn left(&self) -> String {
        let known = self.groom.as_ref().map(|groom| groom.live().map(|(task, _)| task).collect::<Vec<_>>());
        format!("{}: processes {:?}, tasks {known:?}", self.name, self.processes.keys())
    }

    fn info(&self) -> GroomInfo {
        GroomInfo {
            host: self.host(),
            address: format!("h{}:0", self.plan.index),
            slots: self.plan.slots,
            memory_bytes: self.plan.memory_bytes,
            rack: None,
            version: "1".to_owned(),
            labels: BTreeMap::new(),
        }
    }
}

impl World {
    pub(super) fn start_host(&mut self, index: usize) -> Result<(), String> {
        let now = self.now.0;
        let host = &mut self.hosts[index];
        if host.is_stopped || host.groom.is_some() {
            return Ok(());
        }
        // Now and then the clock goes back between two starts.
        let set_back = if self.random.below(8) == 0 { 5000 } else { 0 };
        host.start = 1_000_000 + now - set_back;
        host.frozen_until = 0;
        let groom = GroomState::new(host.name.clone(), host.start, host.info());
        host.groom = Some(groom.map_err(|error| error.to_string())?);
        self.ask(index);
        Ok(())
    }

    /// The groom dies, and with it its peers.
    pub(super) fn kill_host(&mut self, index: usize, back_ms: u64) -> Result<(), String> {
        let host = &mut self.hosts[index];
        if host.groom.take().is_none() {
            return Ok(());
        }
        host.unnoticed.clear();
        for (task, process) in std::mem::take(&mut host.processes) {
            self.notice_end(task.run(), process.peers());
        }
        self.network.at(self.now.0 + back_ms, Event::Start(index));
        // ZooKeeper may notice at once.
        if self.random.below(2) == 0 { self.cut_off(index) } else { Ok(()) }
    }

    /// Whether this process of a groom is there and awake; where it is frozen, `event` happens when it is not any more.
    fn is_host_awake(&mut self, index: usize, start: u64, event: impl FnOnce() -> Event) -> bool {
        let host = &self.hosts[index];
        if host.groom.is_none() || host.start != start {
            return false;
        }
        if host.frozen_until > self.now.0 {
            self.network.at(host.frozen_until + 1, event());
            return false;
        }
        true
    }

    /// The groom says what it has to say, to the master that it takes for the one that leads.
    fn ask(&mut self, index: usize) {
        let now = self.now.0;
        let host = &mut self.hosts[index];
        let Some(groom) = &mut host.groom else { return };
        host.call += 1;
        let (call, start, is_cut) = (host.call, host.start, host.cut_until > now);
        self.network.at(now + TIMEOUT_MS, Event::Ask { host: index, start, call });
        let request = groom.request(HostLoad { free_memory_bytes: 1, load_percent: 50 });
        let behind = usize::from(self.leaders.len() > 1 && self.random.below(6) == 0);
        let leader = self.leaders.len().checked_sub(1 + behind);
        if let Some(leader) = leader.filter(|_| !is_cut) {
            self.network.send(now, &mut self.random, Event::Request { leader, host: index, call, request });
        }
    }

    pub(super) fn ask_again(&mut self, index: usize, start: u64, call: u64) {
        let awake = self.is_host_awake(index, start, || Event::Ask { host: index, start, call });
        if awake && self.hosts[index].call == call {
            self.ask(index);
        }
    }

    pub(super) fn answer(
        &mut self,
        index: usize,
        start: u64,
        call: u64,
        answer: Answer,
    ) -> Result<(), String> {
        if !self.is_host_awake(index, start, || Event::Answer {
            host: index,
            start,
            call,
            answer: answer.clone(),
        }) {
            return Ok(());
        }
        let Some(groom) = &mut self.hosts[index].groom else { return Ok(()) };
        // Also answers to questions that it does not wait for any more.
        self.seen.fenced += u64::from(groom.hear(answer).is_err());
        let soon = self.now.0 + 50 + self.random.below(200);
        self.network.at(soon, Event::Ask { host: index, start, call });
        self.do_all(index)
    }

    pub(super) fn fetched(&mut self, index: usize, start: u64, executable: Digest) -> Result<(), String> {
        if !self.is_host_awake(index, start, || Event::Fetched { host: index, start, executable }) {
            return Ok(());
        }
        if let Some(groom) = &mut self.hosts[index].groom {
            groom.fetched(executable, Ok(()));
        }
        self.do_all(index)
    }

    /// The groom notices something, now or once it is not frozen.
    pub(super) fn notice(&mut self, index: usize, noticed: Noticed) -> Result<(), String> {
        let host = &mut self.hosts[index];
        if host.frozen_until > self.now.0 {
            host.unnoticed.push(noticed);
            return Ok(());
        }
        let Some(groom) = &mut host.groom else { return Ok(()) };
        match noticed {
            Noticed::Ready(task, addresses) => groom.ready(task, addresses),
            Noticed::Superstep(task, superstep) => groom.superstep(task, superstep),
            Noticed::Ended(task, how) => groom.ended(task, how, Arc::default()),
        }
        self.do_all(index)
    }

    pub(super) fn thaw(&mut self, index: usize) -> Result<(), String> {
        if self.hosts[index].frozen_until <= self.now.0 {
            for noticed in std::mem::take(&mut self.hosts[index].unnoticed) {
                self.notice(index, noticed)?;
            }
        }
        Ok(())
    }

    /// Does all that the groom wants to be done.
    fn do_all(&mut self, index: usize) -> Result<(), String> {
        let Some(groom) = &mut self.hosts[index].groom else { return Ok(()) };
        let (effects, start, now) = (groom.take_effects(), self.hosts[index].start, self.now.0);
        let mut tells = false;
        for effect in effects {
            match effect {
                Effect::Fetch(executable) => {
                    let at = now + 1 + self.random.below(300);
                    self.network.at(at, Event::Fetched { host: index, start, executable });
                }
                Effect::Fork { task, launch } => self.fork(index, task, launch)?,
                Effect::Connect { task, roster, .. } => self.connect(index, task, &roster.addresses)?,
                Effect::Kill { task, .. } => {
                    let at = now + 1 + self.random.below(1500);
                    self.network
                        .at(at, Event::Die { host: index, start, task, how: How::Signalled { signal: 9 } });
                }
                Effect::Remove(task) => {
                    if self.hosts[index].processes.contains_key(&task) {
                        return Err(format!("{task} is forgotten and its process is there"));
                    }
                }
                Effect::Tell => tells = true,
                Effect::Drain => {}
                Effect::Stop => {
                    if !self.hosts[index].is_idle() {
                        return Err(format!("groom {} is stopped and has tasks", self.hosts[index].name));
                    }
                    self.hosts[index].is_stopped = true;
                    self.hosts[index].groom = None;
                    return Ok(());
                }
            }
        }
        if tells {
            self.ask(index);
        }
        Ok(())
    }

    fn connect(&mut self, index: usize, task: TaskId, addresses: &[Vec<String>]) -> Result<(), String> {
        let Some(process) = self.hosts[index].processes.get_mut(&task) else { return Ok(()) };
        process.connect(task, addresses)?;
        let (at, start) = (self.now.0 + 1 + self.random.below(100), self.hosts[index].start);
        self.network.at(at, Event::Step { host: index, start, task });
        Ok(())
    }
}
