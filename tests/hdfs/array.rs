//! Zarr arrays of others in HDFS, read in place by the command: those of zarr-python give the same bits as from a local
//! path, and what is wrong is told.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::command::Place;
use crate::{Test, shared, skips};

pub(crate) const TESTS: &[Test] = &[
    ("arrays_of_python_are_read_in_place", arrays_of_python_are_read_in_place),
    ("the_path_of_a_matrix_is_an_operand", the_path_of_a_matrix_is_an_operand),
    ("what_is_wrong_with_an_array_is_told", what_is_wrong_with_an_array_is_told),
    ("only_arrays_are_read_and_nothing_is_written_there", only_arrays_are_read_and_nothing_is_written_there),
];

/// Arrays of 1300 x 1100, and one to multiply them by.
const WRITTEN: &str = r#"
import numcodecs, numpy as np, zarr
rng = np.random.default_rng(1)
a = rng.random((1300, 1100))
np.save("b.npy", rng.random((1100, 70)))
kinds = {
    "sharded": dict(chunks=(100, 200), shards=(500, 600)),
    "gzip": dict(chunks=(500, 330), compressors=zarr.codecs.GzipCodec()),
    "plain": dict(chunks=(500, 330), compressors=None),
    "dots": dict(chunks=(500, 330), chunk_key_encoding={"name": "default", "separator": "."}),
    "two": dict(chunks=(500, 330), zarr_format=2, compressors=numcodecs.Zlib()),
}
for name, options in kinds.items():
    zarr.create_array(name + ".zarr", shape=a.shape, dtype="f8", **options)[:] = a
print(" ".join(kinds))
"#;

/// The answer of the oracle, which writes in the folder of a place; none where there is none.
fn python(place: &Place, script: &str, test: &str) -> Option<String> {
    let python = std::env::var("HAMA_ORACLE_PYTHON").map_err(|_| "HAMA_ORACLE_PYTHON is not set".to_owned());
    if skips(test, python.clone().map(drop)) {
        return None;
    }
    let mut command = Command::new(python.ok()?);
    let output = command.current_dir(place.folder.path()).args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn put(path: &str, bytes: &[u8]) {
    shared().webhdfs("PUT", path, "op=CREATE&overwrite=true", bytes).unwrap();
}

/// Puts a folder with all that is in it.
fn put_all(folder: &Path, to: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let to = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() { put_all(&path, &to) } else { put(&to, &std::fs::read(&path).unwrap()) }
    }
}

/// All files below a path in HDFS.
fn files(path: &str) -> Vec<String> {
    let listed = shared().webhdfs("GET", path, "op=LISTSTATUS", &[]).unwrap().json();
    let mut all = Vec::new();
    for status in listed["FileStatuses"]["FileStatus"].as_array().unwrap() {
        let child = format!("{path}/{}", status["pathSuffix"].as_str().unwrap());
        if status["type"] == "DIRECTORY" { all.extend(files(&child)) } else { all.push(child) }
    }
    all
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Fails with this exit status and says all of these.
#[track_caller]
fn fails(place: &Place, line: &str, status: i32, parts: &[&str]) {
    let output = place.run(line);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(status), "hama {line}: {said}");
    assert!(parts.iter().all(|part| said.contains(part)), "hama {line}: {parts:?} in {said}");
}

fn arrays_of_python_are_read_in_place() {
    let place = Place::new("arrays");
    let Some(kinds) = python(&place, WRITTEN, "arrays_of_python_are_read_in_place") else { return };
    for kind in kinds.split_whitespace() {
        let (local, there) = (format!("./{kind}.zarr"), format!("/arrays/with space/{kind}.zarr"));
        put_all(&place.folder.path().join(&local), &there.replace(' ', "%20"));
        let url = format!("{}{}", shared().url(), there.replace(' ', "%20"));
        let before = files("/arrays/with%20space");
        assert!(place.ok(&format!("matrix diff {local} {url}")).contains("are equal"), "{kind}");
        for (from, to) in [(&local, "local.npy"), (&url, "there.npy")] {
            // Little memory, so that panels are small.
            let line = format!(
                "matrix multiply {from} ./b.npy --output {to} --replace --memory 48MiB --peers 2 --verify"
            );
            let output = place.run(&line);
            assert!(output.status.success(), "{line}: {}", said(&output));
            assert!(!said(&output).contains("missing"), "{}", said(&output));
        }
        let [one, other] =
            ["local.npy", "there.npy"].map(|name| std::fs::read(place.folder.path().join(name)).unwrap());
        assert!(one == other, "{kind}");
        assert!(place.ok(&format!("matrix info {url}")).contains("1300"), "{kind}");
        place.ok(&format!("matrix import {url} {kind} --replace"));
        assert!(place.ok(&format!("matrix diff {kind} {local}")).contains("are equal"), "{kind}");
        place.ok(&format!("matrix export {url} ./out.npy --replace"));
        assert!(place.ok(&format!("matrix diff ./out.npy {local}")).contains("are equal"), "{kind}");
        assert_eq!(files("/arrays/with%20space"), before, "nothing is left there");
    }
    // Of shards an inner chunk, of others a chunk: the fill value, said aloud.
    let url = |kind: &str| format!("{}/arrays/with%20space/{kind}.zarr", shared().url());
    let gone = place.folder.path().join("gzip.zarr/c/1/1");
    std::fs::remove_file(gone).unwrap();
    shared().webhdfs("DELETE", "/arrays/with%20space/gzip.zarr/c/1/1", "op=DELETE", &[]).unwrap();
    let output = place.run(&format!("matrix diff ./gzip.zarr {}", url("gzip")));
    let warned = said(&output);
    assert!(
        output.status.success() && warned.matches("1 of its 12 chunks are missing").count() == 2,
        "{warned}"
    );
    // A chunk does not fit.
    fails(
        &place,
        &format!("matrix multiply {} ./b.npy --output c.npy --memory 1MiB", url("gzip")),
        1,
        &["try --memory"],
    );
}

