//! `hama job show`: how a job is, and what its peers took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hama::{Moved, PeerReport, SuperstepRecord};
use serde::Serialize;

use super::line::Line;
use super::name::find;
use crate::cli::cluster::connect;
use crate::cli::count::counted;
use crate::cli::date::{date, long};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::size::Size;
use crate::cli::{Global, columns};

const EXAMPLES: &str = "\
Examples:
  hama job show 67e5 --master localhost:7070                       by the beginning of its id
  hama job show 67e55044-10b1-426f-9247-bb680e5fe0c8 --json        with what each superstep of each peer took

It says where each peer runs or ran, how far it came, and what it has counted; of a job that succeeded what its peers did
in which time, how much of its operands they read on their own hosts, and what the wire carried beside what the plan has
them send.";

/// Show how a job is, and what its peers took
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// Its id, or the beginning of it
    id: String,
}

#[derive(Serialize)]
struct ShowReport {
    #[serde(flatten)]
    job: Line,
    /// What all of its peers read from where and sent each other, so far.
    moved: Moved,
    /// Of a job that has places.
    ran: Vec<Ran>,
}

/// How a peer is, or what is left of it.
#[derive(Serialize)]
struct Ran {
    peer: usize,
    host: String,
    superstep: u64,
    counters: BTreeMap<String, u64>,
    supersteps: Vec<SuperstepRecord>,
    #[serde(skip)]
    sum: SuperstepRecord,
}

impl Show {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let cluster = connect(global)?;
        let id = find(&cluster, &self.id)?;
        let job = cluster.job(id)?;
        let peers = cluster.peers(id)?;
        let moved = moved(&peers);
        let ran = peers.into_iter().enumerate().map(|(peer, report)| Ran::of(peer, report)).collect();
        output.report(&ShowReport { job: Line::of(job), moved, ran })
    }
}

/// What the counters of all peers together say.
fn moved(peers: &[PeerReport]) -> Moved {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in peers.iter().flat_map(|peer| &peer.counters) {
        let sum = all.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
    Moved::of(&all)
}

impl Ran {
    fn of(peer: usize, report: PeerReport) -> Ran {
        let PeerReport { host, superstep, log: _, records, counters } = report;
        let mut sum = SuperstepRecord { peer, ..SuperstepRecord::default() };
        records.iter().for_each(|record| sum.add(record));
        Ran { peer, host: host.to_string(), superstep, counters, supersteps: records, sum }
    }

    /// As it is printed.
    fn columns(&self) -> Vec<String> {
        let mut line = vec![
            format!("peer {}", self.peer),
            format!("on {}", self.host),
            format!("superstep {}", self.superstep),
        ];
        if !self.supersteps.is_empty() {
            let SuperstepRecord { compute, read, send, wait, receive, write, bytes_sent, .. } = &self.sum;
            let times = [
                ("computed", compute),
                ("read", read),
                ("sent", send),
                ("received", receive),
                ("waited", wait),
                ("wrote", write),
            ];
            line.extend(times.iter().map(|(what, time)| format!("{what} {}", long(**time))));
            line.push(format!("{} sent", Size(*bytes_sent)));
        }
        // Those that all peers have together are said above.
        let others = self.counters.iter().filter(|(name, _)| !Moved::is_of(name));
        line.extend(others.map(|(name, count)| format!("{name} {count}")));
        line
    }
}

impl fmt::Display for ShowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = &self.job;
        writeln!(f, "job        {}", job.id)?;
        writeln!(f, "program    {}, {}", job.program, counted(job.peers, "peer"))?;
        match &job.why {
            Some(why) => writeln!(f, "state      {}: {why}", job.state)?,
            None => writeln!(f, "state      {}", job.state)?,
        }
        if let Some(before) = job.before.filter(|before| *before > 0) {
            writeln!(f, "before it  {}", counted(before as u64, "job"))?;
        }
        if let Some(superstep) = job.superstep {
            writeln!(f, "superstep  {superstep}")?;
        }
        let mut last = None;
        for came in &job.history {
            match last {
                None => writeln!(f, "{:10} {}", came.state, date(came.unix_ms / 1000))?,
                Some(before) => {
                    let after = Duration::from_millis(came.unix_ms.saturating_sub(before));
                    writeln!(f, "{:10} {} later", came.state, long(after))?;
                }
            }
            last = Some(came.unix_ms);
        }
        write!(f, "{}", self.moved)?;
        columns::write(f, &self.ran.iter().map(Ran::columns).collect::<Vec<_>>())
    }
}
