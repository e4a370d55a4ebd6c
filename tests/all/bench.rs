//! `hama bench`: what it says, stores and leaves, and what plans make of what is stored.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::command::{Place, Reply};

const PATIENCE: Duration = Duration::from_secs(60);

/// What lies in the place that is no table of ours and no file of the figures.
fn left(place: &Place) -> Vec<String> {
    let folders = [place.path().to_owned(), place.stored("")];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[track_caller]
fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(number.is_finite() && number > 0.0, "{number}");
    number
}

#[test]
fn a_probe_is_stored_and_used_until_it_does_not_fit() {
    let place = Place::new();
    let reply = place.run("bench probe --json").ok();
    assert_eq!(reply.out.matches("\"schema\"").count(), 1, "{}", reply.out);
    let said = reply.json();
    for key in ["measured_unix", "machine", "rates", "measured"] {
        assert!(!said[key].is_null(), "{key}");
    }
    assert_eq!(said["path"], place.probe().to_str().unwrap());
    assert!(!said["machine"]["processor"].as_str().unwrap().is_empty());
    for figures in ["peak", "kernel"] {
        for figure in said["measured"][figures].as_array().unwrap() {
            positive(&figure["flop_per_s"]);
            assert!(
                figure["threads"].is_u64() && ["f64", "f32"].contains(&figure["dtype"].as_str().unwrap())
            );
        }
    }
    for key in ["copy_bytes_per_s", "triad_bytes_per_s"] {
        positive(&said["measured"]["memory"][key]);
    }
    for key in ["table_bytes", "write_bytes_per_s", "cached_bytes_per_s"] {
        positive(&said["measured"]["store"][key]);
    }
    let supersteps = said["measured"]["supersteps"].as_array().unwrap();
    assert!(supersteps.iter().any(|step| step["transport"] == "framed" && step["peers"] == 1));
    assert!(supersteps.iter().all(|step| positive(&step["seconds"]) < 1.0));
    positive(&said["measured"]["framed_seconds_per_byte"]);
    positive(&said["measured"]["product_s"]);
    assert!(said["measured"]["steady"].is_boolean());
    let flop_per_s = positive(&said["rates"]["flop_per_s"]);
    assert!(!place.stored("").exists() && left(&place).is_empty(), "it makes no store and leaves nothing");
    assert_eq!(fs::read_dir(place.probe().parent().unwrap()).unwrap().count(), 1);

    place.random("a", 50, 50);
    let explained = place.json("matrix multiply a a --explain")["rates"].clone();
    assert_eq!((&explained["source"], &explained["flop_per_s"]), (&json!("measured"), &json!(flop_per_s)));
    assert_eq!((&explained["path"], &explained["measured_unix"]), (&said["path"], &said["measured_unix"]));
    let text = place.ok("matrix multiply a a --explain");
    assert!(text.contains("rates     measured on 20") && text.contains("probe.json"), "{text}");

    // Rates that nobody has measured lead to a plan that runs.
    let stored: Value = serde_json::from_slice(&fs::read(place.probe()).unwrap()).unwrap();
    let change = |at: &[&str], value: Value| {
        let mut changed = stored.clone();
        *at.iter().fold(&mut changed, |inside, key| &mut inside[*key]) = value;
        fs::write(place.probe(), changed.to_string()).unwrap();
    };
    change(&["rates", "read_bytes_per_s"], json!(1e3));
    assert_eq!(place.json("matrix multiply a a --explain")["rates"]["read_bytes_per_s"], json!(1e3));
    place.ok("matrix multiply a a --output c --verify");

    for (at, value, why) in [
        (&["machine", "cores"][..], json!(4096), "another machine"),
        (&["machine", "kernel"], json!("abacus"), "abacus"),
        (&["rates", "flop_per_s"], json!(0), "flop_per_s"),
        (&["rates"], json!("fast"), "damaged"),
        (&["schema"], json!(99), "schema"),
    ] {
        change(at, value);
        ignored(&place, why);
    }
    fs::write(place.probe(), b"\0not json").unwrap();
    ignored(&place, "damaged");
    fs::remove_file(place.probe()).unwrap();
    fs::create_dir(place.probe()).unwrap();
    ignored(&place, "no file");
    place.run("bench probe").fails(2, &["folder", "HAMA_PROBE"]);
    fs::remove_dir(place.probe()).unwrap();
    let socket = UnixListener::bind(place.probe()).unwrap();
    ignored(&place, "no file");
    place.run("bench probe").fails(2, &["no regular file", "HAMA_PROBE"]);
    assert!(fs::metadata(place.probe()).unwrap().file_type().is_socket());
    drop(socket);
}

