//! Locks of files in HDFS: markers that count as long as their session is alive.
//!
//! Who locks a file makes a marker of its own in the file's folder of markers, looks at all markers there, and then whether
//! the file is there. Of two who want what does not go together the later one sees the other's marker, so at most one gets
//! it; perhaps neither does, and both try again. Markers are empty directories, which the NameNode makes in one step.
//!
//! A lock that was free costs three calls and two more when it is let go; a rival costs up to four more. A file that is
//! published costs four more for each lock of it.

mod held;
mod keeper;
mod marker;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::error::SafeMode;
use super::namespace::Namespace;
use super::session::{Clock, SessionId, Sessions, Times, inside, locks_dir};
use crate::path::StorePath;
use crate::store::{Lock, LockGuard};
use held::{Held, Holdings};
use keeper::Keeper;
use marker::{Marker, folder_of};

/// What the names of unfinished files start with; their session and a number follow.
pub(super) const UNFINISHED: &str = ".hama-part-";
/// How often a file is published whose new name somebody else has locked for a moment, and how long between.
const RIVAL_TRIES: usize = 200;
const RIVAL_PAUSE: Duration = Duration::from_millis(5);

/// The locks of one process in one store, its session, and its unfinished files.
#[derive(Debug)]
pub(super) struct Locks {
    namespace: Arc<dyn Namespace>,
    /// The same for the keeper, by calls that do not keep it from the next renewal.
    quick: Arc<dyn Namespace>,
    sessions: Arc<Sessions>,
    holdings: Arc<Holdings>,
    keeper: Mutex<Option<Keeper>>,
    /// What numbers markers and unfinished files.
    count: AtomicU64,
    /// Whether somebody was told that locks cannot be left here.
    has_warned: AtomicBool,
}

impl Locks {
    pub(super) fn new(
        namespace: Arc<dyn Namespace>,
        quick: Arc<dyn Namespace>,
        times: Times,
        clock: Clock,
    ) -> Arc<Locks> {
        let ways = (Arc::clone(&namespace), Arc::clone(&quick));
        let sessions = Arc::new(Sessions::new(ways.0, ways.1, times, clock));
        Arc::new(Locks {
            namespace,
            quick,
            sessions,
            holdings: Arc::default(),
            keeper: Mutex::default(),
            count: AtomicU64::new(0),
            has_warned: AtomicBool::new(false),
        })
    }

    /// A name for a file of this process in `dir` that is not finished yet.
    ///
    /// # Errors
    /// Those of the store, where no session can be begun.
    pub(super) fn unfinished(&self, dir: &StorePath) -> Result<StorePath> {
        let (session, number) = (self.session()?, self.number());
        Ok(inside(dir, &format!("{UNFINISHED}{session}-{number}")))
    }

