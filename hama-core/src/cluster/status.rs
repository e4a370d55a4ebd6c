//! How a cluster is, for those who ask: its master, its grooms, its jobs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::cluster::client::Client;
use crate::cluster::model::ids::Moment;
use crate::cluster::model::job::{Came, JobOutcome, JobState, Stage};
use crate::cluster::model::question::{Question, Reply, Status};
use crate::cluster::options::ConnectOptions;
use crate::cluster::scheduler::groom::Draining;
use crate::cluster::scheduler::view::{GroomView, Health, JobView, PeerView};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Host, JobId};
use crate::metrics::SuperstepRecord;

/// A cluster, to be looked at and told what to do. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Cluster {
    client: Client,
    master: String,
}

/// How a master is.
#[derive(Clone, Debug)]
pub struct MasterStatus {
    /// Where it was asked.
    pub address: String,
    /// The version of its hama.
    pub version: String,
    /// Its epoch: that of each leading master is greater than those before.
    pub epoch: u64,
    /// For how long it has led.
    pub leads_for: Duration,
    /// How many connections it has refused.
    pub refused: u64,
    /// The servers of ZooKeeper, as it knows them.
    pub zookeeper: String,
}

/// How a groom is.
#[derive(Clone, Debug, Default)]
pub struct GroomStatus {
    /// Its name.
    pub name: String,
    /// `expected`, `alive`, `stale` or `dead`.
    pub health: &'static str,
    /// Whether it gets no more tasks.
    pub draining: bool,
    /// Where it is. Nothing before it has registered.
    pub host: Option<Host>,
    /// Its rack, if it said one.
    pub rack: Option<String>,
    /// The version of its hama.
    pub version: String,
    /// What it says of its host for programs that want to know.
    pub labels: BTreeMap<String, String>,
    /// How many peers it runs at once, and how many more it could now.
    pub slots: u32,
    /// See `slots`.
    pub slots_free: u32,
    /// The memory that it has for peers, and what of it no job has, in bytes.
    pub memory_bytes: u64,
    /// See `memory_bytes`.
    pub memory_free: u64,
    /// The memory that nobody on its host uses, in bytes.
    pub unused_memory_bytes: u64,
    /// The processes of peers that it has.
    pub tasks: usize,
    /// The load of its host, in busy cores.
    pub load: f64,
    /// For how long it was not heard.
    pub silent_for: Duration,
}

