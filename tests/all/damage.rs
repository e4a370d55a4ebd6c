//! Stored bytes that are not what was written: found, told with table, shard and tile, and never used.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::command::Place;

/// A place with a matrix of 2 x 2 tiles, and the folder of its array.
fn place() -> (Place, PathBuf) {
    let place = Place::new();
    place.random("a", 1200, 1200);
    let array = PathBuf::from(place.ok("matrix path a").trim_end());
    (place, array)
}

#[track_caller]
fn found(place: &Place, parts: &[&str]) {
    place.run("matrix check a").fails(5, parts);
    let reply = place.run("matrix multiply a a --output c").fails(5, parts);
    assert!(!reply.err.is_empty() && place.names() == ["a"]);
}

#[test]
fn a_flipped_bit_is_found() {
    let (place, array) = place();
    let file = OpenOptions::new().read(true).write(true).open(array.join("c.0.0")).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 100_000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 100_000).unwrap();
    found(&place, &["a", "c.0.0", "(0, 0)"]);
}

#[test]
fn a_truncated_shard_is_found() {
    let (place, array) = place();
    let file = OpenOptions::new().write(true).open(array.join("c.0.0")).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    found(&place, &["c.0.0"]);
}

#[test]
fn a_missing_shard_is_found() {
    let (place, array) = place();
    fs::remove_file(array.join("c.0.0")).unwrap();
    found(&place, &["c.0.0"]);
}

#[test]
fn a_shard_of_another_matrix_is_found() {
    let (place, array) = place();
    place.ok("matrix random other --rows 1200 --cols 1200 --seed 99");
    let other = PathBuf::from(place.ok("matrix path other").trim_end());
    fs::copy(other.join("c.0.0"), array.join("c.0.0")).unwrap();
    place.run("matrix check a").fails(5, &["a", "c.0.0"]);
    place.run("matrix multiply a a --output c").fails(5, &["c.0.0"]);
}

#[test]
fn a_manifest_that_is_damaged_or_newer_is_told_and_can_be_removed() {
    let (place, _) = place();
    let manifest = place.stored("a/manifest-00000001.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("1200", "1201")).unwrap();
    place.run("matrix info a").fails(5, &["a"]);
    fs::write(&manifest, "{").unwrap();
    place.run("matrix info a").fails(5, &["a"]);
    place.run("matrix multiply a a --output c").fails(5, &["a"]);
    place.ok("matrix remove a");
    assert!(place.names().is_empty());
}
