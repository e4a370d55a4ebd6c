//! `hama groom run`: a groom, until it is told to end.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use hama::{Cancel, Error, GroomOptions, run_groom};
use serde::Serialize;

use crate::cli::cluster::master;
use crate::cli::count::{count, counted};
use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::settings::Origin;
use crate::cli::size::Size;
use crate::cli::{Global, interrupt};

const EXAMPLES: &str = "\
Examples:
  hama groom run --master localhost:7070 --zookeeper localhost:2181 --dir /var/lib/hama/groom
  hama groom run --name second --slots 1 --memory 2GiB --dir d2      another one here
  hama groom run --host dn1 --data-address 10.0.0.7 --token-file token --insecure-network --dir d

It joins whenever it finds the master, and again when that was away; it runs until Ctrl-C or SIGTERM, or until it was
drained with --stop. Its peers end with it. Without --memory it has three quarters of this machine's (or of what its
control group has) for peers; each takes what its job says, and no job gets what another one has.";

/// Run a groom, until Ctrl-C or SIGTERM
#[derive(clap::Args, Debug, Default, PartialEq)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// Its name, which stays when it is started again [default: that of --host]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How many peers it runs at once [default: as many as there are cores]
    #[arg(long, value_name = "COUNT", value_parser = slots)]
    slots: Option<NonZeroU32>,
    /// The IP address that its peers listen on for other peers [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    data_address: Option<IpAddr>,
    /// The rack that it is in, such as /rack1
    #[arg(long, value_name = "RACK")]
    rack: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Serialize)]
struct Starts {
    name: String,
    host: String,
    master: String,
    slots: u32,
    memory_bytes: u64,
}

fn slots(text: &str) -> hama::Result<NonZeroU32> {
    NonZeroU32::new(count(text)?)
        .ok_or_else(|| Error::invalid("cannot run a groom with 0 slots: at least 1 is needed"))
}

impl Run {
    /// Whether nothing of it was typed.
    pub(super) fn is_empty(&self) -> bool {
        *self == Run::default()
    }

    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let options = self.options(global)?;
        let stop = Cancel::new();
        interrupt::ends(global, stop.clone());
        let starts = Starts {
            name: options.name.clone(),
            host: options.host.to_string(),
            master: options.master.clone(),
            slots: options.slots,
            memory_bytes: options.memory_bytes,
        };
        let mut told = Ok(());
        run_groom(&options, &stop, || told = output.report(&starts))?;
        told
    }

    fn options(self, global: &Global) -> Result<GroomOptions, Failure> {
        let settings = &global.settings;
        let mut options =
            GroomOptions::new(master(global)?, self.daemon.zookeeper(global)?, self.daemon.folder()?);
        options.insecure_network = self.daemon.insecure_network(global);
        options.token_file = settings.token_file.value.clone();
        options.host = settings.host.value.clone();
        options.rack = self.rack;
        options.labels = hama::cluster::host_labels();
        options.slots = self.slots.map_or(options.slots, NonZeroU32::get);
        options.data_address = self.data_address.unwrap_or(options.data_address);
        if settings.memory.origin != Origin::Default {
            options.memory_bytes = settings.memory.value.0;
        }
        if !options.data_address.is_loopback() && settings.host.origin == Origin::Default {
            let why = format!(
                "cannot run a groom on {}: it does not say which host that is, and the others would take it for theirs",
                options.data_address
            );
            return Err(Failure::from(Error::invalid(why)).or_try("--host NAME, as the store names it"));
        }
        options.name = self.name.unwrap_or_else(|| options.host.name().to_owned());
        Ok(options)
    }
}

impl fmt::Display for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slots, memory) = (counted(self.slots, "slot"), Size(self.memory_bytes));
        writeln!(f, "groom {} with {slots} and {memory} for the master {}", self.name, self.master)
    }
}
