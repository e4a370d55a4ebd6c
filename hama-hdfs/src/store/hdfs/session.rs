//! Sessions: how those who share an HDFS see which of them are still there.
//!
//! HDFS has no lock that ends with its holder. So every process that locks or writes files has a session: the file
//! `.hama/sessions/ID` in the store, which it makes anew every few seconds, so that its time is the NameNode's. A session
//! is dead when its process can be seen to be gone from here, when its file is not there, or when that has not been made
//! anew for the length of the lease, nor for a third of it while somebody watched. Ages are differences of the NameNode's
//! times, of two files that lie there: no host's clock is believed. Only who does not reach the NameNode looks at its own, to
//! know that it has lost its session, and who watches, to know for how long.
//!
//! The third is for those who could not renew: where a NameNode was away, or frozen, for longer than the lease, or one takes
//! over whose clock is that much ahead, all sessions look old, and those who live renew theirs at once when it is back.
//!
//! What this cannot tell: who is alive and still does not reach the NameNode then. Such a process begins another session and
//! marks its locks again; in between somebody may have taken them for a dead one's.

mod clock;
mod id;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::namespace::{Named, Namespace};
use crate::path::StorePath;

pub(super) use clock::Clock;
pub(super) use id::SessionId;
#[cfg(test)]
pub(super) use id::tests as ids;
pub(super) use times::Times;
#[cfg(feature = "testing")]
pub(crate) use times::set_hdfs_lease_ms;

/// Everything of Hama's own that is no table lies here.
pub(super) const OWN: &str = ".hama";

/// For which part of the lease somebody whose session is old is watched before it is dead.
const WATCHED: u32 = 3;
/// Which part of the lease passes between two looks at it.
const LOOKS: u32 = 12;
/// How often it is looked at most by one who waits for that.
const LOOKS_MAX: usize = 8;

/// The sessions that one process has in one store: one at a time.
#[derive(Debug)]
pub(super) struct Sessions {
    namespace: Arc<dyn Namespace>,
    /// The same by calls that end in time for another renewal.
    quick: Arc<dyn Namespace>,
    times: Times,
    clock: Clock,
    current: Mutex<Option<Current>>,
    /// Those before it, whose markers may still be there.
    lost: Mutex<Vec<SessionId>>,
    watched: Mutex<BTreeMap<SessionId, Watched>>,
}

/// A session that is older than the lease.
#[derive(Clone, Copy, Debug)]
struct Watched {
    modified_ms: u64,
    /// Since when, by the clock of this host; all the while this process could renew its own.
    since: Duration,
}

#[derive(Debug)]
struct Current {
    id: SessionId,
    /// When its last renewal began, by the clock of this host.
    renewed: Duration,
}

impl Sessions {
    pub(super) fn new(
        namespace: Arc<dyn Namespace>,
        quick: Arc<dyn Namespace>,
        times: Times,
        clock: Clock,
    ) -> Sessions {
        let (current, lost, watched) = Default::default();
        Sessions { namespace, quick, times, clock, current, lost, watched }
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }

    /// The session of this process, begun where there is none or it was lost.
    ///
    /// # Errors
    /// Those of the store, where it cannot be begun.
    pub(super) fn id(&self) -> Result<SessionId> {
        let mut current = self.current();
        match &*current {
            Some(session) if !self.is_late(session) => Ok(session.id.clone()),
            _ => self.begin(&mut current),
        }
    }

    /// Whether this is the session of this process, and in time.
    pub(super) fn is_current(&self, id: &SessionId) -> bool {
        self.current().as_ref().is_some_and(|session| session.id == *id && !self.is_late(session))
    }

    /// Makes the session's file anew, where there is a session. Where it is too late for that another one begins.
    ///
    /// # Errors
    /// Those of the store: then the next renewal may still be in time.
    pub(super) fn renew(&self) -> Result<()> {
        self.renew_older_than(Duration::ZERO)
    }

