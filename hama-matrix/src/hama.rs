//! What matrices live in and are computed with: a store, memory, peers.

mod builder;

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

#[cfg(feature = "cluster")]
use hama_core::ConnectOptions;
use hama_core::{
    Bsp, Buffer, Cancel, Error, ErrorKind, Host, LocalRunner, Pool, Progress, Result, TransportKind,
};
use hama_hdfs::store::{self, Durability, Store};
use hama_hdfs::{StoreUrl, TableSpec};

use crate::bytes::format_bytes;
use crate::job::Job;
use crate::kernel::KernelId;
use crate::placement::Node;
use crate::plan::Rates;
use crate::runner::Runner;
use crate::source::Source;

pub use builder::HamaBuilder;

/// How often somebody who waits for the memory looks again.
const TURN_EVERY: Duration = Duration::from_millis(5);

/// A store of tables, and the memory and peers that compute on them. Clones share all of it.
///
/// Without more it is one process: peers are threads, and the store is a directory. Products, verifications and
/// fills are planned for all of the memory, so of several threads that ask for one, one runs at a time. Reading
/// a region while one runs takes a tile more, and is refused with `OutOfMemory` where that is not left.
///
/// With a master (feature `cluster`) peers are processes on the hosts of a cluster, each with an equal part of the memory
/// given, and the store is one that all of them reach. What is read into arrays, and what they do not reach, such as a file
/// of this host, goes through this process, which then has as much memory as is given, a quarter of the machine's at most.
#[derive(Clone, Debug)]
pub struct Hama {
    store: Arc<dyn Store>,
    runner: Runner,
    pool: Pool,
    memory: u64,
    peers: usize,
    // Of a cluster where several peers may share one.
    shared_slots: Option<u64>,
    rates: Rates,
    durability: Durability,
    host: Host,
    cancel: Cancel,
    progress: Arc<Progress>,
    turn: Arc<Mutex<()>>,
}

impl Hama {
    /// Settings, to be changed one by one.
    pub fn builder() -> HamaBuilder {
        HamaBuilder::default()
    }

    /// The store `./hama-data`, made where it is missing, a quarter of the memory and all cores.
    ///
    /// # Errors
    /// Those of [`HamaBuilder::build`].
    pub fn local() -> Result<Hama> {
        Hama::builder().build()
    }

    /// The cluster of the master at `HOST:PORT`, with its free slots and half of their memory, and without a store: see
    /// [`HamaBuilder::master`], and [`with_store`](Self::with_store).
    ///
    /// # Errors
    /// Those of [`HamaBuilder::build`].
    #[cfg(feature = "cluster")]
    pub fn connect(master: impl Into<String>) -> Result<Hama> {
        Hama::builder().master(ConnectOptions { master: master.into(), token_file: None }).build()
    }

    /// The same memory and peers with another store, which is made where it is missing.
    ///
    /// # Errors
    /// What the store says; on a cluster `Invalid` where other processes do not find it.
    pub fn with_store(&self, url: &str) -> Result<Hama> {
        let url: StoreUrl = url.parse()?;
        self.runner.check_store(&url)?;
        Ok(Hama { store: store::create(&url)?, ..self.clone() })
    }

    /// The same where jobs run on threads of this process: on a cluster those that use what its peers do not reach.
    pub(crate) fn here(&self) -> Hama {
        if !self.has_hosts() {
            return self.clone();
        }
        let (runner, memory) = (LocalRunner::new(self.pool.clone()), self.own_memory());
        let runner = Runner::Local(runner.with_host(self.host.clone()).with_cancel(self.cancel.clone()));
        Hama { runner, memory, peers: builder::cores(), ..self.clone() }
    }

    /// The same where all of these can be opened by the peers of a job.
    pub(crate) fn reaching(&self, sources: &[&Source]) -> Hama {
        let reached = sources.iter().all(|source| source.is_reached_by_peers(&self.runner));
        if reached { self.clone() } else { self.here() }
    }

    /// What people read of an error of a job: where peers are threads of this process, which of them met it is chance and is
    /// left out.
    pub(crate) fn said(&self, error: Error) -> Error {
        let Some(at) = error.place().filter(|_| !self.has_hosts()) else { return error };
        let (text, place) = (error.to_string(), format!("{at}: "));
        Error::new(error.kind(), text.strip_prefix(&place).unwrap_or(&text))
    }

    /// Where the tables are.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The most bytes of buffers that all peers together may hold.
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Peers to compute with.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// What the machine does in a second, as plans assume it.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// What of the matrices that are written survives a power loss.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The most bytes of buffers that one peer may hold: on a cluster its part, else all of them.
    pub fn peer_memory(&self) -> u64 {
        if self.runner.is_cluster() { self.memory / self.peers as u64 } else { self.memory }
    }

    /// The hosts of the cluster whose grooms are alive, each once, by name, for [`plan_on`](crate::Product::plan_on) and what
    /// else is placed; none where peers are threads of this process.
    ///
    /// # Errors
    /// `Unavailable` where none is alive, or the master does not answer.
    pub fn hosts(&self) -> Result<Vec<Node>> {
        Ok(self.runner.hosts()?.into_iter().map(|host| Node { host, rack: None }).collect())
    }

    /// The fastest kernel that all peers run. On a cluster a peer on each host is asked, once.
    ///
    /// # Errors
    /// Those of a job.
    pub fn kernel(&self) -> Result<KernelId> {
        self.runner.kernel()
    }

