//! The barrier of a job over ZooKeeper, with one participant per groom.
//!
//! All hear the names of new nodes in one folder. A few grooms arrive with a node there whose name is what their peers say,
//! and each hears that of all: no write waits for another one, but there are as many events as pairs. Where they are many, a
//! groom arrives with one multi: it makes a node elsewhere and sets the counter, whose version tells who is last. The last
//! one adds up what all say and makes the node whose name is the tally. A node that is there already was made before a
//! connection was lost, so nobody counts twice.
//!
//! All nodes are of sessions, or go with the last of their children: a job whose grooms die leaves nothing.

mod known;
mod names;
mod nodes;
pub(crate) mod serve;

use std::collections::VecDeque;

use crate::barrier::Tally;
use crate::cluster::gather::{self, Participant, Summary};
use crate::cluster::model::error::WireError;
use crate::cluster::zookeeper::{Change, Event, Events, Fault, State, Stay, ZooKeeper};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::JobId;
use crate::message::codec;
use known::Known;
use names::{News, Paths};
pub(crate) use nodes::sweep;
use nodes::{make, remove};

/// So many grooms tell each other that they have arrived; more are counted. Measured: `cargo bench --bench barrier`.
const FEW: usize = 8;

/// Which meeting: one attempt of a job, launched under one epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meant {
    pub(crate) job: JobId,
    pub(crate) attempt: u32,
    pub(crate) epoch: u64,
}

/// One groom's part in the barrier of a job.
#[derive(Debug)]
pub(crate) struct Meeting {
    zookeeper: ZooKeeper,
    paths: Paths,
    me: usize,
    events: Events,
    known: Known,
    /// The nodes with which we have told that we arrived at the last two supersteps.
    told: VecDeque<String>,
    /// How many supersteps all have ended.
    ended: u64,
}

impl Meeting {
    /// Takes part as number `me` of `participants`, of which all give the same. Does not wait for them.
    ///
    /// # Errors
    /// `Invalid` for participants that cannot be, or others than those that somebody gave before; `Conflict` when this one
    /// takes part already; `Unavailable` when the session ends.
    pub(crate) async fn open(
        zookeeper: &ZooKeeper,
        meant: Meant,
        participants: Vec<Participant>,
        me: usize,
    ) -> Result<Meeting> {
        let paths = Paths::new(meant.job, meant.attempt, meant.epoch);
        let what = format!("cannot take part in the barrier of job {}", meant.job);
        if me >= participants.len() || participants.iter().any(|one| one.peers == 0) {
            return Err(Error::invalid(format!("{what}: number {me} of {participants:?} cannot be")));
        }
        make(zookeeper, &paths, &what, &participants).await?;
        let events = zookeeper.events(&paths.news).await?;
        let (known, told) = (Known::new(participants), VecDeque::new());
        let mut meeting = Meeting { zookeeper: zookeeper.clone(), paths, me, events, known, told, ended: 0 };
        meeting.enter(&what).await?;
        meeting.look().await?;
        Ok(meeting)
    }

    /// Says that our node is there.
    async fn enter(&self, what: &str) -> Result<()> {
        let path = self.paths.told(News::Present(self.me));
        let host = self.known.participants()[self.me].host.name();
        let create =
            Change::Create { path: path.clone(), data: host.as_bytes().to_vec(), stay: Stay::Session };
        loop {
            match self.zookeeper.multi(what, std::slice::from_ref(&create)).await {
                Ok(_) => return Ok(()),
                Err((_, Fault::Lost)) => self.zookeeper.resumed().await?,
                Err((_, Fault::NodeExists)) => match self.zookeeper.get(&path).await? {
                    Some(node) if node.is_ours => return Ok(()),
                    Some(_) => {
                        let message = format!("{what}: somebody takes part as the groom on {host}");
                        return Err(Error::new(ErrorKind::Conflict, message));
                    }
                    None => {}
                },
                Err((_, fault)) => return Err(self.zookeeper.unexpected(what, fault)),
            }
        }
    }

    /// Says how the peers here end a superstep, and waits until those of all grooms have. With one groom nobody is asked.
    ///
    /// # Errors
    /// `Invalid` when peers end it in different ways; `PeerLost` when a groom goes away; `Unavailable` when the session ends;
    /// what another groom said with [`fail`](Meeting::fail). All others get the same, or that a groom went away.
    pub(crate) async fn meet(&mut self, superstep: u64, summary: Summary) -> Result<Tally> {
        if superstep != self.ended {
            let expected = self.ended;
            return Err(Error::internal(format!(
                "a groom is at the barrier of superstep {superstep}, it was to be that of {expected}"
            )));
        }
        let tally = match self.known.participants() {
            [only] => gather::tally(superstep, std::slice::from_ref(only), &[summary])?,
            _ => self.meet_others(superstep, summary).await?,
        };
        self.ended += 1;
        Ok(tally)
    }

