//! `hama groom drain`: a groom that gets no more tasks.

use std::fmt;

use hama::{Error, ErrorKind};
use serde::Serialize;

use crate::cli::cluster::connect;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{Global, names};

const EXAMPLES: &str = "\
Examples:
  hama groom drain dn1 --master localhost:7070           no more tasks; those that it has go on
  hama groom drain dn1 --stop --master localhost:7070    and it ends when it has none

`hama groom list` says when it has no more. A groom that is started again serves again.";

/// Give a groom no more tasks
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Drain {
    /// Its name
    name: String,
    /// End it when it has no more tasks
    #[arg(long)]
    stop: bool,
}

#[derive(Serialize)]
struct DrainReport {
    groom: String,
    stop: bool,
}

impl Drain {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        cluster.drain(&self.name, self.stop).map_err(|error| self.unknown(&cluster, error))?;
        output.report(&DrainReport { groom: self.name, stop: self.stop })
    }

    /// The failure of a name that no groom has, with those that were perhaps meant.
    fn unknown(&self, cluster: &hama::Cluster, error: Error) -> Failure {
        let not_found = error.kind() == ErrorKind::NotFound;
        let failure = Failure::from(error);
        if !not_found {
            return failure;
        }
        let grooms = cluster.grooms().unwrap_or_default();
        match names::near(&self.name, grooms.iter().map(|groom| groom.name.as_str()))[..] {
            [] => failure.or_try("`hama groom list` shows which there are"),
            ref near => failure.or_try(near.join(" or ")),
        }
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = if self.stop { ", and ends when it has none" } else { "" };
        writeln!(f, "groom {} gets no more tasks{then}", self.groom)
    }
}
