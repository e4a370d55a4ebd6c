//! The thread that keeps a process's session alive and removes the markers of locks that were let go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use hama_core::{Error, ErrorKind, Result};

use super::held::Holdings;
use super::marker::Marker;
use crate::store::hdfs::namespace::Namespace;
use crate::store::hdfs::session::Sessions;

/// A renewal that failed is tried again this much sooner.
const SOONER: u32 = 5;

/// The thread, which ends the session when this is dropped. Neither waits for the other for long.
#[derive(Debug)]
pub(super) struct Keeper {
    releases: Option<Sender<Release>>,
    ended: Receiver<()>,
    /// Whether somebody waited in vain for a release since the last one was done.
    pub(super) is_slow: Arc<AtomicBool>,
    sessions: Arc<Sessions>,
}

#[derive(Debug)]
struct Release {
    markers: Vec<Marker>,
    /// Whether the NameNode may make them later: then they are removed again.
    may_come: bool,
    done: Sender<()>,
}

impl Keeper {
    /// # Errors
    /// `Unavailable` where there is no thread to be had.
    pub(super) fn start(
        namespace: Arc<dyn Namespace>,
        sessions: Arc<Sessions>,
        holdings: Arc<Holdings>,
    ) -> Result<Keeper> {
        let (releases, requests) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let is_slow = Arc::<AtomicBool>::default();
        let work = Work {
            namespace,
            sessions: Arc::clone(&sessions),
            holdings,
            left: Vec::new(),
            coming: Vec::new(),
            is_slow: Arc::clone(&is_slow),
        };
        let run = move || {
            work.run(&requests);
            drop(end);
        };
        std::thread::Builder::new()
            .name("hama-hdfs-session".to_owned())
            .spawn(run)
            .map_err(|e| Error::io("cannot start the thread that keeps a session in HDFS", e))?;
        Ok(Keeper { releases: Some(releases), ended, is_slow, sessions })
    }

    /// Has markers removed, and returns how to wait for that.
    pub(super) fn release(&self, markers: Vec<Marker>, may_come: bool) -> Wait {
        let (done, waits) = mpsc::channel();
        if let Some(releases) = &self.releases {
            // A thread that is gone leaves them to those who clear dead sessions.
            let _ = releases.send(Release { markers, may_come, done });
        }
        Wait { done: waits, limit: self.sessions.times().release, is_slow: Arc::clone(&self.is_slow) }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.releases = None;
        if !self.is_slow.load(Ordering::Relaxed) {
            let _ = self.ended.recv_timeout(self.sessions.times().release);
        }
    }
}

/// What waits for a release.
#[derive(Debug)]
pub(super) struct Wait {
    done: Receiver<()>,
    limit: Duration,
    is_slow: Arc<AtomicBool>,
}

