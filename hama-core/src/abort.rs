//! The end of a job before its time: who caused it first, and everybody who has to hear of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::PeerId;

/// What ended a job, shared by all that work on it. The first cause stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abort(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cause: Mutex<Option<Cause>>,
    cancel: Cancel,
    // The last superstep that any peer has begun.
    superstep: AtomicU64,
}

#[derive(Debug)]
struct Cause {
    peer: Option<PeerId>,
    // Gone once the client has it.
    error: Option<Error>,
}

impl Abort {
    pub(crate) fn new() -> Abort {
        Abort::default()
    }

    /// Ends the job with `error`, caused by `peer` or from outside, unless it is ended already.
    ///
    /// Where a program has cancelled its own job, what comes after that is a consequence.
    pub(crate) fn end(&self, peer: Option<PeerId>, error: Error) {
        if !self.0.cancel.is_cancelled() {
            self.cause().get_or_insert(Cause { peer, error: Some(error) });
        }
        self.0.cancel.cancel();
    }

    /// Ends the job with a request `what` from outside, saying in which superstep the job was.
    pub(crate) fn request(&self, what: &str) {
        self.end(None, self.requested(what));
    }

    /// A peer has begun `superstep`.
    pub(crate) fn begun(&self, superstep: u64) {
        self.0.superstep.fetch_max(superstep, Ordering::Relaxed);
    }

    /// Fires when the job ends before its time.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.0.cancel
    }

    /// An error that says who ended the job, once it is ended.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.0.cancel.is_cancelled() {
            return Ok(());
        }
        let message = match self.cause().as_ref().and_then(|cause| cause.peer) {
            Some(peer) => format!("peer {peer} ended the job"),
            None => "the job was cancelled".to_owned(),
        };
        Err(Error::new(ErrorKind::Cancelled, message))
    }

    /// The error that ended the job, for the client. A program may cancel its own job: that has no cause.
    pub(crate) fn take(&self) -> Error {
        let cause = self.cause().as_mut().and_then(|cause| cause.error.take());
        cause.unwrap_or_else(|| self.requested("the job was cancelled"))
    }

    fn requested(&self, what: &str) -> Error {
        let superstep = self.0.superstep.load(Ordering::Relaxed);
        Error::new(ErrorKind::Cancelled, format!("{what} in superstep {superstep}"))
    }

    fn cause(&self) -> MutexGuard<'_, Option<Cause>> {
        self.0.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_stays_and_the_others_hear_who_it_was() {
        let abort = Abort::new();
        assert!(abort.check().is_ok());
        abort.end(Some(PeerId::from_index(3)), Error::invalid("first"));
        abort.end(None, Error::invalid("second"));
        assert_eq!(abort.check().unwrap_err().to_string(), "peer 3 ended the job");
        assert_eq!(abort.take().to_string(), "first");
        assert_eq!(abort.take().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn a_job_that_cancels_itself_has_no_cause() {
        let abort = Abort::new();
        abort.cancel().cancel();
        abort.end(Some(PeerId::from_index(1)), Error::invalid("late"));
        assert_eq!(abort.check().unwrap_err().to_string(), "the job was cancelled");
        assert_eq!(abort.take().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn a_request_says_in_which_superstep_the_job_was() {
        let abort = Abort::new();
        [3, 4, 2].into_iter().for_each(|superstep| abort.begun(superstep));
        abort.request("job x was killed");
        assert_eq!(abort.check().unwrap_err().to_string(), "the job was cancelled");
        assert_eq!(abort.take().to_string(), "job x was killed in superstep 4");
    }
}
