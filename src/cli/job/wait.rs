//! `hama job wait`: ends when the job does, and as it does.

use hama::{Cancel, Cluster, Error, ErrorKind, JobId, JobStatus};

use super::line::{Line, ended, state};
use super::name::find;
use crate::cli::cluster::connect;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, warn};
use crate::cli::{Global, interrupt};

const EXAMPLES: &str = "\
Examples:
  hama job wait 67e5 --master localhost:7070
  hama job wait 67e5 -q && hama matrix show c            -q: does not say what state the job is in

The exit status says how it ended: 0 where it succeeded, 130 where it was killed, else that of the error that ended
it, which is told. Ctrl-C ends the waiting alone. A master that is away is waited for, for a minute.";

/// Wait for the end of a job
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Wait {
    /// Its id, or the beginning of it
    id: String,
}

impl Wait {
    pub(super) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        interrupt::ends_at_once();
        let cluster = connect(global)?;
        let id = find(&cluster, &self.id)?;
        let mut said = String::new();
        let job = until_ended(&cluster, id, |job| {
            let state = state(job);
            if state != said && !global.quiet && !global.json {
                warn(&format!("job {id}: {state}\n"));
            }
            said = state;
        })?;
        if job.state == "succeeded" { output.report(&Line::of(job)) } else { Err(failure(&job)) }
    }
}

/// Waits for the end of a job, and shows every answer until then.
fn until_ended(cluster: &Cluster, id: JobId, mut show: impl FnMut(&JobStatus)) -> Result<JobStatus, Failure> {
    loop {
        let job = cluster.wait(id, &Cancel::new())?;
        if ended(&job) {
            return Ok(job);
        }
        show(&job);
    }
}

/// The failure of a job that has ended otherwise than well.
fn failure(job: &JobStatus) -> Failure {
    let kind = job.kind.unwrap_or(ErrorKind::Internal);
    let why = job.why.as_deref().unwrap_or("nobody says why");
    Failure::of_job(Error::new(kind, format!("job {} {}: {why}", job.id, job.state)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_that_of_the_error_that_ended_the_job() {
        for (kind, state, exit_code) in [
            (ErrorKind::Cancelled, "killed", 130),
            (ErrorKind::PeerLost, "failed", 1),
            (ErrorKind::Unavailable, "failed", 4),
            (ErrorKind::Data, "failed", 5),
        ] {
            let job = JobStatus {
                id: JobId::random(),
                program: "pi".to_owned(),
                peers: 2,
                state,
                why: Some("peer 1 on dn1 in superstep 7: it went away".to_owned()),
                kind: Some(kind),
                superstep: 7,
                before: None,
                history: Vec::new(),
            };
            let failure = failure(&job);
            assert_eq!(failure.exit_code(), exit_code, "{kind:?}");
            assert!(
                failure.text().contains(&format!("{state}: peer 1 on dn1 in superstep 7")),
                "{}",
                failure.text()
            );
        }
    }
}
