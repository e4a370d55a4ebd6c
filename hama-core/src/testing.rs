//! For tests of programs, here and in other crates: every transport, any number of peers, never a hang.

mod mutate;
pub mod parse;
pub mod processes;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[cfg(feature = "cluster")]
pub use crate::blobs::conformance as blobs;
use crate::bsp::Bsp;
#[cfg(feature = "cluster")]
pub use crate::cluster::simulation::fleet::Fleet;
#[cfg(feature = "cluster")]
pub use crate::cluster::simulation::{SimulatedCluster, simulate_cluster};
#[cfg(feature = "cluster")]
pub use crate::cluster::testing as cluster;
use crate::error::Result;
use crate::pool::Pool;
use crate::runner::outcome::Outcome;
use crate::runner::threads::{LocalRunner, TransportKind};
use crate::transport::framed::faulty;
pub use crate::transport::framed::faulty::Random;
pub use crate::transport::framed::protocol::simulation::{Simulated, simulate};
pub use mutate::mutate;

/// All transports of the local runner.
pub const TRANSPORTS: [TransportKind; 2] = [TransportKind::Memory, TransportKind::Framed];

const DEADLINE: Duration = Duration::from_secs(60);
const POOL_BYTES: usize = 256 << 20;

/// One run of a program.
#[derive(Debug)]
pub struct Trial<T> {
    /// How its messages went.
    pub transport: TransportKind,
    /// How many peers it had.
    pub peers: usize,
    /// What came of it.
    pub result: Result<Outcome<T>>,
}

/// Runs a program on every transport with each of these numbers of peers.
///
/// # Panics
/// When a run takes more than a minute.
pub fn run<P: Bsp>(program: &P, peers: impl IntoIterator<Item = usize>) -> Vec<Trial<P::Output>> {
    let mut trials = Vec::new();
    for peers in peers {
        for transport in TRANSPORTS {
            let runner = LocalRunner::new(Pool::new(POOL_BYTES)).with_transport(transport);
            let result = match runner.run(program).submit(peers) {
                Ok(job) => in_time(move || job.wait()),
                Err(error) => Err(error),
            };
            trials.push(Trial { transport, peers, result });
        }
    }
    trials
}

/// How many faults [`TransportKind::Faulty`] has made in this process.
pub fn fault_count() -> u64 {
    faulty::fault_count()
}

/// Does `work` on a thread of its own and returns what it returns.
///
/// # Panics
/// When it takes more than a minute, or panics.
pub fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || sender.send(work()).is_ok());
    let result = receiver.recv_timeout(DEADLINE);
    if matches!(result, Err(mpsc::RecvTimeoutError::Disconnected))
        && let Err(panic) = worker.join()
    {
        std::panic::resume_unwind(panic);
    }
    result.expect("the work ends within a minute")
}
