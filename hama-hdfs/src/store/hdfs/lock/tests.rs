use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::super::namespace::fake::{Client, Fails, NameNode};
use super::super::session::ids;
use super::*;

/// The keeper removes markers and never renews.
const TIMES: Times = Times {
    renewal: Duration::from_secs(3600),
    lease: Duration::from_secs(60),
    release: Duration::from_secs(600),
};

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

/// A process with a clock of its own that tests set.
struct Process {
    client: Arc<Client>,
    locks: Arc<Locks>,
    clock: Arc<AtomicU64>,
}

impl Process {
    fn of(name_node: &Arc<NameNode>, number: usize) -> Process {
        let (client, clock) = (name_node.client(number), Arc::default());
        let locks = Locks::new(client.clone(), client.clone(), TIMES, Clock::Set(Arc::clone(&clock)));
        Process { client, locks, clock }
    }

    fn lock(&self, at: &str, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        self.locks.lock(&path(at), lock)
    }
}

fn name_node() -> Arc<NameNode> {
    let name_node = Arc::new(NameNode::default());
    name_node.make(&path("t/a"), false);
    name_node
}

const FILES: [&str; 2] = ["t", "t/a"];

#[test]
fn two_processes_exclude_each_other() {
    let name_node = name_node();
    let (a, b) = (Process::of(&name_node, 0), Process::of(&name_node, 1));
    let shared = (a.lock("t/a", Lock::Shared).unwrap(), b.lock("t/a", Lock::Shared).unwrap());
    assert!(shared.0.is_some() && shared.1.is_some());
    assert!(a.lock("t/a", Lock::Exclusive).unwrap().is_none());
    drop(shared.0);
    assert!(a.lock("t/a", Lock::Exclusive).unwrap().is_none());
    drop(shared.1);
    let exclusive = a.lock("t/a", Lock::Exclusive).unwrap();
    assert!(exclusive.is_some() && b.lock("t/a", Lock::Shared).unwrap().is_none());
    assert!(b.lock("t/a", Lock::Exclusive).unwrap().is_none());
    drop(exclusive);
    assert!(b.lock("t/a", Lock::Shared).unwrap().is_some());
    for lock in [Lock::Shared, Lock::Exclusive] {
        assert_eq!(a.lock("t/b", lock).unwrap_err().kind(), ErrorKind::NotFound);
    }
    drop((a, b));
    assert_eq!(name_node.names(), FILES, "nothing is left");
}

#[test]
fn a_lock_costs_few_calls() {
    let name_node = name_node();
    let a = Process::of(&name_node, 0);
    let calls = |work: &dyn Fn()| {
        let before = a.client.calls.load(Ordering::SeqCst);
        work();
        a.client.calls.load(Ordering::SeqCst) - before
    };
    let lock = || drop(a.lock("t/a", Lock::Shared).unwrap());
    // The first one begins the session.
    assert_eq!(calls(&lock), 6);
    assert_eq!(calls(&lock), 5);
    let publish =
        || a.locks.publish(&path("t/a"), &path("t/b"), || name_node.rename(&path("t/a"), &path("t/b")));
    let held = a.lock("t/a", Lock::Shared).unwrap();
    assert_eq!(calls(&|| publish().unwrap()), 4);
    drop(held);
    assert_eq!(calls(&|| drop(publish())), 0, "nothing is locked");
}

/// Two processes that lock one file in all orders of their calls that five hundred seeds draw.
fn race(wants: [Lock; 2]) {
    let (mut won, mut both) = (0, 0);
    for seed in 0..500 {
        let name_node = name_node();
        let processes = [0, 1].map(|number| Process::of(&name_node, number));
        let holders = [AtomicUsize::new(0), AtomicUsize::new(0)];
        let most = AtomicUsize::new(0);
        name_node.turns().start(2, seed);
        std::thread::scope(|scope| {
            for (number, process) in processes.iter().enumerate() {
                let (holders, most) = (&holders, &most);
                scope.spawn(move || {
                    let guard = process.lock("t/a", wants[number]).unwrap();
                    if guard.is_some() {
                        holders[number].store(1, Ordering::SeqCst);
                        let now = holders.iter().map(|held| held.load(Ordering::SeqCst)).sum();
                        most.fetch_max(now, Ordering::SeqCst);
                        // The other one goes on meanwhile.
                        process.client.exists(&path("t/a")).unwrap();
                        holders[number].store(0, Ordering::SeqCst);
                    }
                    drop(guard);
                    process.client.name_node.turns().leave(number);
                });
            }
        });
        let most = most.into_inner();
        won += usize::from(most > 0);
        both += usize::from(most > 1);
        drop(processes);
        assert_eq!(name_node.names(), FILES, "seed {seed}");
        assert!(wants == [Lock::Shared; 2] || most < 2, "both have it with seed {seed}: {wants:?}");
    }
    assert!(won > 100, "somebody gets it: {won}");
    assert_eq!(both > 100, wants == [Lock::Shared; 2], "{both}");
}

