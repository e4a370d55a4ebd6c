//! Zarr arrays that others wrote, and what is wrong with them.

use std::fs;
use std::path::PathBuf;

use hama_core::ErrorKind;
use hama_matrix::files::{self, ExportOptions};
use hama_matrix::{AnyMatrix, open_file};

use crate::files::{Place, f64s};

/// A Zarr array of 4 x 6 f64 in chunks of 3 x 4, as `metadata` has it after `change`.
fn zarr(place: &Place, name: &str, change: impl Fn(&mut serde_json::Value)) -> PathBuf {
    let mut metadata = serde_json::json!({
        "zarr_format": 3, "node_type": "array", "shape": [4, 6], "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 4]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 7.5, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}], "attributes": {},
    });
    change(&mut metadata);
    let path = place.path(name);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("zarr.json"), metadata.to_string()).unwrap();
    for (row, col) in [(0, 0), (0, 1), (1, 0)] {
        let elements = (0..12).map(|index| f64::from(row * 100 + col * 50 + index));
        let bytes: Vec<u8> = elements.flat_map(f64::to_le_bytes).collect();
        fs::write(path.join(format!("c.{row}.{col}")), bytes).unwrap();
    }
    path
}

#[test]
fn missing_chunks_are_the_fill_value() {
    let place = Place::new();
    let path = zarr(&place, "hole.zarr", |_| {});
    let matrix = f64s(&open_file(&place.hama, &path).unwrap());
    assert_eq!(matrix.row(2).to_vec(), [8.0, 9.0, 10.0, 11.0, 58.0, 59.0]);
    assert_eq!(matrix.row(3).to_vec(), [100.0, 101.0, 102.0, 103.0, 7.5, 7.5]);
    assert_eq!(f64s(&place.import(&path)), matrix);
}

#[test]
fn arrays_of_other_kinds_are_refused_by_name() {
    let place = Place::new();
    let cases: [(&str, serde_json::Value, &str); 12] = [
        (
            "/codecs",
            serde_json::json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "blosc"}]),
            "blosc",
        ),
        ("/codecs", serde_json::json!([]), "lack bytes"),
        ("/codecs", serde_json::json!([{"name": "gzip"}, {"name": "bytes"}]), "gzip"),
        ("/data_type", serde_json::json!("complex128"), "complex128"),
        ("/shape", serde_json::json!([4, 6, 1]), "3 dimensions"),
        ("/shape", serde_json::json!([0, 6]), "at least 1"),
        ("/shape", serde_json::json!([-4, 6]), "shape"),
        ("/chunk_grid/configuration/chunk_shape", serde_json::json!([0, 4]), "no elements"),
        ("/chunk_grid/configuration/chunk_shape", serde_json::json!([u64::MAX, u64::MAX]), "too large"),
        ("/chunk_grid/name", serde_json::json!("rectangular"), "rectangular"),
        ("/fill_value", serde_json::json!("many"), "many"),
        ("/node_type", serde_json::json!("group"), "group"),
    ];
    for (index, (pointer, value, part)) in cases.into_iter().enumerate() {
        let path = zarr(&place, &format!("{index}.zarr"), |json| {
            *json.pointer_mut(pointer).unwrap() = value.clone()
        });
        let (kind, why) = place.refused(&path);
        assert!(
            matches!(kind, ErrorKind::Data | ErrorKind::Invalid) && why.contains(part),
            "{pointer}: {why}"
        );
    }
    let short = zarr(&place, "short.zarr", |_| {});
    fs::write(short.join("c.0.1"), [0; 95]).unwrap();
    assert!(place.refused(&short).1.contains("c.0.1 is damaged: it has 95 bytes"));
    fs::write(short.join("zarr.json"), "{").unwrap();
    assert!(place.refused(&short).1.contains("no JSON"));
    let tiny = zarr(&place, "tiny.zarr", |json| {
        json["chunk_grid"]["configuration"]["chunk_shape"] = serde_json::json!([1, 1]);
        json["shape"] = serde_json::json!([1_000_000, 1_000_000]);
    });
    assert!(place.refused(&tiny).1.contains("chunks"));
    let empty = place.path("empty.zarr");
    fs::create_dir(&empty).unwrap();
    assert!(place.refused(&empty).1.contains("no Zarr array"));
}

