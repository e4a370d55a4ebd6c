//! What every store must do, as a suite.

use hama_core::{ErrorKind, Host, Result};

use crate::path::StorePath;
use crate::store::{CreateHint, EntryKind, Lock, Store};

/// Runs the suite on an empty store whose replies are not ambiguous.
///
/// # Panics
/// When the store does not do what the [`Store`] trait says.
pub fn conformance(store: &dyn Store) {
    files_appear_whole_when_closed(store);
    unfinished_files_leave_nothing(store);
    names_are_taken_once(store);
    reads_are_exact(store);
    publishing_renames_what_is_there_to_what_is_not(store);
    one_of_many_publishes_wins(store);
    lists_are_sorted(store);
    deletes_are_idempotent(store);
    locks_exclude(store);
    locks_go_with_the_file(store);
    links_are_hints(store);
    directories_are_no_files(store);
    the_rest_is_told(store);
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).expect("the suite uses valid paths")
}

fn write(store: &dyn Store, at: &str, bytes: &[u8]) -> Result<()> {
    let mut writer = store.create(&path(at), CreateHint::new(bytes.len() as u64, &Host::local()))?;
    for part in bytes.chunks(3) {
        writer.write(part)?;
    }
    writer.close()
}

fn read(store: &dyn Store, at: &str) -> Result<Vec<u8>> {
    let reader = store.open(&path(at))?;
    let mut bytes = vec![0; reader.len() as usize];
    reader.read_at(0, &mut bytes)?;
    Ok(bytes)
}

fn names(store: &dyn Store, at: &str) -> Vec<String> {
    let entries = store.list(&path(at)).expect("the directory is there");
    entries.into_iter().map(|entry| entry.name).collect()
}

/// The kind of the error of what must fail.
fn refused<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => ErrorKind::Internal,
        Err(error) => error.kind(),
    }
}

fn files_appear_whole_when_closed(store: &dyn Store) {
    let at = path("whole/a/b");
    let mut writer = store.create(&at, CreateHint::new(3, &Host::local())).expect("nothing is there");
    writer.write(b"abc").expect("it takes bytes");
    assert_eq!(refused(store.open(&at)), ErrorKind::NotFound, "a file is not seen before it is closed");
    assert_eq!(names(store, "whole/a"), [""; 0], "nor listed");
    writer.close().expect("nobody else has the name");
    assert_eq!(read(store, "whole/a/b").expect("it is there"), b"abc");
    write(store, "whole/empty", b"").expect("a file may be empty");
    assert!(store.open(&path("whole/empty")).expect("it is there").is_empty());
    let large = vec![7; 3 << 20];
    let mut writer = store.create(&path("whole/large"), CreateHint::new(1 << 20, &Host::local()));
    let writer = writer.as_mut().expect("nothing is there");
    writer.write(&large).expect("the length is a hint only");
}

fn unfinished_files_leave_nothing(store: &dyn Store) {
    let host = Host::local();
    let hint = CreateHint::new(5 << 20, &host);
    let mut writer = store.create(&path("unfinished/a"), hint).expect("nothing is there");
    writer.write(b"abc").expect("it takes bytes");
    drop(writer);
    assert_eq!(names(store, "unfinished"), [""; 0]);
    write(store, "unfinished/a", b"d").expect("the name is free");
    store.delete(&path("unfinished/a")).expect("it can go");
    store.delete(&path("unfinished")).expect("the directory is empty");
}

fn names_are_taken_once(store: &dyn Store) {
    let host = Host::local();
    let hint = CreateHint::new(1, &host);
    let first = store.create(&path("once/a"), hint).expect("nothing is there");
    let mut second = store.create(&path("once/a"), hint).expect("nothing is there yet");
    second.write(b"2").expect("it takes bytes");
    first.close().expect("it is the first");
    assert_eq!(refused(second.close()), ErrorKind::Exists);
    assert_eq!(refused(write(store, "once/a", b"3")), ErrorKind::Exists);
    assert_eq!(read(store, "once/a").expect("it is there"), b"");
}

