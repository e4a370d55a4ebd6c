//! The time in which a master leads: one scheduler, of which every change is durable before anybody hears of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify};
use tokio::time::timeout_at;

use crate::blobs::Blobs;
use crate::cluster::clock::Clock;
use crate::cluster::leader::Leader;
use crate::cluster::ledger::Ledger;
use crate::cluster::master::books::Books;
use crate::cluster::master::history::History;
use crate::cluster::meeting::sweep;
use crate::cluster::model::action::Answer;
use crate::cluster::model::ids::{Epoch, GroomId, Moment};
use crate::cluster::model::job::JobOutcome;
use crate::cluster::model::question::Reply;
use crate::cluster::model::report::Request;
use crate::cluster::scheduler::{Effects, Scheduler, Times};
use crate::cluster::zookeeper::{State, ZooKeeper};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::JobId;

/// How long a reply is held where there is nothing to say yet.
const HOLD: Duration = Duration::from_secs(2);
/// A job whose client is silent for so long is killed, unless it is detached.
const CLIENT_MAX: Duration = Duration::from_secs(10);
/// So many jobs that have ended are listed.
const LISTED: usize = 100;

/// A master's term.
#[derive(Debug)]
pub(crate) struct Term {
    clock: Clock,
    epoch: Epoch,
    zookeeper: ZooKeeper,
    core: Mutex<Core>,
    grooms: StdMutex<BTreeMap<GroomId, Arc<Notify>>>,
    /// Some job has ended, or the term has.
    ended: Notify,
}

#[derive(Debug)]
struct Core {
    scheduler: Scheduler,
    books: Books,
    history: History,
    /// When the clients of jobs that are not detached were heard.
    clients: BTreeMap<JobId, Moment>,
    /// Why nothing more is done.
    over: Option<Error>,
}

impl Term {
    /// Begins the term of `leader`, with what the one before has left.
    ///
    /// # Errors
    /// `Unavailable` when the session ends, those of the system.
    pub(crate) async fn begin(
        leader: &Leader,
        zookeeper: &ZooKeeper,
        (folder, history): (&std::path::Path, Arc<dyn Blobs>),
        clock: Clock,
    ) -> Result<Term> {
        let (now, epoch) = (clock.now(), Epoch(leader.epoch().number()));
        let history = tokio::task::block_in_place(|| History::open(history))?;
        let ledger = Ledger::open(zookeeper, leader.epoch()).await?;
        let (books, stored) = Books::open(ledger, folder.join("programs")).await?;
        let waited = stored.iter().filter(|job| !job.submission.spec.detached);
        let clients = waited.map(|job| (job.submission.job, now)).collect();
        let scheduler = Scheduler::restore(epoch, Times::default(), now, stored);
        let core = Mutex::new(Core { scheduler, books, history, clients, over: None });
        let term = Term {
            clock,
            epoch,
            zookeeper: zookeeper.clone(),
            core,
            grooms: StdMutex::default(),
            ended: Notify::new(),
        };
        // What the beginning has brought.
        term.act(|_, _| ()).await?;
        Ok(term)
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Does something, makes it durable, and tells those who wait for it.
    ///
    /// # Errors
    /// `Unavailable` and `Conflict` when the term is over.
    pub(crate) async fn act<T>(&self, what: impl FnOnce(&mut Scheduler, Moment) -> T) -> Result<T> {
        let mut core = self.core.lock().await;
        self.check(&core)?;
        let done = what(&mut core.scheduler, self.clock.now());
        if let Err(error) = self.carry_out(&mut core).await {
            core.over.get_or_insert(error.twin());
            self.ended.notify_waiters();
            return Err(error);
        }
        Ok(done)
    }

    /// Looks at something.
    pub(crate) async fn look<T>(&self, what: impl FnOnce(&Scheduler, &History) -> T) -> T {
        let core = self.core.lock().await;
        what(&core.scheduler, &core.history)
    }

    /// # Errors
    /// `Unavailable` and `Conflict` when the term is over, or may be.
    pub(crate) async fn leads(&self) -> Result<()> {
        self.check(&*self.core.lock().await)
    }

    /// Nothing may be done in a term that another may have ended.
    fn check(&self, core: &Core) -> Result<()> {
        if let Some(error) = &core.over {
            return Err(error.twin());
        }
        if *self.zookeeper.state().borrow() == State::Ended {
            return Err(self.zookeeper.ended());
        }
        if Instant::now() < self.zookeeper.stop_at() {
            return Ok(());
        }
        let message = format!(
            "the master has not heard ZooKeeper at {} for too long: another may lead",
            self.zookeeper.servers()
        );
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    async fn carry_out(&self, core: &mut Core) -> Result<()> {
        loop {
            let Effects { records, deposed, archive, done, wake } = core.scheduler.take_effects();
            if let Some(epoch) = deposed {
                let message =
                    format!("the master of epoch {} leads no more: epoch {epoch} has begun", self.epoch);
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let is_quiet = records.is_empty() && archive.is_empty();
            for record in records {
                core.books.write(record).await?;
            }
            for outcome in archive {
                self.archive(core, &outcome)?;
            }
            if !done.is_empty() {
                for (job, state) in done {
                    tracing::info!(%job, ?state, "a job has ended");
                    core.clients.remove(&job);
                    let zookeeper = self.zookeeper.clone();
                    // What it left there goes by itself too, later.
                    tokio::spawn(async move { drop(sweep(&zookeeper, job).await) });
                }
                self.ended.notify_waiters();
            }
            for groom in wake {
                self.notify(&groom).notify_waiters();
            }
            if is_quiet {
                return Ok(());
            }
        }
    }

    fn archive(&self, core: &mut Core, outcome: &JobOutcome) -> Result<()> {
        let state = tokio::task::block_in_place(|| core.history.put(outcome))?;
        core.scheduler.archived(self.clock.now(), outcome.job, state);
        Ok(())
    }

    fn notify(&self, groom: &GroomId) -> Arc<Notify> {
        let mut grooms = self.grooms.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(grooms.entry(groom.clone()).or_default())
    }

    /// What a groom is answered: at once when it registers or there is something to do, and otherwise after a while.
    ///
    /// # Errors
    /// As [`act`](Term::act).
    pub(crate) async fn groom(&self, request: &Request) -> Result<Answer> {
        let (groom, is_new) = match request {
            Request::Register(registration) => (&registration.groom, true),
            Request::Report(report) => (&report.groom, false),
        };
        if let Err(answer) = self.act(|scheduler, now| scheduler.hear(now, request)).await? {
            return Ok(answer);
        }
        let (notify, until) = (self.notify(groom), tokio::time::Instant::now() + HOLD);
        loop {
            let told = notify.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let is_late = is_new || tokio::time::Instant::now() >= until;
            let orders = {
                let core = self.core.lock().await;
                self.check(&core)?;
                let has_orders = core.scheduler.has_orders(groom);
                (is_late || has_orders).then(|| core.scheduler.orders(groom))
            };
            match orders {
                Some(Some(orders)) => return Ok(Answer::Orders(orders)),
                Some(None) => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        format!("groom {groom} has been lost meanwhile"),
                    ));
                }
                None => drop(timeout_at(until, told).await),
            }
        }
    }

