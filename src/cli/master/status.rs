//! `hama master status`: how the master is, and what its cluster has.

use std::fmt;
use std::time::Duration;

use hama::{GroomStatus, MasterStatus};
use serde::Serialize;

use crate::cli::Global;
use crate::cli::cluster::connect;
use crate::cli::count::counted;
use crate::cli::date::long;
use crate::cli::failure::Failure;
use crate::cli::job::ended;
use crate::cli::output::Output;
use crate::cli::size::Size;

const EXAMPLES: &str = "\
Examples:
  hama master status --master localhost:7070
  HAMA_MASTER=localhost:7070 hama master status --json

Ends with 4 where no master answers, or the one that does so does not lead: it waits for ZooKeeper, or for the
end of one that leads.";

/// Look how the master is, and what its cluster has
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {}

#[derive(Serialize)]
struct StatusReport {
    master: String,
    version: String,
    epoch: u64,
    leads_for_s: f64,
    refused: u64,
    zookeeper: String,
    grooms: usize,
    grooms_alive: usize,
    slots: u64,
    slots_free: u64,
    memory_bytes: u64,
    memory_free_bytes: u64,
    /// That have not ended.
    jobs: usize,
}

impl Status {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        let MasterStatus { address, version, epoch, leads_for, refused, zookeeper } = cluster.status()?;
        let grooms = cluster.grooms()?;
        let alive: Vec<&GroomStatus> = grooms.iter().filter(|groom| groom.health == "alive").collect();
        let jobs = cluster.jobs()?.iter().filter(|job| !ended(job)).count();
        output.report(&StatusReport {
            master: address,
            version,
            epoch,
            leads_for_s: leads_for.as_secs_f64(),
            refused,
            zookeeper,
            grooms: grooms.len(),
            grooms_alive: alive.len(),
            slots: alive.iter().map(|groom| u64::from(groom.slots)).sum(),
            slots_free: alive.iter().map(|groom| u64::from(groom.slots_free)).sum(),
            memory_bytes: alive.iter().map(|groom| groom.memory_bytes).sum(),
            memory_free_bytes: alive.iter().map(|groom| groom.memory_free).sum(),
            jobs,
        })
    }
}

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "master     {}, hama {}", self.master, self.version)?;
        writeln!(
            f,
            "leads      for {}, epoch {}",
            long(Duration::from_secs_f64(self.leads_for_s)),
            self.epoch
        )?;
        writeln!(f, "zookeeper  {}", self.zookeeper)?;
        writeln!(f, "grooms     {} of {} alive", self.grooms_alive, self.grooms)?;
        writeln!(f, "slots      {} of {} free", self.slots_free, self.slots)?;
        writeln!(f, "memory     {} of {} free", Size(self.memory_free_bytes), Size(self.memory_bytes))?;
        writeln!(f, "jobs       {} queued or running", self.jobs)?;
        writeln!(f, "refused    {}", counted(self.refused, "connection"))
    }
}
