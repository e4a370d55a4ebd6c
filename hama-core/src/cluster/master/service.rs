//! Answers what grooms and clients ask, for as long as this master leads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::cluster::files::{Executables, NewExecutable};
use crate::cluster::master::term::Term;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Digest, Moment, Secret};
use crate::cluster::model::question::{Question, Reply, Status};
use crate::cluster::model::spec::{JobSpec, Submission};
use crate::cluster::rpc::server::{Answers, Upload};
use crate::cluster::scheduler::groom::Draining;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::JobId;
use crate::message::codec;

/// What stands between the network and the term.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) executables: Executables,
    pub(crate) refusals: Arc<AtomicU64>,
    pub(crate) zookeeper: String,
    term: Mutex<Option<(Arc<Term>, Moment)>>,
}

impl Service {
    pub(crate) fn new(executables: Executables, refusals: Arc<AtomicU64>, zookeeper: String) -> Service {
        Service { executables, refusals, zookeeper, term: Mutex::default() }
    }

    /// From now on this term answers, or none does.
    pub(crate) fn lead(&self, term: Option<Arc<Term>>) {
        let term = term.map(|term| {
            let since = term.clock().now();
            (term, since)
        });
        *self.term.lock().unwrap_or_else(PoisonError::into_inner) = term;
    }

    fn term(&self) -> Result<(Arc<Term>, Moment)> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| {
            let message = format!(
                "this master does not lead: it waits for ZooKeeper at {}, or another master leads",
                self.zookeeper
            );
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    async fn reply(&self, question: Question) -> Result<Reply> {
        question.validate()?;
        let (term, since) = self.term()?;
        term.leads().await?;
        match question {
            Question::Groom(request) => term.groom(&request).await.map(Reply::Groom),
            Question::Submit { job, spec } => self.submit(&term, job, *spec).await,
            Question::Has(digest) => Ok(Reply::Has(self.executables.has(digest))),
            Question::Wait { job } => term.wait(job).await,
            Question::Look { job } => match term.look(|scheduler, _| scheduler.job(job)).await {
                Some(view) => Ok(Reply::Job(Box::new(view))),
                None => outcome(&term, job).await,
            },
            Question::Outcome { job } => match term.look(|scheduler, _| scheduler.peers(job)).await {
                Some(peers) => Ok(Reply::Peers(peers)),
                None => outcome(&term, job).await,
            },
            Question::Returned { job, peer } => {
                term.look(|_, history| history.returned(job, peer)).await.map(Reply::Returned)
            }
            Question::Jobs => Ok(term.jobs().await),
            Question::Kill { job, why } => self.kill(&term, job, &why).await,
            Question::Grooms => {
                let now = term.clock().now();
                let grooms = term.look(|scheduler, _| scheduler.grooms(now)).await;
                Ok(Reply::Grooms { now, grooms })
            }
            Question::Drain { groom, stop } => {
                let then = if stop { Draining::Stop } else { Draining::Stay };
                term.act(|scheduler, now| scheduler.drain(now, &groom, then)).await??;
                Ok(Reply::Done)
            }
            Question::Status => Ok(Reply::Status(self.status(&term, since))),
        }
    }

    async fn submit(&self, term: &Term, job: JobId, spec: JobSpec) -> Result<Reply> {
        spec.validate()?;
        if term.look(|_, history| history.has(job)).await {
            return Ok(Reply::Done);
        }
        if !self.executables.has(spec.executable) {
            let message =
                format!("cannot submit job {job}: its executable {} was not uploaded", spec.executable);
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        if !spec.detached {
            term.has_client(job).await;
        }
        let submission = Submission { job, spec: Arc::new(spec), secret: secret() };
        term.act(|scheduler, now| scheduler.submit(now, submission)).await??;
        Ok(Reply::Done)
    }

    async fn kill(&self, term: &Term, job: JobId, why: &str) -> Result<Reply> {
        match term.act(|scheduler, now| scheduler.kill(now, job, why)).await? {
            Ok(()) => Ok(Reply::Done),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // One that has ended needs no kill.
                term.look(|_, history| history.get(job)).await.map(|_| Reply::Done)
            }
            Err(error) => Err(error),
        }
    }

    fn status(&self, term: &Term, since: Moment) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: term.epoch(),
            since,
            now: term.clock().now(),
            refused: self.refusals.load(Ordering::Relaxed),
            zookeeper: self.zookeeper.clone(),
        }
    }
}

/// What is left of a job that has ended.
async fn outcome(term: &Term, job: JobId) -> Result<Reply> {
    term.look(|_, history| history.get(job)).await.map(|outcome| Reply::Outcome(Box::new(outcome)))
}

/// What the peers of one job know each other by.
fn secret() -> Secret {
    let mut bytes = [0; 32];
    for half in bytes.chunks_mut(16) {
        half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    Secret(bytes)
}

impl Answers for Service {
    type Upload = NewExecutable;

    async fn answer(self: Arc<Self>, question: Bytes) -> Bytes {
        let replied = match codec::decode_word::<Question>(&question, "a question") {
            Ok(question) => self.reply(question).await,
            Err(error) => Err(error),
        };
        let reply = replied.unwrap_or_else(|error| Reply::Failed(WireError::from(&error)));
        let mut bytes = Vec::new();
        if let Err(error) = codec::encode_word(&reply, "a reply", &mut bytes) {
            let reply = Reply::Failed(WireError::from(&error));
            // That is short.
            let _ = codec::encode_word(&reply, "a reply", &mut bytes);
        }
        bytes.into()
    }

    fn upload(&self) -> Result<NewExecutable> {
        self.executables.take()
    }

    fn download(&self, name: &[u8], offset: u64, len: usize) -> Result<Bytes> {
        let digest = <[u8; 32]>::try_from(name).map_err(|_| {
            Error::invalid(format!("cannot give an executable: its name has {} bytes, not 32", name.len()))
        })?;
        self.executables.read(Digest(digest), offset, len).map(Bytes::from)
    }
}

impl Upload for NewExecutable {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(bytes)
    }

    fn end(self) -> Result<Bytes> {
        NewExecutable::end(self, None).map(|digest| Bytes::copy_from_slice(&digest.0))
    }
}
