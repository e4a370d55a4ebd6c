//! The client of jobs as a job itself, of one peer: it goes on when nobody is there, and ends as the client ends.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bsp::Bsp;
use crate::cluster::peer::VARIABLE;
use crate::cluster::runner::{ClusterRunner, OWN_EXECUTABLE};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::ids::JobId;
use crate::peer::Peer;

/// The memory of the client's process: it waits, its jobs compute.
const MEMORY_BYTES: u64 = 256 << 20;
/// How soon its end is seen.
const LOOK: Duration = Duration::from_millis(20);

/// Every executable that calls [`peer_main`](crate::peer_main) has this program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientOnCluster {
    arguments: Vec<Vec<u8>>,
}

impl Bsp for ClientOnCluster {
    const NAME: &'static str = "hama-client";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> std::result::Result<(), BoxError> {
        let mut client = Command::new(OWN_EXECUTABLE);
        client.args(self.arguments.iter().map(|word| OsStr::from_bytes(word)));
        // Its group ends with this process.
        let started = client.env_remove(VARIABLE).stdin(Stdio::null()).spawn();
        let mut client = started.map_err(|e| Error::io("cannot start the client", e))?;
        loop {
            if let Some(status) = client.try_wait()? {
                return match status.success() {
                    true => Ok(()),
                    false => {
                        Err(format!("the client ended with {status}; `hama job logs` has what it printed")
                            .into())
                    }
                };
            }
            if let Err(cancelled) = peer.cancel().check() {
                client.kill()?;
                client.wait()?;
                return Err(cancelled.into());
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl ClusterRunner {
    /// Submits an executable as the client of jobs: it runs on a host of the cluster, in a directory that goes with it, with
    /// `HAMA_MASTER` and `HAMA_TOKEN_FILE` as they are there, these variables, and no input. It takes no slot, and goes on when
    /// nobody waits for it; the job that is returned ends as it ends. Its `main` has to begin with
    /// [`peer_main`](crate::peer_main).
    ///
    /// # Errors
    /// As [`ClusterRun::submit`](crate::ClusterRun::submit); what reading the executable gives.
    pub fn submit_client(
        &self,
        executable: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        environment: &BTreeMap<String, String>,
    ) -> Result<JobId> {
        if !executable.is_file() {
            let message = format!("cannot run {}: there is no such file", executable.display());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let client = ClientOnCluster { arguments: arguments.into_iter().map(OsString::into_vec).collect() };
        let run = self.run(&client).executable(executable).environment(environment.clone());
        let run = run.pool_bytes(0).memory_bytes(MEMORY_BYTES).needs_no_slots().detached(true);
        Ok(run.submit(1)?.id())
    }
}