    /// As [`Store::lock`](crate::store::Store::lock). Where this process may leave no marker, a shared lock is one in name
    /// only: who reads can read, and fails where somebody clears what it reads. In safe mode nobody clears anything: the
    /// marker is made later.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub(super) fn lock(self: &Arc<Self>, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        let guard = |held, session| Guard { held, session, locks: Arc::clone(self) };
        let guard = match self.mark(path, lock) {
            Err(error) if lock == Lock::Shared && is_refusal(&error) => {
                self.warn_once(&error);
                None
            }
            Err(error) if lock == Lock::Shared && is_safe_mode(&error) => {
                Some(guard(self.holdings.add_unmarked(path.clone(), lock, self.number()), None))
            }
            marked => {
                let marker = marked?;
                let session = Some(marker.session().clone());
                // From here on the marker goes with the guard.
                let guard = guard(self.holdings.add(path.clone(), lock, marker), session);
                if self.has_rival(&guard.held, path)? {
                    return Ok(None);
                }
                Some(guard)
            }
        };
        // After the look at the markers: who published the file under another name took its marker away after that.
        if !self.namespace.exists(path)? {
            return Err(Error::new(ErrorKind::NotFound, format!("cannot lock {path}: it is not there")));
        }
        Ok(Some(guard.map_or_else(|| Box::new(Unmarked) as Box<dyn LockGuard>, |guard| Box::new(guard))))
    }

    /// Renames a file and lets this process's locks of it go with it.
    ///
    /// # Errors
    /// Those of the store and of `rename`.
    pub(super) fn publish(
        &self,
        from: &StorePath,
        to: &StorePath,
        rename: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let moving = self.holdings.of(from);
        let mut added = Vec::new();
        let marked = moving.iter().try_for_each(|held| self.mark_also(held, to, &mut added));
        let renamed = marked.and_then(|()| rename());
        match &renamed {
            Ok(()) => self.release(moving.iter().flat_map(|held| held.leave(from, to)).collect()),
            // It may have been done, so both names stay locked.
            Err(error) if error.kind() == ErrorKind::Unavailable => {}
            // It was not done by this call. One before may have done it, so what that marked stays.
            Err(_) => {
                let added =
                    moving.iter().flat_map(|held| added.iter().filter_map(|number| held.take(*number)));
                self.release(added.collect());
            }
        }
        renamed
    }

    /// Deletes the unfinished files of dead sessions in a directory; in the store's own what they left of locks too. Whether
    /// there was such a file.
    ///
    /// # Errors
    /// Those of the store; a directory that is not there is none.
    pub(super) fn sweep(&self, dir: &StorePath) -> Result<bool> {
        let entries = match self.namespace.entries(dir) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => Vec::new(),
            other => other?,
        };
        let unfinished: Vec<_> = entries
            .into_iter()
            .filter_map(|entry| Some((session_of_unfinished(&entry.name)?, entry.name)))
            .collect();
        if !unfinished.is_empty() {
            self.session()?;
        }
        let dead = self.sessions.dead(unfinished.iter().map(|(session, _)| session.clone()).collect())?;
        for (_, name) in unfinished.iter().filter(|(session, _)| dead.contains(session)) {
            self.namespace.remove(&dir.child(name)?)?;
        }
        if *dir == StorePath::root() {
            self.sweep_own()?;
        }
        Ok(!dead.is_empty())
    }

    /// Clears what dead sessions left in the store's own directory.
    fn sweep_own(&self) -> Result<()> {
        let folders = match self.namespace.entries(&super::session::own_dir()) {
            // There was nobody.
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
            Ok(_) => self.folders()?,
        };
        // Before the sessions: whose marker is there has begun its session, so it is seen.
        let mut markers = Vec::new();
        for folder in &folders {
            markers.append(&mut self.markers_or_empty(folder)?);
        }
        self.session()?;
        let seen = self.sessions.clear()?;
        markers.retain(|marker| seen.is_dead(marker.session()));
        self.clear(&markers);
        Ok(())
    }

    fn session(&self) -> Result<SessionId> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.is_none() {
            let parts = (Arc::clone(&self.quick), Arc::clone(&self.sessions), Arc::clone(&self.holdings));
            *keeper = Some(Keeper::start(parts.0, parts.1, parts.2)?);
        }
        drop(keeper);
        self.sessions.id()
    }

    fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a marker. One that may have been made, or may still be, is removed again.
    fn mark(&self, path: &StorePath, lock: Lock) -> Result<Marker> {
        let marker = Marker::new(path, lock, self.session()?, self.number());
        match self.namespace.make_dir(&marker.path()) {
            Ok(()) => Ok(marker),
            Err(error) => {
                if error.kind() == ErrorKind::Unavailable && !is_safe_mode(&error) {
                    self.remove(vec![marker], true);
                }
                Err(error)
            }
        }
    }

    /// Gives a lock a marker more, of the file that its own is to become. Others may have marked that and not seen yet that
    /// it is not there: until they have, it must not come. The marker's number is `added`.
    fn mark_also(&self, held: &Held, to: &StorePath, added: &mut Vec<u64>) -> Result<()> {
        let marker = self.mark(to, held.lock())?;
        added.push(marker.number());
        if let Some(marker) = held.add(marker) {
            // It has been let go meanwhile.
            self.release(vec![marker]);
            return Ok(());
        }
        for _ in 0..RIVAL_TRIES {
            if !self.has_rival(held, to)? {
                return Ok(());
            }
            std::thread::sleep(RIVAL_PAUSE);
        }
        let message = format!("cannot publish {to}: another process has locked that name; try again");
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// Whether somebody holds what does not go with this lock. Markers of dead sessions go.
    fn has_rival(&self, held: &Held, path: &StorePath) -> Result<bool> {
        let mut dead = BTreeSet::new();
        loop {
            let (gone, rivals): (Vec<_>, Vec<_>) =
                self.rivals(held, path)?.into_iter().partition(|marker| dead.contains(marker.session()));
            self.clear(&gone);
            if rivals.is_empty() {
                return Ok(false);
            }
            let found = self.sessions.dead(rivals.iter().map(|marker| marker.session().clone()).collect())?;
            if found.is_empty() {
                return Ok(true);
            }
            // Who lost its session may have marked again in another one meanwhile.
            dead.extend(found);
        }
    }

    /// The markers that do not go with this lock, of whomever.
    fn rivals(&self, held: &Held, path: &StorePath) -> Result<Vec<Marker>> {
        let mut markers = self.markers(&folder_of(path))?;
        if !markers.iter().any(|marker| held.has(marker)) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("cannot lock {path}: somebody took this process for dead; try again"),
            ));
        }
        let goes_with = |marker: &Marker| held.lock() == Lock::Shared && marker.lock() == Lock::Shared;
        markers.retain(|marker| !held.has(marker) && !goes_with(marker));
        Ok(markers)
    }

    fn folders(&self) -> Result<Vec<StorePath>> {
        match self.namespace.entries(&locks_dir()) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
            Ok(entries) => entries.iter().map(|entry| locks_dir().child(&entry.name)).collect(),
        }
    }

    fn markers(&self, folder: &StorePath) -> Result<Vec<Marker>> {
        match self.namespace.entries(folder) {
            // The last one who had a marker there removed it. Something foreign may have the name.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => Ok(Vec::new()),
            Err(e) => Err(e),
            Ok(entries) => {
                Ok(entries.iter().filter_map(|entry| Marker::parse(folder, &entry.name)).collect())
            }
        }
    }

    /// The markers in a folder. One with nothing in it goes: who removed its last marker ended before it removed the folder. Who
    /// makes a marker makes its folder again.
    fn markers_or_empty(&self, folder: &StorePath) -> Result<Vec<Marker>> {
        let markers = self.markers(folder)?;
        let is_empty = || self.namespace.entries(folder).is_ok_and(|entries| entries.is_empty());
        if markers.is_empty()
            && is_empty()
            && let Err(error) = self.namespace.remove(folder)
        {
            tracing::debug!(%error, "an empty folder of locks stays");
        }
        Ok(markers)
    }

    /// Removes markers of dead sessions, which count no more in any case.
    fn clear(&self, dead: &[Marker]) {
        if let Err(error) = keeper::remove(&*self.namespace, dead) {
            tracing::debug!(%error, "what a dead process left of its locks stays");
        }
    }

    fn release(&self, markers: Vec<Marker>) {
        self.remove(markers, false);
    }

    /// Has the keeper remove markers of this process, which `may_come` only later, and waits for it, but not for long.
    fn remove(&self, markers: Vec<Marker>, may_come: bool) {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let wait =
            keeper.as_ref().filter(|_| !markers.is_empty()).map(|keeper| keeper.release(markers, may_come));
        drop(keeper);
        if let Some(wait) = wait {
            wait.for_it();
        }
    }

    fn warn_once(&self, error: &Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "no lock can be left in the store: what is read here is not kept from being cleared");
        }
    }
}

/// Whether the store answers, and refuses to have something made.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::OutOfSpace)
}

/// Whether the store answers, and takes no change for a while.
fn is_safe_mode(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<SafeMode>())
}

fn session_of_unfinished(name: &str) -> Option<SessionId> {
    let (session, number) = name.strip_prefix(UNFINISHED)?.rsplit_once('-')?;
    number.parse::<u64>().ok()?;
    SessionId::parse(session)
}

/// A lock that lasts until it is dropped.
#[derive(Debug)]
struct Guard {
    held: Arc<Held>,
    /// The session that marked it first.
    session: Option<SessionId>,
    locks: Arc<Locks>,
}

impl LockGuard for Guard {
    fn is_held(&self) -> bool {
        // One of before was lost with its session, even if it was marked again: others may have had it meanwhile.
        self.session.as_ref().is_none_or(|session| self.locks.sessions.is_current(session))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.locks.release(self.locks.holdings.end(&self.held));
    }
}

/// A shared lock that could not be marked.
#[derive(Debug)]
struct Unmarked;

impl LockGuard for Unmarked {}

#[cfg(test)]
mod tests;
