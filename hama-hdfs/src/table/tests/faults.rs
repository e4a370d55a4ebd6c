//! Stores that fail: a writer that dies between any two calls, lost replies, full and read-only stores.

use hama_core::ErrorKind;

use super::*;
use crate::store::EntryKind;
use crate::table::collect::collect_before;
use crate::table::layout::Layout;
use crate::table::versions::Versions;
use crate::testing::{Fault, FaultyStore};
use crate::{Removed, StorePath, remove};

fn small() -> TableSpec {
    spec(9, 5, ElementType::F64)
}

/// A test's store behind one that fails on demand.
struct Faulty {
    test: TestStore,
    faulty: Arc<FaultyStore>,
    store: Arc<dyn Store>,
}

fn faulty_stores() -> Vec<Faulty> {
    let wrap = |test: TestStore| {
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&test.store)));
        store::register(test.store.url(), faulty.clone()).unwrap();
        Faulty { store: faulty.clone(), faulty, test }
    };
    fast_stores().into_iter().map(wrap).collect()
}

/// What may happen to a table that holds seed 1.
#[derive(Clone, Copy, Debug)]
enum Change {
    Replace,
    Block,
    Remove,
}

fn change(store: &Arc<dyn Store>, change: Change) -> Result<()> {
    match change {
        Change::Replace => write_table(store, "t", small(), 2, OnExists::Replace).map(drop),
        Change::Block => Table::open(store, &name("t"))?.set_blocking(Some(Extent::new(2, 2))).map(drop),
        Change::Remove => remove(&**store, &name("t")).map(drop),
    }
}

/// The table is what it was or what it was to be, and the next writer leaves only its own.
fn check_after(store: &Arc<dyn Store>, change: Change, done: bool, what: &str) {
    match (Table::open(store, &name("t")), change) {
        (Err(e), Change::Remove) => assert_eq!(e.kind(), ErrorKind::NotFound, "{what}"),
        (Err(e), _) => panic!("{what}: {e}"),
        (Ok(table), Change::Replace) => {
            assert!(verify(&table, 2).is_ok() || (!done && verify(&table, 1).is_ok()), "{what}");
        }
        (Ok(table), Change::Block) => {
            verify(&table, 1).unwrap();
            assert!(table.spec().blocking.is_some() || !done, "{what}");
        }
        (Ok(table), Change::Remove) => {
            assert!(!done, "{what}");
            verify(&table, 1).unwrap();
        }
    }
    let layout = Layout::new(&name("t"));
    let table = write_table(store, "t", small(), 3, OnExists::Replace).unwrap();
    verify(&table, 3).unwrap();
    // A process that another test starts holds all locks of this one for a moment.
    while Versions::list(&**store, &layout).unwrap().manifests.len() > 1 {
        crate::collect(&**store, &name("t"), Duration::ZERO).unwrap();
    }
    let left = Versions::list(&**store, &layout).unwrap();
    assert_eq!((left.manifests.len(), left.pendings.len()), (1, 0), "{what}");
    let generations = store.list(&layout.generations()).unwrap();
    assert_eq!(generations.iter().filter(|e| e.kind == EntryKind::Directory).count(), 1, "{what}");
    assert_eq!(generations.len(), 2, "{what}: a generation and its index");
}

