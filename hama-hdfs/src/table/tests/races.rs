//! Two who write one table, and those who read while somebody writes.

use std::time::Instant;

use hama_core::ErrorKind;

use super::*;
use crate::store::{EntryKind, Lock};
use crate::table::layout::Layout;
use crate::table::open::point_current;
use crate::table::versions::Versions;
use crate::{Removed, StorePath, remove};

fn small() -> TableSpec {
    spec(30, 20, ElementType::F64)
}

fn versions(store: &Arc<dyn Store>) -> Versions {
    Versions::list(&**store, &Layout::new(&name("t"))).unwrap()
}

/// How many generations there are, each with its index.
fn generations(store: &Arc<dyn Store>) -> usize {
    let entries = match store.list(&Layout::new(&name("t")).generations()) {
        Err(e) if e.kind() == ErrorKind::NotFound => return 0,
        other => other.unwrap(),
    };
    entries.iter().filter(|entry| entry.kind == EntryKind::Directory).count()
}

fn begin(store: &Arc<dyn Store>, on_exists: OnExists) -> TableWriter {
    TableWriter::create(store, &name("t"), small(), on_exists).unwrap()
}

#[test]
fn of_two_writers_one_wins() {
    for test in stores() {
        for (on_exists, kind) in
            [(OnExists::Fail, ErrorKind::Exists), (OnExists::Replace, ErrorKind::Conflict)]
        {
            let (first, second) = (begin(&test.store, on_exists), begin(&test.store, on_exists));
            let lost = write_shards(first.target(), 1).unwrap();
            let won = write_shards(second.target(), 2).unwrap();
            let table = second.commit(won).unwrap();
            assert_eq!(first.commit(lost).unwrap_err().kind(), kind);
            verify(&Table::open(&test.store, &name("t")).unwrap(), 2).unwrap();
            assert_eq!(
                versions(&test.store),
                Versions { manifests: vec![table.version()], pendings: vec![] }
            );
            assert_eq!(generations(&test.store), 1);
        }
    }
}

#[test]
fn a_number_that_a_live_writer_wants_is_not_free_again() {
    for test in stores() {
        let late = begin(&test.store, OnExists::Replace);
        for seed in 1..4 {
            write_table(&test.store, "t", small(), seed, OnExists::Replace).unwrap();
        }
        let shards = write_shards(late.target(), 9).unwrap();
        assert_eq!(late.commit(shards).unwrap_err().kind(), ErrorKind::Conflict);
        verify(&Table::open(&test.store, &name("t")).unwrap(), 3).unwrap();
        write_table(&test.store, "t", small(), 4, OnExists::Replace).unwrap();
        assert_eq!(versions(&test.store), Versions { manifests: vec![4], pendings: vec![] });
        assert_eq!(generations(&test.store), 1);
    }
}

#[test]
fn many_writers_at_once_leave_one_whole_table() {
    for test in stores() {
        let store = &test.store;
        let write = |seed| write_table(store, "t", small(), seed, OnExists::Replace);
        let results: Vec<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..6).map(|seed| scope.spawn(move || write(seed))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let mut won: Vec<_> = results
            .iter()
            .enumerate()
            .filter_map(|(seed, r)| Some((r.as_ref().ok()?.version(), seed)))
            .collect();
        won.sort_unstable();
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        }
        let (version, seed) = *won.last().unwrap();
        let table = Table::open(store, &name("t")).unwrap();
        assert_eq!(table.version(), version);
        verify(&table, seed as u64).unwrap();
        drop((results, table));
        write_table(store, "t", small(), 9, OnExists::Replace).unwrap();
        assert_eq!(
            (versions(store).manifests.len(), versions(store).pendings.len(), generations(store)),
            (1, 0, 1)
        );
    }
}

