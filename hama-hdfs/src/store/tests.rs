//! The suite on all stores, and what each has of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::time::Duration;

use hama_core::{ErrorKind, Host};

use super::*;
use crate::testing::{FaultyStore, conformance};

fn rules(ambiguous_one_in: u64) -> StrictRules {
    StrictRules { close_delay: Duration::ZERO, ambiguous_one_in, seed: 1 }
}

fn url(text: &str) -> StoreUrl {
    text.parse().unwrap()
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

fn hint(host: &Host) -> CreateHint<'_> {
    CreateHint::new(1, host)
}

/// A store in a new directory.
fn directory() -> (tempfile::TempDir, Arc<dyn Store>) {
    let directory = tempfile::tempdir().unwrap();
    let store = create(&StoreUrl::directory(&directory.path().join("deep/data")).unwrap()).unwrap();
    (directory, store)
}

/// On a real one, where somebody gives it; `tests/hdfs` starts one itself.
#[cfg(feature = "hdfs")]
#[test]
fn a_store_in_hdfs_conforms() {
    let Ok(hdfs) = std::env::var("HAMA_TEST_HDFS") else { return };
    let id = uuid::Uuid::new_v4().simple();
    let store = create(&url(&format!("{}/{id}", hdfs.trim_end_matches('/')))).unwrap();
    conformance(&*store);
}

#[test]
fn the_directory_store_conforms() {
    let (_directory, store) = directory();
    conformance(&*store);
}

#[test]
fn the_memory_store_conforms() {
    conformance(&memory::MemoryStore::new(url("memory:conforms")));
}

#[test]
fn the_strict_store_conforms() {
    conformance(&StrictStore::new(url("strict:conforms"), rules(0)));
}

#[test]
fn a_faulty_store_without_a_fault_conforms() {
    conformance(&FaultyStore::new(Arc::new(memory::MemoryStore::new(url("memory:faulty")))));
}

#[test]
fn ambiguous_replies_come_now_and_then_and_the_call_is_done() {
    let store = StrictStore::new(url("strict:ambiguous"), rules(4));
    let mut lost = 0;
    for i in 0..200 {
        let at = path(&format!("a/{i}"));
        let created = std::iter::repeat_with(|| store.create(&at, hint(&Host::local())));
        let mut created = created.inspect(|created| lost += u64::from(created.is_err())).flatten();
        let closed = created.next().unwrap().close();
        lost += u64::from(closed.is_err_and(|e| e.kind() == ErrorKind::Unavailable));
        assert!(store.open(&at).is_ok());
        let published = store.publish(&at, &path(&format!("a/to-{i}")));
        lost += u64::from(published.is_err_and(|e| e.kind() == ErrorKind::Unavailable));
        assert_eq!(store.open(&at).unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!((50..150).contains(&lost), "{lost} of 400");
}

#[test]
fn the_strict_store_knows_who_wrote() {
    let store = StrictStore::new(url("strict:hosts"), rules(0));
    let host = Host::new("node-3");
    store.create(&path("a"), hint(&host)).unwrap().close().unwrap();
    assert_eq!(store.hosts(&path("a")).unwrap()[0].hosts, [host]);
}

#[test]
fn what_is_no_store_is_told_with_its_absolute_path() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    for (at, found) in
        [(file.clone(), open as fn(&StoreUrl) -> _), (file.clone(), create), (file.join("below"), create)]
    {
        let error = found(&StoreUrl::directory(&at).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(at.to_str().unwrap()), "{error}");
    }
    let nowhere = directory.path().join("nowhere");
    let error = open(&StoreUrl::directory(&nowhere).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), format!("no store at {}", nowhere.display()));
    assert!(!nowhere.exists());
}

#[test]
fn a_directory_without_permission_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may do anything, so only others see it.
    if fs::read_dir(&closed).is_err() {
        for at in [closed.clone(), closed.join("inside")] {
            let error = create(&StoreUrl::directory(&at).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(at.to_str().unwrap()), "{error}");
        }
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_store_where_none_can_be_is_told() {
    let url = StoreUrl::directory("/proc/hama/data".as_ref()).unwrap();
    let error = create(&url).unwrap_err();
    assert!(error.to_string().starts_with("cannot make a store at /proc/hama/data: "), "{error}");
}

#[test]
fn a_linked_directory_is_a_store() {
    let (directory, store) = directory();
    store.create(&path("a/b"), hint(&Host::local())).unwrap().close().unwrap();
    let link = directory.path().join("link");
    symlink(directory.path().join("deep/data"), &link).unwrap();
    let linked = open(&StoreUrl::directory(&link).unwrap()).unwrap();
    assert!(linked.open(&path("a/b")).is_ok());
    assert!(linked.local_path(&path("a/b")).unwrap().starts_with(&link));
}

#[test]
fn foreign_and_unfinished_things_are_not_listed() {
    let (_directory, store) = directory();
    let root = store.local_path(&StorePath::root()).unwrap();
    fs::write(root.join(".tmp-1"), "x").unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("seen/below", root.join("through-a-file")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    fs::write(root.join("seen"), "x").unwrap();
    let names: Vec<_> = store.list(&StorePath::root()).unwrap().into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["seen"]);
    symlink("x".repeat(300), root.join("unreadable")).unwrap();
    let error = store.list(&StorePath::root()).unwrap_err();
    assert!(error.to_string().starts_with("cannot list "), "what cannot be looked at is told: {error}");
    let error = store.open(&path("dangling")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(store.open(&path("pipe")).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn deleting_a_directory_spares_what_its_links_lead_to() {
    let (directory, store) = directory();
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "x").unwrap();
    store.create(&path("a/b"), hint(&Host::local())).unwrap().close().unwrap();
    symlink(&outside, store.local_path(&path("a/link")).unwrap()).unwrap();
    store.delete_all(&path("a")).unwrap();
    assert!(outside.join("kept").exists());
}
