//! The settings of a [`Hama`], and how it is opened with them.

use std::sync::Arc;

#[cfg(feature = "cluster")]
use hama_core::ConnectOptions;
use hama_core::{Cancel, Error, Host, LocalRunner, Pool, Progress, Result, TransportKind};
use hama_hdfs::StoreUrl;
use hama_hdfs::store::{self, Durability};

use super::Hama;
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::host_memory::default_memory;
use crate::plan::Rates;
use crate::runner::Runner;

/// The store of this process alone.
const HERE: &str = "file:./hama-data";
/// The store of who wants none, or computes on a cluster and has named none: nothing is in it.
const NO_STORE: &str = "memory:no-store-was-named";

/// Which store is named.
#[derive(Clone, Debug, Default)]
enum Named {
    #[default]
    Default,
    Nothing,
    Url(String),
}

/// The settings of a [`Hama`].
#[derive(Debug)]
pub struct HamaBuilder {
    store: Named,
    create: bool,
    memory: Option<u64>,
    peers: Option<usize>,
    shares_slots: bool,
    rates: Option<Rates>,
    durability: Durability,
    transport: TransportKind,
    host: Host,
    #[cfg(feature = "cluster")]
    master: Option<Master>,
    cancel: Cancel,
    progress: Arc<Progress>,
}

/// What computes, where that is not this process.
#[cfg(feature = "cluster")]
#[derive(Debug)]
enum Master {
    Of(ConnectOptions),
    #[cfg(feature = "testing")]
    Rehearsed(crate::cluster::Rehearsal),
}

/// How many threads compute at once here.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

impl Default for HamaBuilder {
    fn default() -> HamaBuilder {
        HamaBuilder {
            store: Named::Default,
            create: true,
            memory: None,
            peers: None,
            shares_slots: false,
            rates: None,
            durability: Durability::Full,
            transport: TransportKind::Memory,
            host: Host::local(),
            #[cfg(feature = "cluster")]
            master: None,
            cancel: Cancel::new(),
            progress: Arc::new(Progress::new()),
        }
    }
}

impl HamaBuilder {
    /// The store's URL or path, such as `file:./hama-data` (the default) or `memory:scratch`. With a master it is one that
    /// all hosts reach: `hdfs://HOST:PORT/PATH`, or `file:` with the absolute path of a folder that they share.
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.store = Named::Url(url.into());
        self
    }

    /// No store: for who names files alone.
    pub fn without_store(mut self) -> Self {
        self.store = Named::Nothing;
        self
    }

    /// Whether the store is made where it is missing (the default), or that is an error.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Runs jobs on the cluster of this master instead of in this process, whose `main` has to begin with
    /// [`peer_main`](hama_core::peer_main) and the programs that it runs: [`cluster::programs`](crate::cluster::programs)
    /// and its own. Then `transport` means nothing.
    #[cfg(feature = "cluster")]
    pub fn master(mut self, options: ConnectOptions) -> Self {
        self.master = Some(Master::Of(options));
        self
    }

    /// Rehearses the cluster with threads of this process: for tests.
    #[cfg(all(feature = "cluster", feature = "testing"))]
    pub fn rehearse(mut self, rehearsal: crate::cluster::Rehearsal) -> Self {
        self.master = Some(Master::Rehearsed(rehearsal));
        self
    }

    /// The most bytes of buffers that all peers together hold; a quarter of the machine's by default. On a cluster each
    /// peer has an equal part of it, by default half of what the poorest slot has.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Peers to compute with; by default one a core, on a cluster one a free slot.
    pub fn peers(mut self, count: usize) -> Self {
        self.peers = Some(count);
        self
    }

    /// Whether several peers may share a slot of the cluster, and its core, where there are more of them than slots. By default
    /// such a job is refused.
    pub fn shares_slots(mut self, shares: bool) -> Self {
        self.shares_slots = shares;
        self
    }

    /// What the machine does in a second, which plans go by. The default fits most: only the ratios matter.
    /// [`measure`](crate::measure) measures one; nothing is read from files here.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = Some(rates);
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

    /// The host that peers and written shards are said to be on; on a cluster only what this process writes itself.
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
    /// what the store says; with a master `Unavailable` where that does not answer or has no groom.
    pub fn build(self) -> Result<Hama> {
        if self.peers == Some(0) {
            return Err(Error::invalid("cannot compute with 0 peers: at least 1 is needed"));
        }
        self.rates.map_or(Ok(()), |rates| rates.check())?;
        #[cfg(feature = "cluster")]
        if self.master.is_some() {
            return self.build_on_cluster();
        }
        if self.shares_slots {
            return Err(Error::invalid(
                "cannot share slots: no master is named, and without a cluster there are none",
            ));
        }
        let (peers, memory) = (self.peers.unwrap_or_else(cores), self.memory.unwrap_or_else(default_memory));
        let pool = Pool::new(usize::try_from(memory).unwrap_or(usize::MAX));
        let runner = LocalRunner::new(pool.clone())
            .with_transport(self.transport)
            .with_host(self.host.clone())
            .with_cancel(self.cancel.clone());
        let url = match &self.store {
            Named::Default => HERE.parse()?,
            Named::Nothing => NO_STORE.parse()?,
            Named::Url(url) => url.parse()?,
        };
        self.build_with(Runner::Local(runner), pool, (peers, memory), &url)
    }

    #[cfg(feature = "cluster")]
    fn build_on_cluster(mut self) -> Result<Hama> {
        let cluster = match self.master.take() {
            Some(Master::Of(options)) => Cluster::connect(&options, self.cancel.clone())?,
            #[cfg(feature = "testing")]
            Some(Master::Rehearsed(rehearsal)) => Cluster::rehearsed(rehearsal),
            None => return Err(Error::internal("a cluster has a master")),
        };
        let offer = cluster.offer()?;
        let peers = self.peers.unwrap_or(offer.peers);
        let memory = self.memory.unwrap_or_else(|| {
            // Those that share a slot share its memory.
            let slots = if self.shares_slots { offer.slots.min(peers) } else { peers };
            offer.peer_bytes.saturating_mul(slots as u64)
        });
        let shared_slots = self.shares_slots.then_some(offer.slots as u64);
        let pool = Pool::new(usize::try_from(memory.min(default_memory())).unwrap_or(usize::MAX));
        let url = match &self.store {
            Named::Url(store) => store.parse().and_then(|url| cluster.check_store(&url).map(|()| url))?,
            Named::Default | Named::Nothing => {
                self.create = true;
                NO_STORE.parse()?
            }
        };
        self.rates = self.rates.or_else(|| Some(Rates::of_cluster()));
        let hama = self.build_with(Runner::Cluster(cluster), pool, (peers, memory), &url)?;
        Ok(Hama { shared_slots, ..hama })
    }

    fn build_with(
        self,
        runner: Runner,
        pool: Pool,
        (peers, memory): (usize, u64),
        url: &StoreUrl,
    ) -> Result<Hama> {
        let store = if self.create { store::create(url)? } else { store::open(url)? };
        Ok(Hama {
            store,
            runner,
            pool,
            memory,
            peers,
            shared_slots: None,
            rates: self.rates.unwrap_or_default(),
            durability: self.durability,
            host: self.host,
            cancel: self.cancel,
            progress: self.progress,
            turn: Arc::default(),
        })
    }
}