/// The file is not used, which is said once, and is no error.
#[track_caller]
fn ignored(place: &Place, why: &str) {
    let reply = place.run("matrix multiply a a --output c --replace").ok();
    assert_eq!(reply.err.matches("is not used").count(), 1, "{}", reply.err);
    assert!(reply.err.contains(why) && reply.err.contains("probe.json"), "{}", reply.err);
    assert_eq!(place.run("matrix multiply a a --explain -q").ok().err, "");
    assert_eq!(place.json("matrix multiply a a --explain")["rates"]["source"], "defaults");
}

#[test]
fn without_a_probe_plans_go_by_defaults_and_say_so() {
    let place = Place::new();
    place.random("a", 50, 50);
    let reply = place.run("matrix multiply a a --explain").ok();
    assert!(
        reply.out.contains("rates     defaults; `hama bench probe` measures this machine"),
        "{}",
        reply.out
    );
    assert_eq!(reply.err, "");
    // Neither is a home that is missing an error.
    let mut command = place.command("matrix multiply a a --explain --json");
    command.env_remove("HAMA_PROBE").env_remove("HOME").env("XDG_STATE_HOME", "relative");
    let reply = Reply::of("multiply", command.output().unwrap()).ok();
    assert_eq!(reply.json()["rates"]["path"], Value::Null);
    let mut command = place.command("bench probe");
    command.env_remove("HAMA_PROBE").env_remove("HOME").env_remove("XDG_STATE_HOME");
    Reply::of("bench probe", command.output().unwrap()).fails(2, &["cannot tell where", "HAMA_PROBE"]);
}

#[test]
fn products_are_measured_and_leave_nothing() {
    let place = Place::new();
    let said = place.json("bench multiply --sizes 30,64 --rounds 2 --dtype f32 --peers 2 --memory 64MiB");
    assert_eq!(
        (&said["dtype"], &said["peers"], &said["memory_bytes"]),
        (&json!("f32"), &json!(2), &json!(64 << 20))
    );
    assert_eq!(said["rates"]["source"], "defaults");
    for (size, n) in said["sizes"].as_array().unwrap().iter().zip([30, 64]) {
        assert_eq!(size["n"], n);
        for key in ["seconds_min", "seconds_median", "gflop_per_s", "share_of_peak", "ratio_median"] {
            positive(&size[key]);
        }
        assert_eq!(size["rounds"].as_array().unwrap().len(), 2);
        for round in size["rounds"].as_array().unwrap() {
            positive(&round["seconds"]);
            positive(&round["in_memory_seconds"]);
            assert!(round["memory_bytes_peak"].is_null() || positive(&round["memory_bytes_peak"]) > 1e5);
        }
    }
    assert!(!place.stored("").exists() && left(&place).is_empty());
    // In a store that is there, nothing of it changes.
    place.random("a", 20, 20);
    let reply = place.run("bench multiply --sizes 50 --rounds 1").ok();
    assert!(reply.out.contains("GFLOP/s") && reply.out.contains("verified"), "{}", reply.out);
    assert!(reply.err.contains("round 1 of 1"), "{}", reply.err);
    assert_eq!((place.names(), left(&place)), (vec!["a".to_owned()], vec![]));
}

