//! Versions that follow one another: what is shared, what is history, what goes.

use hama_core::ErrorKind;

use super::*;
use crate::testing::{Fault, FaultyStore};
use crate::{Changes, Dimension, Labels, Reference, collect, versions};

const LONG: Duration = Duration::from_secs(3600);

/// 2 x 2 shards of 2 x 1 tiles.
fn spec_of_4_shards() -> TableSpec {
    spec(3100, 1500, ElementType::F32).with_shard(Extent::new(2, 1)).unwrap()
}

fn changes(shards: &[(u64, u64)]) -> Changes {
    let shards = shards.iter().map(|(row, col)| ShardIndex::new(*row, *col)).collect();
    Changes { shards, ..Changes::default() }
}

/// Commits a version with some shards written with another seed.
fn update(table: &Table, shards: &[(u64, u64)], seed: u64) -> Result<Table> {
    let writer = TableWriter::update(table, changes(shards))?;
    let records = write_some(writer.target(), writer.shards(), seed)?;
    writer.commit(records)
}

fn open(test: &TestStore, number: u64) -> Result<Table> {
    Table::open_version(&test.store, &name("t"), number)
}

#[test]
fn a_reference_names_every_file_of_a_version() {
    for test in stores() {
        let first = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        let labels = Labels::Text((0..3100).map(|row| format!("r{row}")).collect());
        let labelled = Changes { row_labels: Some(Some(labels)), ..changes(&[(0, 1)]) };
        let writer = TableWriter::update(&first, labelled).unwrap();
        let records = write_some(writer.target(), writer.shards(), 2).unwrap();
        let second = writer.commit(records).unwrap();
        assert_eq!(second.borrows(), !test.store.has_links());
        assert!(!first.borrows());
        let references = second.references().unwrap();
        let keys: Vec<&str> = references.iter().map(|(key, _)| key.as_str()).collect();
        let shards = ["values/c.0.0", "values/c.0.1", "values/c.1.0", "values/c.1.1"];
        let arrays = ["zarr.json", "values/zarr.json", "row/zarr.json", "row/c.0"];
        assert_eq!(keys, [&arrays[..], &shards].concat());
        for (key, reference) in &references {
            match reference {
                Reference::File(path) => assert!(!test.store.open(path).unwrap().is_empty(), "{key}"),
                Reference::Text(text) => assert!(text.contains("zarr_format"), "{key}: {text}"),
            }
        }
    }
}

#[test]
fn an_update_writes_what_it_touches_and_shares_the_rest() {
    for test in stores() {
        let first = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        assert_eq!(first.spec().shard_grid(), Extent::new(2, 2));
        let second = update(&first, &[(0, 1)], 2).unwrap();
        let touched = |tile: TileIndex| if tile.col == 1 && tile.row < 2 { 2 } else { 1 };
        verify(&first, 1).unwrap();
        verify_by(&second, touched).unwrap();
        drop((first, second));
        let third = update(&open(&test, 2).unwrap(), &[(0, 0), (1, 1)], 3).unwrap();
        let now = |tile: TileIndex| match (tile.row / 2, tile.col) {
            (0, 0) | (1, 1) => 3,
            (0, 1) => 2,
            _ => 1,
        };
        verify_by(&third, now).unwrap();
        verify_by(&Table::open(&test.store, &name("t")).unwrap(), now).unwrap();
        verify(&open(&test, 1).unwrap(), 1).unwrap();
        verify_by(&open(&test, 2).unwrap(), touched).unwrap();
        assert!(third.check(&|_| {}, &hama_core::Cancel::new()).unwrap().faults.is_empty());
        no_orphans(&test.store, "t");
        let history = versions(&test.store, &name("t")).unwrap();
        let told: Vec<_> = history.iter().map(|version| (version.number, version.change.as_str())).collect();
        assert_eq!(told, [(3, "updated 2 of 4 shards"), (2, "updated 1 of 4 shards"), (1, "written")]);
    }
}

