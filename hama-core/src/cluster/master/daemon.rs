//! A master's process: listens, stands for election, leads, and stands again when it had to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::blobs::{Blobs, LocalBlobs};
use crate::cancel::Cancel;
use crate::cluster::clock::Clock;
use crate::cluster::files::{Executables, lock_folder};
use crate::cluster::leader::Leader;
use crate::cluster::master::service::Service;
use crate::cluster::master::term::Term;
use crate::cluster::options::{MasterOptions, token};
use crate::cluster::rpc::listen::Listen;
use crate::cluster::rpc::server::serve;
use crate::cluster::stop::stopped;
use crate::cluster::zookeeper::{Settings, ZooKeeper};
use crate::error::{Error, Result};

/// How often time passes for the scheduler.
const TICK: Duration = Duration::from_millis(250);
/// How long after a failure ZooKeeper is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs a master in this thread until `stop` is cancelled. `listens` is told its address once it does.
///
/// # Errors
/// `Invalid` for options that cannot be; `Conflict` when another daemon has the folder; `Unavailable` and others when the
/// system refuses. That there is no ZooKeeper is none: it waits for it.
pub fn run_master(options: &MasterOptions, stop: &Cancel, listens: impl FnOnce(SocketAddr)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Error::io("cannot start the threads of a master", e))?;
    let ran = runtime.block_on(run(options, stop, listens));
    runtime.shutdown_background();
    ran
}

async fn run(options: &MasterOptions, stop: &Cancel, listens: impl FnOnce(SocketAddr)) -> Result<()> {
    let settings = options.zookeeper.settings();
    settings.validate()?;
    let folder = std::path::absolute(&options.folder)
        .map_err(|e| Error::io(format!("cannot find {}", options.folder.display()), e))?;
    let _lock = lock_folder(&folder)?;
    let listen = Listen {
        address: options.listen,
        token: token(options.token_file.as_deref())?,
        insecure_network: options.insecure_network,
    };
    let (address, incoming) = listen.start().await?;
    let executables = Executables::open(folder.join("executables"))?;
    let service = Arc::new(Service::new(executables, incoming.refusals(), settings.servers.clone()));
    let history = match &options.history {
        Some(history) => Arc::clone(history),
        None => Arc::new(LocalBlobs::open(folder.join("history"))?),
    };
    listens(address);
    let leads = leads(&service, &settings, address, (folder, history), stop);
    tokio::select! {
        served = serve(Arc::clone(&service), incoming, std::future::pending()) => served,
        () = leads => Ok(()),
    }
}

/// Leads whenever it can, until it is to stop.
async fn leads(
    service: &Service,
    settings: &Settings,
    address: SocketAddr,
    (folder, history): (PathBuf, Arc<dyn Blobs>),
    stop: &Cancel,
) {
    let clock = Clock::new();
    loop {
        let led = lead(service, settings, address, (&folder, Arc::clone(&history)), clock, stop).await;
        service.lead(None);
        match led {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "this master does not lead"),
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = stopped(stop) => return,
        }
    }
}

/// Leads once, until it is to stop: then another may at once.
async fn lead(
    service: &Service,
    settings: &Settings,
    address: SocketAddr,
    (folder, history): (&std::path::Path, Arc<dyn Blobs>),
    clock: Clock,
    stop: &Cancel,
) -> Result<()> {
    let elected = async {
        let zookeeper = ZooKeeper::connect(settings).await?;
        let leader = Leader::elect(&zookeeper, &address.to_string()).await?;
        Ok::<_, Error>((zookeeper, leader))
    };
    let (zookeeper, mut leader) = tokio::select! {
        elected = elected => elected?,
        () = stopped(stop) => return Ok(()),
    };
    let term = Arc::new(Term::begin(&leader, &zookeeper, (folder, history), clock).await?);
    tracing::info!(epoch = %term.epoch(), "this master leads");
    service.lead(Some(Arc::clone(&term)));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped(stop) => {
                service.lead(None);
                // Where that fails, the session's end does it.
                let _ = leader.resign().await;
                return Ok(());
            }
            error = leader.ended() => return Err(error),
            _ = ticks.tick() => term.tick().await?,
        }
    }
}
