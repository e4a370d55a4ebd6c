//! The HDFS that the tests start: it serves, its faults are faults, and nothing of it outlives its process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{io::BufRead, io::BufReader, thread};

use serde_json::Value;
use xtask::hdfs::{self, Hdfs, Options};

use crate::{Test, no_hosts, own, shared, skips, turn};

pub(crate) const TESTS: &[Test] = &[
    ("files_are_written_and_read", files_are_written_and_read),
    ("replicas_lie_where_they_are_said_to", replicas_lie_where_they_are_said_to),
    ("a_file_lies_on_its_writers_host", a_file_lies_on_its_writers_host),
    ("faults_of_datanodes", faults_of_datanodes),
    ("faults_of_the_namenode", faults_of_the_namenode),
    ("permissions_hold", permissions_hold),
    ("a_disk_is_full", a_disk_is_full),
    ("what_cannot_start_says_why", what_cannot_start_says_why),
    ("nothing_is_left", nothing_is_left),
];

/// The word that starts this program as a process that holds an HDFS until it is killed.
pub(crate) const INSIDE: &str = "inside";

/// `hdfs dfs`.
const SHELL: &str = "org.apache.hadoop.fs.FsShell";
const PATIENCE: Duration = Duration::from_secs(60);

fn put(hdfs: &Hdfs, path: &str, bytes: &[u8]) -> Result<(), String> {
    hdfs.webhdfs("PUT", path, "op=CREATE&overwrite=true", bytes).map(drop)
}

fn read(hdfs: &Hdfs, path: &str) -> Result<Vec<u8>, String> {
    hdfs.webhdfs("GET", path, "op=OPEN", &[]).map(|reply| reply.body)
}

/// The hosts of a file's first block.
fn hosts_of(hdfs: &Hdfs, path: &str) -> Vec<String> {
    let locations = hdfs.webhdfs("GET", path, "op=GETFILEBLOCKLOCATIONS", &[]).unwrap().json();
    let hosts = locations["BlockLocations"]["BlockLocation"][0]["hosts"].as_array().unwrap().clone();
    hosts.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn files_are_written_and_read() {
    let hdfs = shared();
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    put(hdfs, "/harness/numbers", &bytes).unwrap();
    assert!(read(hdfs, "/harness/numbers").unwrap() == bytes);
    assert!(read(hdfs, "/harness/none").unwrap_err().contains("FileNotFoundException"));
    assert!(hdfs.live_datanodes().unwrap() == 3 && hdfs.version().unwrap().starts_with("3."));
    let site = fs::read_to_string(hdfs.conf_dir().join("core-site.xml")).unwrap();
    assert!(site.contains("fs.defaultFS") && site.contains("hdfs://127.0.0.1:"), "{site}");
}

fn replicas_lie_where_they_are_said_to() {
    let hdfs = shared();
    let marked = b"a line that no other block holds: 6d1f0a";
    hdfs.webhdfs("PUT", "/harness/two", "op=CREATE&overwrite=true&replication=2", marked).unwrap();
    assert_eq!(hosts_of(hdfs, "/harness/two").len(), 2);
    let holders = (0..3).filter(|index| holds(&hdfs.data_dir(*index), marked)).count();
    assert_eq!(holders, 2);
}

/// Whether a file below `folder` is these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() { holds(&path, bytes) } else { fs::read(&path).is_ok_and(|found| found == bytes) }
    })
}

fn a_file_lies_on_its_writers_host() {
    if no_hosts("a_file_lies_on_its_writers_host") {
        return;
    }
    let hdfs = shared();
    hdfs.webhdfs("PUT", "/harness", "op=MKDIRS", &[]).unwrap();
    // Not by WebHDFS: there the DataNode writes, and it dials as on no host.
    let file = hdfs.conf_dir().join("core-site.xml");
    for index in 0..3 {
        let path = format!("/harness/on-{index}");
        hdfs.tool(SHELL, &["-fs", &hdfs.url_on(index), "-put", file.to_str().unwrap(), &path]).unwrap();
        assert_eq!(hosts_of(hdfs, &path), [hdfs.host(index)]);
    }
}

fn faults_of_datanodes() {
    let (hdfs, _turn) = own(Options { datanodes: 2, ..Options::default() });
    put(&hdfs, "/one", b"one replica").unwrap();
    let holder = (0..2).find(|index| holds(&hdfs.data_dir(*index), b"one replica")).unwrap();
    hdfs.kill_datanode(holder).unwrap();
    assert!(hdfs.kill_datanode(holder).unwrap_err().contains("does not run"));
    assert!(read(&hdfs, "/one").is_err());
    until("it is known to be dead", || hdfs.live_datanodes() == Ok(1));
    hdfs.start_datanode(holder).unwrap();
    until("it is back with its block", || read(&hdfs, "/one").is_ok_and(|bytes| bytes == b"one replica"));

    hdfs.freeze_datanode(holder).unwrap();
    until("it is known to say nothing", || hdfs.live_datanodes() == Ok(1));
    hdfs.wait_until_it_serves().unwrap();
    hdfs.thaw_datanode(holder).unwrap();
    until("it goes on", || hdfs.live_datanodes() == Ok(2));
    assert_eq!(read(&hdfs, "/one").unwrap(), b"one replica");
}