#[test]
fn a_chunk_that_is_damaged_is_never_read() {
    let place = Place::new();
    let path = place.export(&place.random::<f64>("a", (70, 50)), "a.zarr");
    let shard = path.join("c.0.0");
    let good = fs::read(&shard).unwrap();
    for at in [0, 70 * 50 * 8 - 1, 70 * 50 * 8 + 1, good.len() - 10, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&shard, &bad).unwrap();
        let (kind, why) = place.refused(&path);
        assert!(kind == ErrorKind::Data && why.contains("checksum"), "{at}: {why}");
    }
    fs::write(&shard, &good[..good.len() - 1]).unwrap();
    assert_eq!(place.refused(&path).0, ErrorKind::Data);
}

#[test]
fn an_array_is_replaced_by_an_array_and_nothing_else_is() {
    let place = Place::new();
    let (a, b) = (place.random::<f64>("a", (7, 5)), place.random::<f64>("b", (9, 4)));
    let path = place.export(&a, "a.zarr");
    let replacing = ExportOptions { replace: true, ..ExportOptions::default() };
    let again = files::export(&b.any().unwrap(), &path, &ExportOptions::default()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Exists);
    files::export(&b.any().unwrap(), &path, &replacing).unwrap();
    assert_eq!(f64s(&place.import(&path)), b.to_ndarray().unwrap());
    let folder = place.path("precious.zarr");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("thesis.txt"), "x").unwrap();
    let error = files::export(&b.any().unwrap(), &folder, &replacing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(folder.join("thesis.txt").exists());
    let nowhere = place.path("no/where.zarr");
    assert_eq!(
        files::export(&b.any().unwrap(), &nowhere, &replacing).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(place.directory.path().read_dir().unwrap().count(), 2, "nothing temporary is left");
}

/// An array of 16 x 6 in four chunks that are stored by columns, so that each is unpacked as a whole.
fn turned(place: &Place) -> PathBuf {
    let path = zarr(place, "turned.zarr", |json| {
        json["shape"] = serde_json::json!([16, 6]);
        json["chunk_grid"]["configuration"]["chunk_shape"] = serde_json::json!([4, 6]);
        json["codecs"] = serde_json::json!([
            {"name": "transpose", "configuration": {"order": [1, 0]}},
            {"name": "bytes", "configuration": {"endian": "little"}}
        ]);
    });
    for row in 0..4u64 {
        let elements = (0..24u64).map(|index| (row * 24 + index % 4 * 6 + index / 4) as f64);
        let bytes: Vec<u8> = elements.flat_map(f64::to_le_bytes).collect();
        fs::write(path.join(format!("c.{row}.0")), bytes).unwrap();
    }
    path
}

#[test]
fn several_chunks_are_kept_where_the_memory_holds_them() {
    let place = Place::new();
    let path = turned(&place);
    let AnyMatrix::F64(matrix) = open_file(&place.hama, &path).unwrap() else { panic!() };
    let all = matrix.to_ndarray().unwrap();
    assert!(all.iter().enumerate().all(|(index, element)| *element == index as f64));
    // As much as one chunk packed and four unpacked, and a tile, each in pages.
    let used = |memory: u64| {
        let hama =
            hama_matrix::Hama::builder().store(crate::fixture::fresh("memory")).peers(1).memory(memory);
        let hama = hama.build().unwrap();
        let AnyMatrix::F64(matrix) = open_file(&hama, &path).unwrap() else { panic!() };
        matrix.to_ndarray().unwrap();
        hama.pool().usage().used_bytes_peak
    };
    let page = 4096;
    assert_eq!(used(1 << 30) - used(16 * page), 3 * page as usize);
}

#[test]
fn looking_at_the_files_of_an_array_can_be_ended() {
    let place = Place::new();
    let path = turned(&place);
    let cancel = hama_core::Cancel::new();
    let options = files::ImportOptions { cancel: cancel.clone(), ..files::ImportOptions::default() };
    files::Incoming::open(&path, &options).unwrap();
    cancel.cancel();
    assert_eq!(files::Incoming::open(&path, &options).unwrap_err().kind(), ErrorKind::Cancelled);
}
