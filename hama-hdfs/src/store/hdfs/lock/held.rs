//! What this process holds: its locks with their markers, which change when a file is published or a session was lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::marker::{Marker, folder_of};
use crate::path::StorePath;
use crate::store::Lock;
use crate::store::hdfs::session::SessionId;

/// The locks of this process.
#[derive(Debug, Default)]
pub(super) struct Holdings(Mutex<Vec<Arc<Held>>>);

/// One lock, however many markers stand for it.
#[derive(Debug)]
pub(super) struct Held {
    lock: Lock,
    at: Mutex<At>,
}

#[derive(Debug)]
struct At {
    path: StorePath,
    markers: Vec<Marker>,
    /// The number of its marker, where that could not be made yet.
    unmarked: Option<u64>,
    has_ended: bool,
}

impl Holdings {
    pub(super) fn add(&self, path: StorePath, lock: Lock, marker: Marker) -> Arc<Held> {
        self.push(lock, At { path, markers: vec![marker], unmarked: None, has_ended: false })
    }

    /// A lock whose marker is to be made later.
    pub(super) fn add_unmarked(&self, path: StorePath, lock: Lock, number: u64) -> Arc<Held> {
        self.push(lock, At { path, markers: Vec::new(), unmarked: Some(number), has_ended: false })
    }

    fn push(&self, lock: Lock, at: At) -> Arc<Held> {
        let held = Arc::new(Held { lock, at: Mutex::new(at) });
        self.list().push(Arc::clone(&held));
        held
    }

    /// The locks of a file.
    pub(super) fn of(&self, path: &StorePath) -> Vec<Arc<Held>> {
        self.list().iter().filter(|held| held.at().path == *path).cloned().collect()
    }

    /// All locks.
    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        self.list().clone()
    }

    /// Ends a lock. Its markers are the caller's to remove.
    pub(super) fn end(&self, held: &Arc<Held>) -> Vec<Marker> {
        self.list().retain(|other| !Arc::ptr_eq(other, held));
        let mut at = held.at();
        at.has_ended = true;
        std::mem::take(&mut at.markers)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(super) fn lock(&self) -> Lock {
        self.lock
    }

    pub(super) fn has(&self, marker: &Marker) -> bool {
        self.at().markers.contains(marker)
    }

    /// One marker more. It comes back where the lock has ended.
    pub(super) fn add(&self, marker: Marker) -> Option<Marker> {
        let mut at = self.at();
        if at.has_ended {
            return Some(marker);
        }
        at.markers.push(marker);
        None
    }

    /// It is a lock of the file `to` now. The markers of `from` are the caller's to remove.
    pub(super) fn leave(&self, from: &StorePath, to: &StorePath) -> Vec<Marker> {
        let (left, kept) = (folder_of(from), folder_of(to));
        let mut at = self.at();
        at.path = to.clone();
        // Names may share a folder.
        at.markers.extract_if(.., |marker| left != kept && *marker.folder() == left).collect()
    }

    /// Takes the marker of this number away, which the caller removes; none where the lock has ended.
    pub(super) fn take(&self, number: u64) -> Option<Marker> {
        let mut at = self.at();
        let place = at.markers.iter().position(|marker| marker.number() == number)?;
        Some(at.markers.swap_remove(place))
    }

    /// The marker that could not be made, for this session.
    pub(super) fn unmarked(&self, session: &SessionId) -> Option<Marker> {
        let at = self.at();
        Some(Marker::new(&at.path, self.lock, session.clone(), at.unmarked?))
    }

    /// That marker is made. It comes back where the lock has ended.
    pub(super) fn mark(&self, marker: Marker) -> Option<Marker> {
        self.at().unmarked = None;
        self.add(marker)
    }

    /// The markers that other sessions than this one made.
    pub(super) fn markers_not_of(&self, session: &SessionId) -> Vec<Marker> {
        self.at().markers.iter().filter(|marker| marker.session() != session).cloned().collect()
    }

    /// Puts one marker in another's place. The one that comes back is the caller's to remove.
    pub(super) fn replace(&self, old: &Marker, new: Marker) -> Marker {
        let mut at = self.at();
        match at.markers.iter_mut().find(|marker| *marker == old) {
            Some(marker) => std::mem::replace(marker, new),
            // The lock has ended.
            None => new,
        }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
