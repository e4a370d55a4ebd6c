//! The cluster's runner: submits programs, waits for them, and brings what their peers returned.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bsp::Bsp;
use crate::cancel::Cancel;
use crate::cluster::model::job::JobState;
use crate::cluster::model::question::{Question, Reply};
use crate::cluster::model::spec::{JobSpec, Slots};
use crate::cluster::options::ConnectOptions;
use crate::cluster::status::{Cluster, odd};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Host, JobId, PeerId};
use crate::message::codec;
use crate::metrics::Progress;
use crate::runner::outcome::{Outcome, PeerOutcome};
use crate::runner::threads::PEERS_MAX;

/// This process's executable, also where its name is gone or another's by now.
pub(crate) const OWN_EXECUTABLE: &str = "/proc/self/exe";
/// The pool of a peer where nothing is said.
const POOL_BYTES: u64 = 256 << 20;
/// What a peer's process has beside its pool, at least and at most: messages, threads, the program's own values.
const HEADROOM_MIN: u64 = 64 << 20;
const HEADROOM_MAX: u64 = 256 << 20;
/// How long a job that was cancelled may take to end.
const KILL_MAX: std::time::Duration = std::time::Duration::from_secs(15);

/// Runs programs on a cluster, with a process for each peer. Its clones share the connection.
#[derive(Clone, Debug)]
pub struct ClusterRunner {
    cluster: Cluster,
    cancel: Cancel,
}

/// A run of a program on a cluster that is not started yet.
#[must_use = "nothing runs before peers or submit is called"]
#[derive(Debug)]
pub struct ClusterRun<'a, P> {
    runner: &'a ClusterRunner,
    program: &'a P,
    cancel: Option<Cancel>,
    progress: Option<Arc<Progress>>,
    executable: Option<PathBuf>,
    pool_bytes: u64,
    memory_bytes: Option<u64>,
    preferred: Vec<Option<Host>>,
    environment: BTreeMap<String, String>,
    slots: Slots,
    detached: bool,
}

/// A job on a cluster.
#[derive(Debug)]
#[must_use = "a job that is not detached is killed when nobody waits for it"]
pub struct ClusterJob<P: Bsp> {
    id: JobId,
    peers: u32,
    cluster: Cluster,
    cancels: Vec<Cancel>,
    progress: Option<Arc<Progress>>,
    runs: std::marker::PhantomData<fn() -> P>,
}

impl ClusterRunner {
    /// A way to the cluster. Its master is asked whether it is there.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub fn connect(options: &ConnectOptions) -> Result<ClusterRunner> {
        Ok(ClusterRunner { cluster: Cluster::connect(options)?, cancel: Cancel::new() })
    }

    /// The same with a request to end that kills all of its jobs.
    pub fn with_cancel(mut self, cancel: Cancel) -> ClusterRunner {
        self.cancel = cancel;
        self
    }

    /// The cluster that it runs programs on.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A run of a program, to be started by [`ClusterRun::peers`] or [`ClusterRun::submit`]. The peers run this process's
    /// executable, whose `main` has to begin with [`peer_main`](crate::peer_main).
    pub fn run<'a, P: Bsp>(&'a self, program: &'a P) -> ClusterRun<'a, P> {
        ClusterRun {
            runner: self,
            program,
            cancel: None,
            progress: None,
            executable: None,
            pool_bytes: POOL_BYTES,
            memory_bytes: None,
            preferred: Vec::new(),
            environment: BTreeMap::new(),
            slots: Slots::Own,
            detached: false,
        }
    }
}