#[test]
fn at_most_one_of_two_gets_what_does_not_go_together() {
    race([Lock::Exclusive, Lock::Exclusive]);
    race([Lock::Shared, Lock::Exclusive]);
}

#[test]
fn both_get_what_goes_together() {
    race([Lock::Shared, Lock::Shared]);
}

#[test]
fn a_lock_goes_with_its_file_without_a_gap() {
    for seed in 0..500 {
        let name_node = name_node();
        let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
        let guard = a.lock("t/a", Lock::Shared).unwrap().unwrap();
        name_node.turns().start(2, seed);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let rename = || {
                    // A call, so that it has its turn.
                    a.client.exists(&path("t/a")).unwrap();
                    name_node.rename(&path("t/a"), &path("t/b"))
                };
                a.locks.publish(&path("t/a"), &path("t/b"), rename).unwrap();
                name_node.turns().leave(0);
            });
            scope.spawn(|| {
                for at in ["t/a", "t/b", "t/a", "t/b"] {
                    match b.lock(at, Lock::Exclusive) {
                        Ok(None) => {}
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        other => panic!("{at} with seed {seed}: {other:?}"),
                    }
                }
                name_node.turns().leave(1);
            });
        });
        drop(guard);
        assert!(b.lock("t/b", Lock::Exclusive).unwrap().is_some());
        drop((a, b));
        assert_eq!(name_node.names(), ["t", "t/b"], "seed {seed}");
    }
}

#[test]
fn a_publish_that_fails_leaves_the_lock_where_it_was() {
    let name_node = name_node();
    name_node.make(&path("t/b"), false);
    let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
    let guard = a.lock("t/a", Lock::Shared).unwrap();
    let publish = |result: Result<()>| a.locks.publish(&path("t/a"), &path("t/b"), || result).unwrap_err();
    publish(Err(Error::new(ErrorKind::Exists, "it is there")));
    assert!(b.lock("t/b", Lock::Exclusive).unwrap().is_some());
    assert!(b.lock("t/a", Lock::Exclusive).unwrap().is_none());
    publish(Err(Error::new(ErrorKind::Unavailable, "nobody knows")));
    for at in ["t/a", "t/b"] {
        assert!(b.lock(at, Lock::Exclusive).unwrap().is_none(), "{at}");
    }
    // The one that nobody knew of was done after all.
    publish(Err(Error::new(ErrorKind::NotFound, "it has the other name")));
    for at in ["t/a", "t/b"] {
        assert!(b.lock(at, Lock::Exclusive).unwrap().is_none(), "{at}");
    }
    drop(guard);
    for at in ["t/a", "t/b"] {
        assert!(b.lock(at, Lock::Exclusive).unwrap().is_some(), "{at}");
    }
    a.client.fail(Fails::Refused(ErrorKind::OutOfSpace));
    let renamed = a.locks.publish(&path("t/a"), &path("t/c"), || Ok(()));
    assert!(renamed.is_ok(), "nothing is locked, so nothing is marked");
}

#[test]
fn what_a_dead_process_of_this_host_left_goes_at_once() {
    let name_node = name_node();
    let a = Process::of(&name_node, 0);
    let dead = ids::ended();
    let marker = Marker::new(&path("t/a"), Lock::Exclusive, dead.clone(), 0);
    let unfinished = path(&format!("t/{UNFINISHED}{dead}-3"));
    let session = super::super::session::sessions_dir().child(&dead.to_string()).unwrap();
    for made in [&marker.path(), &unfinished, &session] {
        name_node.make(made, false);
    }
    assert!(a.lock("t/a", Lock::Exclusive).unwrap().is_some());
    a.locks.sweep(&path("t")).unwrap();
    assert!(!name_node.names().contains(&unfinished.to_string()));
    let other = Marker::new(&path("t/b"), Lock::Shared, dead, 1);
    name_node.make(&other.path(), true);
    a.locks.sweep(&path("t")).unwrap();
    assert!(name_node.names().contains(&other.path().to_string()), "the locks are swept with the root");
    a.locks.sweep(&StorePath::root()).unwrap();
    drop(a);
    assert_eq!(name_node.names(), FILES);
}

