//! Updates, history, placed copies, labels, copies and what clears them, as a person uses them.

use serde_json::{Value, json};

use crate::command::Place;
use crate::oracle;

fn values(place: &Place, name: &str) -> Value {
    place.json(&format!("matrix show {name} --rows .. --cols .."))["values"].clone()
}

#[test]
fn an_update_is_a_version_that_can_be_read_and_undone() {
    let place = Place::new();
    place.ok("matrix full a --rows 3 --cols 4 --value 1");
    place.ok("matrix full b --rows 2 --cols 2 --value 5");
    let said = place.ok("matrix update a --at 1,2 b");
    assert!(said.ends_with("version 2: rows 1..3, columns 2..4 are new\n"), "{said}");
    let updated = json!([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 5.0, 5.0], [1.0, 1.0, 5.0, 5.0]]);
    assert_eq!(values(&place, "a"), updated);
    let one = place.json("matrix update a --at 0,0 --value -7");
    assert_eq!((&one["version"], &one["at"]), (&json!(3), &json!([0, 0])));
    assert_eq!(values(&place, "a")[0][0], -7.0);
    assert_eq!(values(&place, "a@2"), updated);
    assert_eq!(values(&place, "a@1")[1][2], 1.0);
    let history = place.json("matrix history a");
    let told: Vec<_> =
        history["versions"].as_array().unwrap().iter().map(|version| &version["change"]).collect();
    assert_eq!(told, ["updated 1 of 1 shards", "updated 1 of 1 shards", "written"]);
    assert!(place.ok("matrix history a").lines().next().unwrap().starts_with("a@3  "));
    place.ok("matrix restore a@1");
    place.ok("matrix diff a a@1");
    place.run("matrix diff a@1 a@2").ends_with(5);
    place.ok("matrix multiply a@2 a@1 --transpose-b --output c");
}

#[test]
fn restoring_a_version_from_before_the_blocking_says_so() {
    let place = Place::new();
    place.ok("matrix ones a --rows 4 --cols 4");
    place.ok("matrix blocking a 2");
    let said = place.ok("matrix restore a@1");
    assert!(said.contains("blocks      none, as in version 1"), "{said}");
    assert_eq!(place.json("matrix restore a@2")["blocks"], json!([2, 2]));
}

#[test]
fn updates_that_cannot_be_change_nothing() {
    let place = Place::new();
    place.ok("matrix ones a --rows 3 --cols 4");
    place.ok("matrix ones b --rows 2 --cols 2 --dtype f32");
    place.run("matrix update a --at 0,0 b").fails(2, &["f64", "f32"]);
    place
        .run("matrix update a --at 0,0 a@9")
        .fails(1, &["no version 9", "there are 1", "hama matrix history a"]);
    place.run("matrix update a --at 2,0 a").fails(2, &["rows 2..5 of a: it has 3"]);
    place.run("matrix update a --at 3,0 --value 1").fails(2, &["rows 3..4 of a: it has 3"]);
    place.run("matrix update a --at 18446744073709551615,0 --value 1").fails(2, &["it has 3"]);
    place.run("matrix update b --at 0,0 --value 1e39").fails(2, &["f32 has no number"]);
    for wrong in
        ["a --at 1", "a --at -1,0 --value 1", "a", "a --at 0,0", "a --at 0,0 a --value 1", "a@1 --at x,y b"]
    {
        place.run(&format!("matrix update {wrong}")).fails(2, &[]);
    }
    for wrong in ["a", "a@1", "a@0", "a@x"] {
        place.run(&format!("matrix restore {wrong}")).fails(2, &[]);
    }
    place.run("matrix history nope").fails(1, &["nope"]);
    for line in [
        "ones a@2 --rows 2 --cols 2",
        "multiply a a --transpose-b --output c@1",
        "rename a c@1",
        "remove a@1",
        "gc a@1",
    ] {
        place.run(&format!("matrix {line}")).fails(2, &["cannot name a table"]);
    }
    assert_eq!(place.json("matrix info a")["version"], 1);
    place.ok("matrix update a --at 0,0 --value 2");
    place.run("matrix update a@1 --at 0,0 --value 3").fails(3, &["its version is 2 now"]);
}

