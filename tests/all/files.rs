//! Matrices as files: operands, results, imports and exports, and what NumPy, SciPy and zarr make of them.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Place, Reply};
use crate::oracle;

/// No folder of a conversion is left.
fn nothing_spilled(place: &Place) {
    let left = fs::read_dir(place.path().join("spill")).unwrap().count();
    assert_eq!(left, 0, "what was converted is still there");
}

fn with_spill() -> Place {
    let place = Place::new();
    fs::create_dir(place.path().join("spill")).unwrap();
    place
}

#[test]
fn files_are_operands_and_results_without_a_store() {
    let place = with_spill();
    place.ok("matrix random a --rows 70 --cols 50 --store other");
    place.ok("matrix export a a.npy --store other");
    for suffix in ["npz", "mtx", "csv", "tsv", "zarr"] {
        place.ok(&format!("matrix export ./a.npy a.{suffix} --spill-dir spill"));
    }
    for a in ["a.npy", "a.npz", "a.npz#a", "a.mtx", "./a.csv", "a.tsv", "a.zarr", "./a.zarr/"] {
        place.ok(&format!(
            "matrix multiply {a} a.npy --transpose-b --output ./c.npy --replace --verify --spill-dir spill"
        ));
        place.ok("matrix multiply ./a.npy a.npy --transpose-b --output d.npy --replace --spill-dir spill");
        place.ok("matrix diff ./c.npy d.npy --rtol 1e-13");
        assert!(place.ok(&format!("matrix info {a} --spill-dir spill")).contains("70 x 50 f64"));
        assert_eq!(place.json(&format!("matrix show {a} --rows 0 --spill-dir spill"))["cols"], 50);
        nothing_spilled(&place);
    }
    for result in ["c.npz", "c.mtx", "c.csv", "c.tsv", "c.zarr"] {
        let made = place
            .json(&format!("matrix multiply a.npy a.npy --transpose-b --output {result} --spill-dir spill"));
        assert_eq!(
            (&made["output"]["name"], &made["output"]["version"]),
            (&result.into(), &serde_json::Value::Null)
        );
        place.ok(&format!("matrix diff d.npy {result} --spill-dir spill"));
        place
            .run(&format!("matrix multiply a.npy a.npy --transpose-b --output {result}"))
            .fails(3, &["exists already", "--replace"]);
    }
    assert!(!place.stored("").exists(), "no store was made");
    place.ok("matrix multiply a.npy a.npy --transpose-b --output first");
    assert_eq!(place.names(), ["first"]);
    nothing_spilled(&place);
}

#[test]
fn a_product_goes_straight_into_an_npy_file() {
    let place = with_spill();
    place.random("a", 1100, 40);
    place.ok("matrix multiply a a --transpose-b --output c");
    // There is no folder that a table could take.
    let made = place.json("matrix multiply a a --transpose-b --output ./c.npy --verify --spill-dir nowhere");
    let bytes = fs::metadata(place.path().join("c.npy")).unwrap().len();
    assert_eq!((&made["output"]["bytes"], bytes > 1100 * 1100 * 8), (&bytes.into(), true));
    assert!(place.ok("matrix diff c ./c.npy").contains("are equal"));
    place.ok("matrix multiply a a --transpose-a --output ./c.npy --replace --durability none");
    assert!(place.ok("matrix info ./c.npy").contains("40 x 40"));
    place
        .run("matrix multiply a a --transpose-a --output ./c.npy")
        .fails(3, &["exists already", "--replace"]);
    place.run("matrix multiply a a --transpose-a --output ./no/c.npy").fails(1, &["no/c.npy"]);
    let little = "matrix multiply a a --transpose-b --output ./d.npy --memory 1MiB --peers 1";
    place.run(little).fails(1, &["too small for a (1100 x 40) by a (40 x 1100)"]);
    assert!(!place.path().join("d.npy").exists());
}

