//! Where jobs run: as threads of this process, or on a cluster.

use hama_core::{Host, LocalRunner, Result, TransportKind};
use hama_hdfs::StoreUrl;

#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::kernel::KernelId;

/// Where jobs run.
#[derive(Clone, Debug)]
pub(crate) enum Runner {
    /// Peers are threads of this process.
    Local(LocalRunner),
    /// Peers are processes that grooms start.
    #[cfg(feature = "cluster")]
    Cluster(Cluster),
}

impl Runner {
    /// Whether each peer has memory of its own.
    pub(crate) fn is_cluster(&self) -> bool {
        !matches!(self, Runner::Local(_))
    }

    /// Whether peers that need the same tile hold it once.
    pub(crate) fn hands_over_by_reference(&self) -> bool {
        match self {
            Runner::Local(runner) => runner.transport() == TransportKind::Memory,
            #[cfg(feature = "cluster")]
            Runner::Cluster(_) => false,
        }
    }

    /// The hosts of a cluster that compute, each once, by name; none where that is this process.
    pub(crate) fn hosts(&self) -> Result<Vec<Host>> {
        match self {
            Runner::Local(_) => Ok(Vec::new()),
            #[cfg(feature = "cluster")]
            Runner::Cluster(cluster) => cluster.hosts(),
        }
    }

    /// The host of each slot of a cluster that is free; none where peers are threads.
    #[cfg(feature = "cluster")]
    pub(crate) fn slots(&self) -> Result<Vec<Host>> {
        match self {
            Runner::Local(_) => Ok(Vec::new()),
            Runner::Cluster(cluster) => cluster.slots(),
        }
    }

    /// The fastest kernel that every peer runs.
    pub(crate) fn kernel(&self) -> Result<KernelId> {
        match self {
            Runner::Local(_) => Ok(KernelId::of_this_host()),
            #[cfg(feature = "cluster")]
            Runner::Cluster(cluster) => cluster.kernel(),
        }
    }

    /// Fails where peers cannot open the store that this process calls `url`.
    ///
    /// # Errors
    /// `Invalid`, with the stores that they can.
    pub(crate) fn check_store(&self, url: &StoreUrl) -> Result<()> {
        match self {
            Runner::Local(_) => {
                let _any = url;
                Ok(())
            }
            #[cfg(feature = "cluster")]
            Runner::Cluster(cluster) => cluster.check_store(url),
        }
    }
}
