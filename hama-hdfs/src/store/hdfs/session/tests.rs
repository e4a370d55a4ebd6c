use std::sync::atomic::{AtomicU64, Ordering};

use super::super::namespace::fake::{Client, Fails, NameNode};
use super::*;

/// A process with a clock of its own.
struct Process {
    client: Arc<Client>,
    /// Its way for what must not wait.
    quick: Arc<Client>,
    sessions: Sessions,
    clock: Arc<AtomicU64>,
}

impl Process {
    fn of(name_node: &Arc<NameNode>, clock_ms: u64) -> Process {
        let [client, quick] = [0, 0].map(|number| name_node.client(number));
        let clock = Arc::new(AtomicU64::new(clock_ms));
        let (ways, times) = ((client.clone(), quick.clone()), Times::default());
        let sessions = Sessions::new(ways.0, ways.1, times, Clock::Set(clock.clone()));
        Process { client, quick, sessions, clock }
    }

    fn is_dead(&self, id: &SessionId) -> bool {
        !self.sessions.dead(BTreeSet::from([id.clone()])).unwrap().is_empty()
    }
}

/// Time goes by for all.
fn pass(name_node: &NameNode, processes: &[&Process], ms: u64) {
    name_node.advance(ms);
    for process in processes {
        process.clock.fetch_add(ms, Ordering::SeqCst);
    }
}

#[test]
fn a_session_lasts_as_long_as_it_is_renewed() {
    let name_node = Arc::new(NameNode::default());
    // Their own clocks are hours apart.
    let (a, b) = (Process::of(&name_node, 0), Process::of(&name_node, 9_999_999_999));
    let id = a.sessions.id().unwrap();
    for _ in 0..20 {
        pass(&name_node, &[&a, &b], 10_000);
        a.sessions.renew().unwrap();
        assert_eq!(a.sessions.id().unwrap(), id);
        assert!(!b.is_dead(&id));
        b.sessions.renew().unwrap();
    }
    pass(&name_node, &[&a, &b], 59_000);
    b.sessions.renew().unwrap();
    assert!(!b.is_dead(&id));
    pass(&name_node, &[&a, &b], 1_000);
    assert!(b.is_dead(&id));
    assert!(!b.is_dead(&b.sessions.id().unwrap()));
}

#[test]
fn who_comes_too_late_begins_another_session() {
    let name_node = Arc::new(NameNode::default());
    let (a, b) = (Process::of(&name_node, 0), Process::of(&name_node, 0));
    let id = a.sessions.id().unwrap();
    pass(&name_node, &[&a, &b], 60_000);
    let other = a.sessions.id().unwrap();
    assert_ne!(other, id);
    assert!(b.is_dead(&id) && !b.is_dead(&other));
    pass(&name_node, &[&a, &b], 60_000);
    a.sessions.renew().unwrap();
    assert_ne!(a.sessions.id().unwrap(), other);
    a.sessions.forget_lost().unwrap();
    let is_there = |id| name_node.names().contains(&file_of(id).to_string());
    assert!(!is_there(&id) && !is_there(&other));
}

#[test]
fn a_name_node_that_is_away_for_less_than_the_lease_ends_nothing() {
    let name_node = Arc::new(NameNode::default());
    let a = Process::of(&name_node, 0);
    let id = a.sessions.id().unwrap();
    let fail = |fails| [&a.client, &a.quick].map(|client| client.fail(fails));
    fail(Fails::Refused(ErrorKind::Unavailable));
    pass(&name_node, &[&a], 50_000);
    assert_eq!(a.sessions.renew().unwrap_err().kind(), ErrorKind::Unavailable);
    fail(Fails::Never);
    pass(&name_node, &[&a], 9_000);
    a.sessions.renew().unwrap();
    pass(&name_node, &[&a], 59_000);
    assert_eq!(a.sessions.id().unwrap(), id);
}

#[test]
fn a_renewal_does_not_wait_for_as_long_as_a_user_may() {
    let name_node = Arc::new(NameNode::default());
    let a = Process::of(&name_node, 0);
    let id = a.sessions.id().unwrap();
    let before = a.client.calls.load(Ordering::SeqCst);
    pass(&name_node, &[&a], 10_000);
    a.sessions.renew().unwrap();
    assert_eq!(a.client.calls.load(Ordering::SeqCst), before);
    assert!(a.quick.calls.load(Ordering::SeqCst) > 0);
    // One that fails does not keep anybody from looking.
    a.quick.fail(Fails::Refused(ErrorKind::Unavailable));
    pass(&name_node, &[&a], 10_000);
    assert!(!a.is_dead(&id));
    a.quick.fail(Fails::Refused(ErrorKind::Invalid));
    assert_eq!(a.sessions.look().unwrap_err().kind(), ErrorKind::Invalid);
}