    async fn meet_others(&mut self, superstep: u64, summary: Summary) -> Result<Tally> {
        self.check()?;
        if self.known.participants().len() <= FEW {
            return self.tell_all(superstep, summary).await;
        }
        if self.arrive(superstep, summary).await? {
            return self.release(superstep).await;
        }
        self.hear(superstep, |known| known.tally(superstep)).await
    }

    /// Waits until it is known that a superstep has ended.
    async fn hear<T>(&mut self, superstep: u64, known: impl Fn(&mut Known) -> Option<T>) -> Result<T> {
        loop {
            if let Some(heard) = known(&mut self.known) {
                return Ok(heard);
            }
            self.check()?;
            self.known.check_all_stay(superstep)?;
            let event = self.next().await;
            self.note(event).await?;
        }
    }

    /// Tells all what the peers here say, and hears what theirs say.
    async fn tell_all(&mut self, superstep: u64, summary: Summary) -> Result<Tally> {
        let what = format!("cannot arrive at the barrier of superstep {superstep}");
        let path = self.paths.told(News::Arrived(superstep, self.me, summary));
        let mut changes = vec![Change::Create { path: path.clone(), data: Vec::new(), stay: Stay::Session }];
        // All have heard those of the superstep before the last one.
        if self.told.len() == 2 {
            changes.extend(self.told.pop_front().map(|path| Change::Delete { path }));
        }
        self.change(&what, &changes).await?;
        self.told.push_back(path);
        let said = self.hear(superstep, |known| known.all_arrived(superstep)).await?;
        self.tally(superstep, &said).await
    }

    /// Makes changes that begin with a new node; nothing where that is there: then they were made before a connection was
    /// lost.
    async fn change(&mut self, what: &str, changes: &[Change]) -> Result<Option<Vec<i32>>> {
        loop {
            match self.zookeeper.multi(what, changes).await {
                Ok(versions) => return Ok(Some(versions)),
                Err((_, Fault::Lost)) => self.zookeeper.resumed().await?,
                Err((0, Fault::NodeExists)) => return Ok(None),
                Err((_, Fault::NoNode)) => {
                    // Where a groom is lost that is the better reason.
                    self.look().await?;
                    self.check()?;
                    return Err(self.removed(what));
                }
                Err((_, fault)) => return Err(self.zookeeper.unexpected(what, fault)),
            }
        }
    }

    /// Adds our node and counts it. Returns whether all have arrived.
    async fn arrive(&mut self, superstep: u64, summary: Summary) -> Result<bool> {
        let what = format!("cannot arrive at the barrier of superstep {superstep}");
        let count = i32::try_from(self.known.participants().len()).ok();
        let last = i32::try_from(superstep + 1).ok().and_then(|supersteps| count?.checked_mul(supersteps));
        let last = last.ok_or_else(|| Error::internal(format!("{what}: ZooKeeper cannot count so far")))?;
        let mut data = Vec::new();
        codec::encode(&summary, "what peers say", &mut data)?;
        let own = self.paths.arrival(self.me, superstep);
        let mut changes = vec![
            Change::Create { path: own, data, stay: Stay::Session },
            Change::Set { path: self.paths.counter.clone(), data: Vec::new(), version: None },
        ];
        if let Some(before) = superstep.checked_sub(2) {
            changes.push(Change::Delete { path: self.paths.arrival(self.me, before) });
        }
        match self.change(&what, &changes).await? {
            Some(versions) => Ok(versions.get(1) == Some(&last)),
            // Who was last may be us: to release twice does no harm.
            None => {
                let counter = self.zookeeper.get(&self.paths.counter).await?;
                Ok(counter.ok_or_else(|| self.removed(&what))?.version >= last)
            }
        }
    }

    /// Adds up what all say, and tells all.
    async fn release(&mut self, superstep: u64) -> Result<Tally> {
        let what = format!("cannot end superstep {superstep}");
        let count = self.known.participants().len();
        let paths: Vec<String> = (0..count).map(|groom| self.paths.arrival(groom, superstep)).collect();
        let read = self.zookeeper.get_all(&paths).await?;
        let mut said: Vec<Summary> = Vec::new();
        for (groom, data) in read.into_iter().enumerate() {
            let data = data
                .ok_or_else(|| self.known.lost(groom, "went away: its session with ZooKeeper has ended"))?;
            said.push(codec::decode(&data, "what peers say")?);
        }
        let tally = self.tally(superstep, &said).await?;
        let news = News::Released(superstep, tally);
        let create = Change::Create { path: self.paths.told(news), data: Vec::new(), stay: Stay::Session };
        let before = superstep.checked_sub(2).and_then(|before| Some((before, self.known.tally(before)?)));
        let before = before.map(|(before, tally)| self.paths.told(News::Released(before, tally)));
        let mut changes = vec![create];
        changes.extend(before.map(|path| Change::Delete { path }));
        self.change(&what, &changes).await?;
        self.known.created(news);
        Ok(tally)
    }

