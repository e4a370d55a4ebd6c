//! Placed copies, and tables under other names and in other stores.

use std::sync::atomic::{AtomicU64, Ordering};

use hama_core::{Cancel, ErrorKind};

use super::*;
use crate::table::layout::Layout;
use crate::{Changes, CopyOptions, collect, copy, rename, versions};

/// 4 x 4 tiles in shards of 2 x 2.
fn grid_of_4_shards() -> TableSpec {
    spec(4096, 4096, ElementType::F32).with_shard(Extent::new(2, 2)).unwrap()
}

/// Makes the placed copy with so many blocks, or brings it up to date; how many shards were copied.
fn refresh(table: &Table, blocks: Extent) -> Result<(Table, usize)> {
    let Some(writer) = table.begin_copy(blocks, crate::store::Durability::Full)? else {
        return Ok((table.clone(), 0));
    };
    let (target, shards) = (writer.target().clone(), writer.shards());
    let mut buffer = vec![0; target.spec.tile_bytes()];
    let mut records = Vec::new();
    for shard in &shards {
        let mut to = ShardWriter::create(&target, *shard, &Host::local())?;
        for tile in target.spec.tiles_of(*shard) {
            table.read_tile(tile, &mut buffer)?;
            to.write_tile(tile, &buffer)?;
        }
        records.push(to.finish()?);
    }
    Ok((writer.commit(records)?, shards.len()))
}

fn update(table: &Table, row: u64, col: u64, seed: u64) -> Table {
    let shards = [ShardIndex::new(row, col)].into();
    let writer = TableWriter::update(table, Changes { shards, ..Changes::default() }).unwrap();
    let records = write_some(writer.target(), writer.shards(), seed).unwrap();
    writer.commit(records).unwrap()
}

#[test]
fn only_what_an_update_touched_is_copied_again() {
    for test in stores() {
        let table = write_table(&test.store, "t", grid_of_4_shards(), 1, OnExists::Fail).unwrap();
        assert_eq!(
            (table.stale_copy_shards().unwrap(), table.through_copy().unwrap().is_none()),
            (None, true)
        );
        let blocks = Extent::new(4, 4);
        let (table, copied) = refresh(&table, blocks).unwrap();
        assert_eq!((copied, table.spec().blocking), (16, Some(blocks)));
        assert_eq!(refresh(&table, blocks).unwrap().1, 0, "it is up to date");
        let through = table.through_copy().unwrap().unwrap();
        assert_eq!((through.spec().shard, through.version()), (Extent::new(1, 1), 2));
        verify(&through, 1).unwrap();
        verify(&Table::open_ref(&through.to_ref()).unwrap(), 1).unwrap();
        let table = update(&table, 1, 0, 2);
        let now = |tile: TileIndex| if tile.row > 1 && tile.col < 2 { 2 } else { 1 };
        assert_eq!(table.stale_copy_shards().unwrap(), Some((4, 16)));
        assert!(table.through_copy().unwrap().is_none(), "it is out of date");
        assert!(Table::open_ref(&crate::TableRef { version: 3, ..through.to_ref() }).is_err());
        // Another version between changes nothing about that.
        let annotated =
            Changes { attributes: Some([("a".to_owned(), 1.into())].into()), ..Changes::default() };
        let table = TableWriter::update(&table, annotated).unwrap().commit(Vec::new()).unwrap();
        assert_eq!(table.stale_copy_shards().unwrap(), Some((4, 16)));
        let (table, copied) = refresh(&table, blocks).unwrap();
        assert_eq!(copied, 4);
        verify_by(&table.through_copy().unwrap().unwrap(), now).unwrap();
        verify_by(&table, now).unwrap();
        let told = &versions(&test.store, &name("t")).unwrap()[0].change;
        assert_eq!(told, "copied 4 of 16 shards of 4 x 4 placed blocks");
        drop(through);
        while collect(&*test.store, &name("t"), Duration::ZERO).is_err() {}
        no_orphans(&test.store, "t");
        let table = Table::open(&test.store, &name("t")).unwrap();
        verify_by(&table.through_copy().unwrap().unwrap(), now).unwrap();
        // Other blocks end the copy.
        let table = table.set_blocking(Some(Extent::new(2, 2))).unwrap();
        assert!(table.through_copy().unwrap().is_none());
        drop(table);
        while collect(&*test.store, &name("t"), Duration::ZERO).is_err() {}
        no_orphans(&test.store, "t");
        verify_by(&Table::open(&test.store, &name("t")).unwrap(), now).unwrap();
    }
}