#[test]
fn shards_that_are_shared_take_no_room_and_no_time() {
    for test in stores() {
        let first = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        let written = |table: &Table| -> BTreeSet<String> {
            table.shards().iter().map(|record| record.file.clone()).collect()
        };
        let second = update(&first, &[(0, 1)], 2).unwrap();
        let shared = written(&first).intersection(&written(&second)).count();
        assert_eq!(shared, if test.store.has_links() { 0 } else { 3 });
        if let Some(path) = test.store.local_path(&second.values_path()) {
            use std::os::unix::fs::MetadataExt;
            let links = |key: &str| std::fs::metadata(path.join(key)).unwrap().nlink();
            assert_eq!((links("c.0.0"), links("c.0.1"), links("c.1.1")), (2, 1, 2));
        }
    }
}

#[test]
fn history_goes_when_it_is_told_to_and_nobody_reads_it() {
    for test in stores() {
        let mut table = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        for seed in 2..6 {
            table = update(&table, &[(0, 1)], seed).unwrap();
        }
        let held = open(&test, 3).unwrap();
        let gc = |older_than| {
            for _ in 0..9 {
                if let Ok(collected) = collect(&*test.store, &name("t"), older_than) {
                    return collected.versions;
                }
            }
            unreachable!("not every reply is ambiguous")
        };
        assert_eq!(gc(LONG), 0, "they are young");
        let numbers = || Versions::list(&*test.store, &Layout::new(&name("t"))).unwrap().manifests;
        gc(Duration::ZERO);
        assert_eq!(numbers(), [3, 5], "3 is open here, 5 is the table");
        verify_by(&held, |tile| if tile.col == 1 && tile.row < 2 { 3 } else { 1 }).unwrap();
        verify_by(&table, |tile| if tile.col == 1 && tile.row < 2 { 5 } else { 1 }).unwrap();
        drop(held);
        gc(Duration::ZERO);
        assert_eq!(numbers(), [5]);
        verify_by(&table, |tile| if tile.col == 1 && tile.row < 2 { 5 } else { 1 }).unwrap();
        no_orphans(&test.store, "t");
        let missing = open(&test, 3).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(missing.message(), "no version 3 of table t: there are 5");
        // On a store without links the first generation lends three shards for as long as they are used.
        let generations = test.store.list(&Layout::new(&name("t")).generations()).unwrap();
        let count = generations.iter().filter(|entry| entry.kind == EntryKind::Directory).count();
        assert_eq!(count, if test.store.has_links() { 1 } else { 2 });
        drop(table);
        crate::remove(&*test.store, &name("t")).unwrap();
        assert_eq!(test.store.list(&StorePath::root()).unwrap(), []);
    }
}

#[test]
fn a_replaced_table_takes_its_history_along() {
    for test in stores() {
        let first = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        drop(update(&first, &[(0, 0)], 2).unwrap());
        drop(first);
        drop(write_table(&test.store, "t", spec(9, 9, ElementType::F64), 3, OnExists::Replace).unwrap());
        let history = versions(&test.store, &name("t")).unwrap();
        assert_eq!(history.iter().map(|version| version.number).collect::<Vec<_>>(), [3]);
        no_orphans(&test.store, "t");
    }
}

#[test]
fn there_are_only_so_many_versions() {
    for test in fast_stores() {
        let mut table =
            write_table(&test.store, "t", spec(2, 2, ElementType::F64), 1, OnExists::Fail).unwrap();
        for _ in 0..270 {
            table = table.set_blocking(Some(Extent::new(1, 1))).unwrap();
        }
        let history = versions(&test.store, &name("t")).unwrap();
        assert_eq!((history[0].number, history.len()), (271, 256));
    }
}

