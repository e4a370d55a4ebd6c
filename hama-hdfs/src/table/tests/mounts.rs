//! A full disk and a read-only one: real ones, each mounted in a namespace of its own where this test runs once more.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use hama_core::ErrorKind;

use super::*;
use crate::remove;

const VARIABLE: &str = "HAMA_TEST_MOUNT";
/// What the shell ends with where it may not mount.
const NO_MOUNT: i32 = 77;

/// Where the mount is, in the process that has it. Elsewhere this runs the test `name` in such a process, if that can be
/// had, and gives nothing.
fn mounted(name: &str) -> Option<PathBuf> {
    if let Some(place) = std::env::var_os(VARIABLE) {
        return Some(place.into());
    }
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs \"$1\" || exit {NO_MOUNT}; {VARIABLE}=\"$1\" exec \"$2\" --exact \"$3\" --nocapture"
    );
    let run = Command::new("unshare")
        .args(["-m", "sh", "-c", &script, "sh"])
        .args([directory.path(), &std::env::current_exe().unwrap(), Path::new(name)])
        .output();
    match run {
        Ok(run) if run.status.success() => {
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(said.contains("1 passed"), "{said}");
        }
        Ok(run) if !is_refused(&run) => panic!("{}", String::from_utf8_lossy(&run.stderr)),
        refused => {
            // Past the capture of the test's output, so that it is seen.
            let said = format!("SKIPPED: {name} may not mount a file system: {refused:?}\n");
            std::io::stderr().write_all(said.as_bytes()).unwrap();
        }
    }
    None
}

fn is_refused(run: &std::process::Output) -> bool {
    run.status.code() == Some(NO_MOUNT) || run.stderr.starts_with(b"unshare:")
}

fn store_at(place: &Path) -> Arc<dyn Store> {
    store::create(&StoreUrl::directory(&place.join("data")).unwrap()).unwrap()
}

/// 1 MB.
fn large() -> TableSpec {
    spec(500, 250, ElementType::F64)
}

#[test]
fn a_full_disk_is_told_and_leaves_what_was_there() {
    let Some(place) = mounted("table::tests::mounts::a_full_disk_is_told_and_leaves_what_was_there") else {
        return;
    };
    let store = store_at(&place);
    let before = write_table(&store, "t", large(), 1, OnExists::Fail).unwrap();
    // Refused before the work.
    let error = write_table(&store, "u", spec(1000, 500, ElementType::F64), 1, OnExists::Fail).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
    // In the work, since somebody else takes the room.
    let mut small = spec(500, 100, ElementType::F64);
    small.tile.rows = 100;
    let writer = TableWriter::create(
        &store,
        &name("t"),
        small.with_shard(Extent::new(5, 1)).unwrap(),
        OnExists::Replace,
    )
    .unwrap();
    std::fs::write(place.join("ballast"), vec![1; 700 << 10]).unwrap();
    assert_eq!(write_shards(writer.target(), 2).unwrap_err().kind(), ErrorKind::OutOfSpace);
    drop(writer);
    verify(&Table::open(&store, &name("t")).unwrap(), 1).unwrap();
    drop(before);
    remove(&*store, &name("t")).unwrap();
    assert_eq!(store.list(&crate::StorePath::root()).unwrap(), []);
}

#[test]
fn a_read_only_disk_is_read_and_never_written() {
    let Some(place) = mounted("table::tests::mounts::a_read_only_disk_is_read_and_never_written") else {
        return;
    };
    let store = store_at(&place);
    write_table(&store, "t", large(), 1, OnExists::Fail).unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&place).status().unwrap();
    assert!(remounted.success());
    let table = Table::open(&store, &name("t")).unwrap();
    verify(&table, 1).unwrap();
    assert_eq!(table.set_blocking(Some(Extent::new(2, 2))).unwrap_err().kind(), ErrorKind::Invalid);
    drop(table);
    for error in [
        write_table(&store, "t", large(), 2, OnExists::Replace).map(drop).unwrap_err(),
        write_table(&store, "u", large(), 2, OnExists::Fail).map(drop).unwrap_err(),
        remove(&*store, &name("t")).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("Read-only"), "{error}");
    }
    verify(&Table::open(&store, &name("t")).unwrap(), 1).unwrap();
}