/// What `b` sees of `a`, at its own pace: nobody waits.
fn is_doubtful(b: &Process, a: &SessionId) -> bool {
    b.sessions.look().unwrap().doubtful.contains(a)
}

#[test]
fn who_could_not_renew_is_not_dead_when_the_name_node_is_back() {
    let name_node = Arc::new(NameNode::default());
    let (a, b) = (Process::of(&name_node, 0), Process::of(&name_node, 0));
    let id = a.sessions.id().unwrap();
    b.sessions.id().unwrap();
    // Away for longer than the lease, or its clock jumps.
    name_node.advance(130_000);
    for ms in [1_000, 5_000, 10_000] {
        pass(&name_node, &[&a, &b], ms);
        assert!(is_doubtful(&b, &id) && !b.sessions.look().unwrap().is_dead(&id), "after {ms} ms");
    }
    a.sessions.renew().unwrap();
    pass(&name_node, &[&a, &b], 10_000);
    assert!(!is_doubtful(&b, &id) && !b.is_dead(&id));
    assert_eq!(a.sessions.id().unwrap(), id, "and has lost nothing");
    // From here on only b renews.
    for _ in 0..5 {
        pass(&name_node, &[&b], 10_000);
        assert!(!b.sessions.look().unwrap().is_dead(&id));
    }
    pass(&name_node, &[&b], 10_000);
    assert!(is_doubtful(&b, &id));
    pass(&name_node, &[&b], 20_000);
    assert!(!is_doubtful(&b, &id) && b.sessions.look().unwrap().is_dead(&id));
}

#[test]
fn nobody_is_watched_while_the_name_node_is_away() {
    let name_node = Arc::new(NameNode::default());
    let (a, b) = (Process::of(&name_node, 0), Process::of(&name_node, 0));
    let id = a.sessions.id().unwrap();
    b.sessions.id().unwrap();
    name_node.advance(60_000);
    pass(&name_node, &[&b], 1_000);
    assert!(is_doubtful(&b, &id));
    // It is away again, and then for longer than b's session lasts.
    for ms in [30_000, 70_000] {
        pass(&name_node, &[&b], ms);
        assert!(is_doubtful(&b, &id), "{ms}");
    }
    assert!(b.is_dead(&id), "who asks waits until it is sure");
}

#[test]
fn a_session_whose_file_is_gone_is_dead_and_so_is_one_whose_process_is() {
    let name_node = Arc::new(NameNode::default());
    let a = Process::of(&name_node, 0);
    a.sessions.id().unwrap();
    let (ended, elsewhere) = (ids::ended(), ids::elsewhere());
    for id in [&ended, &elsewhere] {
        assert!(a.is_dead(id), "{id}");
        name_node.make(&file_of(id), false);
    }
    assert!(a.is_dead(&ended), "its process is gone, whatever its file says");
    assert!(!a.is_dead(&elsewhere));
    a.sessions.clear().unwrap();
    let names = name_node.names();
    assert!(
        !names.contains(&file_of(&ended).to_string()) && names.contains(&file_of(&elsewhere).to_string())
    );
}

#[test]
fn what_is_no_session_is_left_alone() {
    let name_node = Arc::new(NameNode::default());
    let a = Process::of(&name_node, 0);
    let foreign = sessions_dir().child("notes").unwrap();
    name_node.make(&foreign, false);
    pass(&name_node, &[&a], 1_000_000);
    a.sessions.id().unwrap();
    a.sessions.clear().unwrap();
    a.sessions.end();
    assert_eq!(name_node.names(), [".hama", ".hama/sessions", ".hama/sessions/notes"]);
}

#[test]
fn the_end_leaves_nothing() {
    let name_node = Arc::new(NameNode::default());
    let (a, b) = (Process::of(&name_node, 0), Process::of(&name_node, 0));
    a.sessions.end();
    a.sessions.id().unwrap();
    b.sessions.id().unwrap();
    a.sessions.end();
    assert_eq!(name_node.names().len(), 3, "b is still there");
    b.sessions.end();
    assert_eq!(name_node.names(), [""; 0]);
}

#[test]
fn a_session_that_somebody_removed_is_begun_again() {
    let name_node = Arc::new(NameNode::default());
    let a = Process::of(&name_node, 0);
    let id = a.sessions.id().unwrap();
    a.client.remove(&file_of(&id)).unwrap();
    let asked = || a.sessions.dead(BTreeSet::from([ids::elsewhere()]));
    assert_eq!(asked().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(asked().unwrap().len(), 1);
    let second = a.sessions.id().unwrap();
    assert_ne!(second, id);
    a.client.remove(&file_of(&second)).unwrap();
    a.sessions.renew().unwrap();
    assert_ne!(a.sessions.id().unwrap(), second, "a renewal notices it too");
    assert!(!name_node.names().contains(&file_of(&second).to_string()), "it does not come back");
}
