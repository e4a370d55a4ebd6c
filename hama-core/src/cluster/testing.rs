//! For tests against a real ZooKeeper: everything that meets there, and what is to come of it when servers and sessions end.
//!
//! Each takes the servers (`HOST:PORT,...`) and works below a node of its own, which it leaves empty.

#![expect(clippy::unwrap_used, reason = "tests, which a program of tests calls with its servers")]

pub mod between;
mod fleet;
mod job;
pub mod leaders;
pub mod meetings;
pub mod mistreat;
pub mod relay;
pub mod sessions;

pub use fleet::{conformance, empty_supersteps};

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::cluster::zookeeper::{Change, Settings, Stay, ZooKeeper};
use crate::error::Result;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("threads can be started")
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    runtime().block_on(work)
}

/// Settings below a node that nobody else uses.
fn settings(servers: &str, session: Duration) -> Settings {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Settings { root: format!("/hama-{process}-{number}"), session, ..Settings::new(servers) }
}

/// Waits until it is so.
async fn until<F: Future<Output = Result<bool>>>(what: &str, is_so: impl Fn() -> F) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await.expect("ZooKeeper answers") {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The nodes that jobs have, below `root`: their records, and the meetings of their grooms.
///
/// # Panics
/// Where ZooKeeper does not serve.
pub fn nodes_of_jobs(servers: &str, root: &str) -> Vec<String> {
    let settings = Settings { root: root.to_owned(), ..Settings::new(servers) };
    block_on(async {
        let zookeeper = ZooKeeper::connect(&settings).await.expect("ZooKeeper serves");
        let mut nodes = Vec::new();
        for of in ["/jobs", "/meetings"] {
            let names = zookeeper.children(of).await.expect("ZooKeeper answers").unwrap_or_default();
            nodes.extend(names.iter().map(|name| format!("{of}/{name}")));
        }
        nodes
    })
}

/// As long as what it returns is there, no grooms can meet below `root`, and learn so at once.
///
/// # Panics
/// Where ZooKeeper does not serve, or grooms have met there.
pub fn no_meetings(servers: &str, root: &str) -> impl Sized + use<> {
    let settings = Settings { root: root.to_owned(), ..Settings::new(servers) };
    block_on(async {
        let zookeeper = ZooKeeper::connect(&settings).await.expect("ZooKeeper serves");
        // One that goes with its session has no nodes below it.
        let childless =
            Change::Create { path: "/meetings".to_owned(), data: Vec::new(), stay: Stay::Session };
        let made = zookeeper.multi("cannot keep grooms from meeting", &[childless]).await;
        assert!(made.is_ok(), "{:?}", made.err());
        zookeeper
    })
}

/// Waits until no job has a node.
async fn until_nothing_is_left(settings: &Settings) {
    let zookeeper = ZooKeeper::connect(settings).await.expect("ZooKeeper serves");
    let zookeeper = &zookeeper;
    until("the nodes of meetings go", || async move {
        Ok(zookeeper.children("/meetings").await?.is_none_or(|names| names.is_empty()))
    })
    .await;
}
