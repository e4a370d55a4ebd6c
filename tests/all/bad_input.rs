//! Wrong use: a clear error, the right exit status, and nothing lost.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::command::{Place, Reply};

/// Names that no store takes.
const NAMES: [&str; 12] = ["a/b", "..", ".", ".a", "a@0", "a b", "", "ä", "矩阵", "-a b", "_a", "a\n"];

fn place() -> Place {
    let place = Place::new();
    place.random("a", 40, 20);
    place.random("b", 9, 10);
    place
}

#[test]
fn inner_dimensions_that_differ_are_both_said() {
    let place = place();
    place.run("matrix multiply a b --output c").fails(2, &["a (40 x 20)", "b (9 x 10)", "20 and 9"]);
    place.run("matrix multiply a b --explain").fails(2, &["20 and 9"]);
    assert_eq!(place.names(), ["a", "b"]);
}

#[test]
fn element_types_that_differ_are_refused() {
    let place = place();
    place.ok("matrix random single --rows 20 --cols 4 --dtype f32");
    place.run("matrix multiply a single --output c").fails(2, &["a (f64)", "single (f32)"]);
}

#[test]
fn impossible_shapes_are_refused_before_a_store_is_made() {
    let place = Place::new();
    let huge = u64::MAX.to_string();
    for (rows, cols) in
        [("0", "5"), ("5", "0"), (&huge, "1"), ("1099511627776", "1"), ("1000000000", "1000000000000")]
    {
        place.run(&format!("matrix random a --rows {rows} --cols {cols}")).fails(2, &["cannot"]);
    }
    for number in ["-1", "1.5", "1e3", "ten", "18446744073709551616"] {
        place.run(&format!("matrix random a --rows {number} --cols 2")).fails(2, &["--rows", number]);
    }
    for number in ["-1", "1e3"] {
        let wanted = format!("cannot read {number:?} as a count: a whole number such as 4000 is wanted");
        for line in [
            format!("matrix random a --rows {number} --cols 2"),
            format!("matrix random a --rows 2 --cols {number}"),
            format!("matrix blocking a {number}"),
            format!("matrix multiply a a -o c --peers {number}"),
            format!("demo --size {number}"),
        ] {
            place.run(&line).fails(2, &[&wanted]);
        }
    }
    place.run("matrix random a --rows 2 --cols 2 --dtype f16").fails(2, &["f16", "f64"]);
    place.run("matrix random a --rows 2 --cols 2 --seed -1").fails(2, &["--seed"]);
    place.run("demo --size 0").fails(2, &["0"]);
    place.run("demo --size 99999999999").fails(2, &["cannot"]);
    assert!(!place.stored("").exists());
}

#[test]
fn blockings_that_cannot_be_are_refused() {
    let place = place();
    place.run("matrix blocking a 0").fails(2, &["0"]);
    place.run("matrix blocking a 21").fails(2, &["21"]);
    place.run("matrix blocking a -1").fails(2, &["-1"]);
    assert!(place.json("matrix info a")["blocks"].is_null());
}

#[test]
fn comparisons_that_say_nothing_are_refused() {
    let place = place();
    place.run("matrix diff a a --rtol -1").fails(2, &["relative tolerance of -1"]);
    place.run("matrix diff a a --atol nan").fails(2, &["absolute tolerance of NaN"]);
    place.run("matrix diff a a --atol inf").fails(2, &["absolute tolerance of inf"]);
    place.run("matrix diff a a --atol much").fails(2, &["much"]);
    place.random("wide", 3, 4);
    place.random("high", 4, 3);
    place.run("matrix diff wide high").fails(2, &["3 x 4", "4 x 3", "shapes differ"]);
    place.random("large", 1000, 1000);
    place.run("matrix diff large large --memory 12MiB").fails(1, &["--memory 12MiB", "try --memory 16MiB"]);
}

#[test]
fn unknown_names_come_with_near_ones() {
    let place = place();
    place.random("gram", 2, 2);
    for verb in ["info", "show", "path", "check", "remove"] {
        place.run(&format!("matrix {verb} garm")).fails(1, &["garm", "try: gram"]);
        place
            .run(&format!("matrix {verb} nothing-like-it"))
            .fails(1, &["nothing-like-it", "hama matrix list"]);
    }
    place.run("matrix blocking garm 2").fails(1, &["try: gram"]);
    place.run("matrix export garm garm.npy").fails(1, &["try: gram"]);
    place.run("matrix diff a garm").fails(1, &["try: gram"]);
    place.run("matrix diff garm a").fails(1, &["try: gram"]);
    place.run("matrix multiply a garm --output c").fails(1, &["try: gram"]);
    assert!(!place.path().join("garm.npy").exists());
    assert_eq!(place.names(), ["a", "b", "gram"]);
}