fn reads_are_exact(store: &dyn Store) {
    write(store, "read/a", b"0123456789").expect("nothing is there");
    let reader = store.open(&path("read/a")).expect("it is there");
    assert_eq!(reader.len(), 10);
    let mut into = [0; 4];
    reader.read_at(6, &mut into).expect("there are four bytes");
    assert_eq!(&into, b"6789");
    for offset in [7, 10, 11, 1 << 40, i64::MAX as u64] {
        assert_eq!(refused(reader.read_at(offset, &mut into)), ErrorKind::Data, "at {offset}");
    }
    reader.read_at(10, &mut []).expect("nothing is there too");
    assert_eq!(refused(store.open(&path("read/b"))), ErrorKind::NotFound);
    assert_eq!(refused(store.open(&path("read/b/c"))), ErrorKind::NotFound);
    store.delete(&path("read/a")).expect("it can go");
    reader.read_at(0, &mut into).expect("what is open stays");
}

fn publishing_renames_what_is_there_to_what_is_not(store: &dyn Store) {
    write(store, "publish/a", b"a").expect("nothing is there");
    write(store, "publish/b", b"b").expect("nothing is there");
    assert_eq!(refused(store.publish(&path("publish/a"), &path("publish/b"))), ErrorKind::Exists);
    assert_eq!(read(store, "publish/b").expect("it is there"), b"b");
    assert_eq!(refused(store.publish(&path("publish/c"), &path("publish/d"))), ErrorKind::NotFound);
    store.publish(&path("publish/a"), &path("publish/c")).expect("nothing is there");
    assert_eq!(read(store, "publish/c").expect("it is there"), b"a");
    assert_eq!(refused(store.publish(&path("publish/c"), &path("elsewhere"))), ErrorKind::Invalid);
    assert_eq!(names(store, "publish"), ["b", "c"]);
}

fn one_of_many_publishes_wins(store: &dyn Store) {
    for round in 0..20 {
        let to = path(&format!("race/to-{round}"));
        let from: Vec<_> = (0..4).map(|i| format!("race/from-{round}-{i}")).collect();
        for at in &from {
            write(store, at, at.as_bytes()).expect("nothing is there");
        }
        let results: Vec<_> = std::thread::scope(|scope| {
            let race = |at: &String| {
                let at = path(at);
                let to = &to;
                scope.spawn(move || store.publish(&at, to))
            };
            let racers: Vec<_> = from.iter().map(race).collect();
            racers.into_iter().map(|racer| racer.join().expect("it does not panic")).collect()
        });
        let won: Vec<_> = (0..4).filter(|i| results[*i].is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        assert_eq!(read(store, to.as_str()).expect("it is there"), from[won[0]].as_bytes());
    }
}

fn lists_are_sorted(store: &dyn Store) {
    for at in ["list/c.10", "list/c.9", "list/a/x", "list/B"] {
        write(store, at, b"1").expect("nothing is there");
    }
    let entries = store.list(&path("list")).expect("it is there");
    let seen: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.kind, e.len)).collect();
    let file = EntryKind::File;
    assert_eq!(seen, [("B", file, 1), ("a", EntryKind::Directory, 0), ("c.10", file, 1), ("c.9", file, 1)]);
    assert!(names(store, "").contains(&"list".to_owned()));
    assert_eq!(refused(store.list(&path("nowhere"))), ErrorKind::NotFound);
    store.sync(&path("list/a")).expect("it is there");
    store.sync(&path("")).expect("so is the store");
    assert_eq!(refused(store.sync(&path("nowhere"))), ErrorKind::NotFound);
}

fn deletes_are_idempotent(store: &dyn Store) {
    write(store, "delete/a/b/c", b"1").expect("nothing is there");
    write(store, "delete/ab", b"1").expect("nothing is there");
    assert_eq!(refused(store.delete(&path("delete/a"))), ErrorKind::Invalid, "it is not empty");
    assert_eq!(refused(store.delete_all(&path("delete/ab"))), ErrorKind::Invalid, "it is a file");
    for _ in 0..2 {
        store.delete_all(&path("delete/a")).expect("deleting what is not there is fine");
    }
    assert_eq!(names(store, "delete"), ["ab"]);
    for _ in 0..2 {
        store.delete(&path("delete/ab")).expect("deleting what is not there is fine");
    }
    store.delete(&path("delete/no/where")).expect("so is this");
    store.delete_all(&path("delete/no/where")).expect("so is this");
    store.delete(&path("delete")).expect("it is empty");
    assert_eq!(refused(store.list(&path("delete"))), ErrorKind::NotFound);
}