impl<P: Bsp> ClusterRun<'_, P> {
    /// Has the run tell `progress` what it has done, every few seconds.
    pub fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Kills the job when `cancel` fires.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// The pool of each peer, in bytes: 256 MiB where nothing is said. Its process gets as much again for messages,
    /// threads and the program's own values, at least 64 and at most 256 MiB.
    pub fn pool_bytes(mut self, bytes: u64) -> Self {
        self.pool_bytes = bytes;
        self
    }

    /// The memory of each peer's process, the pool included, in bytes. Who takes more is ended.
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = Some(bytes);
        self
    }

    /// The host that holds most of each peer's data. Peers are placed there where slots are free.
    pub fn preferred(mut self, hosts: Vec<Option<Host>>) -> Self {
        self.preferred = hosts;
        self
    }

    /// Variables of the peers' environment.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Whether peers share slots where the cluster has fewer than the job has peers. They then share cores too.
    pub fn shares_slots(mut self, shares: bool) -> Self {
        self.slots = if shares { Slots::Shared } else { Slots::Own };
        self
    }

    /// The same for peers that need none.
    pub(crate) fn needs_no_slots(mut self) -> Self {
        self.slots = Slots::Unneeded;
        self
    }

    /// Another executable than this process's.
    pub fn executable(mut self, path: impl Into<PathBuf>) -> Self {
        self.executable = Some(path.into());
        self
    }

    /// Whether the job goes on when nobody waits for it.
    pub fn detached(mut self, detached: bool) -> Self {
        self.detached = detached;
        self
    }

    /// Runs the program on `count` peers and waits for the outcome.
    ///
    /// # Errors
    /// As [`submit`](ClusterRun::submit) and [`ClusterJob::wait`].
    pub fn peers(self, count: usize) -> Result<Outcome<P::Output>> {
        self.submit(count)?.wait()
    }

    /// Submits the program with `count` peers. It starts when slots and memory are free for all of them.
    ///
    /// # Errors
    /// `Invalid` when `count` is 0 or over [`PEERS_MAX`], or it can never fit into the cluster, which says why; `Program`
    /// when the program cannot be serialised; `Unavailable` when the master is away for a minute; `Cancelled`.
    pub fn submit(self, count: usize) -> Result<ClusterJob<P>> {
        if count == 0 || count > PEERS_MAX {
            return Err(Error::invalid(format!(
                "cannot run {} with {count} peers: a job has 1 to {PEERS_MAX}",
                P::NAME
            )));
        }
        let cancels: Vec<Cancel> = [self.runner.cancel.clone()].into_iter().chain(self.cancel).collect();
        let cancel = &cancels[0];
        let client = self.runner.cluster.client();
        let mut arguments = Vec::new();
        codec::encode(self.program, &format!("program {}", P::NAME), &mut arguments)?;
        let executable = self.executable.unwrap_or_else(|| OWN_EXECUTABLE.into());
        let digest = client.upload(&executable, cancel)?;
        let (id, peers) = (JobId::random(), u32::try_from(count).unwrap_or(u32::MAX));
        let spec = JobSpec {
            program: P::NAME.to_owned(),
            arguments: arguments.into(),
            executable: digest,
            peers,
            slots: self.slots,
            pool_bytes: self.pool_bytes,
            memory_bytes: self.memory_bytes.unwrap_or(memory_of(self.pool_bytes)),
            preferred: self.preferred,
            environment: self.environment,
            detached: self.detached,
        };
        spec.validate()?;
        match client.ask_again(&Question::Submit { job: id, spec: Box::new(spec) }, cancel)? {
            Reply::Done => {}
            other => return Err(odd(&other)),
        }
        tracing::debug!(job = %id, program = P::NAME, "a job is submitted");
        let cluster = self.runner.cluster.clone();
        let progress = self.progress;
        Ok(ClusterJob { id, peers, cluster, cancels, progress, runs: std::marker::PhantomData })
    }
}

/// The memory of a process with such a pool.
fn memory_of(pool_bytes: u64) -> u64 {
    pool_bytes.saturating_add(pool_bytes.clamp(HEADROOM_MIN, HEADROOM_MAX))
}

impl<P: Bsp> ClusterJob<P> {
    /// Its name, for [`Cluster::job`] and `hama job`.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What ended the job, with host, peer and superstep, as [`JobHandle::wait`](crate::JobHandle::wait); `PeerLost` when a
    /// process or a groom went away; `Unavailable` when ZooKeeper stayed away, or the master does so for a minute; `Cancelled`
    /// when it was killed.
    pub fn wait(self) -> Result<Outcome<P::Output>> {
        match self.ended() {
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                self.kill()?;
                Err(Error::new(ErrorKind::Cancelled, format!("job {} was cancelled", self.id)))
            }
            Err(error) => Err(error),
            Ok(JobState::Failed(error)) => Err(error.into()),
            Ok(JobState::Killed { why }) => {
                Err(Error::new(ErrorKind::Cancelled, format!("job {} was killed: {why}", self.id)))
            }
            Ok(_) => self.outcome(),
        }
    }

    fn ended(&self) -> Result<JobState> {
        let any = Cancel::new();
        let _tied: Vec<_> = self
            .cancels
            .iter()
            .map(|cancel| {
                let any = any.clone();
                cancel.on_cancel(move || any.cancel())
            })
            .collect();
        let mut seen = 0;
        loop {
            if self.cancels.iter().any(Cancel::is_cancelled) {
                any.cancel();
            }
            match self.cluster.client().ask_again(&Question::Wait { job: self.id }, &any)? {
                Reply::Job(view) => {
                    let more = view.units.saturating_sub(seen);
                    seen += more;
                    self.progress.iter().for_each(|progress| progress.add(more));
                }
                Reply::Outcome(outcome) => return Ok(outcome.state),
                other => return Err(odd(&other)),
            }
        }
    }

    /// Kills it and waits until it is gone, for a while.
    fn kill(&self) -> Result<()> {
        let client = self.cluster.client();
        let question = Question::Kill { job: self.id, why: "its client cancelled it".to_owned() };
        client.ask_again(&question, &Cancel::new())?;
        let until = std::time::Instant::now() + KILL_MAX;
        while std::time::Instant::now() < until {
            if let Reply::Outcome(_) = client.ask(&Question::Wait { job: self.id })? {
                break;
            }
        }
        Ok(())
    }

    fn outcome(&self) -> Result<Outcome<P::Output>> {
        let mut peers = Vec::new();
        for index in 0..self.peers {
            let question = Question::Returned { job: self.id, peer: PeerId::from_index(index) };
            let returned = match self.cluster.client().ask_again(&question, &Cancel::new())? {
                Reply::Returned(returned) => returned,
                other => return Err(odd(&other)),
            };
            peers.push(PeerOutcome {
                output: codec::decode(&returned.output, &format!("the output of {}", P::NAME))?,
                counters: returned.counters,
                supersteps: returned.supersteps,
                records: returned.records,
            });
        }
        Ok(Outcome::of(peers))
    }
}