#[test]
fn what_exists_is_not_overwritten() {
    let place = place();
    let before = place.ok("matrix show a");
    place.run("matrix random a --rows 3 --cols 3").fails(3, &["a", "--replace"]);
    place.run("matrix multiply a a --transpose-a --output a").fails(3, &["--replace"]);
    std::fs::write(place.path().join("there.npy"), "mine").unwrap();
    place.run("matrix export a there.npy").fails(3, &["there.npy", "--replace"]);
    assert_eq!(std::fs::read_to_string(place.path().join("there.npy")).unwrap(), "mine");
    place.ok("matrix export b b.npy");
    place.run("matrix import b.npy a").fails(3, &["--replace"]);
    assert_eq!(place.ok("matrix show a"), before);
    place.ok("matrix export b there.npy --replace");
    place.ok("matrix import there.npy a --replace");
    assert!(place.ok("matrix info a").contains("9 x 10"));
}

#[test]
fn names_that_no_store_takes_are_refused_everywhere() {
    let place = place();
    let long = "x".repeat(300);
    for name in NAMES.into_iter().chain([long.as_str()]) {
        let refused = |reply: Reply| drop(reply.fails(2, &["cannot"]));
        refused(place.run_with("matrix random --rows 2 --cols 2 --", name));
        refused(place.run_with("matrix info --", name));
        refused(place.run_with("matrix remove --", name));
        refused(place.run_with("matrix multiply a --transpose-a --output c --", name));
        let output = format!("--output={name}");
        refused(place.run_with("matrix multiply a a --transpose-a", output));
    }
    assert_eq!(place.names(), ["a", "b"]);
    let stored: Vec<_> = std::fs::read_dir(place.stored("")).unwrap().collect();
    assert_eq!(stored.len(), 2, "{stored:?}");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let place = place();
    let name = OsStr::from_bytes(b"a\xff");
    place.run_with("matrix info", name).ends_with(2);
    place.run_with("matrix info a --store", name).ends_with(2);
    place.run_with("matrix import --", name).ends_with(2);
}

#[test]
fn stores_that_cannot_be_are_told_with_their_whole_path() {
    let place = Place::new();
    let whole = place.path().canonicalize().unwrap().join("hama-data");
    let none = format!("no store at {}", whole.display());
    for line in [
        "matrix list",
        "matrix info a",
        "matrix show a",
        "matrix path a",
        "matrix check a",
        "matrix remove a",
        "matrix blocking a 2",
        "matrix export a a.npy",
        "matrix multiply a b --output c",
    ] {
        place.run(line).fails(1, &[&none]);
    }
    assert!(!whole.exists());
    std::fs::write(place.path().join("file"), "").unwrap();
    place.run("matrix list --store file").fails(2, &["file"]);
    place.run("matrix random a --rows 2 --cols 2 --store file").fails(2, &["file"]);
    place.run("matrix random a --rows 2 --cols 2 --store file/below").fails(2, &["file"]);
    for store in ["s3://bucket/data", "s3:x"] {
        let reply = place.run(&format!("matrix list --store {store}")).fails(2, &["s3", "file:./hama-data"]);
        assert!(!reply.err.contains("strict") && !reply.err.contains("memory"), "{reply:?}");
    }
    for store in ["memory:x", "strict:x", "memory:"] {
        place
            .run(&format!("matrix random a --rows 2 --cols 2 --store {store}"))
            .fails(2, &[store, "end with"]);
        place.run(&format!("demo --size 2 --store {store}")).fails(2, &[store]);
    }
    place
        .run("matrix list --store hdfs://127.0.0.1:1/data")
        .fails(4, &["hdfs://127.0.0.1:1/data", "nobody listens"]);
    place.run("matrix list --store hdfs:x").fails(2, &["hdfs"]);
}