#[test]
fn a_copy_of_something_else_or_a_damaged_one_goes() {
    for test in stores() {
        let table = write_table(&test.store, "t", grid_of_4_shards(), 1, OnExists::Fail).unwrap();
        let table = refresh(&table, Extent::new(2, 2)).unwrap().0;
        // As another program may leave it that makes a generation and knows nothing of copies.
        let pending =
            table.begin_next(Durability::Full, |manifest, id| manifest.copies[0].source = id).unwrap();
        let strange = table.commit_next(pending, Arc::clone(&table.inner.index)).unwrap();
        assert!(strange.through_copy().unwrap().is_none());
        let strange = update(&strange, 0, 0, 2);
        assert_eq!(strange.stale_copy_shards().unwrap(), None);
        let whole = refresh(&strange, Extent::new(2, 2)).unwrap();
        assert_eq!(whole.1, 4);
        // The index of the copy is gone.
        let through = whole.0.through_copy().unwrap().unwrap();
        let index = Layout::new(&name("t")).index(through.generation());
        drop((table, strange, through));
        while test.store.delete(&index).is_err() {}
        assert_eq!(whole.0.through_copy().unwrap_err().kind(), ErrorKind::Data);
        assert_eq!(refresh(&whole.0, Extent::new(2, 2)).unwrap().1, 4, "it is made anew");
        no_orphans(&test.store, "t");
    }
}

#[test]
fn an_older_version_has_the_copy_of_its_time() {
    for test in stores() {
        let table = write_table(&test.store, "t", grid_of_4_shards(), 1, OnExists::Fail).unwrap();
        let blocks = Extent::new(2, 1);
        let second = refresh(&table, blocks).unwrap().0;
        let third = update(&second, 0, 0, 2);
        drop(refresh(&third, blocks).unwrap());
        let old = Table::open_version(&test.store, &name("t"), 2).unwrap();
        verify(&old.through_copy().unwrap().unwrap(), 1).unwrap();
        let fifth = old.restore().unwrap();
        verify(&fifth.through_copy().unwrap().unwrap(), 1).unwrap();
        no_orphans(&test.store, "t");
    }
}

#[test]
fn a_copy_with_impossible_blocks_is_refused() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec(5, 5, ElementType::F32), 1, OnExists::Fail).unwrap();
        for blocks in [Extent::new(0, 1), Extent::new(6, 1)] {
            let error = refresh(&table, blocks).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }
        assert_eq!(refresh(&table, Extent::new(5, 5)).unwrap().1, 1, "blocks within a tile share a shard");
        assert_eq!(versions(&test.store, &name("t")).unwrap().len(), 2);
    }
}

#[test]
fn tables_are_copied_within_a_store_and_to_others() {
    let all = stores();
    for from in &all {
        let table = write_table(&from.store, "t", grid_of_4_shards(), 1, OnExists::Fail).unwrap();
        let rows = crate::Labels::Integers((0..4096).collect());
        let labelled = Changes { row_labels: Some(Some(rows.clone())), ..Changes::default() };
        let labelled = TableWriter::update(&table, labelled).unwrap().commit(Vec::new()).unwrap();
        drop(table);
        let table = update(&labelled, 0, 0, 2);
        drop(labelled);
        let now = |tile: TileIndex| if tile.row < 2 && tile.col < 2 { 2 } else { 1 };
        for to in &all {
            let told = AtomicU64::new(0);
            let copied = copy(
                &table,
                &to.store,
                &name("c"),
                OnExists::Replace,
                &|bytes| _ = told.fetch_add(bytes, Ordering::Relaxed),
                &Cancel::new(),
            );
            let copied = copied.unwrap();
            verify_by(&copied, now).unwrap();
            assert!(copied.inner.manifest.is_settled);
            assert_eq!(copied.labels(crate::Dimension::Rows).unwrap(), Some(rows.clone()));
            let linked = to.store.has_links() && to.store.url() == from.store.url();
            assert_eq!(told.into_inner(), if linked { 0 } else { 64 << 20 });
            no_orphans(&to.store, "c");
            let again = copy(&table, &to.store, &name("c"), OnExists::Fail, &|_| {}, &Cancel::new());
            assert_eq!(again.unwrap_err().kind(), ErrorKind::Exists);
        }
        // What was copied outlives what it was copied from.
        drop(table);
        crate::remove(&*from.store, &name("t")).unwrap();
        verify_by(&Table::open(&from.store, &name("c")).unwrap(), now).unwrap();
        let cancel = Cancel::new();
        cancel.cancel();
        let source = Table::open(&from.store, &name("c")).unwrap();
        let other = all.iter().find(|other| other.store.url() != from.store.url()).unwrap();
        let ended = copy(&source, &other.store, &name("d"), OnExists::Fail, &|_| {}, &cancel);
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(!crate::list(&*other.store).unwrap().contains(&name("d")));
    }
}