#[test]
fn sweeping_leaves_the_lock_of_who_begins_meanwhile() {
    for seed in 0..200 {
        let name_node = name_node();
        let [a, b, c] = [0, 1, 2].map(|number| Process::of(&name_node, number));
        // The folder of its markers is there before.
        let other = c.lock("t/a", Lock::Shared).unwrap();
        name_node.turns().start(2, seed);
        let held = std::thread::scope(|scope| {
            scope.spawn(|| {
                a.locks.sweep(&StorePath::root()).unwrap();
                name_node.turns().leave(0);
            });
            let locks = scope.spawn(|| {
                let held = b.lock("t/a", Lock::Shared);
                name_node.turns().leave(1);
                held
            });
            locks.join().unwrap()
        });
        drop(other);
        let held = held.unwrap();
        assert!(held.is_some() && c.lock("t/a", Lock::Exclusive).unwrap().is_none(), "seed {seed}");
    }
}

#[test]
fn a_frozen_process_loses_its_locks_after_the_lease_and_its_files() {
    let name_node = name_node();
    let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
    let held = a.lock("t/a", Lock::Exclusive).unwrap();
    let unfinished = a.locks.unfinished(&path("t")).unwrap();
    let is_held = || held.as_ref().unwrap().is_held();
    assert!(is_held());
    name_node.make(&unfinished, false);
    for (ms, is_free) in [(59_000, false), (2_000, true)] {
        name_node.advance(ms);
        b.clock.fetch_add(ms, Ordering::SeqCst);
        for dir in [path("t"), StorePath::root()] {
            b.locks.sweep(&dir).unwrap();
        }
        assert_eq!(b.lock("t/a", Lock::Exclusive).unwrap().is_some(), is_free);
        assert_eq!(name_node.names().contains(&unfinished.to_string()), !is_free);
    }
    // It wakes: its clock says so, it begins another session and marks again what it holds.
    a.clock.fetch_add(61_000, Ordering::SeqCst);
    assert!(!is_held());
    a.locks.sessions.renew().unwrap();
    let session = a.locks.session().unwrap();
    keeper::tests::mark_again(&a.client, &a.locks.sessions, &a.locks.holdings);
    assert!(b.lock("t/a", Lock::Shared).unwrap().is_none());
    assert!(!is_held(), "somebody had it meanwhile");
    assert!(name_node.names().iter().any(|name| name.contains(&format!("x-{session}"))));
    drop(held);
    assert!(b.lock("t/a", Lock::Exclusive).unwrap().is_some());
    drop((a, b));
    assert_eq!(name_node.names(), FILES);
}

#[test]
fn who_was_taken_for_dead_without_knowing_marks_again_what_it_holds() {
    let name_node = name_node();
    let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
    let held = a.lock("t/a", Lock::Exclusive).unwrap();
    let markers = name_node.names().into_iter().filter(|name| name.contains("/x-"));
    let session = super::super::session::sessions_dir().child(&a.locks.session().unwrap().to_string());
    for removed in markers.map(|marker| path(&marker)).chain(session) {
        b.client.remove(&removed).unwrap();
    }
    a.locks.sessions.renew().unwrap();
    keeper::tests::mark_again(&a.client, &a.locks.sessions, &a.locks.holdings);
    assert!(b.lock("t/a", Lock::Shared).unwrap().is_none());
    drop(held);
    drop((a, b));
    assert_eq!(name_node.names(), FILES);
}

#[test]
fn a_marker_whose_answer_is_lost_is_removed() {
    let name_node = name_node();
    let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
    a.locks.session().unwrap();
    a.client.fail(Fails::Late);
    assert_eq!(a.lock("t/a", Lock::Shared).unwrap_err().kind(), ErrorKind::Unavailable);
    a.client.fail(Fails::Never);
    assert!(b.lock("t/a", Lock::Exclusive).unwrap().is_some());
}