fn locks_exclude(store: &dyn Store) {
    write(store, "lock/a", b"1").expect("nothing is there");
    let at = path("lock/a");
    let lock = |lock| store.lock(&at, lock).expect("the file is there");
    let shared = (lock(Lock::Shared), lock(Lock::Shared));
    assert!(shared.0.is_some() && shared.1.is_some());
    assert!(lock(Lock::Exclusive).is_none());
    drop(shared.0);
    assert!(lock(Lock::Exclusive).is_none());
    drop(shared.1);
    let exclusive = lock(Lock::Exclusive);
    assert!(exclusive.is_some() && lock(Lock::Shared).is_none() && lock(Lock::Exclusive).is_none());
    drop(exclusive);
    assert!(lock(Lock::Shared).is_some());
    assert_eq!(refused(store.lock(&path("lock/b"), Lock::Shared)), ErrorKind::NotFound);
}

fn locks_go_with_the_file(store: &dyn Store) {
    write(store, "lock/from", b"1").expect("nothing is there");
    let (from, to) = (path("lock/from"), path("lock/to"));
    let shared = store.lock(&from, Lock::Shared).expect("it is there");
    store.publish(&from, &to).expect("nothing is there");
    assert!(store.lock(&to, Lock::Exclusive).expect("it is there").is_none());
    write(store, "lock/from", b"2").expect("the name is free");
    assert!(store.lock(&from, Lock::Exclusive).expect("it is there").is_some(), "it is another file");
    drop(shared);
    assert!(store.lock(&to, Lock::Exclusive).expect("it is there").is_some());
}

fn links_are_hints(store: &dyn Store) {
    write(store, "link/one/x", b"1").expect("nothing is there");
    write(store, "link/two/x", b"2").expect("nothing is there");
    let link = path("link/current");
    store.point(&link, &path("link/one")).expect("it may do nothing, but not fail");
    let has_links = store.point(&link, &path("link/two")).expect("it may lead elsewhere");
    assert!(!store.point(&link, &path("link/two")).expect("it may lead where it led"), "nothing changed");
    if has_links {
        assert_eq!(read(store, "link/current/x").expect("it leads there"), b"2");
        assert_eq!(refused(store.point(&path("link/one/x"), &path("link/one/y"))), ErrorKind::Exists);
    }
    store.unpoint(&link, &path("link/one")).expect("it leads elsewhere, or was never there");
    assert_eq!(names(store, "link").contains(&"current".to_owned()), has_links);
    for _ in 0..2 {
        store.unpoint(&link, &path("link/two")).expect("a link can go, or was never there");
    }
    store.unpoint(&path("link/one"), &path("link/one")).expect("what is no link stays");
    assert_eq!(names(store, "link"), ["one", "two"]);
    store.sweep(&path("link")).expect("nothing is unfinished");
    store.sweep(&path("nowhere")).expect("nothing is there");
}

fn directories_are_no_files(store: &dyn Store) {
    write(store, "kind/dir/file", b"1").expect("nothing is there");
    assert_eq!(refused(store.open(&path("kind/dir"))), ErrorKind::Invalid);
    assert_eq!(refused(write(store, "kind/dir", b"1")), ErrorKind::Exists);
    assert_eq!(refused(store.list(&path("kind/dir/file"))), ErrorKind::Invalid);
    assert_ne!(refused(write(store, "kind/dir/file/below", b"1")), ErrorKind::Internal);
    assert_ne!(refused(store.create(&path(""), CreateHint::new(0, &Host::local()))), ErrorKind::Internal);
}

fn the_rest_is_told(store: &dyn Store) {
    write(store, "rest/a", b"1").expect("nothing is there");
    for block in store.hosts(&path("rest/a")).expect("it is there") {
        assert!(!block.hosts.is_empty() && block.offset + block.len <= 1);
    }
    assert_eq!(refused(store.hosts(&path("rest/b"))), ErrorKind::NotFound);
    assert_ne!(store.free_bytes().expect("it may not know, but not fail"), Some(0));
    if let Some(local) = store.local_path(&path("rest/a")) {
        assert_eq!(std::fs::read(local).expect("it is a file of this host"), b"1");
    }
    assert_eq!(store.url().to_string().parse().ok().as_ref(), Some(store.url()));
}
