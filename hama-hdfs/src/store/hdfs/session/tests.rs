use std::sync::atomic::{AtomicU64, Ordering};

use super::super::namespace::fake::{Client, Fails, NameNode};
use super::*;

/// A process with a clock of its own.
struct Process {
    client: Arc<Client>,
    sessions: Sessions,
    clock: Arc<AtomicU64>,
}

impl Process {
    fn of(name_node: &Arc<NameNode>, clock_ms: u64) -> Process {
        let client = name_node.client(0);
        let clock = Arc::new(AtomicU64::new(clock_ms));
        let sessions = Sessions::new(client.clone(), Times::default(), Clock::Set(clock.clone()));
        Process { client, sessions, clock }
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
    assert!(!name_node.names().contains(&file_of(&id).to_string()));
    pass(&name_node, &[&a, &b], 60_000);
    a.sessions.renew().unwrap();
    assert!(!name_node.names().contains(&file_of(&other).to_string()), "what it made again too late is gone");
    assert_ne!(a.sessions.id().unwrap(), other);
}

#[test]
fn a_name_node_that_is_away_for_less_than_the_lease_ends_nothing() {
    let name_node = Arc::new(NameNode::default());
    let a = Process::of(&name_node, 0);
    let id = a.sessions.id().unwrap();
    a.client.fail(Fails::Refused(ErrorKind::Unavailable));
    pass(&name_node, &[&a], 50_000);
    assert_eq!(a.sessions.renew().unwrap_err().kind(), ErrorKind::Unavailable);
    a.client.fail(Fails::Never);
    pass(&name_node, &[&a], 9_000);
    a.sessions.renew().unwrap();
    pass(&name_node, &[&a], 59_000);
    assert_eq!(a.sessions.id().unwrap(), id);
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
    assert_ne!(a.sessions.id().unwrap(), id);
}