#[test]
fn a_table_gets_another_name_unless_somebody_uses_it() {
    for test in stores() {
        let again =
            |from: &str, to: &str| rename(&test.store, &name(from), &name(to), &|_| {}, &Cancel::new());
        let table = write_table(&test.store, "t", grid_of_4_shards(), 1, OnExists::Fail).unwrap();
        let in_use = again("t", "u").unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::Conflict, "{in_use}");
        assert_eq!(crate::list(&*test.store).unwrap(), [name("t")]);
        verify(&table, 1).unwrap();
        drop(table);
        verify(&again("t", "u").unwrap(), 1).unwrap();
        assert_eq!(crate::list(&*test.store).unwrap(), [name("u")]);
        drop(write_table(&test.store, "t", spec(2, 2, ElementType::F64), 2, OnExists::Fail).unwrap());
        for (from, to, kind) in
            [("t", "u", ErrorKind::Exists), ("t", "t", ErrorKind::Exists), ("x", "y", ErrorKind::NotFound)]
        {
            assert_eq!(again(from, to).unwrap_err().kind(), kind, "{from} to {to}");
        }
        no_orphans(&test.store, "u");
        verify(&Table::open(&test.store, &name("u")).unwrap(), 1).unwrap();
    }
}

#[test]
fn shards_of_a_copy_move_to_other_hosts() {
    for test in stores() {
        let table = write_table(&test.store, "t", grid_of_4_shards(), 1, OnExists::Fail).unwrap();
        let blocks = Extent::new(2, 2);
        assert!(table.placed(blocks).unwrap().is_none());
        let (table, _) = refresh(&table, blocks).unwrap();
        assert!(table.placed(Extent::new(4, 4)).unwrap().is_none(), "it is cut otherwise");
        assert_eq!(table.placed(blocks).unwrap().unwrap().shards().len(), 4);
        let moving = [ShardIndex::new(0, 1)].into();
        let writer = table.begin_copy_moving(blocks, Durability::Full, &moving).unwrap().unwrap();
        assert_eq!(writer.shards(), [ShardIndex::new(0, 1)]);
        let records = write_some(writer.target(), writer.shards(), 1).unwrap();
        let table = writer.commit(records).unwrap();
        let placed = table.placed(blocks).unwrap().unwrap();
        let hosts: Vec<&str> = placed.shards().iter().map(|record| record.host.name()).collect();
        assert_eq!(hosts, ["localhost", "host-c.0.1", "localhost", "localhost"]);
        verify(&placed, 1).unwrap();
        verify(&table.through_copy().unwrap().unwrap(), 1).unwrap();
        assert_eq!(table.placed(Extent::new(0, 1)).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

/// Copies `table` until so many bytes were copied, and leaves what there is then.
fn begin_copy(table: &Table, test: &TestStore, bytes: u64) -> Error {
    let (cancel, told) = (Cancel::new(), AtomicU64::new(0));
    let tell = |more| {
        if told.fetch_add(more, Ordering::Relaxed) + more >= bytes {
            cancel.cancel();
        }
    };
    let options = CopyOptions { resume: true, ..OnExists::Fail.into() };
    copy(table, &test.store, &name("c"), options, &tell, &cancel).unwrap_err()
}

/// Copies `table`, with what another copy left or not; how many bytes it told of.
fn copy_all(table: &Table, test: &TestStore, resume: bool) -> (Table, u64) {
    let told = AtomicU64::new(0);
    let tell = |more| _ = told.fetch_add(more, Ordering::Relaxed);
    let options = CopyOptions { resume, ..OnExists::Fail.into() };
    let copied = copy(table, &test.store, &name("c"), options, &tell, &Cancel::new()).unwrap();
    (copied, told.into_inner())
}

/// 16 shards of one tile each.
fn source(test: &TestStore) -> Table {
    let spec = spec(3100, 4096, ElementType::F32).with_shard(Extent::new(1, 1)).unwrap();
    write_table(&test.store, "t", spec, 1, OnExists::Fail).unwrap()
}

fn left(test: &TestStore) -> Vec<String> {
    files(&*test.store, "c").into_iter().filter(|file| file.contains("values/c.")).collect()
}

#[test]
fn a_copy_goes_on_from_what_another_left() {
    for (from, to) in stores().iter().zip(stores().iter().rev()) {
        let table = source(from);
        let error = begin_copy(&table, to, table.bytes() / 2);
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert_eq!(Table::open(&to.store, &name("c")).unwrap_err().kind(), ErrorKind::NotFound);
        let there = left(to);
        assert!((4..16).contains(&there.len()), "{there:?}");
        let (copied, _) = copy_all(&table, to, true);
        verify(&copied, 1).unwrap();
        let all = left(to);
        assert!(all.len() == 16 && there.iter().all(|file| all.contains(file)), "{there:?} of {all:?}");
        no_orphans(&to.store, "c");
        assert!(copied.check(&|_| {}, &Cancel::new()).unwrap().faults.is_empty());
    }
}

/// Begins a file in a directory as a writer that was killed then; where it lies.
fn begin_file(test: &TestStore, dir: &str) -> std::path::PathBuf {
    let dir = test.store.local_path(&StorePath::new(dir).unwrap()).unwrap();
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join(format!(".tmp-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, b"begun").unwrap();
    file
}

#[test]
fn files_that_were_begun_are_cleared_wherever_they_lie() {
    let (from, to) = (&stores()[0], &stores()[0]);
    let table = source(from);
    begin_copy(&table, to, table.bytes() / 2);
    let values = StorePath::new(&left(to)[0]).unwrap().parent().unwrap();
    let begun = begin_file(to, values.as_str());
    let copied = copy_all(&table, to, true).0;
    assert!(!begun.exists(), "who goes on does not commit it");
    let (dir, _) = values.as_str().rsplit_once('/').unwrap();
    let begun = [values.as_str(), dir, &format!("{dir}/row")].map(|dir| begin_file(to, dir));
    crate::collect(&*to.store, &name("c"), Duration::ZERO).unwrap();
    assert!(begun.iter().all(|file| !file.exists()), "{begun:?}");
    verify(&copied, 1).unwrap();
}

#[test]
fn a_table_of_which_only_the_first_file_was_begun_is_cleared() {
    let test = &stores()[0];
    let begun = begin_file(test, "c");
    let directory = |name| {
        let directory = test.store.local_path(&StorePath::new(name).unwrap()).unwrap();
        std::fs::create_dir(&directory).unwrap();
        directory
    };
    let (empty, foreign) = (directory("empty"), directory("foreign"));
    std::fs::write(foreign.join("notes"), b"of somebody else").unwrap();
    let collect = |table| collect(&*test.store, &name(table), Duration::ZERO).unwrap();
    assert_eq!(collect("c").writers, 1);
    assert!(!begun.parent().unwrap().exists());
    assert_eq!(collect("empty"), crate::Collected::default());
    assert!(!empty.exists(), "a writer that was killed at once leaves such a one");
    assert_eq!(collect("foreign"), crate::Collected::default());
    assert!(foreign.join("notes").exists(), "what is not empty is somebody else's");
}

#[test]
fn what_a_copy_left_is_cleared_or_made_again_where_it_is_damaged() {
    let (from, to) = (&stores()[0], &stores()[0]);
    let table = source(from);
    begin_copy(&table, to, table.bytes() / 2);
    crate::collect(&*to.store, &name("c"), Duration::ZERO).unwrap();
    assert!(to.store.list(&StorePath::root()).unwrap().is_empty(), "a collection clears it");
    begin_copy(&table, to, table.bytes() / 2);
    let damaged = to.store.local_path(&StorePath::new(&left(to)[0]).unwrap()).unwrap();
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let short = to.store.local_path(&StorePath::new(&left(to)[1]).unwrap()).unwrap();
    std::fs::write(&short, b"short").unwrap();
    verify(&copy_all(&table, to, true).0, 1).unwrap();
    crate::remove(&*to.store, &name("c")).unwrap();
    // Another matrix of the same form, and one who does not ask for it.
    begin_copy(&table, to, table.bytes() / 2);
    let other = write_table(&from.store, "t", table.spec().clone(), 2, OnExists::Replace).unwrap();
    verify(&copy_all(&other, to, true).0, 2).unwrap();
    crate::remove(&*to.store, &name("c")).unwrap();
    begin_copy(&table, to, table.bytes() / 2);
    let (copied, told) = copy_all(&table, to, false);
    verify(&copied, 1).unwrap();
    assert_eq!(told, 16 * table.spec().tile_bytes() as u64);
    no_orphans(&to.store, "c");
}

#[test]
fn who_was_taken_over_leaves_what_its_successor_committed() {
    for test in stores() {
        let spec = grid_of_4_shards();
        let mut slept = TableWriter::create(&test.store, &name("c"), spec.clone(), OnExists::Fail).unwrap();
        let shards = write_shards(slept.target(), 1).unwrap();
        // As a host that hung for longer than its lease lasts.
        drop(slept.pending().take_lock());
        let successor =
            TableWriter::resume(&test.store, &name("c"), &spec, OnExists::Fail.into(), &[None, None]);
        let table = successor.unwrap().unwrap().commit(shards.clone()).unwrap();
        assert_eq!(slept.commit(shards).unwrap_err().kind(), ErrorKind::Conflict);
        verify(&table, 1).unwrap();
        no_orphans(&test.store, "c");
    }
}