#[test]
fn a_placed_copy_is_brought_up_to_date_by_what_an_update_touched() {
    let place = Place::new();
    place.random("a", 4000, 20);
    place.random("b", 20, 30);
    assert!(place.ok("matrix blocking a 4 --copy").contains("4 of 4 shards copied"));
    assert!(place.ok("matrix blocking a 4 --copy").contains("0 of 4 shards copied"));
    assert!(place.ok("matrix info a").contains("copy        4 shards, up to date"));
    place.ok("matrix update a --at 2500,3 --value 9");
    let info = place.json("matrix info a");
    assert_eq!(
        info["copy_shards_stale"],
        json!([4, 4]),
        "the table has one shard, which all of the copy's touch"
    );
    let made = place.json("matrix multiply a b --output c --verify");
    assert_eq!(made["copied"], json!([{ "shards": 4, "of": 4 }, { "shards": 0, "of": 0 }]));
    assert_eq!(place.json("matrix info a")["copy_shards_stale"], json!([0, 4]));
    let again = place.ok("matrix multiply a b --output c --replace --verify");
    assert!(!again.contains("placed copy"), "{again}");
    place.run("matrix blocking a 0 --copy").fails(2, &["0"]);
    place.run("matrix blocking a 21 --copy").fails(2, &["21"]);
}

#[test]
fn who_does_not_wait_for_the_disk_gets_the_same() {
    let place = Place::new();
    for (name, durability) in [("a", "full"), ("b", "none")] {
        place.ok(&format!("matrix random {name} --rows 40 --cols 30 --durability {durability}"));
        place.ok(&format!("--durability {durability} matrix update {name} --at 0,0 --value 2"));
        place.ok(&format!("matrix check {name}"));
    }
    place.ok("matrix diff a b");
    place.run("matrix random c --rows 1 --cols 1 --durability some").fails(2, &["some", "full", "none"]);
}

#[test]
fn gc_clears_history_and_nothing_that_counts() {
    let place = Place::new();
    place.random("a", 5, 5);
    for value in 0..4 {
        place.ok(&format!("matrix update a --at 0,0 --value {value}"));
    }
    let before = values(&place, "a");
    assert_eq!(place.json("matrix gc")["versions"], 0, "they are of today");
    let cleared = place.json("matrix gc a --older-than 0s");
    assert_eq!((&cleared["versions"], &cleared["generations"]), (&json!(4), &json!(4)));
    assert_eq!(values(&place, "a"), before);
    assert_eq!(place.json("matrix history a")["versions"].as_array().unwrap().len(), 1);
    place.run("matrix show a@3").fails(1, &["no version 3 of table a: there are 5"]);
    place.run("matrix gc nope").fails(1, &["nope"]);
    place.run("matrix gc --older-than soon").fails(2, &["soon"]);
    place.ok("matrix check a");
}

#[test]
fn matrices_are_copied_and_renamed() {
    let place = Place::new();
    place.random("a", 30, 20);
    place.ok("matrix annotate a unit=m");
    place.ok("matrix copy a b");
    place.ok("matrix diff a b");
    place.run("matrix copy a b").fails(3, &["--replace"]);
    place.ok("matrix copy a@1 b --replace");
    assert_eq!(place.json("matrix info b")["attributes"], json!({ "distribution": "uniform", "seed": 1 }));
    let other = place.path().join("elsewhere/c").display().to_string();
    place.ok(&format!("matrix copy a {other}"));
    assert_eq!(place.json("--store elsewhere matrix info c")["attributes"]["unit"], "m");
    place.ok("matrix copy ./elsewhere/c ./third/d");
    place.ok("matrix copy file:./third/d back");
    place.ok("matrix diff a back");
    place.ok("matrix rename back forth");
    place.ok("matrix copy a ./a.npy");
    place.run("matrix copy a ./a.npy").fails(3, &["--replace"]);
    place.ok("matrix copy ./a.npy ./elsewhere/e");
    place.ok("matrix copy ./elsewhere/e e.csv");
    place.ok("matrix copy e.csv e.npy");
    place.ok("matrix diff e.npy a");
    assert_eq!(place.names(), ["a", "b", "forth"]);
    place.run("matrix rename forth a").fails(3, &["a"]);
    place.run("matrix rename nope x").fails(1, &["nope"]);
    place.run("matrix copy a a").fails(3, &["a"]);
    place.run("matrix copy a b@2").fails(2, &["older version"]);
    place.run("matrix copy ./nowhere/a x").fails(1, &["nowhere"]);
    place.run("matrix copy a memory:x/a").fails(2, &["end with this command"]);
    place.run("matrix copy nope x").fails(1, &["nope"]);
    assert_eq!(place.names(), ["a", "b", "forth"]);
}

