//! What matrices live in and are computed with: a store, memory, peers.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use hama_core::{
    Bsp, Buffer, Cancel, Error, ErrorKind, Host, LocalRunner, Pool, Progress, Result, Run, TransportKind,
};
use hama_hdfs::store::{self, Durability, Store};
use hama_hdfs::{StoreUrl, TableSpec};

use crate::bytes::format_bytes;
use crate::host_memory::default_memory;
use crate::plan::Rates;

/// How often somebody who waits for the memory looks again.
const TURN_EVERY: Duration = Duration::from_millis(5);

/// A store of tables, and the memory and peers that compute on them. Clones share all of it.
///
/// Without more it is one process: peers are threads, and the store is a directory. Products, verifications and
/// fills are planned for all of the memory, so of several threads that ask for one, one runs at a time. Reading
/// a region while one runs takes a tile more, and is refused with `OutOfMemory` where that is not left.
#[derive(Clone, Debug)]
pub struct Hama {
    store: Arc<dyn Store>,
    runner: LocalRunner,
    pool: Pool,
    memory: u64,
    peers: usize,
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

    /// The same memory and peers with another store, which is made where it is missing.
    ///
    /// # Errors
    /// What the store says.
    pub fn with_store(&self, url: &str) -> Result<Hama> {
        let url: StoreUrl = url.parse()?;
        Ok(Hama { store: store::create(&url)?, ..self.clone() })
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

    /// What runs programs: its transport, its pool, its end.
    pub fn runner(&self) -> &LocalRunner {
        &self.runner
    }

    /// The buffers that everything is computed in.
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

    /// A buffer for a tile of a table.
    ///
    /// # Errors
    /// `OutOfMemory` where the memory given does not hold `count` of them, which says how much does; and where
    /// others have taken it.
    pub(crate) fn tile_buffer(&self, name: &str, spec: &TableSpec, count: u64) -> Result<Buffer> {
        let needed = count * Pool::cost(spec.tile_bytes()) as u64;
        if needed > self.memory {
            let (given, needed) = (format_bytes(self.memory), format_bytes(needed));
            let message = format!(
                "--memory {given} is too small for {name}, in tiles of {}: it needs {needed}; try --memory {needed}",
                spec.tile
            );
            return Err(Error::new(ErrorKind::OutOfMemory, message));
        }
        self.pool.take(spec.tile_bytes())
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

    /// Whether peers that need the same tile hold it once.
    pub(crate) fn hands_over_by_reference(&self) -> bool {
        self.runner.transport() == TransportKind::Memory
    }

    /// A run of a BSP program.
    pub fn run<'a, P: Bsp>(&'a self, program: &'a P) -> Run<'a, P> {
        self.runner.run(program).progress(Arc::clone(&self.progress))
    }
}

/// The settings of a [`Hama`].
#[derive(Debug)]
pub struct HamaBuilder {
    store: String,
    create: bool,
    memory: Option<u64>,
    peers: Option<usize>,
    rates: Rates,
    durability: Durability,
    transport: TransportKind,
    host: Host,
    cancel: Cancel,
    progress: Arc<Progress>,
}

impl Default for HamaBuilder {
    fn default() -> HamaBuilder {
        HamaBuilder {
            store: "file:./hama-data".into(),
            create: true,
            memory: None,
            peers: None,
            rates: Rates::default(),
            durability: Durability::Full,
            transport: TransportKind::Memory,
            host: Host::local(),
            cancel: Cancel::new(),
            progress: Arc::new(Progress::new()),
        }
    }
}

impl HamaBuilder {
    /// The store's URL or path, such as `file:./hama-data` (the default) or `memory:scratch`.
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.store = url.into();
        self
    }

    /// Whether the store is made where it is missing (the default), or that is an error.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// The most bytes of buffers that all peers together hold; a quarter of the machine's by default.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Peers to compute with; one a core by default.
    pub fn peers(mut self, count: usize) -> Self {
        self.peers = Some(count);
        self
    }

    /// What the machine does in a second, which plans go by. The default fits most: only the ratios matter.
    /// [`measure`](crate::measure) measures one; nothing is read from files here.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// What of the matrices that are written survives a power loss: all of it by default. `None` does not wait for the disk.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How bytes travel between peers: references handed over by default.
    pub fn transport(mut self, transport: TransportKind) -> Self {
        self.transport = transport;
        self
    }

    /// The host that peers and written shards are said to be on.
    pub fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// A request to end that everything listens to.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// A meter that work is added to.
    pub fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// `Invalid` for settings that cannot be, `NotFound` for a store that is missing and may not be made, and
    /// what the store says.
    pub fn build(self) -> Result<Hama> {
        let peers = match self.peers {
            Some(0) => return Err(Error::invalid("cannot compute with 0 peers: at least 1 is needed")),
            Some(count) => count,
            None => std::thread::available_parallelism().map_or(1, |count| count.get()),
        };
        self.rates.check()?;
        let memory = self.memory.unwrap_or_else(default_memory);
        let url: StoreUrl = self.store.parse()?;
        let store = if self.create { store::create(&url)? } else { store::open(&url)? };
        let pool = Pool::new(usize::try_from(memory).unwrap_or(usize::MAX));
        let runner = LocalRunner::new(pool.clone())
            .with_transport(self.transport)
            .with_host(self.host.clone())
            .with_cancel(self.cancel.clone());
        Ok(Hama {
            store,
            runner,
            pool,
            memory,
            peers,
            rates: self.rates,
            durability: self.durability,
            host: self.host,
            cancel: self.cancel,
            progress: self.progress,
            turn: Arc::default(),
        })
    }
}
