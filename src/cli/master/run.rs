//! `hama master run`: a master, until it is told to end.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hama::table::{StoreBlobs, store};
use hama::{Blobs, Cancel, MASTER_PORT, MasterOptions, run_master};
use serde::Serialize;

use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{Global, interrupt};

const EXAMPLES: &str = "\
Examples:
  hama master run --zookeeper localhost:2181 --dir /var/lib/hama/master
  hama master run --listen 127.0.0.1:0 --zookeeper localhost:2181 --dir d    a free port, which it prints

It prints its address once it listens, and runs until Ctrl-C or SIGTERM. Jobs that run meanwhile go on without it,
and a master that is started again with the same folder and the same node of ZooKeeper goes on with them.
Beyond this machine it listens with a token alone: --listen 0.0.0.0:7070 --token-file FILE --insecure-network.";

/// Run a master, until Ctrl-C or SIGTERM
#[derive(clap::Args, Debug, Default, PartialEq)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// IP:PORT where it listens; port 0 is a free one [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The folder or URL of the history of jobs that have ended, such as hdfs://HOST:PORT/hama-history [default: in --dir]
    #[arg(long, value_name = "URL")]
    history: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Serialize)]
struct Listens {
    address: String,
}

impl Run {
    /// Whether nothing of it was typed.
    pub(super) fn is_empty(&self) -> bool {
        *self == Run::default()
    }

    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let options = MasterOptions {
            listen: self.listen.unwrap_or((Ipv4Addr::LOCALHOST, MASTER_PORT).into()),
            token_file: global.settings.token_file.value.clone(),
            insecure_network: self.daemon.insecure_network(global),
            zookeeper: self.daemon.zookeeper(global)?,
            folder: self.daemon.folder()?,
            history: self.history.as_deref().map(history).transpose()?,
        };
        let stop = Cancel::new();
        interrupt::ends(global, stop.clone());
        let mut told = Ok(());
        run_master(&options, &stop, |address| {
            told = output.report(&Listens { address: address.to_string() });
        })?;
        told
    }
}

/// The history in a store of its own.
fn history(url: &str) -> Result<Arc<dyn Blobs>, Failure> {
    let store = store::create(&url.parse()?)?;
    Ok(Arc::new(StoreBlobs::new(store)))
}

impl fmt::Display for Listens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "master listens on {}", self.address)
    }
}