    /// The same where bytes travel otherwise between peers that are threads of this process; on a cluster just the same.
    #[must_use]
    pub fn with_transport(&self, transport: TransportKind) -> Hama {
        match self.runner.clone() {
            Runner::Local(runner) => {
                Hama { runner: Runner::Local(runner.with_transport(transport)), ..self.clone() }
            }
            #[cfg(feature = "cluster")]
            Runner::Cluster(_) => self.clone(),
        }
    }

    /// The host of each slot of the cluster that is free.
    #[cfg(feature = "cluster")]
    pub(crate) fn slots(&self) -> Result<Vec<Host>> {
        self.runner.slots()
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The buffers of this process: of peers that are its threads, and of what reads and writes matrices beside jobs.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The host that peers and written shards are said to be on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The request to end that everything here listens to.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The meter of what runs: floating-point operations of a product, bytes of everything else.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// The slots of a cluster where several peers may share one.
    pub(crate) fn shared_slots(&self) -> Option<u64> {
        self.shared_slots
    }

    /// The most bytes of buffers that this process may hold.
    pub(crate) fn own_memory(&self) -> u64 {
        self.pool.usage().cap_bytes as u64
    }

    /// How many peers there can be that hold so many bytes each; 0 where one has not so many.
    pub(crate) fn peers_holding(&self, peer_bytes: u64) -> u64 {
        match self.runner.is_cluster() {
            true if self.peer_memory() < peer_bytes => 0,
            true => self.peers as u64,
            false => self.memory / peer_bytes.max(1),
        }
    }

    /// How many of the peers work on a table, each with so many bytes, where so many have something to do.
    ///
    /// # Errors
    /// `OutOfMemory` where not even one has the bytes, with what would do.
    pub(crate) fn peers_for(
        &self,
        name: &str,
        spec: &TableSpec,
        peer_bytes: u64,
        useful: usize,
    ) -> Result<usize> {
        match self.peers_holding(peer_bytes) {
            0 => Err(too_little(name, spec, self.memory, self.memory_for(peer_bytes))),
            fitting => Ok(useful.min(self.peers).min(usize::try_from(fitting).unwrap_or(usize::MAX)).max(1)),
        }
    }

    /// The memory to be given so that one peer can hold so many bytes.
    pub(crate) fn memory_for(&self, peer_bytes: u64) -> u64 {
        if self.runner.is_cluster() { peer_bytes.saturating_mul(self.peers as u64) } else { peer_bytes }
    }

    /// The memory to plan for `peers` peers with.
    pub(crate) fn memory_of(&self, peers: u64) -> u64 {
        if self.runner.is_cluster() { self.peer_memory().saturating_mul(peers) } else { self.memory }
    }

    /// A buffer of this process for a tile of a table.
    ///
    /// # Errors
    /// `OutOfMemory` where its memory does not hold `count` of them, which says how much does; and where others have
    /// taken it.
    pub(crate) fn tile_buffer(&self, name: &str, spec: &TableSpec, count: u64) -> Result<Buffer> {
        let needed = count * Pool::cost(spec.tile_bytes()) as u64;
        if needed > self.own_memory() {
            return Err(too_little(name, spec, self.own_memory(), needed));
        }
        self.pool.take(spec.tile_bytes())
    }

    /// Fails where a peer has not the memory for `count` tiles of a table.
    ///
    /// # Errors
    /// Those of [`tile_buffer`](Self::tile_buffer).
    pub(crate) fn check_tiles(&self, name: &str, spec: &TableSpec, count: u64) -> Result<()> {
        if !self.runner.is_cluster() {
            return self.tile_buffer(name, spec, count).map(drop);
        }
        let needed = count * Pool::cost(spec.tile_bytes()) as u64;
        if needed > self.peer_memory() {
            return Err(too_little(name, spec, self.memory, self.memory_for(needed)));
        }
        Ok(())
    }

    /// Fails where peers do not find the store.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn check_store(&self) -> Result<()> {
        self.runner.check_store(self.store.url())
    }

    /// Waits until nothing else computes here that was planned for all of the memory.
    pub(crate) fn turn(&self) -> Result<MutexGuard<'_, ()>> {
        loop {
            match self.turn.try_lock() {
                Ok(turn) => return Ok(turn),
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) => self.cancel.check()?,
            }
            std::thread::sleep(TURN_EVERY);
        }
    }

    /// Whether peers are processes on hosts of a cluster.
    pub(crate) fn has_hosts(&self) -> bool {
        self.runner.is_cluster()
    }

    /// Whether peers that need the same tile hold it once.
    pub(crate) fn hands_over_by_reference(&self) -> bool {
        self.runner.hands_over_by_reference()
    }

    /// A run of a BSP program, here or on the cluster.
    pub fn run<'a, P: Bsp>(&'a self, program: &'a P) -> Job<'a, P> {
        Job::new(self, program)
    }
}

/// The error of tiles that do not fit.
fn too_little(name: &str, spec: &TableSpec, given: u64, needed: u64) -> Error {
    let (given, needed) = (format_bytes(given), format_bytes(needed));
    let message = format!(
        "--memory {given} is too small for {name}, in tiles of {}: it needs {needed}; try --memory {needed}",
        spec.tile
    );
    Error::new(ErrorKind::OutOfMemory, message)
}
