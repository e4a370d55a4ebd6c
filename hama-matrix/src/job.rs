//! A run of a BSP program where a [`Hama`] computes.

use std::sync::Arc;

use hama_core::{Bsp, Cancel, Host, JobHandle, Outcome, Progress, Result};

use crate::hama::Hama;
use crate::runner::Runner;

/// A run of a BSP program that is not started yet: by threads of this process, or on the cluster.
#[must_use = "nothing runs before peers or submit is called"]
#[derive(Debug)]
pub struct Job<'a, P> {
    pub(crate) hama: &'a Hama,
    pub(crate) program: &'a P,
    pub(crate) progress: Arc<Progress>,
    pub(crate) cancel: Option<Cancel>,
    pub(crate) preferred: Vec<Option<Host>>,
}

impl<'a, P: Bsp> Job<'a, P> {
    pub(crate) fn new(hama: &'a Hama, program: &'a P) -> Job<'a, P> {
        Job { hama, program, progress: Arc::clone(hama.progress()), cancel: None, preferred: Vec::new() }
    }

    /// Has the peers tell `progress` what they have done, instead of the meter of the [`Hama`].
    pub fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Ends the job when `cancel` fires, too.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// The host that each peer would best be on, such as the one that holds what it reads: of a cluster. Where its slots
    /// are taken, a peer goes elsewhere.
    pub fn preferred(mut self, hosts: Vec<Option<Host>>) -> Self {
        self.preferred = hosts;
        self
    }

    /// Runs the program on `count` peers and waits for the outcome.
    ///
    /// On a cluster each peer has a pool of [`Hama::peer_memory`], and the job waits until it has slots.
    ///
    /// # Errors
    /// Those of [`Run::peers`](hama_core::Run::peers), or of the cluster's runner.
    pub fn peers(self, count: usize) -> Result<Outcome<P::Output>> {
        match self.hama.runner() {
            Runner::Local(runner) => {
                let run = runner.run(self.program).progress(self.progress);
                match self.cancel {
                    Some(cancel) => run.cancel(cancel).peers(count),
                    None => run.peers(count),
                }
            }
            #[cfg(feature = "cluster")]
            Runner::Cluster(cluster) => cluster.run(self, count),
        }
    }

    /// Starts the program on `count` peers that are threads of this process.
    ///
    /// # Errors
    /// Those of [`Run::submit`](hama_core::Run::submit); `Invalid` on a cluster, where a job is waited for.
    pub fn submit(self, count: usize) -> Result<JobHandle<P::Output>> {
        match self.hama.runner() {
            Runner::Local(runner) => {
                let run = runner.run(self.program).progress(self.progress);
                match self.cancel {
                    Some(cancel) => run.cancel(cancel).submit(count),
                    None => run.submit(count),
                }
            }
            #[cfg(feature = "cluster")]
            Runner::Cluster(_) => Err(hama_core::Error::invalid(format!(
                "cannot leave {} to itself on a cluster: call peers({count}), which waits for it",
                P::NAME
            ))),
        }
    }
}