#[test]
fn arrays_in_archives_are_named_as_people_say() {
    let place = with_spill();
    fs::write(place.path().join("b.csv"), "1,2\n3,4\n").unwrap();
    place.ok("matrix multiply b.csv b.csv --output c.npz --spill-dir spill");
    place.ok("matrix multiply b.csv b.csv --output d.npz#w --spill-dir spill");
    place.ok("matrix export b.csv e.npz --spill-dir spill");
    place.ok("matrix export b.csv f.npz#w --spill-dir spill");
    for (file, array) in [("c.npz", "c"), ("d.npz", "w"), ("e.npz", "b"), ("f.npz", "w")] {
        place.ok(&format!("matrix info {file}#{array}"));
        assert!(place.path().join(file).exists());
    }
    place.run("matrix export b.csv f.npz#v --spill-dir spill").fails(3, &["exists already"]);
    place.run("matrix export b.csv g.npz#v --array w --spill-dir spill").fails(2, &["--array w"]);
    let mut bytes = fs::read(place.path().join("e.npz")).unwrap();
    let at = bytes.windows(8).position(|part| part == 3.0f64.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(place.path().join("e.npz"), bytes).unwrap();
    for line in ["show e.npz", "info e.npz", "multiply e.npz e.npz --output ./x.npy", "import e.npz x"] {
        place.run(&format!("matrix {line}")).fails(5, &["e.npz#b", "checksum"]);
    }
    assert!(!place.path().join("x.npy").exists());
    nothing_spilled(&place);
}

#[test]
fn a_file_multiplies_as_the_table_that_it_was_imported_to() {
    let place = with_spill();
    place.random("a", 1100, 40);
    place.random("b", 40, 1030);
    place.ok("matrix export a a.npy");
    place.ok("matrix export b b.zarr");
    place.ok("matrix multiply a b --output c");
    place.ok("matrix multiply ./a.npy b --output d");
    place.ok("matrix multiply a b.zarr --output e --peers 3");
    place.ok("matrix multiply ./b.zarr a.npy --transpose-a --transpose-b --output f");
    assert!(
        place.ok("matrix diff c d").contains("are equal")
            && place.ok("matrix diff c e").contains("are equal")
    );
    assert!(place.ok("matrix info f").contains("1030 x 1100"));
    assert!(place.ok("matrix multiply ./a.npy b --explain").contains("GFLOP"));
}

#[test]
fn where_a_file_cannot_stand_it_says_so() {
    let place = with_spill();
    place.random("a", 4, 3);
    place.ok("matrix export a a.npy");
    for line in ["path ./a.npy", "check a.npy", "blocking a.npy 2", "remove ./a.npy"] {
        place.run(&format!("matrix {line}")).fails(2, &["is a file", "hama matrix import"]);
    }
    assert!(place.path().join("a.npy").exists());
    place.run("matrix info ./nothing.npy").fails(1, &["nothing.npy"]);
    place.run("matrix info ./a").fails(2, &["format of ./a"]);
    place.run("matrix import a.txt x").fails(2, &["--format"]);
    place.run("matrix import a.npy x --format nothing").fails(2, &["no format"]);
    place.run("matrix import a.npy x --header").fails(2, &["--header means nothing"]);
    place.run("matrix import a.csv x --delimiter ab").fails(2, &["single character"]);
    place.run("matrix export a a.mtx.gz").fails(2, &[".gz"]);
    place.run("matrix multiply a.csv a.npy --output x --spill-dir nowhere").ends_with_failure();
    fs::write(place.path().join("a.csv"), "1,2\n3,x\n").unwrap();
    place.run("matrix info a.csv --spill-dir nowhere").fails(2, &["--spill-dir nowhere"]);
    place.run("matrix info a.csv --spill-dir spill").fails(5, &["line 2, column 2"]);
    nothing_spilled(&place);
}

#[test]
fn a_store_is_made_for_a_result_only() {
    let place = with_spill();
    place.ok("matrix random a --rows 7 --cols 7 --store other");
    place.ok("matrix export a a.npy --store other");
    place.ok("matrix multiply a.npy a.npy --explain");
    place.ok("matrix multiply a.npy a.npy --output c --explain");
    place.ok("matrix multiply a.npy a.npy --output ./a.npy --explain");
    place.run("matrix multiply a.npy ./none.npy --output c").fails(1, &["none.npy"]);
    place.run("matrix multiply a.npy a.npy --output c:d").fails(2, &["c:d"]);
    assert!(!place.stored("").exists(), "no store was made");
    place.ok("matrix multiply a.npy a.npy --output c");
    assert_eq!(place.names(), ["c"]);
}

#[test]
fn options_of_text() {
    let place = Place::new();
    fs::write(place.path().join("a.txt"), "x;y\n1;2\n3;4.5\n").unwrap();
    place.ok("matrix import a.txt a --format csv --delimiter ; --header --dtype f32");
    assert!(place.ok("matrix info a").contains("2 x 2 f32"));
    place.ok("matrix export a b.csv --header");
    assert_eq!(fs::read_to_string(place.path().join("b.csv")).unwrap(), "c0,c1\n1.0,2.0\n3.0,4.5\n");
    place.ok("matrix export a b.mtx");
    let market = "%%MatrixMarket matrix array real general\n2 2\n1.0\n3.0\n2.0\n4.5\n";
    assert_eq!(fs::read_to_string(place.path().join("b.mtx")).unwrap(), market);
    fs::write(place.path().join("s.mtx"), "%%MatrixMarket matrix coordinate pattern general\n2 3 1\n2 3\n")
        .unwrap();
    let reply = place.run("matrix import s.mtx s").ok();
    assert!(reply.err.contains("1 elements are given") && reply.err.contains("dense"), "{}", reply.err);
    assert_eq!(place.json("matrix show s")["values"], serde_json::json!([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]));
}

#[test]
fn ctrl_c_ends_a_conversion_and_leaves_nothing() {
    let place = with_spill();
    place.random("a", 3000, 1000);
    place.ok("matrix export a a.csv");
    let mut child = place
        .command("matrix multiply ./a.csv a.csv --transpose-a --output ./c.npy --spill-dir spill")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while fs::read_dir(place.path().join("spill")).unwrap().count() == 0 {
        assert!(child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Reply::of("multiply", child.wait_with_output().unwrap()).fails(130, &["cancelled"]);
    nothing_spilled(&place);
    assert!(!place.path().join("c.npy").exists());
}

const WRITTEN: &str = r#"
import gzip, numpy as np, scipy.io, scipy.sparse as sp, zarr
rng = np.random.default_rng(1)
a = rng.random((137, 71))
np.save("a.npy", a); np.save("fortran.npy", np.asfortranarray(a)); np.save("big.npy", a.astype(">f8"))
np.savez("one.npz", a); np.savez("several.npz", a=a, b=a.T); np.savez_compressed("packed.npz", a=np.asfortranarray(a))
np.savetxt("a.csv", a, delimiter=",", fmt="%.17g"); np.savetxt("a.tsv", a, delimiter="\t", fmt="%.17g")
scipy.io.mmwrite("a.mtx", a, precision=17)
sparse = sp.random(137, 71, 0.05, random_state=1)
np.save("sparse.npy", sparse.toarray()); scipy.io.mmwrite("sparse.mtx", sparse, precision=17)
gzip.open("sparse.mtx.gz", "wb").write(open("sparse.mtx", "rb").read())
square = sp.random(90, 90, 0.05, random_state=2)
for name, m, symmetry in [("symmetric", square + square.T, "symmetric"), ("skew", square - square.T, "skew-symmetric")]:
    np.save(name + ".npy", m.toarray()); scipy.io.mmwrite(name + ".mtx", m, symmetry=symmetry, precision=17)
zarr.save("default.zarr", a)
kinds = {
    "plain": dict(chunks=(50, 33), compressors=None),
    "gzip": dict(chunks=(50, 33), compressors=zarr.codecs.GzipCodec()),
    "checked": dict(chunks=(50, 33), compressors=[zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]),
    "sharded": dict(chunks=(10, 20), shards=(50, 60)),
    "turned": dict(chunks=(50, 33), filters=[zarr.codecs.TransposeCodec(order=(1, 0))]),
    "v2keys": dict(chunks=(50, 33), chunk_key_encoding={"name": "v2", "separator": "/"}),
    "version2": dict(chunks=(50, 33), zarr_format=2, order="F"),
    "version2gzip": dict(chunks=(50, 33), zarr_format=2, compressors=__import__("numcodecs").GZip()),
    "large": dict(chunks=(137, 71)),
}
for name, options in kinds.items():
    array = zarr.create_array(name + ".zarr", shape=a.shape, dtype="f8", **options)
    array[:] = a
for dtype in ["i2", "u4", "bool", "f4", "i8"]:
    b = (a * 100).astype(dtype)
    np.save(f"{dtype}.npy", b); zarr.create_array(f"{dtype}.zarr", shape=b.shape, dtype=dtype, chunks=(50, 33))[:] = b
print(" ".join(kinds))
"#;

const READ: &str = r#"
import numpy as np, scipy.io, zarr
a = np.load("a.npy")
assert a.tobytes() == np.load("out.npy").tobytes() == np.load("out.npz")["w"].tobytes()
assert np.array_equal(a, np.loadtxt("out.csv", delimiter=",", skiprows=1))
assert np.array_equal(a, np.loadtxt("out.tsv", delimiter="\t"))
assert np.array_equal(a, scipy.io.mmread("out.mtx"))
z = zarr.open("out.zarr", mode="r")
assert z.dtype == "f8" and np.array_equal(a, z[...])
print("same")
"#;

#[test]
fn what_other_programs_write_is_read_and_the_other_way_round() {
    let place = with_spill();
    let Some(kinds) = oracle::python(place.path(), WRITTEN, &[]) else { return };
    let same = [
        "fortran.npy",
        "big.npy",
        "one.npz",
        "several.npz#a",
        "packed.npz",
        "a.csv",
        "a.tsv",
        "a.mtx",
        "default.zarr",
    ];
    let arrays: Vec<String> = kinds.split_whitespace().map(|kind| format!("{kind}.zarr")).collect();
    for file in same.iter().copied().chain(arrays.iter().map(String::as_str)) {
        assert!(
            place.ok(&format!("matrix diff a.npy {file} --spill-dir spill")).contains("are equal"),
            "{file}"
        );
        place.ok(&format!("matrix import {file} x --replace"));
        assert!(place.ok("matrix diff a.npy x").contains("are equal"), "{file}");
    }
    let pairs = [
        "sparse.mtx",
        "sparse.mtx.gz",
        "symmetric.mtx",
        "skew.mtx",
        "i2.zarr",
        "u4.zarr",
        "bool.zarr",
        "f4.zarr",
        "i8.zarr",
    ];
    for file in pairs {
        let stem = file.split('.').next().unwrap();
        let said = place.ok(&format!("matrix diff {stem}.npy ./{file} --spill-dir spill"));
        assert!(said.contains("are equal"), "{file}: {said}");
    }
    place.run("matrix import several.npz x --replace").fails(2, &["a, b", "--array"]);
    place.run("matrix import several.npz#c x --replace").fails(1, &["a, b"]);
    for line in ["out.npy", "out.npz --array w", "out.csv --header", "out.tsv", "out.mtx", "out.zarr"] {
        place.ok(&format!("matrix export ./a.npy {line}"));
    }
    assert_eq!(oracle::python(place.path(), READ, &[]).unwrap(), "same\n");
    nothing_spilled(&place);
}
