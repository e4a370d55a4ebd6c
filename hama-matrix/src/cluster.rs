//! A cluster that jobs run on: which programs its peers know, which hosts it has, and what these can do.

mod grooms;
#[cfg(feature = "testing")]
mod rehearsal;
mod survey;

use std::sync::{Arc, Mutex, PoisonError};

use hama_core::{
    Bsp, Cancel, ClusterRunner, ConnectOptions, Error, GroomStatus, Host, Outcome, Program, Result,
    Supersteps, programs,
};
use hama_hdfs::StoreUrl;
use hama_hdfs::store::peer_environment;

use crate::check::CheckShards;
use crate::collect::CollectTables;
use crate::diff::Compare;
use crate::files::CopyIn;
use crate::fill::Fill;
use crate::job::Job;
use crate::kernel::KernelId;
use crate::measure::{ComputeProbe, Exchange, ReadProbe, WriteProbe};
use crate::multiply::Multiply;
use crate::placed::CopyTiles;
use crate::update::Put;
use crate::verify::Freivalds;
pub(crate) use grooms::Offer;
#[cfg(feature = "testing")]
pub use rehearsal::{Rehearsal, Started};
pub use survey::host_labels;
use survey::{Survey, common, labelled};

/// All programs of this crate, for [`peer_main`](hama_core::peer_main): whoever computes with matrices on a cluster calls
/// that with these, and with their own, first of all in `main`.
pub fn programs() -> Vec<Program> {
    programs![
        Fill,
        CopyTiles,
        CheckShards,
        CollectTables,
        Put,
        CopyIn,
        Supersteps<Multiply<f64>>,
        Supersteps<Multiply<f32>>,
        Freivalds<f64>,
        Freivalds<f32>,
        Compare<f64, f64>,
        Compare<f64, f32>,
        Compare<f32, f64>,
        Compare<f32, f32>,
        Exchange,
        ComputeProbe,
        WriteProbe,
        ReadProbe,
        Survey,
    ]
    .into()
}

/// A cluster that is connected to. Clones share the connection, and what was found out.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    client: Client,
    kernel: Arc<Mutex<Option<Common>>>,
}

/// The fastest kernel that hosts have in common.
#[derive(Debug)]
struct Common {
    hosts: Vec<Host>,
    kernel: KernelId,
}

#[derive(Clone, Debug)]
enum Client {
    Runner(ClusterRunner),
    #[cfg(feature = "testing")]
    Rehearsal(Rehearsal),
}

impl Cluster {
    /// Connects to the master that the options name.
    ///
    /// # Errors
    /// `Unavailable`, with its address.
    pub(crate) fn connect(options: &ConnectOptions, cancel: Cancel) -> Result<Cluster> {
        let runner = ClusterRunner::connect(options)?.with_cancel(cancel);
        Ok(Cluster { client: Client::Runner(runner), kernel: Arc::default() })
    }

    /// One that is rehearsed by threads.
    #[cfg(feature = "testing")]
    pub(crate) fn rehearsed(rehearsal: Rehearsal) -> Cluster {
        Cluster { client: Client::Rehearsal(rehearsal), kernel: Arc::default() }
    }

    /// What the grooms that are alive offer.
    ///
    /// # Errors
    /// `Unavailable` where there are none, or the master does not answer.
    pub(crate) fn offer(&self) -> Result<Offer> {
        Offer::of(&self.grooms()?)
    }

    fn grooms(&self) -> Result<Vec<GroomStatus>> {
        match &self.client {
            Client::Runner(runner) => {
                let mut grooms = runner.cluster().grooms()?;
                grooms.retain(|groom| groom.health == "alive" && !groom.draining);
                Ok(grooms)
            }
            #[cfg(feature = "testing")]
            Client::Rehearsal(rehearsal) => Ok(rehearsal.grooms.clone()),
        }
    }

    /// The hosts whose grooms are alive, each once, by name.
    ///
    /// # Errors
    /// `Unavailable` where there are none, or the master does not answer.
    pub(crate) fn hosts(&self) -> Result<Vec<Host>> {
        grooms::hosts(&self.grooms()?)
    }

