//! `hama job kill`: the end of a job.

use std::time::{Duration, Instant};

use hama::Cancel;

use super::line::{Line, ended};
use super::name::find;
use crate::cli::Global;
use crate::cli::cluster::connect;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

const EXAMPLES: &str = "\
Examples:
  hama job kill 67e5 --master localhost:7070
  hama job kill 67e5 --why 'wrong input'                 what whoever waits for it is told

It waits until the job's processes are gone, and says how the job ended: one that had ended before stays as it was.";

/// How long the processes of a job may take to be gone; they have two seconds.
const GONE_MAX: Duration = Duration::from_secs(15);

/// End a job
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Kill {
    /// Its id, or the beginning of it
    id: String,
    /// Why, for those who wait for it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "somebody said `hama job kill`",
        hide_default_value = true
    )]
    why: String,
}

impl Kill {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        let id = find(&cluster, &self.id)?;
        cluster.kill(id, &self.why)?;
        let until = Instant::now() + GONE_MAX;
        let mut job = cluster.job(id)?;
        while !ended(&job) && Instant::now() < until {
            job = cluster.wait(id, &Cancel::new())?;
        }
        output.report(&Line::of(job))
    }
}