/// How a job is.
#[derive(Clone, Debug)]
pub struct JobStatus {
    /// Its name.
    pub id: JobId,
    /// The program that it runs.
    pub program: String,
    /// How many peers it has.
    pub peers: u32,
    /// `queued`, `starting`, `running`, `ending`, `succeeded`, `failed` or `killed`.
    pub state: &'static str,
    /// Why it failed or was killed.
    pub why: Option<String>,
    /// The kind of error that this is: of a job that was killed `Cancelled`.
    pub kind: Option<ErrorKind>,
    /// The superstep that all of its peers have reached.
    pub superstep: u64,
    /// How many jobs start before it, while it waits.
    pub before: Option<usize>,
    /// When it came to each state, in milliseconds since 1970.
    pub history: Vec<(&'static str, u64)>,
}

/// How a peer of a job is, or what is left of it.
#[derive(Clone, Debug)]
pub struct PeerReport {
    /// Where it ran.
    pub host: Host,
    /// The last superstep that it is known to have been in.
    pub superstep: u64,
    /// The last that it printed, at most 8 KiB, once its job has ended.
    pub log: Vec<u8>,
    /// What its supersteps cost, where it returned.
    pub records: Vec<SuperstepRecord>,
    /// Its counters: as it told them last while it runs, all of them where it returned.
    pub counters: BTreeMap<String, u64>,
}

impl Cluster {
    /// A way to the cluster. Its master is asked whether it is there.
    ///
    /// # Errors
    /// `Unavailable` where it is not, with the address; `Invalid` for an address or a token that cannot be.
    pub fn connect(options: &ConnectOptions) -> Result<Cluster> {
        let cluster = Cluster { client: Client::new(options)?, master: options.master.clone() };
        cluster.status()?;
        Ok(cluster)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The master's address, as it was given.
    pub fn master(&self) -> &str {
        &self.master
    }

    /// How the master is.
    ///
    /// # Errors
    /// `Unavailable` where it is away.
    pub fn status(&self) -> Result<MasterStatus> {
        match self.client.ask(&Question::Status)? {
            Reply::Status(Status { version, epoch, since, now, refused, zookeeper }) => Ok(MasterStatus {
                address: self.master.clone(),
                version,
                epoch: epoch.0,
                leads_for: now.since(since),
                refused,
                zookeeper,
            }),
            other => Err(odd(&other)),
        }
    }

    /// The grooms that the master knows, by name.
    ///
    /// # Errors
    /// `Unavailable` where the master is away.
    pub fn grooms(&self) -> Result<Vec<GroomStatus>> {
        match self.client.ask(&Question::Grooms)? {
            Reply::Grooms { now, grooms } => Ok(grooms.into_iter().map(|view| groom(view, now)).collect()),
            other => Err(odd(&other)),
        }
    }

    /// Gives a groom no more tasks; those that it has go on. With `stop` it ends once it has none.
    ///
    /// # Errors
    /// `NotFound` when there is no such groom.
    pub fn drain(&self, name: &str, stop: bool) -> Result<()> {
        done(self.client.ask(&Question::Drain { groom: name.parse()?, stop })?)
    }

    /// The jobs that have not ended, first come first, and then the last hundred that have, the newest first.
    ///
    /// # Errors
    /// `Unavailable` where the master is away.
    pub fn jobs(&self) -> Result<Vec<JobStatus>> {
        match self.client.ask(&Question::Jobs)? {
            Reply::Jobs { live, ended } => {
                Ok(live.iter().map(live_job).chain(ended.iter().map(ended_job)).collect())
            }
            other => Err(odd(&other)),
        }
    }

    /// How a job is now.
    ///
    /// # Errors
    /// `NotFound` for a job that the master does not know (any more).
    pub fn job(&self, id: JobId) -> Result<JobStatus> {
        status_of(self.client.ask(&Question::Look { job: id })?)
    }

    /// How a job is: at once where it has ended, when it ends, or after two seconds. As long as somebody waits for it in this
    /// way, a job that is not detached goes on. A master that is away is waited for.
    ///
    /// # Errors
    /// As [`job`](Cluster::job); `Cancelled` when `cancel` fires.
    pub fn wait(&self, id: JobId, cancel: &Cancel) -> Result<JobStatus> {
        status_of(self.client.ask_again(&Question::Wait { job: id }, cancel)?)
    }

    /// How the peers of a job are, or what is left of them, by index; none while the job waits for places.
    ///
    /// # Errors
    /// `NotFound` for a job that is not known.
    pub fn peers(&self, id: JobId) -> Result<Vec<PeerReport>> {
        let outcome = match self.client.ask(&Question::Outcome { job: id })? {
            Reply::Outcome(outcome) => outcome,
            Reply::Peers(peers) => return Ok(peers.into_iter().map(running).collect()),
            other => return Err(odd(&other)),
        };
        let has_returned = outcome.state == JobState::Succeeded;
        let mut reports = Vec::new();
        for (index, peer) in (0..).zip(outcome.peers) {
            let mut report = PeerReport {
                host: peer.host,
                superstep: peer.superstep,
                log: peer.log.to_vec(),
                records: Vec::new(),
                counters: BTreeMap::new(),
            };
            if has_returned {
                let peer = crate::ids::PeerId::from_index(index);
                match self.client.ask(&Question::Returned { job: id, peer })? {
                    Reply::Returned(returned) => {
                        (report.records, report.counters) = (returned.records, returned.counters)
                    }
                    other => return Err(odd(&other)),
                }
            }
            reports.push(report);
        }
        Ok(reports)
    }

    /// Ends a job. One that has ended stays as it ended.
    ///
    /// # Errors
    /// `NotFound` for a job that the master does not know.
    pub fn kill(&self, id: JobId, why: &str) -> Result<()> {
        done(self.client.ask_again(&Question::Kill { job: id, why: why.to_owned() }, &Cancel::new())?)
    }

    /// Gives the master an executable, unless it has it.
    ///
    /// # Errors
    /// What reading it gives; `Unavailable` where the master is away.
    pub fn upload(&self, executable: &Path) -> Result<()> {
        self.client.upload(executable, &Cancel::new()).map(drop)
    }
}

fn status_of(reply: Reply) -> Result<JobStatus> {
    match reply {
        Reply::Job(view) => Ok(live_job(&view)),
        Reply::Outcome(outcome) => Ok(ended_job(&outcome)),
        other => Err(odd(&other)),
    }
}

fn done(reply: Reply) -> Result<()> {
    match reply {
        Reply::Done => Ok(()),
        other => Err(odd(&other)),
    }
}

/// The error of a reply to another question.
pub(crate) fn odd(reply: &Reply) -> Error {
    Error::data(format!("the master replies what nobody asked: {reply:.60?}"))
}

fn groom(view: GroomView, now: Moment) -> GroomStatus {
    let info = view.info;
    let (slots, memory_bytes) = info.as_ref().map_or((0, 0), |info| (info.slots, info.memory_bytes));
    GroomStatus {
        name: view.groom.to_string(),
        health: match view.health {
            Health::Expected => "expected",
            Health::Alive => "alive",
            Health::Stale => "stale",
            Health::Dead => "dead",
        },
        draining: view.draining != Draining::No,
        slots,
        slots_free: slots.saturating_sub(view.slots_taken),
        memory_bytes,
        memory_free: memory_bytes.saturating_sub(view.memory_taken),
        unused_memory_bytes: view.free_memory_bytes,
        tasks: view.tasks,
        load: f64::from(view.load_percent) / 100.0,
        silent_for: now.since(view.heard),
        version: info.as_ref().map(|info| info.version.clone()).unwrap_or_default(),
        labels: info.as_ref().map(|info| info.labels.clone()).unwrap_or_default(),
        rack: info.as_ref().and_then(|info| info.rack.clone()),
        host: info.map(|info| info.host),
    }
}

fn name(state: &JobState) -> (&'static str, Option<String>) {
    match state {
        JobState::Queued => ("queued", None),
        JobState::Starting => ("starting", None),
        JobState::Running => ("running", None),
        JobState::Ending => ("ending", None),
        JobState::Succeeded => ("succeeded", None),
        JobState::Failed(error) => ("failed", Some(Error::from(error.clone()).to_string())),
        JobState::Killed { why } => ("killed", Some(why.clone())),
    }
}

fn kind(state: &JobState) -> Option<ErrorKind> {
    match state {
        JobState::Failed(error) => Some(Error::from(error.clone()).kind()),
        JobState::Killed { .. } => Some(ErrorKind::Cancelled),
        _ => None,
    }
}

fn times(history: &[Came]) -> Vec<(&'static str, u64)> {
    let stage = |stage| match stage {
        Stage::Queued => "queued",
        Stage::Starting => "starting",
        Stage::Running => "running",
        Stage::Returned => "returned",
        Stage::Ending => "ending",
    };
    history.iter().map(|came| (stage(came.to), came.at.0)).collect()
}

fn running(view: PeerView) -> PeerReport {
    let PeerView { host, superstep, counters } = view;
    PeerReport { host, superstep, log: Vec::new(), records: Vec::new(), counters }
}

fn live_job(view: &JobView) -> JobStatus {
    let (state, why) = name(&view.state);
    JobStatus {
        id: view.job,
        program: view.program.clone(),
        peers: view.peers,
        state,
        why,
        kind: kind(&view.state),
        superstep: view.superstep,
        before: view.before,
        history: times(&view.history),
    }
}

fn ended_job(outcome: &JobOutcome) -> JobStatus {
    let (state, why) = name(&outcome.state);
    let mut history = times(&outcome.history);
    history.push((state, outcome.ended.0));
    JobStatus {
        id: outcome.job,
        program: outcome.spec.program.clone(),
        peers: outcome.spec.peers,
        state,
        why,
        kind: kind(&outcome.state),
        superstep: outcome.peers.iter().map(|peer| peer.superstep).max().unwrap_or_default(),
        before: None,
        history,
    }
}
