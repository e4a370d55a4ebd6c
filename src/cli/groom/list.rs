//! `hama groom list`: the grooms that the master knows.

use std::collections::BTreeMap;
use std::fmt;

use hama::GroomStatus;
use serde::Serialize;

use crate::cli::Global;
use crate::cli::cluster::connect;
use crate::cli::columns;
use crate::cli::count::counted;
use crate::cli::date::long;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, warn};
use crate::cli::size::Size;

const EXAMPLES: &str = "\
Examples:
  hama groom list --master localhost:7070
  HAMA_MASTER=localhost:7070 hama groom list --json

Each line: name, whether it is heard (alive, stale, dead, or expected after a restart of the master), free slots, free
memory, tasks, load (busy cores), host, and rack. One that is stale gets no new tasks.";

/// List the grooms of the cluster
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {}

#[derive(Serialize)]
struct ListReport {
    master: String,
    grooms: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    health: &'static str,
    draining: bool,
    host: Option<String>,
    rack: Option<String>,
    version: String,
    labels: BTreeMap<String, String>,
    slots: u32,
    slots_free: u32,
    memory_bytes: u64,
    memory_free_bytes: u64,
    unused_memory_bytes: u64,
    tasks: usize,
    load: f64,
    silent_for_s: f64,
    #[serde(skip)]
    silent: String,
}

impl List {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        let grooms: Vec<Line> = cluster.grooms()?.into_iter().map(Line::of).collect();
        if grooms.is_empty() && !global.json && !global.quiet {
            warn(&format!("no grooms at the master {}\n", cluster.master()));
        }
        output.report(&ListReport { master: cluster.master().to_owned(), grooms })
    }
}

impl Line {
    fn of(groom: GroomStatus) -> Line {
        Line {
            name: groom.name,
            health: groom.health,
            draining: groom.draining,
            host: groom.host.map(|host| host.to_string()),
            rack: groom.rack,
            version: groom.version,
            labels: groom.labels,
            slots: groom.slots,
            slots_free: groom.slots_free,
            memory_bytes: groom.memory_bytes,
            memory_free_bytes: groom.memory_free,
            unused_memory_bytes: groom.unused_memory_bytes,
            tasks: groom.tasks,
            load: groom.load,
            silent_for_s: groom.silent_for.as_secs_f64(),
            silent: long(groom.silent_for),
        }
    }

    /// As it is printed.
    fn columns(&self) -> Vec<String> {
        let health = match (self.health, self.draining) {
            ("alive", true) => "draining".to_owned(),
            ("alive" | "expected", _) => self.health.to_owned(),
            (health, _) => format!("{health} for {}", self.silent),
        };
        vec![
            self.name.clone(),
            health,
            format!("{} of {} slots", self.slots_free, self.slots),
            format!("{} of {}", Size(self.memory_free_bytes), Size(self.memory_bytes)),
            counted(self.tasks as u64, "task"),
            format!("load {:.2}", self.load),
            self.host.clone().unwrap_or_else(|| "-".to_owned()),
            self.rack.clone().unwrap_or_default(),
        ]
    }
}

impl fmt::Display for ListReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        columns::write(f, &self.grooms.iter().map(Line::columns).collect::<Vec<_>>())
    }
}
