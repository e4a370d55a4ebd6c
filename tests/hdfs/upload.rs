//! Files on their way into a real HDFS: what is slow, what hangs, and what it may be mistaken for.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hama::table::store::{self, CreateHint, Store};
use hama::table::{StorePath, StoreUrl};
use hama::{ErrorKind, Host};
use xtask::hdfs::Options;

use crate::{Test, own, shared};

pub(crate) const TESTS: &[Test] = &[
    ("a_file_that_is_completed_slowly_is_sent_once", a_file_that_is_completed_slowly_is_sent_once),
    ("a_frozen_datanode_holds_up_no_other_file", a_frozen_datanode_holds_up_no_other_file),
    ("who_gives_up_a_silent_namenode_does_not_wait_long", who_gives_up_a_silent_namenode_does_not_wait_long),
    ("blocks_that_are_too_small_are_told", blocks_that_are_too_small_are_told),
    (
        "the_web_server_keeps_permissions_and_makes_no_directory",
        the_web_server_keeps_permissions_and_makes_no_directory,
    ),
];

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

fn begin(store: &dyn Store, at: &str, len: usize) -> hama::Result<Box<dyn store::StoreWriter>> {
    store.create(&path(at), CreateHint::new(len as u64, &Host::local()))
}

fn write(store: &dyn Store, at: &str, bytes: &[u8]) -> hama::Result<()> {
    let mut writer = begin(store, at, bytes.len())?;
    writer.write(bytes)?;
    writer.close()
}

fn a_file_that_is_completed_slowly_is_sent_once() {
    let creates = Arc::new(AtomicUsize::new(0));
    let server = shared().url().strip_prefix("hdfs://").unwrap().to_owned();
    let port = slow_proxy(server, Arc::clone(&creates));
    let url: StoreUrl = format!("hdfs://127.0.0.1:{port}/upload/slow").parse().unwrap();
    let store = store::create(&url).unwrap();
    // The first one begins a session, which is a file too.
    write(&*store, "before", b"1").unwrap();
    let before = creates.load(Ordering::Relaxed);
    for index in 0..5 {
        write(&*store, &index.to_string(), &vec![index; 2 << 20]).unwrap();
    }
    let sent = creates.load(Ordering::Relaxed) - before;
    assert!((5..=6).contains(&sent), "5 files were begun {sent} times, or the session was renewed");
    assert_eq!(store.list(&StorePath::root()).unwrap().len(), 6);
}

/// Stands before a NameNode and gives the answers to `complete` late, as one does whose edit log is on a slow disk. Counts
/// the calls of `create`.
fn slow_proxy(server: String, creates: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let slow: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (seen, creates) = (Arc::clone(&slow), Arc::clone(&creates));
            thread::spawn(move || requests(from, to, &seen, &creates));
            thread::spawn(move || answers(server, client, &slow));
        }
    });
    port
}

fn requests(mut from: TcpStream, mut to: TcpStream, slow: &Mutex<BTreeSet<u64>>, creates: &AtomicUsize) {
    let mut hello = [0; 7];
    if from.read_exact(&mut hello).is_err() || to.write_all(&hello).is_err() {
        return;
    }
    while let Some(frame) = frame(&mut from) {
        let has = |method: &[u8]| frame.windows(method.len()).any(|found| found == method);
        // A method's name with its length before it.
        if has(b"\x08complete") {
            slow.lock().unwrap().insert(call_of_request(&frame));
        }
        if has(b"\x06create") {
            creates.fetch_add(1, Ordering::Relaxed);
        }
        if to.write_all(&frame).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn answers(mut from: TcpStream, to: TcpStream, slow: &Mutex<BTreeSet<u64>>) {
    let to = Arc::new(Mutex::new(to));
    while let Some(frame) = frame(&mut from) {
        let is_slow = slow.lock().unwrap().remove(&call_of_answer(&frame));
        let to = Arc::clone(&to);
        let give = move || drop(to.lock().unwrap().write_all(&frame));
        if is_slow {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(100));
                give();
            });
        } else {
            give();
        }
    }
    let _ = to.lock().unwrap().shutdown(Shutdown::Both);
}

/// A message with its length before it.
fn frame(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).ok()?;
    let len = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
    frame.resize(4 + len, 0);
    from.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

/// The number of the call in a request's header: the third field, zigzag.
fn call_of_request(frame: &[u8]) -> u64 {
    let mut at = 4;
    varint(frame, &mut at);
    loop {
        let (key, value) = (varint(frame, &mut at), varint(frame, &mut at));
        if key >> 3 == 3 {
            return value >> 1;
        }
    }
}