#[test]
fn an_older_version_is_restored() {
    for test in stores() {
        let first = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        assert_eq!(first.restore().unwrap_err().kind(), ErrorKind::Invalid, "it is the latest");
        drop(update(&first, &[(0, 0)], 2).unwrap());
        let third = first.restore().unwrap();
        assert_eq!((third.version(), third.generation()), (3, first.generation()));
        drop((first, third));
        verify(&Table::open(&test.store, &name("t")).unwrap(), 1).unwrap();
        let second = open(&test, 2).unwrap();
        collect(&*test.store, &name("t"), LONG).unwrap_or_default();
        second.restore().unwrap();
        verify_by(&open(&test, 4).unwrap(), |tile| if tile.col == 0 && tile.row < 2 { 2 } else { 1 })
            .unwrap();
        assert_eq!(versions(&test.store, &name("t")).unwrap()[0].change, "restored version 2");
        no_orphans(&test.store, "t");
    }
}

#[test]
fn of_two_who_update_one_version_one_wins() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        let late = TableWriter::update(&table, changes(&[(0, 0)])).unwrap();
        drop(update(&table, &[(1, 1)], 2).unwrap());
        let shards = write_some(late.target(), late.shards(), 3).unwrap();
        assert_eq!(late.commit(shards).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(update(&table, &[(0, 0)], 4).unwrap_err().kind(), ErrorKind::Conflict);
        verify_by(&open(&test, 2).unwrap(), |tile| if tile.col == 1 && tile.row > 1 { 2 } else { 1 })
            .unwrap();
        no_orphans(&test.store, "t");
    }
}

#[test]
fn attributes_and_labels_change_without_the_elements() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        let rows: Vec<String> = (0..3100).map(|row| format!("row {row}")).collect();
        let (rows, columns) = (Labels::Text(rows), Labels::Integers((0..1500).collect()));
        let annotated = Changes {
            attributes: Some([("unit".to_owned(), serde_json::json!("m"))].into()),
            row_labels: Some(Some(rows.clone())),
            column_labels: Some(Some(columns.clone())),
            ..Changes::default()
        };
        let second = TableWriter::update(&table, annotated).unwrap().commit(Vec::new()).unwrap();
        verify(&second, 1).unwrap();
        assert_eq!(second.labels(Dimension::Rows).unwrap(), Some(rows.clone()));
        assert_eq!(table.labels(Dimension::Rows).unwrap(), None);
        // They stay through an update of elements, and go where that is said.
        let third = update(&second, &[(0, 0)], 2).unwrap();
        assert_eq!(third.labels(Dimension::Columns).unwrap(), Some(columns));
        assert_eq!(third.spec().attributes["unit"], "m");
        let fourth = Changes { row_labels: Some(None), ..Changes::default() };
        let fourth = TableWriter::update(&third, fourth).unwrap().commit(Vec::new()).unwrap();
        assert_eq!(fourth.labels(Dimension::Rows).unwrap(), None);
        assert!(fourth.labels(Dimension::Columns).unwrap().is_some());
        let told = &versions(&test.store, &name("t")).unwrap()[0].change;
        assert_eq!(told, "took the labels of each row away");
        let few = Changes { row_labels: Some(Some(Labels::Integers(vec![1]))), ..Changes::default() };
        let error = TableWriter::update(&fourth, few).unwrap_err();
        assert!(error.message().contains("there are 1 labels and should be 3100"), "{error}");
        no_orphans(&test.store, "t");
    }
}

#[test]
fn wrong_updates_are_refused() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        assert_eq!(TableWriter::update(&table, changes(&[(2, 0)])).unwrap_err().kind(), ErrorKind::Invalid);
        let by_reference = Table::open_ref(&table.to_ref()).unwrap();
        assert_eq!(TableWriter::update(&by_reference, changes(&[])).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(by_reference.restore().unwrap_err().kind(), ErrorKind::Invalid);
        let writer = TableWriter::update(&table, changes(&[(0, 0)])).unwrap();
        assert_eq!(writer.commit(Vec::new()).unwrap_err().kind(), ErrorKind::Invalid, "a shard is missing");
        no_orphans(&test.store, "t");
        assert_eq!(versions(&test.store, &name("t")).unwrap().len(), 1);
    }
}