    /// Removes the files of sessions that were lost, once another one has marked what they had locked.
    ///
    /// # Errors
    /// Those of the store: then it is for the next time.
    pub(super) fn forget_lost(&self) -> Result<()> {
        loop {
            let Some(lost) = self.lost().last().cloned() else { return Ok(()) };
            self.quick.remove(&file_of(&lost))?;
            self.lost().retain(|other| *other != lost);
        }
    }

    /// Which of these sessions are dead.
    ///
    /// # Cost
    /// None where all of them can be seen to be gone from here, else one call, and three more in some seconds. Some 20 s
    /// where one of them was not heard of for as long as the lease.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn dead(&self, asked: BTreeSet<SessionId>) -> Result<BTreeSet<SessionId>> {
        let (mut dead, open): (BTreeSet<_>, BTreeSet<_>) = asked.into_iter().partition(SessionId::has_ended);
        if !open.is_empty() {
            let seen = self.watch(|seen| open.iter().any(|id| seen.doubtful.contains(id)))?;
            dead.extend(open.into_iter().filter(|id| seen.is_dead(id)));
        }
        Ok(dead)
    }

    /// Removes the files of dead sessions as far as that goes, and says what it saw.
    ///
    /// # Errors
    /// Those of the store, where it cannot look.
    pub(super) fn clear(&self) -> Result<Seen> {
        let seen = self.watch(|seen| !seen.doubtful.is_empty())?;
        for session in &seen.dead {
            if let Err(error) = self.namespace.remove(&file_of(session)) {
                tracing::debug!(%error, "the session of a dead process stays");
            }
        }
        Ok(seen)
    }

    /// Ends the session: its file goes, and the store's own directories where nothing else is in them.
    pub(super) fn end(&self) {
        if let Err(error) = self.forget_lost() {
            tracing::debug!(%error, "a session is left to those who clear it");
        }
        let Some(session) = self.current().take() else { return };
        let own = [file_of(&session.id), sessions_dir(), locks_dir(), own_dir()];
        for path in own {
            match self.namespace.remove(&path) {
                // One with something in it stays.
                Err(error) if error.kind() != ErrorKind::Invalid => {
                    tracing::debug!(%error, "the session is left to those who clear it");
                    return;
                }
                _ => {}
            }
        }
    }

    fn lost(&self) -> MutexGuard<'_, Vec<SessionId>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<SessionId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session, in place of one that came too late.
    fn begin(&self, current: &mut Option<Current>) -> Result<SessionId> {
        if let Some(lost) = current.take() {
            tracing::warn!(
                session = %lost.id,
                "HDFS could not be reached for {:?}, or somebody took this process for dead: others may have taken its \
                 locks away",
                self.times.lease
            );
            self.lost().push(lost.id);
        }
        self.watched().clear();
        let session = Current { id: SessionId::new(), renewed: self.clock.now() };
        self.namespace.put(&file_of(&session.id))?;
        let id = session.id.clone();
        *current = Some(session);
        Ok(id)
    }

    fn age(&self, session: &Current) -> Duration {
        self.clock.now().saturating_sub(session.renewed)
    }

    /// Whether others may take it for dead. It was renewed after `renewed` by their clock, so this is true before.
    fn is_late(&self, session: &Current) -> bool {
        self.age(session) >= self.times.lease
    }

    fn renew_older_than(&self, age: Duration) -> Result<()> {
        let mut current = self.current();
        let Some(session) = &mut *current else { return Ok(()) };
        if self.age(session) < age {
            return Ok(());
        }
        if !self.is_late(session) {
            let begun = self.clock.now();
            // One that somebody removed is made by nobody again: its markers are gone too.
            if self.quick.renew(&file_of(&session.id))? && !self.is_late(session) {
                // Where this process could not, others could not either.
                if begun.saturating_sub(session.renewed) > self.times.lease / WATCHED {
                    self.watched().clear();
                }
                session.renewed = begun;
                return Ok(());
            }
        }
        self.begin(&mut current).map(drop)
    }

    /// Looks until nobody is in doubt whom `is_open` asks for.
    fn watch(&self, is_open: impl Fn(&Seen) -> bool) -> Result<Seen> {
        let mut seen = self.look()?;
        for turn in 0..LOOKS_MAX {
            if !is_open(&seen) {
                break;
            }
            if turn == 0 {
                let (lease, wait) = (self.times.lease, self.times.lease / WATCHED);
                tracing::warn!(
                    "a process that uses the store was not heard of for {lease:?}: waiting {wait:?} for it"
                );
            }
            self.clock.wait(self.times.lease / LOOKS);
            seen = self.look()?;
        }
        Ok(seen)
    }

    /// The sessions that the store knows, by the NameNode's time, at most a sixtieth of the lease old.
    fn look(&self) -> Result<Seen> {
        match self.renew_older_than(self.times.lease / 60) {
            // The next call waits for longer. What is seen by an older time looks younger.
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tracing::debug!(%error, "the session is renewed later");
            }
            other => other?,
        }
        let own = self.id()?;
        let entries = self.namespace.entries(&sessions_dir())?;
        let sessions: Vec<Session> = entries.iter().filter_map(Session::of_entry).collect();
        let Some(now_ms) = sessions.iter().find(|session| session.id == own).map(|own| own.modified_ms)
        else {
            // Another one begins with the next try.
            self.current().take();
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("cannot tell who is still there: somebody removed {}; try again", file_of(&own)),
            ));
        };
        Ok(self.judge(sessions, now_ms))
    }

    /// Who of these is alive.
    fn judge(&self, sessions: Vec<Session>, now_ms: u64) -> Seen {
        let (mut seen, mut old) = (Seen::default(), BTreeMap::new());
        let (mut watched, now) = (self.watched(), self.clock.now());
        for Session { id, modified_ms } in sessions {
            if id.has_ended() {
                seen.dead.insert(id);
                continue;
            }
            if Duration::from_millis(now_ms.saturating_sub(modified_ms)) < self.times.lease {
                seen.alive.insert(id);
                continue;
            }
            let before = watched.get(&id).filter(|watched| watched.modified_ms == modified_ms);
            let since = before.map_or(now, |watched| watched.since);
            old.insert(id.clone(), Watched { modified_ms, since });
            if now.saturating_sub(since) >= self.times.lease / WATCHED {
                seen.dead.insert(id);
            } else {
                seen.doubtful.insert(id);
            }
        }
        *watched = old;
        seen
    }
}

