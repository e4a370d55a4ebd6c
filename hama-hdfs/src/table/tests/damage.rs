//! Damaged tables: every fault is an error that says where, and none is read as data.

use hama_core::{Cancel, ErrorKind};

use super::*;
use crate::store::CreateHint;
use crate::table::files::{self, read_whole};
use crate::table::layout::Layout;
use crate::testing::{Fault, FaultyStore};
use crate::{StorePath, remove};

/// 3 x 1 tiles of 24 bytes, each a shard.
fn small(store: &Arc<dyn Store>) -> Table {
    let mut spec = spec(9, 1, ElementType::F64);
    spec.tile = Extent::new(3, 1);
    write_table(store, "t", spec.with_shard(Extent::new(1, 1)).unwrap(), 1, OnExists::Replace).unwrap()
}

fn shard(table: &Table, row: u64) -> StorePath {
    table.values_path().child(&format!("c.{row}.0")).unwrap()
}

fn bytes(store: &Arc<dyn Store>, path: &StorePath) -> Vec<u8> {
    read_whole(&**store, path, 1 << 30).unwrap()
}

/// Puts other bytes in a file's place, or none.
fn put(store: &Arc<dyn Store>, path: &StorePath, bytes: Option<&[u8]>) {
    while store.delete(path).is_err() {}
    if let Some(bytes) = bytes {
        let mut writer = files::create(&**store, path, CreateHint::new(0, &Host::local())).unwrap();
        writer.write(bytes).unwrap();
        // On the strict store the reply may be lost.
        let _ = writer.close();
    }
}

/// What reading tile (row, 0) says.
fn refusal(table: &Table, row: u64) -> String {
    let error = table.read_tile(TileIndex::new(row, 0), &mut vec![0; table.spec().tile_bytes()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    error.to_string()
}

fn faults(table: &Table) -> Vec<String> {
    let report = table.check(&|_| {}, &Cancel::new()).unwrap();
    report.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_flipped_byte_names_table_shard_tile_and_checksums() {
    for test in stores() {
        let table = small(&test.store);
        let mut bad = bytes(&test.store, &shard(&table, 1));
        bad[5] ^= 1;
        put(&test.store, &shard(&table, 1), Some(&bad));
        let (is, should) = (crc32c::crc32c(&bad[..24]), table.shards()[1].tiles[0].unwrap().crc32c);
        let said = refusal(&table, 1);
        let expected = format!(
            "cannot read table t: tile (1, 0) in shard c.1.0 is damaged: its checksum is {is:08x} and should be \
             {should:08x}"
        );
        assert_eq!(said, expected);
        assert_eq!(faults(&table), [expected]);
        verify(&table, 1).unwrap_err();
    }
}

/// Tile (1, 0) of `table`, read in parts of `len` bytes.
fn in_parts(table: &Table, len: usize) -> (hama_core::Result<()>, Vec<u8>) {
    let (tile, mut read) = (TileIndex::new(1, 0), Vec::new());
    let result = table.read_tile_in_parts(tile, &mut vec![0; len], |offset, part| {
        assert_eq!(offset, read.len());
        read.extend_from_slice(part);
    });
    (result, read)
}

#[test]
fn parts_of_a_tile_are_the_tile_and_damage_in_the_last_one_is_seen() {
    for test in stores() {
        let table = small(&test.store);
        let mut whole = vec![0; 24];
        table.read_tile(TileIndex::new(1, 0), &mut whole).unwrap();
        for len in [1, 7, 8, 23, 24, 25, 100] {
            let (result, read) = in_parts(&table, len);
            result.unwrap();
            assert_eq!(read, whole, "in parts of {len} bytes");
        }
        assert_eq!(in_parts(&table, 0).0.unwrap_err().kind(), ErrorKind::Invalid);
        let mut bad = bytes(&test.store, &shard(&table, 1));
        bad[23] ^= 1;
        put(&test.store, &shard(&table, 1), Some(&bad));
        // Opened anew: an open one holds the file that was.
        let table = Table::open(&test.store, &name("t")).unwrap();
        for len in [8, 24] {
            let error = in_parts(&table, len).0.unwrap_err();
            assert!(error.to_string().contains("tile (1, 0) in shard c.1.0 is damaged"), "{error}");
        }
    }
}

#[test]
fn a_check_sees_what_no_read_does() {
    for test in stores() {
        let table = small(&test.store);
        let good = bytes(&test.store, &shard(&table, 0));
        for (at, what) in [
            (24, "the checksum after tile (0, 0) in shard c.0.0"),
            (28, "byte 28 between the tiles of shard c.0.0 is damaged: it is 128 and should be 0"),
            (4095, "byte 4095 between the tiles"),
            (4096, "the index of shard c.0.0"),
            (4115, "the index"),
        ] {
            let mut bad = good.clone();
            bad[at] ^= 0x80;
            put(&test.store, &shard(&table, 0), Some(&bad));
            let table = Table::open(&test.store, &name("t")).unwrap();
            verify(&table, 1).unwrap();
            let found = faults(&table);
            assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
        }
    }
}

#[test]
fn a_check_compares_the_zarr_metadata() {
    for test in stores() {
        let table = small(&test.store);
        let layout = Layout::new(&name("t"));
        for path in [layout.group_metadata(table.generation()), layout.values_metadata(table.generation())] {
            let good = String::from_utf8(bytes(&test.store, &path)).unwrap();
            let other = good.replace("\"zarr_format\": 3", "\"zarr_format\": 2");
            assert_ne!(good, other);
            for (bad, said) in [
                (Some(other.as_bytes()), "is damaged"),
                (Some(&b"{"[..]), "is damaged"),
                (Some(&[b' '; 2 << 20][..]), "the most"),
                (None, "zarr.json"),
            ] {
                put(&test.store, &path, bad);
                let found = faults(&table);
                assert!(found.len() == 1 && found[0].contains(path.as_str()), "{found:?}");
                assert!(found[0].contains(said), "{found:?}");
            }
            // How it is written says nothing.
            put(&test.store, &path, Some(good.replace('\n', " ").as_bytes()));
            assert_eq!(faults(&table), [""; 0]);
        }
    }
}

#[test]
fn a_shard_that_is_a_directory_is_damage() {
    for test in stores() {
        let table = small(&test.store);
        put(&test.store, &shard(&table, 1), None);
        put(&test.store, &shard(&table, 1).child("below").unwrap(), Some(b"x"));
        assert!(refusal(&table, 1).contains("shard c.1.0 is no file that can be read"));
        assert_eq!(faults(&table).len(), 1);
    }
}

#[test]
fn a_check_goes_on_after_what_cannot_be_read() {
    for test in stores() {
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&test.store)));
        let store: Arc<dyn Store> = faulty.clone();
        small(&test.store);
        let table = Table::open(&store, &name("t")).unwrap();
        faulty.set(Fault::None);
        assert_eq!(faults(&table), [""; 0]);
        for call in 0..faulty.calls() {
            let table = Table::open(&store, &name("t")).unwrap();
            faulty.set(Fault::Fails(call, ErrorKind::Unavailable));
            let report = table.check(&|_| {}, &Cancel::new()).unwrap();
            faulty.set(Fault::None);
            assert_eq!(report.unreachable.len(), 1, "call {call}: {:?}", report.unreachable);
            assert_eq!(report.unreachable[0].kind(), ErrorKind::Unavailable);
            assert!(report.unreachable[0].to_string().contains("fails"), "{:?}", report.unreachable);
            assert!(report.faults.is_empty(), "nobody knows that it is damaged: {:?}", report.faults);
            assert!(report.tiles >= 2, "the others are checked");
        }
    }
}

