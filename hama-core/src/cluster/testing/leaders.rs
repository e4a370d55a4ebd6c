//! Masters that lead one after the other, and their ledger.

use std::time::{Duration, Instant};

use super::{PATIENCE, block_on, settings, until};
use crate::cluster::leader::{self, Leader};
use crate::cluster::ledger::{Ledger, RECORD_BYTES_MAX};
use crate::cluster::zookeeper::{Settings, State, ZooKeeper};
use crate::error::ErrorKind;
use crate::ids::JobId;

const SESSION: Duration = Duration::from_secs(20);

async fn connect(settings: &Settings) -> ZooKeeper {
    ZooKeeper::connect(settings).await.expect("ZooKeeper serves")
}

/// That one leads at a time, with an epoch that grows, and that the ledger refuses who led before.
///
/// # Panics
/// When it is otherwise.
pub fn succession(servers: &str) {
    let settings = settings(servers, SESSION);
    block_on(async {
        let (one, other) = (connect(&settings).await, connect(&settings).await);
        assert_eq!(leader::look(&one).await.unwrap(), None);
        let mut first = Leader::elect(&one, "one").await.unwrap();
        assert_eq!(leader::look(&other).await.unwrap(), Some(("one".to_owned(), first.epoch())));
        let old = Ledger::open(&one, first.epoch()).await.unwrap();
        let job = JobId::random();
        let version = old.create(job, b"queued").await.unwrap();

        let waiting = tokio::spawn({
            let other = other.clone();
            async move { Leader::elect(&other, "other").await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished() && first.check().is_ok());
        one.expire().await.unwrap();
        let second = waiting.await.unwrap().unwrap();
        assert!(second.epoch() > first.epoch());
        assert_eq!(leader::look(&other).await.unwrap(), Some(("other".to_owned(), second.epoch())));
        let error = tokio::time::timeout(PATIENCE, first.ended()).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(first.check().unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(old.get(job).await.unwrap_err().kind(), ErrorKind::Unavailable);

        // With a session that lasts, the epoch alone refuses it.
        let old = Ledger::open(&other, first.epoch()).await.unwrap();
        let new = Ledger::open(&other, second.epoch()).await.unwrap();
        for refused in [
            old.put(job, b"running", version).await.map(drop),
            old.create(JobId::random(), b"queued").await.map(drop),
            old.delete(job, version).await,
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(error.message().contains("another master leads"), "{error}");
        }
        assert_eq!(new.get(job).await.unwrap().unwrap().bytes, b"queued");
        new.put(job, b"running", version).await.unwrap();

        // One that goes in good order is followed at once.
        let epoch = second.epoch();
        second.resign().await.unwrap();
        let third = Leader::elect(&other, "third").await.unwrap();
        assert!(third.epoch() > epoch);
        assert_eq!(new.put(job, b"late", version).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(new.get(job).await.unwrap().unwrap().bytes, b"running");
    });
}

/// That a leader stops before another may lead when ZooKeeper's servers are gone, and goes on when they are back in time.
/// `go` ends or freezes them, `come` undoes it.
///
/// # Panics
/// When it is otherwise.
pub fn silence(servers: &str, go: impl Fn(), come: impl Fn()) {
    let settings = settings(servers, Duration::from_secs(9));
    block_on(async {
        let one = connect(&settings).await;
        let mut first = Leader::elect(&one, "one").await.unwrap();
        let epoch = first.epoch();
        let gone = Instant::now();
        go();
        let error = tokio::time::timeout(PATIENCE, first.ended()).await.unwrap();
        let (taken, time) = (gone.elapsed(), one.session_time());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        // Counted from the last answer, which was up to an eighth before, and not a moment after the servers may forget us.
        assert!(taken < time, "it stopped after {taken:?} of {time:?}");
        assert!(taken > time / 3, "it stopped after {taken:?} of {time:?}: {error}");
        assert!(first.check().is_err());
        come();
        drop((first, one));
        let other = connect(&settings).await;
        let second = Leader::elect(&other, "other").await.unwrap();
        assert!(second.epoch() > epoch);
    });
}

/// That a leader goes on where ZooKeeper is gone for a moment. `blink` ends it and starts it again.
///
/// # Panics
/// When it is otherwise.
pub fn a_moment(servers: &str, blink: impl Fn()) {
    let settings = settings(servers, SESSION);
    block_on(async {
        let one = connect(&settings).await;
        let mut first = Leader::elect(&one, "one").await.unwrap();
        let ledger = Ledger::open(&one, first.epoch()).await.unwrap();
        let job = JobId::random();
        let mut version = ledger.create(job, b"0").await.unwrap();
        blink();
        // The next changes find a connection that is lost, or another one.
        for number in 1..20 {
            version = ledger.put(job, number.to_string().as_bytes(), version).await.unwrap();
        }
        one.resumed().await.unwrap();
        until("it is heard again", || async { Ok(first.check().is_ok()) }).await;
        let early = tokio::time::timeout(Duration::from_millis(500), first.ended()).await;
        assert!(early.is_err(), "{early:?}");
        assert_eq!(*one.state().borrow(), State::Connected);
    });
}

/// That who deletes a leader's node ends it.
///
/// # Panics
/// When it is otherwise.
pub fn deposed(servers: &str) {
    let settings = settings(servers, SESSION);
    block_on(async {
        let (one, other) = (connect(&settings).await, connect(&settings).await);
        let mut first = Leader::elect(&one, "one").await.unwrap();
        other.delete("/leader").await.unwrap();
        let error = tokio::time::timeout(PATIENCE, first.ended()).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("/leader"), "{error}");
        let second = Leader::elect(&other, "other").await.unwrap();
        assert!(second.epoch() > first.epoch());
    });
}

/// That records change as they are told to, or not at all.
///
/// # Panics
/// When it is otherwise.
pub fn records(servers: &str) {
    let settings = settings(servers, SESSION);
    block_on(async {
        let zookeeper = connect(&settings).await;
        let leader = Leader::elect(&zookeeper, "one").await.unwrap();
        let ledger = Ledger::open(&zookeeper, leader.epoch()).await.unwrap();
        let (one, other) = (JobId::from_bytes([1; 16]), JobId::from_bytes([2; 16]));
        assert_eq!(ledger.list().await.unwrap(), []);
        assert_eq!(ledger.get(one).await.unwrap(), None);
        let first = ledger.create(one, b"a").await.unwrap();
        ledger.create(other, &vec![7; RECORD_BYTES_MAX]).await.unwrap();
        assert_eq!(ledger.list().await.unwrap(), [one, other]);
        assert_eq!(ledger.get(other).await.unwrap().unwrap().bytes.len(), RECORD_BYTES_MAX);
        assert_eq!(ledger.create(one, b"b").await.unwrap_err().kind(), ErrorKind::Exists);
        let second = ledger.put(one, b"c", first).await.unwrap();
        assert_eq!(ledger.put(one, b"d", first).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(ledger.delete(one, first).await.unwrap_err().kind(), ErrorKind::Conflict);
        let record = ledger.get(one).await.unwrap().unwrap();
        assert_eq!((&record.bytes[..], record.version), (&b"c"[..], second));
        let long = ledger.put(one, &vec![7; RECORD_BYTES_MAX + 1], second).await.unwrap_err();
        assert_eq!(long.kind(), ErrorKind::Invalid);
        assert!(long.message().contains("262145 bytes, the limit is 262144"), "{long}");
        ledger.delete(one, second).await.unwrap();
        assert_eq!(ledger.delete(one, second).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(ledger.put(one, b"e", second).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(ledger.list().await.unwrap(), [other]);
        zookeeper.ensure("/jobs/foreign").await.unwrap();
        assert_eq!(ledger.list().await.unwrap_err().kind(), ErrorKind::Data);
    });
}
