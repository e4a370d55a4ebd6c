//! `hama job logs`: the last that the peers of a job printed.

use std::fmt;

use hama::{Error, ErrorKind};
use serde::Serialize;

use super::line::ended;
use super::name::find;
use crate::cli::Global;
use crate::cli::cluster::connect;
use crate::cli::count::counted;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

const EXAMPLES: &str = "\
Examples:
  hama job logs 67e5 --master localhost:7070           of all peers of a job that has ended
  hama job logs 67e5 --peer 0                          of one

The last 8 KiB of standard output and standard error of each peer come when the job has ended. All of it is in the
folder of the peer's groom, `logs` there.";

/// Print the last that the peers of a job printed
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// Its id, or the beginning of it
    id: String,
    /// The index of one peer, from 0 [default: all]
    #[arg(long, value_name = "N")]
    peer: Option<usize>,
}

#[derive(Serialize)]
struct LogsReport {
    job: String,
    peers: Vec<Log>,
}

#[derive(Serialize)]
struct Log {
    peer: usize,
    host: String,
    log: String,
}

impl Logs {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        let id = find(&cluster, &self.id)?;
        let job = cluster.job(id)?;
        if !ended(&job) {
            let why = format!(
                "cannot print the logs of job {id}: it is {}, they come when it has ended",
                job.state
            );
            let failure = Failure::from(Error::new(ErrorKind::NotFound, why));
            return Err(failure.or_try(format!("`hama job wait {id}`")));
        }
        let reports = cluster.peers(id)?;
        let count = reports.len();
        if let Some(peer) = self.peer.filter(|peer| *peer >= count) {
            let why = format!(
                "cannot print what peer {peer} of job {id} printed: it has {}",
                counted(count as u64, "peer")
            );
            return Err(Error::invalid(why).into());
        }
        let logs = reports.into_iter().enumerate().map(|(peer, report)| Log {
            peer,
            host: report.host.to_string(),
            log: String::from_utf8_lossy(&report.log).into_owned(),
        });
        let peers = logs.filter(|log| self.peer.is_none_or(|peer| peer == log.peer)).collect();
        output.report(&LogsReport { job: id.to_string(), peers })
    }
}

impl fmt::Display for LogsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Log { peer, host, log } in &self.peers {
            if self.peers.len() > 1 {
                writeln!(f, "==> peer {peer} on {host} <==")?;
            }
            f.write_str(log)?;
            if !log.is_empty() && !log.ends_with('\n') {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