    /// How a job is: at once where it has ended, otherwise when it does, or after a while.
    ///
    /// # Errors
    /// `NotFound` for a job that is not known, and as [`act`](Term::act).
    pub(crate) async fn wait(&self, job: JobId) -> Result<Reply> {
        let until = tokio::time::Instant::now() + HOLD;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            {
                let mut core = self.core.lock().await;
                self.check(&core)?;
                let now = self.clock.now();
                if let Some(heard) = core.clients.get_mut(&job) {
                    *heard = now;
                }
                match core.scheduler.job(job) {
                    None => return core.history.get(job).map(|outcome| Reply::Outcome(Box::new(outcome))),
                    Some(view) if tokio::time::Instant::now() >= until => {
                        return Ok(Reply::Job(Box::new(view)));
                    }
                    Some(_) => {}
                }
            }
            let _ = timeout_at(until, ended).await;
        }
    }

    /// A client that waits for its job is there.
    pub(crate) async fn has_client(&self, job: JobId) {
        let now = self.clock.now();
        self.core.lock().await.clients.insert(job, now);
    }

    /// The jobs that there are, and the last that have ended, without what they printed.
    pub(crate) async fn jobs(&self) -> Reply {
        let core = self.core.lock().await;
        let last = core.history.last(LISTED).into_iter();
        let mut ended: Vec<JobOutcome> = last.filter_map(|job| core.history.get(job).ok()).collect();
        ended.iter_mut().flat_map(|outcome| &mut outcome.peers).for_each(|peer| peer.log = Arc::default());
        Reply::Jobs { live: core.scheduler.jobs(), ended }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// As [`act`](Term::act).
    pub(crate) async fn tick(&self) -> Result<()> {
        let now = self.clock.now();
        let silent: Vec<JobId> = {
            let mut core = self.core.lock().await;
            let is_silent = |heard: &Moment| now.since(*heard) >= CLIENT_MAX;
            let silent =
                core.clients.iter().filter(|(_, heard)| is_silent(heard)).map(|(job, _)| *job).collect();
            core.clients.retain(|_, heard| !is_silent(heard));
            silent
        };
        self.act(|scheduler, now| {
            for job in silent {
                let why = format!("its client was not heard for {} s", CLIENT_MAX.as_secs());
                // It may have ended.
                let _ = scheduler.kill(now, job, &why);
            }
            scheduler.tick(now);
        })
        .await
    }
}