#[test]
fn an_update_that_dies_anywhere_leaves_the_old_or_the_new_table() {
    for test in fast_stores().into_iter().take(2) {
        let small = || spec(1100, 1100, ElementType::F32).with_shard(Extent::new(1, 1)).unwrap();
        let (url, inner) = (test.store.url().clone(), Arc::clone(&test.store));
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&inner)));
        let store: Arc<dyn Store> = faulty.clone();
        store::register(&url, Arc::clone(&store)).unwrap();
        drop(write_table(&store, "t", small(), 1, OnExists::Fail).unwrap());
        let run = || -> Result<()> {
            let table = Table::open(&store, &name("t"))?;
            drop(update(&table, &[(0, 1)], 2)?);
            let renamed = crate::rename(&store, &name("t"), &name("u"), &|_| {}, &hama_core::Cancel::new());
            drop(renamed.or_else(|_| Table::open(&store, &name("t")))?);
            Ok(())
        };
        let mut died = 0;
        for call in 0.. {
            // Each call twice: once nothing is done from it on, once it alone fails.
            let fault = [Fault::DeadFrom(call / 2), Fault::Fails(call / 2, ErrorKind::Invalid)];
            faulty.set(fault[call as usize % 2]);
            let ended = run();
            let calls = faulty.calls();
            faulty.set(Fault::None);
            let there = crate::list(&*inner).unwrap();
            assert!(!there.is_empty(), "lost after {call} calls");
            for table in there {
                let opened = Table::open(&inner, &table).unwrap();
                let new = opened.version() > 1 || table == name("u");
                verify_by(&opened, |tile| if new && tile == TileIndex::new(0, 1) { 2 } else { 1 }).unwrap();
            }
            // As the next writer does.
            for table in ["t", "u"] {
                collect(&*inner, &name(table), Duration::ZERO).unwrap();
                if crate::list(&*inner).unwrap().contains(&name(table)) {
                    no_orphans(&inner, table);
                }
            }
            for table in crate::list(&*inner).unwrap() {
                crate::remove(&*inner, &table).unwrap();
            }
            // A directory may have been made and nothing in it.
            let left = inner.list(&StorePath::root()).unwrap();
            let left: Vec<_> = left.iter().flat_map(|entry| files(&*inner, &entry.name)).collect();
            assert_eq!(left, [""; 0], "after {call} calls");
            if ended.is_ok() && calls <= call / 2 {
                died = call;
                break;
            }
            drop(write_table(&store, "t", small(), 1, OnExists::Fail).unwrap());
        }
        assert!(died > 50, "it makes many calls: {died}");
    }
}

#[test]
fn a_version_with_the_same_elements_is_no_conflict() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec_of_4_shards(), 1, OnExists::Fail).unwrap();
        drop(table.set_blocking(Some(Extent::new(2, 2))).unwrap());
        let updated = update(&table, &[(0, 0)], 2).unwrap();
        assert_eq!((updated.version(), updated.spec().blocking), (3, Some(Extent::new(2, 2))));
        assert_eq!(update(&table, &[(0, 0)], 3).unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[test]
fn what_did_not_wait_for_the_disk_is_settled_by_what_does() {
    for test in stores() {
        let hasty = crate::WriteOptions { on_exists: OnExists::Fail, durability: Durability::None };
        let writer = TableWriter::create(&test.store, &name("t"), spec_of_4_shards(), hasty).unwrap();
        let shards = write_shards(writer.target(), 1).unwrap();
        let table = writer.commit(shards).unwrap();
        assert!(!table.inner.manifest.is_settled);
        let hasty = Changes { durability: Durability::None, ..changes(&[(0, 0)]) };
        let writer = TableWriter::update(&table, hasty).unwrap();
        let records = write_some(writer.target(), writer.shards(), 2).unwrap();
        let second = writer.commit(records).unwrap();
        assert!(!second.inner.manifest.is_settled);
        let third = update(&second, &[(1, 1)], 3).unwrap();
        assert!(third.inner.manifest.is_settled);
        table.settle().unwrap();
    }
}
