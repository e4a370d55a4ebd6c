//! `hama job list`: the jobs that the master knows.

use std::fmt;

use serde::Serialize;

use super::line::Line;
use crate::cli::cluster::connect;
use crate::cli::count::counted;
use crate::cli::date::date;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, warn};
use crate::cli::{Global, columns};

const EXAMPLES: &str = "\
Examples:
  hama job list --master localhost:7070
  HAMA_MASTER=localhost:7070 hama job list --json

First those that run or wait, in the order in which they start; then the last hundred that have ended, the newest
first. Each line: the beginning of the id, program, peers, state, superstep (of one that has ended `hama job show`
says it), when it was submitted, why it failed.";

/// List the jobs of the cluster
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {}

#[derive(Serialize)]
struct ListReport {
    master: String,
    jobs: Vec<Line>,
}

impl List {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        let jobs: Vec<Line> = cluster.jobs()?.into_iter().map(Line::listed).collect();
        if jobs.is_empty() && !global.json && !global.quiet {
            warn(&format!("no jobs at the master {}\n", cluster.master()));
        }
        output.report(&ListReport { master: cluster.master().to_owned(), jobs })
    }
}

fn columns(job: &Line) -> Vec<String> {
    let state = match job.before {
        Some(before) if before > 0 => format!("{}, {before} before it", job.state),
        _ => job.state.to_owned(),
    };
    vec![
        job.short().to_owned(),
        job.program.clone(),
        counted(job.peers, "peer"),
        state,
        job.superstep.map(|superstep| format!("superstep {superstep}")).unwrap_or_default(),
        job.history.first().map(|came| date(came.unix_ms / 1000)).unwrap_or_default(),
        job.why(),
    ]
}

impl fmt::Display for ListReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        columns::write(f, &self.jobs.iter().map(columns).collect::<Vec<_>>())
    }
}