fn faults_of_the_namenode() {
    let (hdfs, _turn) = own(Options { datanodes: 1, ..Options::default() });
    put(&hdfs, "/kept", b"kept").unwrap();
    hdfs.kill_namenode().unwrap();
    assert!(hdfs.live_datanodes().is_err());
    hdfs.start_namenode().unwrap();
    assert!(hdfs.start_namenode().unwrap_err().contains("runs"));
    // The DataNode that reads for us learns by an error that its connection is gone.
    until("it is read again", || read(&hdfs, "/kept").is_ok_and(|bytes| bytes == b"kept"));

    hdfs.safe_mode(true).unwrap();
    assert!(put(&hdfs, "/late", b"late").unwrap_err().contains("SafeModeException"));
    assert_eq!(read(&hdfs, "/kept").unwrap(), b"kept");
    hdfs.safe_mode(false).unwrap();
    put(&hdfs, "/late", b"late").unwrap();

    hdfs.freeze_namenode().unwrap();
    let asked = thread::scope(|scope| {
        let asking = scope.spawn(|| hdfs.live_datanodes());
        thread::sleep(Duration::from_millis(500));
        assert!(!asking.is_finished());
        hdfs.thaw_namenode().unwrap();
        asking.join().unwrap()
    });
    assert_eq!(asked, Ok(1));
    hdfs.restart().unwrap();
    until("it is read again", || read(&hdfs, "/late").is_ok_and(|bytes| bytes == b"late"));
}

fn permissions_hold() {
    let (hdfs, _turn) = own(Options { datanodes: 1, permissions: true, ..Options::default() });
    let stranger = hdfs.webhdfs("PUT", "/mine", "op=MKDIRS&user.name=stranger", &[]);
    assert!(stranger.unwrap_err().contains("AccessControlException"));
    hdfs.tool(SHELL, &["-mkdir", "/mine"]).unwrap();
    assert!(hdfs.admin(&["-setQuota", "many", "/mine"]).is_err());
    hdfs.admin(&["-setQuota", "1", "/mine"]).unwrap();
    let full = hdfs.tool(SHELL, &["-mkdir", "/mine/more"]);
    assert!(full.unwrap_err().contains("quota"));
}

fn a_disk_is_full() {
    if skips("a_disk_is_full", hdfs::may_mount()) {
        return;
    }
    let small = Options { datanodes: 1, small_volume: Some((0, 24 << 20)), ..Options::default() };
    // The NameNode takes no block that would not fit whole.
    let small = Options { settings: vec![("dfs.blocksize".to_owned(), "1048576".to_owned())], ..small };
    let (hdfs, _turn) = own(small);
    put(&hdfs, "/small", &[1; 1000]).unwrap();
    put(&hdfs, "/large", &vec![2; 32 << 20]).unwrap_err();
    assert_eq!(read(&hdfs, "/small").unwrap(), [1; 1000]);
    let volume = hdfs.data_dir(0);
    drop(hdfs);
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(volume.to_str().unwrap()), "{mounts}");
}

fn what_cannot_start_says_why() {
    let _turn = turn();
    shared();
    let wrong = ("dfs.namenode.http-address".to_owned(), "256.0.0.1:80".to_owned());
    let why = Hdfs::start(Options { datanodes: 1, settings: vec![wrong], ..Options::default() }).unwrap_err();
    assert!(why.contains("the NameNode has ended") && why.contains("256.0.0.1"), "{why}");
    assert!(Hdfs::start(Options { datanodes: 0, ..Options::default() }).is_err());
    assert_eq!(folders_of(std::process::id()).len(), 1, "that of the shared one");
}

/// Kills a process that holds an HDFS.
fn nothing_is_left() {
    // Of INT a shell in the background would have made nothing.
    for signal in ["-KILL", "-TERM"] {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).arg(INSIDE).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "it serves\n");
        let folders = folders_of(child.id());
        assert_eq!(folders.len(), 1);
        assert_eq!(processes_of(&folders[0]), 3, "a keeper, a NameNode and a DataNode");
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap();
        until("its processes end", || processes_of(&folders[0]) == 0);
        until("its folder goes", || folders_of(child.id()).is_empty());
    }
}

/// What [`nothing_is_left`] kills. Its DataNode is frozen, which hears nothing of signals but of kill -9.
pub(crate) fn inside() -> ExitCode {
    let hdfs = Hdfs::start(Options { datanodes: 1, ..Options::default() }).unwrap();
    hdfs.freeze_datanode(0).unwrap();
    println!("it serves");
    loop {
        thread::park();
    }
}

/// The folders of what a process has started.
fn folders_of(process: u32) -> Vec<PathBuf> {
    let target = xtask::root().join("target");
    let entries = fs::read_dir(target).unwrap().flatten().map(|entry| entry.path());
    let prefix = format!("hdfs-{process}-");
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix)).collect()
}

/// How many processes name a folder in their command line.
fn processes_of(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(folder.to_str().unwrap())).count()
}