#[test]
fn swapped_shards_are_noticed() {
    for test in stores() {
        let table = small(&test.store);
        let (one, two) = (bytes(&test.store, &shard(&table, 1)), bytes(&test.store, &shard(&table, 2)));
        put(&test.store, &shard(&table, 1), Some(&two));
        put(&test.store, &shard(&table, 2), Some(&one));
        let crc = |row: usize| format!("{:08x}", table.shards()[row].tiles[0].unwrap().crc32c);
        for (row, other) in [(1, 2), (2, 1)] {
            let said = refusal(&table, row as u64);
            assert!(
                said.contains(&format!("table t: tile ({row}, 0) in shard c.{row}.0 is damaged")),
                "{said}"
            );
            assert!(said.contains(&crc(row)) && said.contains(&crc(other)), "{said}");
        }
        assert_eq!(faults(&table).len(), 2);
    }
}

#[test]
fn missing_truncated_and_lengthened_shards_are_noticed() {
    for test in stores() {
        let table = small(&test.store);
        let good = bytes(&test.store, &shard(&table, 2));
        put(&test.store, &shard(&table, 2), None);
        assert!(refusal(&table, 2).contains("table t: shard c.2.0 is missing"));
        for len in [0, 1, 24, 4096, good.len() - 1] {
            put(&test.store, &shard(&table, 2), Some(&good[..len]));
            let said = refusal(&table, 2);
            assert!(said.contains(&format!("shard c.2.0 has {len} bytes and should have 4116")), "{said}");
        }
        put(&test.store, &shard(&table, 2), Some(&[&good[..], b"x"].concat()));
        assert!(refusal(&table, 2).contains("has 4117 bytes"));
        assert_eq!(faults(&table).len(), 1);
    }
}

#[test]
fn a_damaged_manifest_or_index_is_an_error_and_can_be_replaced_or_removed() {
    for test in stores() {
        let layout = Layout::new(&name("t"));
        for round in 0..6 {
            let table = small(&test.store);
            let index = layout.index(table.generation());
            let path = if round < 3 { layout.manifest(table.version()) } else { index };
            let mut bad = bytes(&test.store, &path);
            drop(table);
            match round % 3 {
                0 => bad[60] ^= 4,
                1 => bad.truncate(100),
                _ => bad = vec![b' '; 2 << 20],
            }
            put(&test.store, &path, Some(&bad));
            let error = Table::open(&test.store, &name("t")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            assert!(error.to_string().contains(path.as_str()), "{error}");
            put(&test.store, &path, None);
            let gone = Table::open(&test.store, &name("t")).unwrap_err();
            assert_eq!(gone.kind(), if round < 3 { ErrorKind::NotFound } else { ErrorKind::Data }, "{gone}");
            put(&test.store, &path, Some(&bad));
            if round == 5 {
                remove(&*test.store, &name("t")).unwrap();
                assert_eq!(test.store.list(&StorePath::root()).unwrap(), []);
            }
        }
    }
}

#[test]
fn a_manifest_in_the_place_of_another_is_refused() {
    for test in stores() {
        let table = small(&test.store);
        let layout = Layout::new(&name("t"));
        let manifest = bytes(&test.store, &layout.manifest(table.version()));
        put(&test.store, &layout.manifest(9), Some(&manifest));
        let error = Table::open(&test.store, &name("t")).unwrap_err();
        assert!(error.to_string().contains("manifest-00000009.json: it is of version 1"), "{error}");
        put(&test.store, &Layout::new(&name("u")).manifest(1), Some(&manifest));
        let error = Table::open(&test.store, &name("u")).unwrap_err();
        assert!(error.to_string().contains("it is of a table t, not of u"), "{error}");
    }
}