impl Wait {
    /// Waits, but not for long, and not where somebody did so in vain: there may be many locks, and one NameNode that does
    /// not answer.
    pub(super) fn for_it(self) {
        if self.is_slow.load(Ordering::Relaxed) {
            return;
        }
        if self.done.recv_timeout(self.limit) == Err(RecvTimeoutError::Timeout) {
            self.is_slow.store(true, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
struct Work {
    namespace: Arc<dyn Namespace>,
    sessions: Arc<Sessions>,
    holdings: Arc<Holdings>,
    /// Markers that could not be removed yet.
    left: Vec<Marker>,
    /// Markers that the NameNode may still make, since nobody knows what became of the call, with when it surely has.
    coming: Vec<(Instant, Marker)>,
    is_slow: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self, requests: &Receiver<Release>) {
        let mut renewal = Instant::now() + self.sessions.times().renewal;
        loop {
            match requests.recv_timeout(renewal.saturating_duration_since(Instant::now())) {
                Ok(Release { markers, may_come, done }) => {
                    if may_come {
                        self.expect(&markers);
                    }
                    self.remove(markers);
                    drop(done);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= renewal {
                let pause = self.sessions.times().renewal;
                // Others may be watching.
                let pause = if self.renew() { pause } else { pause / SOONER };
                renewal = Instant::now() + pause;
            }
        }
        self.sessions.end();
    }

    /// Whether the session was renewed, and everything is marked.
    fn renew(&mut self) -> bool {
        let renewed =
            self.sessions.renew().and_then(|()| self.mark_again()).and_then(|()| self.sessions.forget_lost());
        if let Err(error) = &renewed {
            tracing::warn!(%error, "the session in HDFS could not be renewed, it is tried again");
        }
        let mut left = std::mem::take(&mut self.left);
        self.coming.retain(|(until, _)| Instant::now() < *until);
        for (_, marker) in &self.coming {
            if !left.contains(marker) {
                left.push(marker.clone());
            }
        }
        self.remove(left);
        renewed.is_ok()
    }

    /// Remembers markers that may come for as long as a lease.
    fn expect(&mut self, markers: &[Marker]) {
        let until = Instant::now() + self.sessions.times().lease;
        self.coming.extend(markers.iter().map(|marker| (until, marker.clone())));
    }

    /// Marks what was marked by a session that was lost, and what could not be marked.
    fn mark_again(&mut self) -> Result<()> {
        let all = self.holdings.all();
        if all.is_empty() {
            return Ok(());
        }
        let session = self.sessions.id()?;
        for held in all {
            if let Some(marker) = held.unmarked(&session) {
                self.namespace.make_dir(&marker.path())?;
                self.remove(held.mark(marker).into_iter().collect());
            }
            for marker in held.markers_not_of(&session) {
                let again = marker.of_session(session.clone());
                self.namespace.make_dir(&again.path())?;
                let old = held.replace(&marker, again);
                self.remove(vec![old]);
            }
        }
        Ok(())
    }

    fn remove(&mut self, mut markers: Vec<Marker>) {
        if let Err(error) = remove(&*self.namespace, &markers) {
            tracing::debug!(%error, "a lock could not be let go, it is tried again");
            self.left.append(&mut markers);
        } else if !markers.is_empty() {
            self.is_slow.store(false, Ordering::Relaxed);
        }
    }
}

/// Removes markers, and their folders where nothing is left in them.
pub(super) fn remove(namespace: &dyn Namespace, markers: &[Marker]) -> Result<()> {
    for marker in markers {
        namespace.remove(&marker.path())?;
    }
    let folders: BTreeSet<_> = markers.iter().map(Marker::folder).collect();
    for folder in folders {
        match namespace.remove(folder) {
            // Others have markers in it.
            Err(e) if e.kind() == ErrorKind::Invalid => {}
            other => other?,
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::path::StorePath;
    use crate::store::Lock;
    use crate::store::hdfs::namespace::fake::{Client, NameNode};
    use crate::store::hdfs::session::{Clock, Times};

    fn work(client: &Arc<Client>, sessions: &Arc<Sessions>, holdings: &Arc<Holdings>) -> Work {
        let (sessions, holdings) = (Arc::clone(sessions), Arc::clone(holdings));
        let (left, coming, is_slow) = Default::default();
        Work { namespace: Arc::clone(client) as _, sessions, holdings, left, coming, is_slow }
    }

    /// What a renewal does after the session was lost.
    pub(in crate::store::hdfs::lock) fn mark_again(
        client: &Arc<Client>,
        sessions: &Arc<Sessions>,
        holdings: &Arc<Holdings>,
    ) {
        assert!(work(client, sessions, holdings).renew());
    }

    #[test]
    fn a_marker_that_comes_late_is_removed() {
        let name_node = Arc::new(NameNode::default());
        let client = name_node.client(0);
        let times = Times { lease: Duration::from_secs(600), ..Times::default() };
        let sessions = Arc::new(Sessions::new(client.clone(), client.clone(), times, Clock::Boot));
        let marker = Marker::new(&StorePath::new("t/a").unwrap(), Lock::Exclusive, sessions.id().unwrap(), 0);
        let mut work = work(&client, &sessions, &Arc::default());
        work.expect(std::slice::from_ref(&marker));
        for _ in 0..2 {
            name_node.make(&marker.path(), true);
            assert!(work.renew());
            assert!(!name_node.names().contains(&marker.path().to_string()));
        }
        // One that surely has come is not looked for for ever.
        work.coming[0].0 = Instant::now();
        let calls = || client.calls.load(Ordering::SeqCst);
        work.renew();
        let before = calls();
        work.renew();
        assert_eq!(calls() - before, 2, "only the session is renewed");
    }
}