#[test]
fn readers_see_whole_tables_while_others_write_and_remove() {
    for test in stores() {
        let store = &test.store;
        let end = Instant::now() + std::time::Duration::from_millis(300);
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                for seed in 0.. {
                    drop(write_table(store, "t", small(), seed, OnExists::Replace).unwrap());
                    if seed % 4 == 3 {
                        // A reader may hold it.
                        let _ = remove(&**store, &name("t"));
                    }
                    if Instant::now() > end {
                        return;
                    }
                }
            });
            let read = move || {
                while Instant::now() < end {
                    match Table::open(store, &name("t")) {
                        Ok(table) => {
                            let mut tile = vec![0; table.spec().tile_bytes()];
                            table.read_tile(TileIndex::new(0, 0), &mut tile).unwrap();
                            verify(&table, f64::from_le_bytes(tile[..8].try_into().unwrap()) as u64).unwrap();
                        }
                        Err(e) => assert_eq!(e.kind(), ErrorKind::NotFound, "{e}"),
                    }
                }
            };
            let readers = [scope.spawn(read), scope.spawn(read)];
            writer.join().unwrap();
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
    }
}

#[test]
fn a_table_that_is_replaced_is_always_there() {
    for test in fast_stores() {
        let store = &test.store;
        drop(write_table(store, "t", small(), 0, OnExists::Fail).unwrap());
        let end = Instant::now() + std::time::Duration::from_millis(500);
        std::thread::scope(|scope| {
            let write = move || {
                while Instant::now() < end {
                    // Nobody holds the version before, so it goes at once.
                    match write_table(store, "t", small(), 0, OnExists::Replace) {
                        Ok(table) => drop(table),
                        Err(e) => assert_eq!(e.kind(), ErrorKind::Conflict, "{e}"),
                    }
                }
            };
            let read = move || {
                while Instant::now() < end {
                    assert_eq!(crate::list(&**store).unwrap(), [name("t")]);
                    drop(Table::open(store, &name("t")).unwrap());
                }
            };
            let all = [scope.spawn(write), scope.spawn(read), scope.spawn(read)];
            all.into_iter().for_each(|one| one.join().unwrap());
        });
    }
}

#[test]
fn writers_and_removers_do_not_disturb_each_other() {
    for test in stores() {
        let store = &test.store;
        std::thread::scope(|scope| {
            let write = move |seed| {
                for _ in 0..15 {
                    match write_table(store, "t", small(), seed, OnExists::Replace) {
                        Ok(table) => verify(&table, seed).unwrap(),
                        Err(e) => assert_eq!(e.kind(), ErrorKind::Conflict, "{e}"),
                    }
                }
            };
            let writers = [scope.spawn(move || write(1)), scope.spawn(move || write(2))];
            while writers.iter().any(|writer| !writer.is_finished()) {
                if let Err(e) = remove(&**store, &name("t")) {
                    assert!(matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Conflict), "{e}");
                }
                // As fast as a person with a script, so that the writers come to something.
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        write_table(store, "t", small(), 3, OnExists::Replace).unwrap();
        remove(&**store, &name("t")).unwrap();
        assert_eq!(store.list(&StorePath::root()).unwrap(), []);
    }
}

#[test]
fn a_reader_keeps_what_it_opened() {
    for test in stores() {
        let old = write_table(&test.store, "t", small(), 1, OnExists::Fail).unwrap();
        let clone = old.clone();
        drop(old);
        write_table(&test.store, "t", small(), 2, OnExists::Replace).unwrap();
        write_table(&test.store, "t", small(), 3, OnExists::Replace).unwrap();
        verify(&clone, 1).unwrap();
        verify(&Table::open_ref(&clone.to_ref()).unwrap(), 1).unwrap();
        assert_eq!((versions(&test.store).manifests, generations(&test.store)), (vec![1, 3], 2));
        drop(clone);
        let table = Table::open(&test.store, &name("t")).unwrap();
        table.set_blocking(Some(Extent::new(2, 2))).unwrap();
        // The version before is still open here.
        assert_eq!((versions(&test.store).manifests, generations(&test.store)), (vec![3, 4], 1));
    }
}

#[test]
fn a_reference_to_what_is_gone_is_told() {
    for test in stores() {
        let old = write_table(&test.store, "t", small(), 1, OnExists::Fail).unwrap().to_ref();
        remove(&*test.store, &name("t")).unwrap();
        assert_eq!(Table::open_ref(&old).unwrap_err().kind(), ErrorKind::NotFound);
        write_table(&test.store, "t", small(), 2, OnExists::Fail).unwrap();
        let error = Table::open_ref(&old).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("made anew"), "{error}");
    }
}

#[test]
fn an_abandoned_writer_leaves_nothing() {
    for test in stores() {
        let writer = begin(&test.store, OnExists::Fail);
        write_shards(writer.target(), 1).unwrap();
        drop(writer);
        assert_eq!(test.store.list(&StorePath::root()).unwrap(), [], "not even directories");
        write_table(&test.store, "t", small(), 2, OnExists::Fail).unwrap();
    }
}

#[test]
fn what_a_writer_could_not_clear_a_collector_does() {
    for test in stores() {
        let writer = begin(&test.store, OnExists::Fail);
        write_shards(writer.target(), 1).unwrap();
        let layout = Layout::new(&name("t"));
        while test.store.delete(&layout.pending(writer.target().generation)).is_err() {}
        std::mem::forget(writer);
        while crate::collect(&*test.store, &name("t"), std::time::Duration::ZERO).is_err() {}
        assert_eq!(test.store.list(&StorePath::root()).unwrap(), []);
    }
}

#[test]
fn a_writer_whose_pending_file_is_gone_cannot_commit() {
    for test in stores() {
        let writer = begin(&test.store, OnExists::Fail);
        let shards = write_shards(writer.target(), 1).unwrap();
        let layout = Layout::new(&name("t"));
        while test.store.delete(&layout.pending(writer.target().generation)).is_err() {}
        let error = writer.commit(shards).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("somebody ended this writer"), "{error}");
        assert_eq!(test.store.list(&StorePath::root()).unwrap(), []);
    }
}