fn the_path_of_a_matrix_is_an_operand() {
    let place = Place::new("operand");
    place.ok("matrix random a --rows 2100 --cols 1900 --seed 3");
    place.ok("matrix random b --rows 1900 --cols 30 --seed 4");
    let path = place.ok("matrix path a");
    let path = path.trim_end();
    assert!(path.starts_with("hdfs://") && path.ends_with("/values"), "{path}");
    place.ok(&format!("matrix multiply {path} b --output c --verify"));
    place.ok("matrix multiply a b --output d");
    assert!(place.ok("matrix diff c d --rtol 0 --atol 0").contains("are equal"));
    fails(
        &place,
        &format!("matrix info {}/a", place.store),
        2,
        &["no Zarr array", "name it a, with --store hdfs://"],
    );
}

fn what_is_wrong_with_an_array_is_told() {
    let place = Place::new("wrong");
    let at = |path: &str| format!("{}/wrong-arrays/{path}", shared().url());
    put("/wrong-arrays/broken.zarr/zarr.json", b"{\"zarr_format\":");
    put("/wrong-arrays/group.zarr/zarr.json", b"{\"zarr_format\":3,\"node_type\":\"group\"}");
    put("/wrong-arrays/none/x", b"");
    put("/wrong-arrays/file.zarr", b"x");
    let metadata = r#"{"zarr_format":3,"node_type":"array","shape":[4,4],"data_type":"float64","fill_value":1,
        "chunk_grid":{"name":"regular","configuration":{"chunk_shape":[2,4]}},
        "chunk_key_encoding":{"name":"default"},"codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}"#;
    put("/wrong-arrays/short.zarr/zarr.json", metadata.as_bytes());
    put("/wrong-arrays/short.zarr/c/0/0", &[0; 63]);
    for (path, status, parts) in [
        ("nothing.zarr", 1, &["cannot open hdfs://", "nothing.zarr", "not there"][..]),
        ("broken.zarr", 5, &["broken.zarr", "no JSON"]),
        ("group.zarr", 2, &["group.zarr", "it is a group"]),
        ("none", 2, &["/none: it is a directory and no Zarr array"]),
        ("", 2, &["no Zarr array", "broken.zarr, group.zarr, short.zarr"]),
        ("file.zarr", 2, &["file.zarr", "it is a file", "hdfs dfs -get"]),
        ("short.zarr", 5, &["chunk c/0/0 is damaged", "63 bytes and should have 64"]),
    ] {
        fails(&place, &format!("matrix multiply {} {} --output ./c.npy", at(path), at(path)), status, parts);
        assert!(!place.folder.path().join("c.npy").exists(), "{path}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    fails(&place, &format!("matrix info hdfs://127.0.0.1:{nobody}/a.zarr"), 4, &["nobody listens"]);
    let line = format!("matrix info hdfs://{}/a.zarr --timeout 1", silent.local_addr().unwrap());
    fails(&place, &line, 4, &["no answer of", "--timeout"]);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

fn only_arrays_are_read_and_nothing_is_written_there() {
    let place = Place::new("refused");
    place.ok("matrix ones a --rows 3 --cols 3");
    let at = |path: &str| format!("{}/refused-files/{path}", shared().url());
    for (line, parts) in [
        (format!("matrix info {}", at("a.npy")), &["only Zarr arrays", "hdfs dfs -get hdfs://"][..]),
        (format!("matrix import {} x", at("a.npz#w")), &["only Zarr arrays", "hdfs dfs -get"]),
        (format!("matrix import {} x --format csv", at("a")), &["only Zarr arrays"]),
        (format!("matrix export a {}", at("a.zarr")), &["on this machine only", "--store"]),
        (format!("matrix export a {}", at("a.npy")), &["on this machine only", "hdfs dfs -put"]),
        (format!("matrix multiply a a --output {}", at("c.zarr")), &["on this machine only"]),
        (format!("matrix plot a --output {}", at("a.png")), &["on this machine only"]),
        ("matrix info hdfs:///a.zarr".to_owned(), &["hdfs:///a.zarr", "no host"]),
    ] {
        fails(&place, &line, 2, parts);
    }
    let listed = shared().webhdfs("GET", "/refused-files", "op=LISTSTATUS", &[]);
    assert!(listed.is_err(), "nothing is made there");
}
