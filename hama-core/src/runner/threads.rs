//! The local runner: runs programs in this process, with a thread for each of several peers.

use std::sync::Arc;
use std::time::Duration;

use crate::barrier::Barrier;
use crate::barrier::threads::ThreadBarrier;
use crate::bsp::Bsp;
use crate::cancel::{Cancel, OnCancel};
use crate::context::Membership;
use crate::error::{Error, Result};
use crate::help::Tasks;
use crate::ids::{Host, PeerId};
use crate::metrics::{Counters, Progress};
use crate::peer::Seat;
use crate::pool::Pool;
use crate::runner::job::{Job, JobHandle};
use crate::runner::outcome::Outcome;
use crate::transport::budget::INBOX_BYTES_MAX;
#[cfg(feature = "testing")]
use crate::transport::lying;
use crate::transport::{Transport, framed, memory};

/// The most peers that one job may have in one process. Each keeps a bundle for each other.
pub const PEERS_MAX: usize = 1024;

/// Runs programs in this process, with a thread for each of several peers. Its clones share the pool.
#[derive(Clone, Debug)]
pub struct LocalRunner {
    pool: Pool,
    transport: TransportKind,
    host: Host,
    #[cfg(feature = "testing")]
    hosts: Vec<Host>,
    cancel: Cancel,
    grace: Duration,
}

/// How long a job that is ended before its time waits for peers that do not return.
const GRACE: Duration = Duration::from_secs(2);

/// How messages get from one thread to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportKind {
    /// References are handed over.
    #[default]
    Memory,
    /// Bundles and payloads are framed, checksummed and acknowledged over socket pairs, as between hosts.
    Framed,
    /// As `Framed`, over connections that lose, double, delay, damage and replay frames: for tests.
    #[cfg(feature = "testing")]
    Faulty {
        /// Decides what goes wrong.
        seed: u64,
    },
    /// As `Framed`, but the last peer tells in one superstep of a bundle that it did not send: for tests.
    #[cfg(feature = "testing")]
    Lying {
        /// When it does.
        superstep: u64,
    },
}

impl LocalRunner {
    /// A runner whose peers take their buffers from `pool`.
    pub fn new(pool: Pool) -> LocalRunner {
        LocalRunner {
            pool,
            transport: TransportKind::Memory,
            host: Host::local(),
            #[cfg(feature = "testing")]
            hosts: Vec::new(),
            cancel: Cancel::new(),
            grace: GRACE,
        }
    }

    /// The same with another transport.
    pub fn with_transport(mut self, transport: TransportKind) -> LocalRunner {
        self.transport = transport;
        self
    }

    /// How messages get from one of its peers to another.
    pub fn transport(&self) -> TransportKind {
        self.transport
    }

    /// The same with another name for the host that its peers are on.
    pub fn with_host(mut self, host: Host) -> LocalRunner {
        self.host = host;
        self
    }

    /// The same whose peers are said to be on hosts of their own, by index; on its own where these are fewer: for tests.
    #[cfg(feature = "testing")]
    pub fn with_hosts(mut self, hosts: Vec<Host>) -> LocalRunner {
        self.hosts = hosts;
        self
    }

    /// The host that a peer is said to be on.
    fn host_of(&self, peer: PeerId) -> &Host {
        #[cfg(feature = "testing")]
        if let Some(host) = self.hosts.get(peer.index()) {
            return host;
        }
        let _ = peer;
        &self.host
    }

    #[cfg(feature = "testing")]
    fn hosts_of(&self, count: u32) -> Vec<Host> {
        (0..count).map(|index| self.host_of(PeerId::from_index(index)).clone()).collect()
    }

    /// The same with a request to end that ends all of its jobs.
    pub fn with_cancel(mut self, cancel: Cancel) -> LocalRunner {
        self.cancel = cancel;
        self
    }

    /// The same with another time that an ended job waits for peers that do not return: for tests.
    #[cfg(feature = "testing")]
    pub fn with_grace(mut self, grace: Duration) -> LocalRunner {
        self.grace = grace;
        self
    }

    /// A run of a program, to be started by [`Run::peers`] or [`Run::submit`].
    pub fn run<'a, P: Bsp>(&'a self, program: &'a P) -> Run<'a, P> {
        Run { runner: self, program, progress: None, cancel: None }
    }
}

/// A run of a program that is not started yet.
#[must_use = "nothing runs before peers or submit is called"]
#[derive(Debug)]
pub struct Run<'a, P> {
    runner: &'a LocalRunner,
    program: &'a P,
    progress: Option<Arc<Progress>>,
    cancel: Option<Cancel>,
}