#[test]
fn notes_and_labels_are_kept_and_taken_away() {
    let place = Place::new();
    place.random("a", 3, 2);
    std::fs::write(place.path().join("rows.txt"), "x\ny\nz\n").unwrap();
    std::fs::write(place.path().join("two.txt"), "2025\n2026\n").unwrap();
    std::fs::write(place.path().join("bytes.txt"), b"x\n\xff\nz\n").unwrap();
    let noted = place.json("matrix annotate a unit=m levels=[1,2] --remove seed --remove distribution");
    assert_eq!(noted["attributes"], json!({ "unit": "m", "levels": [1, 2] }));
    let labelled = place.json("matrix label a --rows rows.txt --columns two.txt");
    assert_eq!((&labelled["row_labels"], &labelled["column_labels"]), (&json!(true), &json!(true)));
    assert_eq!(place.json("matrix label a --no-columns")["column_labels"], false);
    assert!(place.ok("matrix info a").contains("labels      of the rows\n"));
    place.run("matrix label a --rows two.txt").fails(2, &["there are 2 labels and should be 3"]);
    place.run("matrix label a --rows bytes.txt").fails(2, &["byte 2 is no UTF-8"]);
    place.run("matrix label a --rows nowhere.txt").fails(1, &["nowhere.txt"]);
    place.run("matrix label a").fails(2, &[]);
    place.run("matrix annotate a").fails(2, &[]);
    place.run("matrix annotate a unit").fails(2, &["unit"]);
    place.run("matrix annotate a --remove nothing").fails(2, &["nothing"]);
    let large = format!("x={}", "y".repeat(70_000));
    place.run_with("matrix annotate a", large).fails(2, &["65536 are the most"]);
    place.ok("matrix check a");
}

/// What zarr and xarray see of an annotated, labelled and updated table, and of a version that was open before.
const SEEN: &str = r#"
import sys, numpy as np, zarr, xarray as xr
current, old = sys.argv[1:]
dataset = xr.open_zarr(current, consolidated=False)
assert list(dataset["row"].values) == ["x", "y", "z"], dataset["row"].values
assert list(dataset["column"].values) == [2025, 2026], dataset["column"].values
assert float(dataset["values"].sel(row="y", column=2026).values) == 7.0
assert dataset["values"].attrs["unit"] == "m"
assert zarr.open(current, mode="r")["values"].attrs["unit"] == "m"
before = zarr.open(old, mode="r")[...]
assert before[1, 1] != 7.0 and np.isfinite(before).all()
print("seen")
"#;

#[test]
fn xarray_sees_labels_and_attributes() {
    let place = Place::new();
    place.random("a", 3, 2);
    std::fs::write(place.path().join("rows.txt"), "x\ny\nz\n").unwrap();
    std::fs::write(place.path().join("columns.txt"), "2025\n2026\n").unwrap();
    let old = place.ok("matrix path a");
    place.ok("matrix label a --rows rows.txt --columns columns.txt");
    place.ok("matrix annotate a unit=m");
    place.ok("matrix update a --at 1,1 --value 7");
    let current = place.stored("a/current").display().to_string();
    if let Some(said) = oracle::python(place.path(), SEEN, &[&current, old.trim_end()]) {
        assert_eq!(said, "seen\n");
    }
}