    /// The host of each free slot, of hosts in turns; of each slot, where none is free.
    ///
    /// # Errors
    /// Those of [`hosts`](Self::hosts).
    pub(crate) fn slots(&self) -> Result<Vec<Host>> {
        grooms::slots(&self.grooms()?)
    }

    /// The fastest kernel that all hosts have in common, as their grooms say; where one does not, as a peer on each of them
    /// says. Those are asked again where there are others.
    pub(crate) fn kernel(&self) -> Result<KernelId> {
        let grooms = self.grooms()?;
        let hosts = grooms::hosts(&grooms)?;
        if let Some(kernel) = labelled(&grooms) {
            return Ok(kernel);
        }
        let mut known = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(common) = &*known
            && common.hosts == hosts
        {
            return Ok(common.kernel);
        }
        let preferred = hosts.iter().cloned().map(Some).collect();
        let found = match &self.client {
            Client::Runner(runner) => {
                runner.run(&Survey).pool_bytes(0).preferred(preferred).peers(hosts.len())
            }
            #[cfg(feature = "testing")]
            Client::Rehearsal(rehearsal) => rehearsal.run(&Survey, (hosts.len(), 0), preferred, None, None),
        };
        let kernel = common(&found?.outputs);
        tracing::info!(hosts = hosts.len(), %kernel, "the kernel that all hosts run");
        *known = Some(Common { hosts, kernel });
        Ok(kernel)
    }

    pub(crate) fn run<P: Bsp>(&self, job: Job<'_, P>, count: usize) -> Result<Outcome<P::Output>> {
        let pool_bytes = job.hama.peer_memory();
        match &self.client {
            Client::Runner(runner) => {
                let run = runner
                    .run(job.program)
                    .progress(job.progress)
                    .pool_bytes(pool_bytes)
                    .preferred(job.preferred)
                    .shares_slots(job.hama.shared_slots().is_some())
                    .environment(peer_environment());
                match job.cancel {
                    Some(cancel) => run.cancel(cancel).peers(count),
                    None => run.peers(count),
                }
            }
            #[cfg(feature = "testing")]
            Client::Rehearsal(rehearsal) => {
                let how = (Some(job.progress), job.cancel.or_else(|| Some(job.hama.cancel().clone())));
                rehearsal.run(job.program, (count, pool_bytes), job.preferred, how.0, how.1)
            }
        }
    }

    /// Fails where other processes do not find the store that this one calls `url`.
    pub(crate) fn check_store(&self, url: &StoreUrl) -> Result<()> {
        match &self.client {
            Client::Runner(_) => check_shared(url),
            // Its peers are threads of this process.
            #[cfg(feature = "testing")]
            Client::Rehearsal(_) => Ok(()),
        }
    }
}

fn check_shared(url: &StoreUrl) -> Result<()> {
    let refused = |why: &str| {
        Err(Error::invalid(format!(
            "cannot use the store {url} on a cluster: {why}; name one that all of its hosts reach, such as \
             hdfs://HOST:PORT/PATH, or file:/PATH of a folder that they share"
        )))
    };
    match url.local_directory() {
        Some(path) if path.is_relative() => {
            refused("its path is relative, and peers run in folders of their own")
        }
        None if url.is_in_memory() => refused("it is in the memory of this process, and peers are others"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hama_core::ErrorKind;

    use super::*;

    #[test]
    fn each_program_has_a_name_of_its_own() {
        let programs = programs();
        let names: BTreeSet<&str> = programs.iter().map(Program::name).collect();
        assert_eq!(names.len(), programs.len(), "{names:?}");
    }

    #[test]
    fn a_store_that_other_processes_do_not_find_is_refused() {
        let check = |url: &str| check_shared(&url.parse().unwrap());
        for (url, why) in [
            ("memory:a", "memory of this process"),
            ("strict:a", "memory of this process"),
            ("./hama-data", "is relative"),
            ("file:hama-data", "is relative"),
        ] {
            let error = check(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(why) && error.message().contains(url), "{error}");
        }
        check("file:/mnt/shared/tables").unwrap();
    }
}