impl<P: Bsp> Run<'_, P> {
    /// Has the peers tell `progress` what they have done.
    pub fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Ends the job when `cancel` fires.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Runs the program on `count` peers and waits for the outcome. A single peer runs on the calling thread:
    /// nothing is started for it.
    ///
    /// # Errors
    /// `Invalid`, `Program` and `Unavailable` as for [`submit`](Run::submit); those and `Cancelled`,
    /// `OutOfMemory`, `Data`, `PeerLost`, `Internal`, and whatever the program returns, as for
    /// [`JobHandle::wait`]. But a single peer is waited for however long it takes: a cancelled job ends when
    /// that peer syncs, looks at its [`cancel`](crate::Context::cancel) or returns, and not 2 s later. `submit(1)`
    /// gives it a thread that is left behind.
    pub fn peers(self, count: usize) -> Result<Outcome<P::Output>> {
        if count != 1 {
            return self.submit(count)?.wait();
        }
        let (job, mut seats, cancelled_by) = self.prepare(1)?;
        let seat = seats.pop().expect("a job of one peer has one seat");
        job.run_here(seat, cancelled_by)
    }

    /// Starts the program on `count` peers.
    ///
    /// # Errors
    /// `Invalid` when `count` is 0 or over [`PEERS_MAX`] or the program has more than 16 MiB; `Program` when
    /// it cannot be serialised; `Unavailable` when the system refuses a thread or a socket.
    pub fn submit(self, count: usize) -> Result<JobHandle<P::Output>> {
        let (job, seats, cancelled_by) = self.prepare(count)?;
        job.start(seats, cancelled_by, self.runner.grace)
    }

    fn prepare(&self, count: usize) -> Result<(Job<P>, Vec<Seat>, Vec<OnCancel>)> {
        if count == 0 || count > PEERS_MAX {
            return Err(Error::invalid(format!(
                "cannot run {} with {count} peers: a job has 1 to {PEERS_MAX}",
                P::NAME
            )));
        }
        let job = Job::of(self.program)?;
        let cancelled_by = self.cancels().map(|cancel| ended_by(cancel, &job)).collect();
        let seats = self.seats(&job, count)?;
        Ok((job, seats, cancelled_by))
    }

    fn cancels(&self) -> impl Iterator<Item = &Cancel> {
        [&self.runner.cancel].into_iter().chain(&self.cancel)
    }

    fn seats(&self, job: &Job<P>, count: usize) -> Result<Vec<Seat>> {
        let abort = job.abort();
        let barrier: Arc<dyn Barrier> = Arc::new(ThreadBarrier::new(count, abort));
        let tasks = Arc::new(Tasks::default());
        let transports = self.runner.connect(count as u32, job)?;
        let seat = |(index, transport)| Seat {
            membership: Membership {
                id: PeerId::from_index(index),
                count,
                host: self.runner.host_of(PeerId::from_index(index)).clone(),
                pool: self.runner.pool.clone(),
                cancel: abort.cancel().clone(),
                progress: self.progress.clone(),
                counters: Counters::default(),
            },
            transport,
            barrier: Arc::clone(&barrier),
            tasks: Arc::clone(&tasks),
            abort: abort.clone(),
        };
        Ok((0..).zip(transports).map(seat).collect())
    }
}

impl LocalRunner {
    fn connect<P: Bsp>(&self, count: u32, job: &Job<P>) -> Result<Vec<Box<dyn Transport>>> {
        let common = || framed::Common {
            job: job.id(),
            host: self.host.clone(),
            pool: self.pool.clone(),
            abort: job.abort().clone(),
            repeat_after: framed::REPEAT_AFTER,
            lost_after: Duration::MAX,
            inbox_bytes_max: INBOX_BYTES_MAX,
            spill: None,
            span: job.span().clone(),
        };
        match self.transport {
            TransportKind::Memory => {
                Ok(boxed(memory::connect(count, &self.host, job.abort(), INBOX_BYTES_MAX)))
            }
            TransportKind::Framed => {
                let ends = framed::connect(count, &common())?;
                #[cfg(feature = "testing")]
                let ends = ends.into_iter().map(|end| end.with_hosts(self.hosts_of(count))).collect();
                Ok(boxed(ends))
            }
            #[cfg(feature = "testing")]
            TransportKind::Faulty { seed } => Ok(boxed(framed::faulty::connect(count, common(), seed)?)),
            #[cfg(feature = "testing")]
            TransportKind::Lying { superstep } => {
                let mut ends = boxed(framed::connect(count, &common())?);
                if let Some(inner) = ends.pop() {
                    ends.push(Box::new(lying::Liar { inner, superstep }));
                }
                Ok(ends)
            }
        }
    }
}

fn boxed<T: Transport + 'static>(ends: Vec<T>) -> Vec<Box<dyn Transport>> {
    ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
}

fn ended_by<P: Bsp>(cancel: &Cancel, job: &Job<P>) -> OnCancel {
    let abort = job.abort().clone();
    let id = job.id();
    cancel.on_cancel(move || abort.request(&format!("job {id} was cancelled")))
}
