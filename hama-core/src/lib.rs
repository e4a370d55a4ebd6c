//! The BSP engine of Hama: programs that run as equal peers, in supersteps.
//!
//! In a superstep every peer computes and sends messages; then all wait for each other; then each has the
//! messages that were sent to it. That is all there is to learn:
//!
//! ```
//! use hama_core::{Bsp, BoxError, LocalRunner, Peer, Pool};
//! use serde::{Deserialize, Serialize};
//!
//! /// Estimates pi from the share of points of a unit square that lie in the circle.
//! #[derive(Serialize, Deserialize)]
//! struct PiEstimate {
//!     points: u64,
//! }
//!
//! impl Bsp for PiEstimate {
//!     const NAME: &'static str = "pi-estimate";
//!     type Message = u64;
//!     type Output = Option<f64>;
//!
//!     fn bsp(&self, peer: &mut Peer<u64>) -> Result<Option<f64>, BoxError> {
//!         // The points of a low-discrepancy sequence, every count-th of them here.
//!         let hits = (peer.index() as u64..self.points)
//!             .step_by(peer.count())
//!             .map(|i| i as f64)
//!             .map(|i| ((i * 0.7548776662466927).fract(), (i * 0.5698402909980532).fract()))
//!             .filter(|(x, y)| x * x + y * y < 1.0)
//!             .count() as u64;
//!         peer.send(peer.peer(0)?, &hits)?;
//!         let inbox = peer.sync()?;
//!         if peer.index() > 0 {
//!             return Ok(None);
//!         }
//!         let hits: u64 = inbox.into_iter().map(|received| received.message).sum();
//!         Ok(Some(4.0 * hits as f64 / self.points as f64))
//!     }
//! }
//!
//! let runner = LocalRunner::new(Pool::new(64 << 20));
//! let outcome = runner.run(&PiEstimate { points: 100_000 }).peers(4)?;
//! assert!((outcome.outputs[0].unwrap() - std::f64::consts::PI).abs() < 0.01);
//! # Ok::<(), hama_core::Error>(())
//! ```
//!
//! It runs on Linux: buffers are mapped and sockets are used by its interface.

mod abort;
mod barrier;
#[cfg(feature = "cluster")]
mod blobs;
mod bsp;
mod cancel;
#[cfg(feature = "cluster")]
mod cluster;
mod collective;
mod context;
mod error;
mod help;
mod ids;
mod message;
mod metrics;
mod outbox;
mod peer;
mod pool;
mod runner;
mod superstep;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

#[cfg(feature = "cluster")]
pub use blobs::Blobs;
pub use bsp::{Bsp, Flow, Message, SuperstepProgram};
pub use cancel::Cancel;
#[cfg(feature = "cluster")]
pub use cluster::{
    groom::daemon::run_groom,
    master::daemon::run_master,
    options::{ConnectOptions, GroomOptions, MASTER_PORT, MasterOptions, ZooKeeperOptions},
    peer::peer_main,
    runner::{ClusterJob, ClusterRun, ClusterRunner},
    status::{Cluster, GroomStatus, JobStatus, MasterStatus, PeerReport},
};
pub use context::Context;
pub use error::{At, BoxError, Error, ErrorKind, Result};
pub use help::Offer;
pub use ids::{Host, JobId, PeerId};
pub use message::codec::MESSAGE_BYTES_MAX;
pub use message::inbox::{Inbox, Received};
pub use metrics::{Progress, SuperstepRecord, WIRE_BETWEEN_HOSTS, WIRE_WITHIN_HOSTS};
pub use outbox::Outbox;
pub use peer::Peer;
pub use pool::{Buffer, Payload, Pool, PoolUsage};
pub use runner::job::JobHandle;
pub use runner::outcome::Outcome;
#[cfg(feature = "cluster")]
pub use runner::program::Program;
pub use runner::threads::{LocalRunner, PEERS_MAX, Run, TransportKind};
pub use superstep::Supersteps;
pub use transport::budget::INBOX_BYTES_MAX;
