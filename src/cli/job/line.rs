//! A job as it is printed.

use std::fmt;

use hama::JobStatus;
use serde::Serialize;

use crate::cli::count::counted;

/// So much of an id is printed in lists.
const SHORT: usize = 8;
/// So much of why a job failed is printed in lists.
const WHY_MAX: usize = 120;

/// A job as it is printed.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) program: String,
    pub(super) peers: u32,
    pub(super) state: &'static str,
    /// Of the error that ended it.
    pub(super) kind: Option<&'static str>,
    pub(super) why: Option<String>,
    /// That all of its peers have reached; not in the list of those that have ended.
    pub(super) superstep: Option<u64>,
    pub(super) before: Option<usize>,
    pub(super) history: Vec<Came>,
}

/// When it came to a state.
#[derive(Serialize)]
pub(super) struct Came {
    pub(super) state: &'static str,
    pub(super) unix_ms: u64,
}

/// Whether it is over.
pub(crate) fn ended(job: &JobStatus) -> bool {
    matches!(job.state, "succeeded" | "failed" | "killed")
}

/// Its state, and what there is to say of that.
pub(super) fn state(job: &JobStatus) -> String {
    match (job.state, job.before) {
        ("queued", Some(before)) if before > 0 => {
            format!("queued, {} before it", counted(before as u64, "job"))
        }
        (state, _) => state.to_owned(),
    }
}

impl Line {
    pub(super) fn of(job: JobStatus) -> Line {
        let JobStatus { id, program, peers, state, why, kind, superstep, before, history } = job;
        let history = history.into_iter().map(|(state, unix_ms)| Came { state, unix_ms }).collect();
        let kind = kind.map(|kind| kind.name());
        Line {
            id: id.to_string(),
            program,
            peers,
            state,
            kind,
            why,
            superstep: Some(superstep),
            before,
            history,
        }
    }

    /// The same of a list: there it is not known how far a job came that has ended.
    pub(super) fn listed(job: JobStatus) -> Line {
        let superstep = if ended(&job) { None } else { Some(job.superstep) };
        Line { superstep, ..Line::of(job) }
    }

    /// The beginning of its id.
    pub(super) fn short(&self) -> &str {
        self.id.get(..SHORT).unwrap_or(&self.id)
    }

    /// Why it ended, in a line.
    pub(super) fn why(&self) -> String {
        let why = self.why.as_deref().unwrap_or_default();
        let line = why.lines().next().unwrap_or_default();
        match line.char_indices().nth(WHY_MAX) {
            Some((end, _)) => format!("{}..", &line[..end]),
            None => line.to_owned(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} {}: {}, {}", self.id, self.state, self.program, counted(self.peers, "peer"))?;
        if let Some(superstep) = self.superstep {
            write!(f, ", {}", counted(superstep, "superstep"))?;
        }
        match self.why().as_str() {
            "" => writeln!(f),
            why => writeln!(f, ": {why}"),
        }
    }
}
