//! What was written is read, at odd sizes, and small things that hold for every table.

use hama_core::{Cancel, ErrorKind, Host};

use super::*;
use crate::{ShardIndex, list, remove};

#[test]
fn tables_of_odd_sizes_read_back() {
    let sizes = [(1, 1), (1, 2500), (2500, 1), (7, 13), (97, 89), (1024, 3), (1025, 3), (1030, 2061)];
    for test in stores() {
        for (rows, cols) in sizes {
            for element in [ElementType::F64, ElementType::F32] {
                for shard in [Extent::new(1, 1), Extent::new(2, 2), Extent::new(9, 9)] {
                    let spec = spec(rows, cols, element).with_shard(shard).unwrap();
                    let table = write_table(&test.store, "t", spec.clone(), 5, OnExists::Replace).unwrap();
                    verify(&table, 5).unwrap();
                    assert_eq!(table.bytes(), spec.stored_bytes());
                    let opened = Table::open(&test.store, &name("t")).unwrap();
                    assert_eq!((opened.spec(), opened.version()), (&spec, table.version()));
                    verify(&Table::open_ref(&opened.to_ref()).unwrap(), 5).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_check_reads_every_byte() {
    for test in stores() {
        let spec = spec(1030, 2061, ElementType::F32).with_shard(Extent::new(1, 2)).unwrap();
        let table = write_table(&test.store, "t", spec, 1, OnExists::Fail).unwrap();
        let told = std::cell::Cell::new(0);
        let report = table.check(&|bytes| told.set(bytes), &Cancel::new()).unwrap();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        assert_eq!(report.tiles, 6);
        assert_eq!((told.get(), report.bytes), (table.bytes(), table.bytes()));
        let cancel = Cancel::new();
        cancel.cancel();
        assert_eq!(table.check(&|_| {}, &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn hosts_are_those_that_wrote() {
    for test in stores() {
        let spec = spec(2000, 10, ElementType::F32).with_shard(Extent::new(1, 1)).unwrap();
        let table = write_table(&test.store, "t", spec, 1, OnExists::Fail).unwrap();
        assert_eq!(table.shards()[1].host, Host::new("host-c.1.0"));
    }
}

#[test]
fn tables_are_listed_and_removed() {
    for test in stores() {
        let spec = spec(2, 2, ElementType::F64);
        for table in ["b", "a", "C"] {
            write_table(&test.store, table, spec.clone(), 1, OnExists::Fail).unwrap();
        }
        assert_eq!(list(&*test.store).unwrap(), [name("C"), name("a"), name("b")]);
        remove(&*test.store, &name("a")).unwrap();
        assert_eq!(list(&*test.store).unwrap(), [name("C"), name("b")]);
        assert_eq!(remove(&*test.store, &name("a")).unwrap_err().kind(), ErrorKind::NotFound);
        let left: Vec<_> = test.store.list(&crate::StorePath::root()).unwrap();
        assert_eq!(left.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["C", "b"]);
        let open = Table::open(&test.store, &name("b")).unwrap();
        assert_eq!(remove(&*test.store, &name("b")).unwrap_err().kind(), ErrorKind::Conflict);
        verify(&open, 1).unwrap();
        drop(open);
        remove(&*test.store, &name("b")).unwrap();
    }
}

#[test]
fn wrong_calls_are_refused() {
    for test in stores() {
        let spec = spec(2000, 1500, ElementType::F32).with_shard(Extent::new(1, 2)).unwrap();
        let missing = Table::open(&test.store, &name("t")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.message().starts_with("no table t in the store "), "{missing}");
        crate::table::files::write_whole(
            &*test.store,
            &crate::StorePath::new("plain").unwrap(),
            b"x",
            Durability::Full,
        )
        .unwrap();
        for error in [
            Table::open(&test.store, &name("plain")).unwrap_err(),
            remove(&*test.store, &name("plain")).map(drop).unwrap_err(),
        ] {
            assert!(error.message().starts_with("no table plain in the store "), "{error}");
        }
        let taken = write_table(&test.store, "plain", spec.clone(), 1, OnExists::Replace).unwrap_err();
        assert!(matches!(taken.kind(), ErrorKind::Invalid | ErrorKind::Exists), "{taken}");
        let writer = TableWriter::create(&test.store, &name("t"), spec.clone(), OnExists::Fail).unwrap();
        let target = writer.target().clone();
        let host = Host::local();
        assert_eq!(
            ShardWriter::create(&target, ShardIndex::new(2, 0), &host).unwrap_err().kind(),
            ErrorKind::Invalid
        );
        let mut shard = ShardWriter::create(&target, ShardIndex::new(0, 0), &host).unwrap();
        let tile = tile_bytes(&spec, TileIndex::new(0, 0), 0);
        assert_eq!(
            shard.write_tile(TileIndex::new(0, 0), &tile[1..]).unwrap_err().kind(),
            ErrorKind::Invalid
        );
        assert_eq!(shard.write_tile(TileIndex::new(1, 0), &tile).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(shard.write_tile(TileIndex::new(0, 2), &tile).unwrap_err().kind(), ErrorKind::Invalid);
        shard.write_tile(TileIndex::new(0, 0), &tile).unwrap();
        assert_eq!(shard.write_tile(TileIndex::new(0, 0), &tile).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(shard.finish().unwrap_err().kind(), ErrorKind::Invalid);
        let mut shards = write_shards(&target, 0).unwrap();
        let twice = ShardWriter::create(&target, ShardIndex::new(0, 0), &host).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::Exists);
        shards.pop();
        assert_eq!(writer.commit(shards).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(Table::open(&test.store, &name("t")).unwrap_err().kind(), ErrorKind::NotFound);
        let table = write_table(&test.store, "t", spec.clone(), 0, OnExists::Fail).unwrap();
        let mut buffer = vec![0; spec.tile_bytes()];
        assert_eq!(
            table.read_tile(TileIndex::new(2, 0), &mut buffer).unwrap_err().kind(),
            ErrorKind::Invalid
        );
        assert_eq!(
            table.read_tile(TileIndex::new(0, 0), &mut buffer[1..]).unwrap_err().kind(),
            ErrorKind::Invalid
        );
        assert_eq!(
            write_table(&test.store, "t", spec, 0, OnExists::Fail).unwrap_err().kind(),
            ErrorKind::Exists
        );
    }
}

#[test]
fn a_table_without_room_is_refused_before_the_work() {
    let store = &stores()[0].store;
    let spec = spec(1 << 22, 1 << 21, ElementType::F64);
    let error = TableWriter::create(store, &name("t"), spec, OnExists::Fail).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfSpace);
    assert!(error.message().starts_with("cannot write table t of 70"), "{error}");
    assert_eq!(store.list(&crate::StorePath::root()).unwrap(), []);
}

#[test]
fn blocking_is_a_version_over_the_same_elements() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec(20, 30, ElementType::F64), 3, OnExists::Fail).unwrap();
        let blocked = table.set_blocking(Some(Extent::new(4, 5))).unwrap();
        assert_eq!((blocked.version(), blocked.generation()), (2, table.generation()));
        assert_eq!(Table::open(&test.store, &name("t")).unwrap().spec().blocking, Some(Extent::new(4, 5)));
        verify(&blocked, 3).unwrap();
        verify(&Table::open_ref(&table.to_ref()).unwrap(), 3).unwrap();
        assert_eq!(table.set_blocking(None).unwrap_err().kind(), ErrorKind::Conflict);
        for bad in [Extent::new(0, 1), Extent::new(21, 1)] {
            assert_eq!(blocked.set_blocking(Some(bad)).unwrap_err().kind(), ErrorKind::Invalid);
        }
        let referred = Table::open_ref(&blocked.to_ref()).unwrap();
        assert_eq!(referred.set_blocking(None).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(blocked.set_blocking(None).unwrap().spec().blocking, None);
    }
}

/// The annotated bytes of the specification, with the zeros that it leaves out.
fn specified_shard() -> Vec<u8> {
    let text = include_str!("../../../../docs/table-format.md");
    let mut bytes = Vec::new();
    for line in text.lines() {
        let Some((offset, rest)) = line.split_at_checked(8) else { continue };
        let Ok(offset) = usize::from_str_radix(offset, 16) else { continue };
        bytes.resize(offset, 0);
        let hex = rest.split_whitespace().take(16).map_while(|word| match word.len() {
            2 => u8::from_str_radix(word, 16).ok(),
            _ => None,
        });
        bytes.extend(hex);
    }
    bytes
}

#[test]
fn the_example_of_the_specification_is_what_is_written() {
    for test in stores() {
        let table = write_table(&test.store, "t", spec(2, 3, ElementType::F64), 1, OnExists::Fail).unwrap();
        let path = table.values_path().child("c.0.0").unwrap();
        let written = crate::table::files::read_whole(&*test.store, &path, 1 << 20).unwrap();
        assert_eq!(written, specified_shard());
        assert_eq!(written.len(), 4116);
    }
}