#[test]
fn who_may_not_leave_a_lock_may_read() {
    let name_node = name_node();
    let a = Process::of(&name_node, 0);
    for kind in [ErrorKind::Invalid, ErrorKind::OutOfSpace] {
        a.client.fail(Fails::Refused(kind));
        assert!(a.lock("t/a", Lock::Shared).unwrap().is_some());
        assert_eq!(a.lock("t/b", Lock::Shared).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(a.lock("t/a", Lock::Exclusive).unwrap_err().kind(), kind);
    }
    a.client.fail(Fails::Refused(ErrorKind::Unavailable));
    assert_eq!(a.lock("t/a", Lock::Shared).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(name_node.names(), FILES);
}

#[test]
fn who_reads_in_safe_mode_marks_later() {
    let name_node = name_node();
    let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
    let began = b.lock("t/a", Lock::Shared).unwrap();
    drop(began);
    for (process, mark_after) in [(&a, true), (&b, false)] {
        process.client.fail(Fails::SafeMode);
        let read = process.lock("t/a", Lock::Shared).unwrap();
        assert!(read.is_some());
        assert_eq!(process.lock("t/b", Lock::Shared).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(process.lock("t/a", Lock::Exclusive).unwrap_err().kind(), ErrorKind::Unavailable);
        process.client.fail(Fails::Never);
        if mark_after {
            keeper::tests::mark_again(&process.client, &process.locks.sessions, &process.locks.holdings);
            assert!(b.lock("t/a", Lock::Exclusive).unwrap().is_none());
        }
        drop(read);
        assert!(b.lock("t/a", Lock::Exclusive).unwrap().is_some());
    }
    drop((a, b));
    assert_eq!(name_node.names(), FILES);
}

#[test]
fn sweeping_removes_folders_that_nothing_is_in() {
    let name_node = name_node();
    let a = Process::of(&name_node, 0);
    let before = name_node.names();
    let marker = Marker::new(&path("t/a"), Lock::Shared, ids::ended(), 0);
    name_node.make(marker.folder(), true);
    a.locks.sweep(&path("t")).unwrap();
    assert!(name_node.names().contains(&marker.folder().to_string()), "the locks are swept with the root");
    a.locks.sweep(&StorePath::root()).unwrap();
    assert!(!name_node.names().contains(&marker.folder().to_string()));
    drop(a);
    assert_eq!(name_node.names(), before);
}

#[test]
fn sweeping_leaves_what_is_alive_or_foreign() {
    let name_node = name_node();
    let [a, b] = [0, 1].map(|number| Process::of(&name_node, number));
    let held = a.lock("t/a", Lock::Shared).unwrap();
    let live = a.locks.unfinished(&path("t")).unwrap();
    let own = b.locks.unfinished(&path("t")).unwrap();
    let foreign = [".hama-part-x", ".hama-part-1-2", ".hama-notes"].map(|name| path(&format!("t/{name}")));
    let folder = path(".hama/locks/notes/x");
    for made in foreign.iter().chain([&live, &own, &folder]) {
        name_node.make(made, false);
    }
    let before = name_node.names();
    for dir in ["t", "nowhere", "t/a", ""] {
        b.locks.sweep(&path(dir)).unwrap();
    }
    assert_eq!(name_node.names(), before);
    drop(held);
}

#[test]
fn letting_go_does_not_wait_for_a_name_node_that_does_not_answer() {
    let name_node = name_node();
    let client = name_node.client(0);
    let times = Times { release: Duration::from_millis(20), ..TIMES };
    let locks = Locks::new(client.clone(), client, times, Clock::Boot);
    let guard = locks.lock(&path("t/a"), Lock::Shared).unwrap();
    // Nothing has its turn as long as the other process does something.
    name_node.turns().start(2, 0);
    drop(guard);
    drop(locks);
    name_node.turns().leave(1);
    while name_node.names() != FILES {
        std::thread::yield_now();
    }
}

#[test]
fn many_locks_do_not_wait_one_after_another() {
    let name_node = name_node();
    let client = name_node.client(0);
    let times = Times { release: Duration::from_secs(3), ..TIMES };
    let locks = Locks::new(client.clone(), client, times, Clock::Boot);
    let guards = [(); 60].map(|()| locks.lock(&path("t/a"), Lock::Shared).unwrap());
    name_node.turns().start(2, 0);
    let began = std::time::Instant::now();
    drop(guards);
    assert!(began.elapsed() < Duration::from_secs(90), "not each of them waits");
    name_node.turns().leave(1);
    // Once it answers they wait again.
    while locks.keeper.lock().unwrap().as_ref().unwrap().is_slow.load(Ordering::SeqCst)
        || name_node.names().iter().any(|name| name.contains("/s-"))
    {
        std::thread::yield_now();
    }
    let guard = locks.lock(&path("t/a"), Lock::Shared).unwrap();
    drop(guard);
    assert!(!name_node.names().iter().any(|name| name.contains("/s-")));
}