#[test]
fn sizes_that_cannot_be_are_refused_before_anything_is_written() {
    let place = Place::new();
    for (options, status, part) in [
        ("--sizes 0", 2, "cannot"),
        ("--sizes 10,", 2, "cannot read \"\""),
        ("--sizes ten", 2, "ten"),
        ("--sizes -5", 2, "-5"),
        ("--sizes 10,99999999999999999999", 2, "too large"),
        ("--sizes 10 --rounds 0", 2, "0 rounds"),
        ("--sizes 10 --peers 0", 2, "0 peers"),
        ("--sizes 10,3000000", 1, "are free"),
        ("--sizes 4000 --memory 1MiB", 1, "--memory"),
    ] {
        place.run(&format!("bench multiply {options} -q")).fails(status, &[part]);
        assert!(left(&place).is_empty() && !place.stored("").exists(), "{options}");
    }
    place.run("bench multiply --sizes 10 --store memory:x").fails(2, &["memory:x"]);
    place.run("probe").fails(2, &["hama bench probe"]);
}

#[test]
fn ctrl_c_ends_a_measurement_and_leaves_nothing() {
    let place = Place::new();
    let child = measuring(&place);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let start = Instant::now();
    let reply = Reply::of("bench multiply", child.wait_with_output().unwrap());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    reply.fails(130, &["cancelled"]);
    assert_eq!(left(&place), [""; 0]);
    // What a killed one leaves the next clears.
    let mut child = measuring(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(left(&place).len(), 1);
    place.ok("bench multiply --sizes 10 --rounds 1");
    assert_eq!(left(&place), [""; 0]);
}

#[test]
fn a_probe_that_is_ended_leaves_nothing() {
    let place = Place::new();
    let figures = || fs::read_dir(place.probe().parent().unwrap()).unwrap().count();
    let child = probing(&place);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let start = Instant::now();
    let reply = Reply::of("bench probe", child.wait_with_output().unwrap());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!((reply.ends_with(130).out, figures(), left(&place)), (String::new(), 0, vec![]));
    let mut child = probing(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(figures(), 0);
}

/// A probe that has begun to measure.
fn probing(place: &Place) -> std::process::Child {
    let said = place.path().join("said");
    let mut command = place.command("bench probe");
    command.stdout(Stdio::piped()).stderr(fs::File::create(&said).unwrap());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    while !fs::read_to_string(&said).unwrap().contains("measuring") {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        assert!(start.elapsed() < PATIENCE, "it never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

/// A measurement that has begun to write.
fn measuring(place: &Place) -> std::process::Child {
    let mut command = place.command("bench multiply --sizes 3000 --rounds 50 -q");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let made = || left(place).iter().any(|name| place.path().join(name).join("a/generations").exists());
    while !made() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        assert!(start.elapsed() < PATIENCE, "it never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn a_product_that_no_disk_has_room_for_is_refused_before_a_tile_is_read() {
    let place = Place::new();
    place.ok("matrix random tall --rows 1000000 --cols 1");
    // A tile that is damaged would be told if it were read.
    let array = std::path::PathBuf::from(place.ok("matrix path tall").trim_end());
    let shard = fs::read_dir(&array).unwrap().map(|entry| entry.unwrap().path());
    for shard in shard.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("c.")) {
        let mut bytes = fs::read(&shard).unwrap();
        bytes[100] ^= 1;
        fs::write(shard, bytes).unwrap();
    }
    let line = "matrix multiply tall tall --transpose-b --output c";
    place.run(line).fails(1, &["cannot write table c of 80", "has room for"]);
    let document = place.run(&format!("{line} --json")).ends_with(1).json();
    assert_eq!(document["error"]["kind"], "out-of-space");
    assert!(!place.stored("c").exists());
    place.run("matrix multiply tall tall --transpose-a --output c").fails(5, &["tall"]);
}