    /// What all say together. That they do not fit together is told to all.
    async fn tally(&mut self, superstep: u64, said: &[Summary]) -> Result<Tally> {
        match gather::tally(superstep, self.known.participants(), said) {
            Ok(tally) => Ok(tally),
            Err(error) => {
                self.fail(&error).await?;
                Err(error)
            }
        }
    }

    /// Tells all that the job fails, unless somebody has told so before.
    ///
    /// # Errors
    /// `Unavailable` when the session ends: the others hear of that.
    pub(crate) async fn fail(&mut self, error: &Error) -> Result<()> {
        let what = "cannot tell the other grooms of a failure";
        if self.known.participants().len() == 1 || self.known.has_failed() {
            return Ok(());
        }
        let mut data = Vec::new();
        codec::encode(&WireError::from(error), "a failure", &mut data)?;
        let create = Change::Create { path: self.paths.told(News::Failed), data, stay: Stay::Session };
        loop {
            match self.zookeeper.multi(what, std::slice::from_ref(&create)).await {
                // Gone with all others, who know it.
                Ok(_) | Err((_, Fault::NodeExists | Fault::NoNode)) => return Ok(()),
                Err((_, Fault::Lost)) => self.zookeeper.resumed().await?,
                Err((_, fault)) => return Err(self.zookeeper.unexpected(what, fault)),
            }
        }
    }

    /// The next thing that happens to the others. It may be dropped while it waits; [`note`](Meeting::note) takes it.
    pub(crate) async fn next(&mut self) -> Event {
        let mut state = self.zookeeper.state();
        tokio::select! {
            biased;
            event = self.events.next() => event,
            _ = state.wait_for(|state| *state == State::Ended) => Event::Ended,
        }
    }

    /// Takes what has happened to the others.
    ///
    /// # Errors
    /// Where the job cannot go on, as [`meet`](Meeting::meet) says.
    pub(crate) async fn note(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Created(path) => {
                if let Some(news) = self.paths.news_of(&path) {
                    self.known.created(news);
                }
                if self.known.has_failed() { Err(self.failure().await?) } else { Ok(()) }
            }
            Event::Deleted(path) => self.paths.news_of(&path).map_or(Ok(()), |news| self.known.deleted(news)),
            Event::Resumed => {
                self.look().await?;
                if self.known.has_failed() { Err(self.failure().await?) } else { Ok(()) }
            }
            Event::Ended => Err(self.zookeeper.ended()),
        }
    }

    /// Reads all the news.
    async fn look(&mut self) -> Result<()> {
        let names = self.zookeeper.children(&self.paths.news).await?;
        let names = names.ok_or_else(|| self.removed("cannot see the other grooms"))?;
        let news: Vec<News> = names.iter().filter_map(|name| News::of_name(name)).collect();
        self.known.all(&news)
    }

    /// Why somebody said that the job fails.
    async fn failure(&self) -> Result<Error> {
        let node = self.zookeeper.get(&self.paths.told(News::Failed)).await?;
        match node {
            Some(node) => Ok(codec::decode::<WireError>(&node.data, "a failure")?.into()),
            None => Ok(Error::new(ErrorKind::PeerLost, "another groom said that the job fails, and is gone")),
        }
    }

    fn check(&self) -> Result<()> {
        if *self.zookeeper.state().borrow() == State::Ended {
            return Err(self.zookeeper.ended());
        }
        Ok(())
    }

    fn removed(&self, what: &str) -> Error {
        let (base, servers) = (&self.paths.base, self.zookeeper.servers());
        Error::new(
            ErrorKind::Cancelled,
            format!("{what}: somebody removed {base} from ZooKeeper at {servers}"),
        )
    }

    /// Leaves in good order. The last one removes all nodes.
    ///
    /// # Errors
    /// `Unavailable` when the session has ended: then the servers remove ours.
    pub(crate) async fn close(self) -> Result<()> {
        let Meeting { zookeeper, paths, me, events, .. } = self;
        drop(events);
        let left = [
            Change::Create { path: paths.told(News::Left(me)), data: Vec::new(), stay: Stay::Session },
            Change::Delete { path: paths.told(News::Present(me)) },
        ];
        let what = "cannot leave the barrier of a job";
        loop {
            match zookeeper.multi(what, &left).await {
                Ok(_) | Err((_, Fault::NodeExists | Fault::NoNode)) => break,
                Err((_, Fault::Lost)) => zookeeper.resumed().await?,
                Err((_, fault)) => return Err(zookeeper.unexpected(what, fault)),
            }
        }
        let names = zookeeper.children(&paths.news).await?.unwrap_or_default();
        if names.iter().any(|name| matches!(News::of_name(name), Some(News::Present(_)))) {
            return Ok(());
        }
        remove(&zookeeper, &paths.base).await
    }
}