#[test]
fn a_writer_whose_files_are_gone_too_is_told_the_same() {
    for test in stores() {
        let writer = begin(&test.store, OnExists::Fail);
        let shards = write_shards(writer.target(), 1).unwrap();
        let layout = Layout::new(&name("t"));
        let generation = writer.target().generation;
        while test.store.delete(&layout.pending(generation)).is_err() {}
        while test.store.delete_all(&layout.generation(generation)).is_err() {}
        let error = writer.commit(shards).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.message().contains("somebody ended this writer"), "{error}");
    }
}

#[test]
fn a_writer_of_an_old_number_cannot_bring_a_removed_table_back() {
    for test in stores() {
        let late = begin(&test.store, OnExists::Replace);
        let shards = write_shards(late.target(), 9).unwrap();
        for seed in 1..3 {
            write_table(&test.store, "t", small(), seed, OnExists::Replace).unwrap();
        }
        remove(&*test.store, &name("t")).unwrap();
        assert_eq!(late.commit(shards).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(test.store.list(&StorePath::root()).unwrap(), []);
    }
}

#[test]
fn a_link_is_set_to_the_latest_by_whoever_commits_late() {
    let test = &stores()[0];
    let old = write_table(&test.store, "t", small(), 1, OnExists::Fail).unwrap();
    let new = write_table(&test.store, "t", small(), 2, OnExists::Replace).unwrap();
    let layout = Layout::new(&name("t"));
    let link = test.store.local_path(&layout.current()).unwrap();
    assert!(!point_current(&*test.store, &layout, &old.inner.manifest).unwrap(), "it leads back");
    Table::open(&test.store, &name("t")).unwrap();
    assert_eq!(
        std::fs::read_link(&link).unwrap().to_str().unwrap(),
        format!("generations/{}", new.generation())
    );
}

#[test]
fn what_is_no_table_is_not_removed() {
    for test in stores() {
        let put = |at: &str| {
            let bytes = b"mine, hama-generation or not";
            crate::table::files::write_whole(
                &*test.store,
                &StorePath::new(at).unwrap(),
                bytes,
                Durability::Full,
            )
            .unwrap();
            StorePath::new(at).unwrap()
        };
        let id = crate::GenerationId::random();
        let kept = [
            put("t/current"),
            put("u/generations/x"),
            put(&format!("u/generations/{id}/values/c.0.0")),
            put(&format!("v/generations/{id}.json")),
            put("w/generations"),
        ];
        for table in ["t", "u", "v", "w"] {
            let error = remove(&*test.store, &name(table)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        for path in kept {
            assert!(test.store.open(&path).is_ok(), "{path}");
        }
        // Beside a table they stay too.
        write_table(&test.store, "u", small(), 1, OnExists::Fail).unwrap();
        remove(&*test.store, &name("u")).unwrap();
        assert!(test.store.open(&StorePath::new("u/generations/x").unwrap()).is_ok());
    }
}

#[test]
fn a_link_to_elsewhere_is_somebody_elses() {
    let test = &stores()[0];
    let root = test.store.local_path(&StorePath::root()).unwrap();
    std::fs::create_dir_all(root.join("t/generations")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", root.join("t/current")).unwrap();
    assert_eq!(remove(&*test.store, &name("t")).unwrap(), Removed::Leftovers);
    assert!(std::fs::symlink_metadata(root.join("t/current")).is_ok());
}

#[test]
fn the_last_number_has_no_next() {
    for test in stores() {
        let last = Layout::new(&name("t")).manifest(crate::manifest::NUMBER_MAX);
        crate::table::files::write_whole(&*test.store, &last, b"{}", Durability::Full).unwrap();
        let error = TableWriter::create(&test.store, &name("t"), small(), OnExists::Replace).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        let more = StorePath::new("u/manifest-18446744073709551615.json").unwrap();
        crate::table::files::write_whole(&*test.store, &more, b"{}", Durability::Full).unwrap();
        TableWriter::create(&test.store, &name("u"), small(), OnExists::Fail).unwrap();
    }
}

#[test]
fn a_live_writer_is_left_alone_by_others_and_by_a_removal() {
    for test in stores() {
        write_table(&test.store, "t", small(), 1, OnExists::Fail).unwrap();
        let writer = begin(&test.store, OnExists::Replace);
        let shards = write_shards(writer.target(), 2).unwrap();
        remove(&*test.store, &name("t")).unwrap();
        assert_eq!(crate::list(&*test.store).unwrap(), []);
        writer.commit(shards).unwrap();
        verify(&Table::open(&test.store, &name("t")).unwrap(), 2).unwrap();
    }
}

#[test]
fn a_stale_link_is_repaired_by_whoever_opens() {
    let test = &stores()[0];
    let table = write_table(&test.store, "t", small(), 1, OnExists::Fail).unwrap();
    let layout = Layout::new(&name("t"));
    let link = test.store.local_path(&layout.current()).unwrap();
    let right = std::fs::read_link(&link).unwrap();
    assert_eq!(right.to_str().unwrap(), format!("generations/{}", table.generation()));
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("generations/gone", &link).unwrap();
    Table::open(&test.store, &name("t")).unwrap();
    assert_eq!(std::fs::read_link(&link).unwrap(), right);
}

#[test]
fn somebody_elses_files_in_a_table_are_left_alone() {
    for test in stores() {
        write_table(&test.store, "t", small(), 1, OnExists::Fail).unwrap();
        let notes = StorePath::new("t/notes.txt").unwrap();
        crate::table::files::write_whole(&*test.store, &notes, b"mine", Durability::Full).unwrap();
        write_table(&test.store, "t", small(), 2, OnExists::Replace).unwrap();
        remove(&*test.store, &name("t")).unwrap();
        assert!(test.store.open(&notes).is_ok());
        assert_eq!(crate::list(&*test.store).unwrap(), []);
        assert!(test.store.lock(&notes, Lock::Exclusive).unwrap().is_some());
        write_table(&test.store, "t", small(), 3, OnExists::Fail).unwrap();
    }
}
