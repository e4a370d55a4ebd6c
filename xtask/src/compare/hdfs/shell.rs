//! A table into HDFS and out of it beside `hdfs dfs` with the same files.
//!
//! What the shell takes for an empty file is not counted: the start of Java, and all that does not grow with the bytes.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use xtask::hdfs::Hdfs;

use super::super::lab::Lab;
use super::super::rounds::{Candidate, Rounds, Spread, alternate_cold};
use super::super::row::{Aim, Found};
use super::{making, store, sync, there};
use Way::{In, Out};

const IN: &str = "Hama in";
const OUT: &str = "Hama out";
const PUT: &str = "-put";
const GET: &str = "-get";
const PUT_8: &str = "-put -t 8";
const GET_8: &str = "-get -t 8";
const PUT_EMPTY: &str = "-put of an empty file";
const GET_EMPTY: &str = "-get of an empty file";
/// Where the shell puts, in HDFS.
const THERE: &str = "/shell";
const EMPTY: &str = "/empty";

pub(super) fn run(lab: &mut Lab, hdfs: &Hdfs, found: &mut Found) -> Result<(), String> {
    // 8 shards, each as large as shards become.
    let (rows, cols) = lab.size((16_000, 8000), (2000, 1000));
    lab.random("a", rows, cols, "f64")?;
    let store = store(hdfs);
    // So that there is one to be had in the first round.
    lab.hama(&format!("matrix copy a {store}/b"))?;
    sync(lab)?;
    let array = fs::canonicalize(lab.array("a")).map_err(|error| format!("cannot find a: {error}"))?;
    let (empty, got) = (lab.folder.join("empty"), lab.folder.join("empty-got"));
    fs::write(&empty, "").map_err(|error| format!("cannot write {}: {error}", empty.display()))?;
    hdfs.webhdfs("PUT", EMPTY, "op=CREATE&overwrite=true", &[])?;
    let (empty, got) = (empty.to_string_lossy(), got.to_string_lossy());
    let mut candidates = vec![
        Candidate::new(PUT_EMPTY, |_| timed(hdfs, &["-put", "-f", &empty, EMPTY])),
        Candidate::new(GET_EMPTY, |_| timed(hdfs, &["-get", "-f", EMPTY, &got])),
        making(IN, format!("matrix copy a {store}/c"), format!("matrix remove c {}", there(hdfs))),
        Candidate::new(PUT, |lab| put(lab, hdfs, &array, &[])),
        making(OUT, format!("matrix copy {store}/b b"), "matrix remove b".to_owned()),
        Candidate::new(GET, |lab| get(lab, hdfs, &[])),
    ];
    if !lab.quick {
        candidates.push(Candidate::new(PUT_8, |lab| put(lab, hdfs, &array, &["-t", "8"])));
        candidates.push(Candidate::new(GET_8, |lab| get(lab, hdfs, &["-t", "8"])));
    }
    let count = lab.size(5, 1);
    let rounds = alternate_cold(lab, &format!("copies, {rows} x {cols}, f64"), candidates, count);
    let gb = format!("{:.3} GB", (rows * cols * 8) as f64 / 1e9);
    let what = "`hama matrix copy` to or from HDFS: time, `hdfs dfs` without its start = 1";
    let syncs_not = ", which syncs nothing";
    for (of, theirs, field, after, aim) in [
        (In, PUT, "seconds", "", Some(Aim::AtMost(1.0))),
        (In, PUT_8, "seconds", "", None),
        (Out, GET, "seconds", syncs_not, Some(Aim::AtMost(1.0))),
        (Out, GET_8, "seconds", syncs_not, None),
        (Out, GET, "synced_seconds", " and a sync", None),
        (Out, GET_8, "synced_seconds", " and a sync", None),
    ] {
        found.figure((what, &format!("`{theirs}`{after}, {gb}")), times(&rounds, of, theirs, field), "", aim);
    }
    Ok(())
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// Our time over theirs without that of an empty file, round by round. Where that is all of it, as of very few bytes, there is
/// no ratio.
fn times(rounds: &Rounds, way: Way, theirs: &str, field: &str) -> Option<Spread> {
    let (ours, empty) = match way {
        In => (IN, PUT_EMPTY),
        Out => (OUT, GET_EMPTY),
    };
    let empty = rounds.numbers(empty, "seconds").into_iter();
    let work = rounds.numbers(theirs, field).into_iter().zip(empty).map(|(all, empty)| all - empty);
    let pairs = rounds.numbers(ours, field).into_iter().zip(work).filter(|(_, work)| *work > 0.0);
    Spread::of(pairs.map(|(ours, work)| ours / work).collect())
}

/// A command of the shell from the start of Java to its end.
fn timed(hdfs: &Hdfs, arguments: &[&str]) -> Result<Value, String> {
    let start = Instant::now();
    hdfs.dfs(arguments)?;
    Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
}

/// The same, and the sync after it.
fn timed_and_synced(lab: &Lab, hdfs: &Hdfs, arguments: &[&str]) -> Result<Value, String> {
    let mut run = timed(hdfs, arguments)?;
    run["synced_seconds"] = (run["seconds"].as_f64().unwrap_or(f64::NAN) + sync(lab)?).into();
    Ok(run)
}

/// Puts the array of a local table.
fn put(lab: &Lab, hdfs: &Hdfs, array: &Path, options: &[&str]) -> Result<Value, String> {
    hdfs.webhdfs("DELETE", THERE, "op=DELETE&recursive=true", &[])?;
    let array = array.to_string_lossy();
    timed_and_synced(lab, hdfs, &[&["-put"], options, &[&array, THERE]].concat())
}

/// Gets the folder of a table.
fn get(lab: &Lab, hdfs: &Hdfs, options: &[&str]) -> Result<Value, String> {
    let folder = lab.folder.join("got");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| format!("cannot remove {}: {error}", folder.display()))?;
    }
    let (from, to) = (format!("{}/b", store(hdfs)), folder.to_string_lossy());
    timed_and_synced(lab, hdfs, &[&["-get"], options, &[&from, &to]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_empty_file_takes_is_not_counted_round_by_round() {
        let mut lab = Lab::for_tests();
        let of = |name, seconds: [f64; 3]| {
            let mut seconds = seconds.into_iter();
            Candidate::new(name, move |_| Ok(json!({ "seconds": seconds.next().ok_or("no more")? })))
        };
        // In the third round it is all.
        let candidates =
            vec![of(PUT_EMPTY, [1.0, 2.0, 2.0]), of(PUT, [3.0, 6.0, 1.9]), of(IN, [2.0, 2.0, 2.0])];
        let rounds = alternate_cold(&mut lab, "a test", candidates, 3);
        let times = times(&rounds, In, PUT, "seconds").unwrap();
        assert_eq!((times.min, times.max), (0.5, 1.0));
        assert_eq!(super::times(&rounds, Out, PUT, "seconds"), None);
    }
}