/// What a look at the sessions of a store found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    alive: BTreeSet<SessionId>,
    /// Those that are old, and not watched for long enough.
    doubtful: BTreeSet<SessionId>,
    dead: BTreeSet<SessionId>,
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    modified_ms: u64,
}

impl Seen {
    /// Whether a session is dead. One that nobody knows any more is.
    pub(super) fn is_dead(&self, id: &SessionId) -> bool {
        !self.alive.contains(id) && !self.doubtful.contains(id)
    }
}

impl Session {
    fn of_entry(entry: &Named) -> Option<Session> {
        Some(Session { id: SessionId::parse(&entry.name)?, modified_ms: entry.modified_ms })
    }
}

pub(super) fn own_dir() -> StorePath {
    inside(&StorePath::root(), OWN)
}

pub(super) fn locks_dir() -> StorePath {
    inside(&own_dir(), "locks")
}

pub(super) fn sessions_dir() -> StorePath {
    inside(&own_dir(), "sessions")
}

fn file_of(id: &SessionId) -> StorePath {
    inside(&sessions_dir(), &id.to_string())
}

/// The path of a name that only digits, letters, points and dashes are in.
pub(super) fn inside(dir: &StorePath, name: &str) -> StorePath {
    dir.child(name).expect("ids and our own words make segments")
}

#[cfg(test)]
mod tests;