/// Runs each change with each fault that `fault` gives for the calls from 0 on, until the change makes fewer calls.
fn with_faults(fault: impl Fn(u64) -> Fault, check: impl Fn(&Result<()>, Change, &str)) {
    for Faulty { test, faulty, store } in faulty_stores() {
        for kind in [Change::Replace, Change::Block, Change::Remove] {
            for call in 0.. {
                faulty.set(Fault::None);
                write_table(&store, "t", small(), 1, OnExists::Replace).unwrap();
                faulty.set(fault(call));
                let result = change(&store, kind);
                let calls = faulty.calls();
                faulty.set(Fault::None);
                let what = format!("{kind:?} with a fault at call {call} on {}", test.store.url());
                check(&result, kind, &what);
                check_after(&store, kind, result.is_ok(), &what);
                if call >= calls {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_writer_that_dies_between_any_two_calls_leaves_the_old_table_or_the_new() {
    with_faults(Fault::DeadFrom, |_, _, _| {});
}

#[test]
fn a_lost_reply_is_no_failure() {
    with_faults(Fault::LostReply, |result, _, what| assert!(result.is_ok(), "{what}: {result:?}"));
}

#[test]
fn a_lost_call_is_made_again_or_told() {
    with_faults(Fault::LostCall, |result, _, what| {
        let told = matches!(result.as_ref().map_err(|e| e.kind()), Ok(()) | Err(ErrorKind::Unavailable));
        assert!(told, "{what}: {result:?}");
    });
}

#[test]
fn whatever_a_reply_says_a_version_that_is_there_is_not_deleted() {
    with_faults(
        |call| Fault::DoneButFails(call, ErrorKind::Invalid),
        |result, _, what| {
            let kind = result.as_ref().map_err(|e| e.kind());
            assert!(
                matches!(kind, Ok(()) | Err(ErrorKind::Invalid | ErrorKind::Unavailable)),
                "{what}: {result:?}"
            );
        },
    );
}

#[test]
fn a_single_failure_is_told_or_does_not_matter() {
    with_faults(
        |call| Fault::Fails(call, ErrorKind::OutOfSpace),
        |result, _, what| {
            let kind = result.as_ref().map_err(|e| e.kind());
            // Where the strict store loses a reply and reading back fails too, nobody can say.
            let told = matches!(kind, Ok(()) | Err(ErrorKind::OutOfSpace | ErrorKind::Unavailable));
            assert!(told, "{what}: {result:?}");
        },
    );
}

#[test]
fn a_listing_that_misses_names_does_no_harm() {
    with_faults(Fault::ListsShort, |result, _, what| assert!(result.is_ok(), "{what}: {result:?}"));
}

#[test]
fn a_collector_keeps_what_the_latest_manifest_named_when_it_began() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        write_table(&store, "t", small(), 1, OnExists::Fail).unwrap();
        // It sweeps twice and lists the generations and, twice, the names. All that it lists afterwards is empty.
        for call in 5.. {
            faulty.set(Fault::ListsShortFrom(call));
            collect_before(&*store, &name("t"), 0).unwrap();
            let calls = faulty.calls();
            faulty.set(Fault::None);
            verify(&Table::open(&store, &name("t")).unwrap(), 1).unwrap();
            if call >= calls {
                break;
            }
        }
    }
}

#[test]
fn a_commit_that_is_not_durable_is_told_and_deletes_nothing() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        let mut told = 0;
        for call in 0.. {
            write_table(&store, "t", small(), 1, OnExists::Replace).unwrap();
            faulty.set(Fault::Fails(call, ErrorKind::OutOfSpace));
            let result = change(&store, Change::Block);
            let calls = faulty.calls();
            faulty.set(Fault::None);
            if let Err(e) = result
                && e.message().contains("visible, but may not survive")
            {
                told += 1;
                assert_eq!(e.kind(), ErrorKind::Unavailable);
                let table = Table::open(&store, &name("t")).unwrap();
                assert!(table.spec().blocking.is_some());
                verify(&table, 1).unwrap();
            }
            if call >= calls {
                break;
            }
        }
        assert!(told > 0);
    }
}

#[test]
fn a_removal_that_is_not_durable_deletes_no_elements() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        let layout = Layout::new(&name("t"));
        write_table(&store, "t", small(), 1, OnExists::Replace).unwrap();
        faulty.set(Fault::CannotSync);
        assert_eq!(remove(&*store, &name("t")).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(Versions::list(&*store, &layout).unwrap(), Versions::default());
        assert_eq!(collect_before(&*store, &name("t"), 0).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(
            store.list(&layout.generations()).unwrap().len(),
            2,
            "a power loss may bring the table back"
        );
        faulty.set(Fault::None);
        assert_eq!(remove(&*store, &name("t")).unwrap(), Removed::Leftovers);
        assert_eq!(store.list(&StorePath::root()).unwrap(), []);
    }
}

#[test]
fn a_listing_that_fails_deletes_nothing() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        write_table(&store, "t", small(), 1, OnExists::Fail).unwrap();
        for call in 0..6 {
            faulty.set(Fault::Fails(call, ErrorKind::OutOfMemory));
            assert_eq!(collect_before(&*store, &name("t"), 0).unwrap_err().kind(), ErrorKind::OutOfMemory);
            faulty.set(Fault::None);
            verify(&Table::open(&store, &name("t")).unwrap(), 1).unwrap();
        }
    }
}

#[test]
fn a_new_table_that_fails_leaves_not_even_a_directory() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        for call in 0.. {
            faulty.set(Fault::Fails(call, ErrorKind::OutOfSpace));
            let result = write_table(&store, "u", small(), 1, OnExists::Fail);
            let calls = faulty.calls();
            faulty.set(Fault::None);
            match result {
                Ok(table) => {
                    drop(table);
                    remove(&*store, &name("u")).unwrap();
                }
                // Where nobody can say whether it is there.
                Err(e) if e.kind() == ErrorKind::Unavailable => drop(remove(&*store, &name("u"))),
                Err(e) => assert_eq!(e.kind(), ErrorKind::OutOfSpace),
            }
            assert_eq!(store.list(&StorePath::root()).unwrap(), [], "after a fault at call {call}");
            if call >= calls {
                break;
            }
        }
    }
}

#[test]
fn a_read_only_store_is_read() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        write_table(&store, "t", small(), 1, OnExists::Fail).unwrap();
        faulty.set(Fault::ReadOnly);
        verify(&Table::open(&store, &name("t")).unwrap(), 1).unwrap();
        for kind in [Change::Replace, Change::Block, Change::Remove] {
            assert_eq!(change(&store, kind).unwrap_err().kind(), ErrorKind::Invalid);
        }
        verify(&Table::open(&store, &name("t")).unwrap(), 1).unwrap();
    }
}

#[test]
fn a_dead_peer_writer_leaves_its_table_to_the_next() {
    for Faulty { faulty, store, .. } in faulty_stores() {
        let writer = TableWriter::create(&store, &name("t"), small(), OnExists::Fail).unwrap();
        let mut shard =
            ShardWriter::create(writer.target(), crate::ShardIndex::new(0, 0), &Host::local()).unwrap();
        faulty.set(Fault::DeadFrom(0));
        let tile = tile_bytes(&small(), TileIndex::new(0, 0), 0);
        assert_eq!(shard.write_tile(TileIndex::new(0, 0), &tile).unwrap_err().kind(), ErrorKind::Unavailable);
        drop((shard, writer));
        faulty.set(Fault::None);
        assert_eq!(crate::list(&*store).unwrap(), []);
        assert!(store.list(&Layout::new(&name("t")).generations()).is_ok());
        assert_eq!(remove(&*store, &name("t")).unwrap(), Removed::Leftovers);
        assert_eq!(remove(&*store, &name("t")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.list(&StorePath::root()).unwrap(), [], "a removal clears what is no table");
        write_table(&store, "t", small(), 3, OnExists::Fail).unwrap();
        let layout = Layout::new(&name("t"));
        assert_eq!(store.list(&layout.generations()).unwrap().len(), 2);
        remove(&*store, &name("t")).unwrap();
        assert_eq!(store.list(&StorePath::root()).unwrap(), []);
    }
}