#[test]
fn a_store_that_cannot_be_written_loses_nothing() {
    let place = place();
    // The system's own read-only folder: root may write wherever permissions alone forbid it.
    place.run("matrix random a --rows 2 --cols 2 --store /proc/hama").ends_with_failure();
    place.ok("matrix check a");
}

#[test]
fn memory_that_fits_no_plan_is_refused_with_one_that_does() {
    let place = Place::new();
    place.random("a", 2000, 2000);
    let reply = place.run("matrix multiply a a --output c --memory 1MiB --peers 2");
    assert!(matches!(reply.status, Some(1 | 2)), "{reply:?}");
    let (_, hint) = reply.err.split_once("--memory ").unwrap_or_else(|| panic!("{reply:?}"));
    let words: Vec<&str> = reply.err.split_whitespace().collect();
    let tries = words.iter().rposition(|word| *word == "--memory").unwrap();
    let memory: String = words[tries + 1].trim_end_matches([',', ';', ')']).to_owned();
    assert!(!hint.is_empty() && place.names() == ["a"]);
    place.ok(&format!("matrix multiply a a --output c --peers 2 --memory {memory}"));
}

#[test]
fn sizes_grids_peers_and_ranges_are_read_strictly() {
    let place = place();
    let multiply = "matrix multiply a a --transpose-a --output c";
    place.run(&format!("{multiply} --memory 2XB")).fails(2, &["2XB", "GiB"]);
    place.run(&format!("{multiply} --memory -1GiB")).fails(2, &["cannot", "-1GiB"]);
    place.run("matrix show a --rows -1..2").fails(2, &["cannot read the range"]);
    place.run(&format!("{multiply} --memory 0")).ends_with_failure();
    place.run(&format!("{multiply} --grid 2x2")).fails(2, &["2x2", "2x1x1"]);
    place.run(&format!("{multiply} --grid 0x1x1")).fails(2, &["0x1x1"]);
    place.run(&format!("{multiply} --grid 9x9x9 --peers 2")).fails(2, &["9x9x9"]);
    place.run(&format!("{multiply} --peers 0")).fails(2, &["0"]);
    place.run(&format!("{multiply} --peers x")).fails(2, &["--peers"]);
    place.run(&format!("{multiply} --explain --verify")).fails(2, &["--verify"]);
    place.run("matrix multiply a a --transpose-a").fails(2, &["--output"]);
    for range in ["5..5", "7..3", "x", "-1..2", "0..41", "40", "40.."] {
        place.run(&format!("matrix show a --rows={range}")).fails(2, &["cannot"]);
    }
    assert_eq!(place.names(), ["a", "b"]);
}

#[test]
fn more_than_eyes_can_read_is_not_shown() {
    let place = Place::new();
    place.random("a", 200, 200);
    place.run("matrix show a --rows .. --cols ..").fails(2, &["200 x 200", "10000", "export"]);
}

#[test]
fn no_verb_and_unknown_verbs_are_told_what_there_is() {
    let place = Place::new();
    for line in [
        "",
        "matrix",
        "matrx",
        "matrix multply a b",
        "matrix list extra",
        "matrix list --wrong",
        "-q -v demo",
    ] {
        let reply = place.run(line).fails(2, &["Usage"]);
        assert!(!reply.err.is_empty());
    }
    place.run("matrix multply a b").fails(2, &["multiply"]);
    place.run("list").fails(2, &["try `hama matrix list`"]);
    place.run("multiply a b --output c").fails(2, &["try `hama matrix multiply`"]);
    place.run("matrix demo").fails(2, &["try `hama demo`"]);
    let json = place.run("list --json").ends_with(2).json();
    assert_eq!(json["error"]["try"], "hama matrix list");
}

#[test]
fn a_conflict_of_two_writers_leaves_one_whole_table() {
    let place = place();
    let children: Vec<_> = (0..4)
        .map(|seed| {
            let line = format!("matrix random raced --rows 300 --cols 300 --seed {seed}");
            place
                .command(&line)
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let replies: Vec<_> =
        children.into_iter().map(|child| Reply::of("", child.wait_with_output().unwrap())).collect();
    let won = replies.iter().filter(|reply| reply.status == Some(0)).count();
    assert_eq!(won, 1, "{replies:?}");
    assert!(replies.iter().all(|reply| matches!(reply.status, Some(0 | 3))), "{replies:?}");
    place.ok("matrix check raced");
}