/// The same of an answer, its first field.
fn call_of_answer(frame: &[u8]) -> u64 {
    let mut at = 4;
    varint(frame, &mut at);
    varint(frame, &mut at);
    varint(frame, &mut at)
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn a_frozen_datanode_holds_up_no_other_file() {
    let (hdfs, _turn) = own(Options { datanodes: 3, replication: 2, ..Options::default() });
    let store = store::create(&format!("{}/frozen", hdfs.url()).parse().unwrap()).unwrap();
    let (first, rest) = (vec![1; 2 << 20], vec![2; 12 << 20]);
    let names: Vec<String> = (0..8).map(|index| index.to_string()).collect();
    // Their pipelines stand, then a DataNode of most of them is frozen.
    let len = first.len() + rest.len();
    let mut writers: Vec<_> = names.iter().map(|name| begin(&*store, name, len).unwrap()).collect();
    writers.iter_mut().for_each(|writer| writer.write(&first).unwrap());
    thread::sleep(Duration::from_secs(2));
    hdfs.freeze_datanode(0).unwrap();
    thread::scope(|scope| {
        for mut writer in writers {
            let rest = &rest;
            scope.spawn(move || {
                writer.write(rest).unwrap();
                writer.close().unwrap();
            });
        }
    });
    // What was given up holds no chunks back from others.
    for name in ["after-a", "after-b"] {
        write(&*store, name, &rest).unwrap();
    }
    let mut into = vec![0; len];
    for name in &names {
        store.open(&path(name)).unwrap().read_at(0, &mut into).unwrap();
        assert!(into[..first.len()] == first && into[first.len()..] == rest, "{name}");
    }
    assert_eq!(store.list(&StorePath::root()).unwrap().len(), names.len() + 2);
    hdfs.thaw_datanode(0).unwrap();
}

fn who_gives_up_a_silent_namenode_does_not_wait_long() {
    let (hdfs, _turn) = own(Options { datanodes: 1, ..Options::default() });
    let store = store::create(&format!("{}/silent", hdfs.url()).parse().unwrap()).unwrap();
    write(&*store, "a", b"1").unwrap();
    hdfs.freeze_namenode().unwrap();
    let seconds = |call: &dyn Fn() -> ErrorKind| {
        let started = Instant::now();
        assert_eq!(call(), ErrorKind::Unavailable);
        started.elapsed().as_secs()
    };
    let first = seconds(&|| store.delete(&path("b")).unwrap_err().kind());
    let others = seconds(&|| {
        (0..5).for_each(|_| drop(store.delete(&path("b"))));
        store.list(&path("")).unwrap_err().kind()
    });
    assert!((28..45).contains(&first) && others < 25, "{first} s and then {others} s");
    hdfs.thaw_namenode().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while let Err(error) = write(&*store, "b", b"2") {
        assert!(Instant::now() < end, "{error}");
    }
}

fn blocks_that_are_too_small_are_told() {
    let settings = vec![("dfs.namenode.fs-limits.min-block-size".to_owned(), "4194304".to_owned())];
    let (hdfs, _turn) = own(Options { datanodes: 1, settings, ..Options::default() });
    let store = store::create(&format!("{}/blocks", hdfs.url()).parse().unwrap()).unwrap();
    let error = write(&*store, "a", b"1").unwrap_err();
    let said = error.message();
    assert!(error.kind() == ErrorKind::Invalid && said.contains("4194304"), "{error}");
    assert!(said.contains("HADOOP_CONF_DIR"), "{error}");
}

/// What the second way to write a file relies on.
fn the_web_server_keeps_permissions_and_makes_no_directory() {
    let hdfs = shared();
    hdfs.webhdfs("PUT", "/upload/web", "op=MKDIRS", &[]).unwrap();
    let query = "op=CREATE&overwrite=false&createparent=false&permission=664&unmaskedpermission=664";
    hdfs.webhdfs("PUT", "/upload/web/a", query, b"a").unwrap();
    let status = hdfs.webhdfs("GET", "/upload/web/a", "op=GETFILESTATUS", &[]).unwrap().json();
    assert_eq!(status["FileStatus"]["permission"], "664", "{status}");
    let error = hdfs.webhdfs("PUT", "/upload/none/a", query, b"a").unwrap_err();
    assert!(error.contains("FileNotFoundException"), "{error}");
    assert!(hdfs.webhdfs("GET", "/upload/none", "op=GETFILESTATUS", &[]).is_err());
}
