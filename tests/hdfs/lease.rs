//! Who is gone, and what becomes of what they held: locks, sessions and unfinished files in a real HDFS.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hama::table::store::{self, CreateHint, HdfsOptions, Lock, Store};
use hama::table::testing::set_hdfs_lease;
use hama::table::{
    Collected, ElementType, Extent, OnExists, ShardWriter, StorePath, StoreUrl, Table, TableName, TableSpec,
    TableWriter, collect,
};
use hama::{Cancel, ErrorKind, Host};

use crate::{Test, shared, turn};

pub(crate) const TESTS: &[Test] = &[
    ("what_a_killed_process_held_goes_at_once", what_a_killed_process_held_goes_at_once),
    ("what_a_frozen_process_held_goes_after_the_lease", what_a_frozen_process_held_goes_after_the_lease),
    ("of_two_writers_one_wins", of_two_writers_one_wins),
    ("nothing_is_left_behind", nothing_is_left_behind),
    ("where_blocks_lie_is_known", where_blocks_lie_is_known),
];

/// The word that starts this program as a process that writes a table until it is told to commit; a URL follows.
pub(crate) const HOLDER: &str = "holder";

/// How long sessions last in these tests. A machine that is busy must still renew them.
const LEASE: Duration = Duration::from_secs(6);
/// How often two writers race; more for those who want to be sure.
const RACES: usize = 20;
const RACES_VARIABLE: &str = "HAMA_HDFS_RACES";
const PATIENCE: Duration = Duration::from_secs(60);
/// Where a holder finds the NameNode's web server.
const WEB_VARIABLE: &str = "HAMA_HDFS_WEB";

fn url(path: &str) -> StoreUrl {
    format!("{}/lease/{path}", shared().url()).parse().unwrap()
}

fn name(text: &str) -> TableName {
    TableName::new(text).unwrap()
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

fn spec() -> TableSpec {
    TableSpec::new(Extent::new(20, 30), ElementType::F64).unwrap()
}

fn begin(store: &Arc<dyn Store>, table: &str) -> hama::Result<TableWriter> {
    TableWriter::create(store, &name(table), spec(), OnExists::Fail)
}

/// Writes every element as `value` and commits.
fn finish(writer: TableWriter, value: f64) -> hama::Result<Table> {
    let target = writer.target().clone();
    let mut shards = Vec::new();
    for shard in target.spec.shards() {
        let mut into = ShardWriter::create(&target, shard, &Host::local())?;
        for tile in target.spec.tiles_of(shard) {
            let count = target.spec.tile_bytes() / 8;
            into.write_tile(tile, &value.to_le_bytes().repeat(count))?;
        }
        shards.push(into.finish()?);
    }
    writer.commit(shards)
}

/// A process that writes the table `t`: it has a session, a lock and an unfinished file.
struct Holder {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn start(url: &StoreUrl) -> Holder {
        let program = std::env::current_exe().unwrap();
        let mut process = Command::new(program)
            .args([HOLDER, &url.to_string()])
            .env(WEB_VARIABLE, shared().web())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut holder = Holder { process, input, output };
        assert_eq!(holder.line(), "it holds");
        holder
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Lets it commit, and returns what it says of that.
    fn commit(mut self) -> String {
        self.input.write_all(b"\n").unwrap();
        let said = self.line();
        assert!(self.process.wait().unwrap().success());
        said
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What [`Holder`] runs.
pub(crate) fn hold() -> ExitCode {
    set_hdfs_lease(LEASE);
    let url: StoreUrl = std::env::args().nth(2).unwrap().parse().unwrap();
    let store = store::create(&url).unwrap();
    let writer = begin(&store, "t").unwrap();
    // Large enough that it is sent before it is closed.
    let mut unfinished = store.create(&path("t/x"), CreateHint::new(8 << 20, &Host::local())).unwrap();
    unfinished.write(&vec![7; 4 << 20]).unwrap();
    let is_unfinished = |name: &String| name.contains(".hama-part-");
    until("a file is unfinished", || names_below(&url, "t").iter().any(is_unfinished));
    println!("it holds");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match finish(writer, 1.0) {
        Ok(_) => println!("committed"),
        Err(error) => println!("{}", error.kind().name()),
    }
    drop(unfinished);
    ExitCode::SUCCESS
}

/// All names below a folder of a store, hidden ones too, as another client of HDFS sees them.
fn names_below(url: &StoreUrl, dir: &str) -> Vec<String> {
    // A holder has no servers of its own to ask.
    let web = std::env::var(WEB_VARIABLE).unwrap_or_else(|_| shared().web());
    let folder = url.to_string().splitn(4, '/').nth(3).unwrap().to_owned();
    let mut names = Vec::new();
    let mut open = vec![format!("/{folder}/{dir}").trim_end_matches('/').to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(reply) = xtask::hdfs::web::webhdfs(&web, "GET", &folder, "op=LISTSTATUS", &[]) else {
            continue;
        };
        for entry in reply.json()["FileStatuses"]["FileStatus"].as_array().unwrap() {
            let name = format!("{folder}/{}", entry["pathSuffix"].as_str().unwrap());
            if entry["type"] == "DIRECTORY" {
                open.push(name.clone());
            }
            names.push(name);
        }
    }
    names
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn until_nothing_is_left(url: &StoreUrl) {
    until("nothing is left", || names_below(url, "").is_empty());
}

/// A store with sessions that last so long.
fn store_with(url: &StoreUrl, lease: Duration) -> Arc<dyn Store> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    set_hdfs_lease(lease);
    store::create(url).unwrap()
}

fn what_a_killed_process_held_goes_at_once() {
    let url = url("killed");
    let store = store_with(&url, Duration::from_secs(60));
    let holder = Holder::start(&url);
    assert_eq!(collect(&*store, &name("t"), Duration::ZERO).unwrap(), Collected::default(), "it is alive");
    drop(holder);
    let collected = collect(&*store, &name("t"), Duration::ZERO).unwrap();
    assert_eq!(collected.writers, 1, "{collected:?}");
    finish(begin(&store, "t").unwrap(), 2.0).unwrap();
    hama::table::remove(&*store, &name("t")).unwrap();
    drop(store);
    until_nothing_is_left(&url);
}

fn what_a_frozen_process_held_goes_after_the_lease() {
    let url = url("frozen");
    let store = store_with(&url, LEASE);
    let holder = Holder::start(&url);
    // Longer than the lease, which is renewed.
    thread::sleep(LEASE + LEASE / 2);
    assert_eq!(collect(&*store, &name("t"), Duration::ZERO).unwrap(), Collected::default(), "it is alive");
    holder.signal("-STOP");
    let frozen = Instant::now();
    until("what it held goes", || collect(&*store, &name("t"), Duration::ZERO).unwrap().writers == 1);
    assert!(frozen.elapsed() > LEASE / 2, "it had renewed just before");
    finish(begin(&store, "t").unwrap(), 2.0).unwrap();
    holder.signal("-CONT");
    let said = holder.commit();
    assert!(["conflict", "exists"].contains(&said.as_str()), "{said}");
    let table = Table::open(&store, &name("t")).unwrap();
    assert!(table.check(&|_| {}, &Cancel::new()).unwrap().faults.is_empty());
    drop(table);
    hama::table::remove(&*store, &name("t")).unwrap();
    drop(store);
    until_nothing_is_left(&url);
}

fn of_two_writers_one_wins() {
    let text = url("races").to_string();
    // Two users have two stores, as two processes do.
    let stores = ["one", "two"].map(|user| {
        let url = text.replacen("hdfs://", &format!("hdfs://{user}@"), 1).parse().unwrap();
        store::create(&url).unwrap()
    });
    let races = std::env::var(RACES_VARIABLE).map_or(RACES, |count| count.parse().unwrap());
    for race in 0..races {
        let table = format!("t-{race}");
        let start = Barrier::new(2);
        let results = thread::scope(|scope| {
            let writers = [0, 1].map(|number| {
                let (start, table, store) = (&start, &table, &stores[number]);
                scope.spawn(move || {
                    start.wait();
                    begin(store, table).and_then(|writer| finish(writer, number as f64))
                })
            });
            writers.map(|writer| writer.join().unwrap().map(drop))
        });
        let won = (0..2).filter(|number| results[*number].is_ok()).collect::<Vec<_>>();
        assert_eq!(won.len(), 1, "race {race}: {results:?}");
        let lost = results[1 - won[0]].as_ref().unwrap_err().kind();
        assert!(matches!(lost, ErrorKind::Exists | ErrorKind::Conflict), "race {race}: {results:?}");
        let read = Table::open(&stores[0], &name(&table)).unwrap();
        let mut tile = vec![0; read.spec().tile_bytes()];
        let first = read.spec().shards().flat_map(|shard| read.spec().tiles_of(shard)).next().unwrap();
        read.read_tile(first, &mut tile).unwrap();
        assert_eq!(tile[..8], (won[0] as f64).to_le_bytes(), "race {race}");
        drop(read);
        hama::table::remove(&*stores[race % 2], &name(&table)).unwrap();
    }
    drop(stores);
    until_nothing_is_left(&url("races"));
}

fn nothing_is_left_behind() {
    let url = url("behind");
    let store = store::create(&url).unwrap();
    let table = finish(begin(&store, "t").unwrap(), 1.0).unwrap();
    let other = Table::open(&store, &name("t")).unwrap();
    let own = || names_below(&url, "").into_iter().filter(|name| name.contains("/.hama")).count();
    // The folder, those of sessions and locks, the session, a folder of locks and two of them.
    until("two locks are there", || own() == 7);
    drop((table, other));
    until("both are gone", || own() == 4);
    assert!(store.lock(&path("t/manifest-00000001.json"), Lock::Exclusive).unwrap().is_some());
    drop(store);
    until("the session is gone", || own() == 0);
}

fn where_blocks_lie_is_known() {
    // The options are everybody's.
    let turn = turn();
    store::set_hdfs_options(HdfsOptions { web: Some(shared().web()), ..HdfsOptions::DEFAULT }).unwrap();
    let store = store::create(&url("blocks%20%C3%BCber%20100%25%20%2B")).unwrap();
    store::set_hdfs_options(HdfsOptions::DEFAULT).unwrap();
    drop(turn);
    let mut writer = store.create(&path("a"), CreateHint::new(5, &Host::local())).unwrap();
    writer.write(b"bytes").unwrap();
    writer.close().unwrap();
    let blocks = store.hosts(&path("a")).unwrap();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    assert_eq!((blocks[0].offset, blocks[0].len), (0, 5));
    assert_eq!(store.rack(&blocks[0].hosts[0]).as_deref(), Some("/default-rack"));
    assert_eq!(store.hosts(&path("b")).unwrap_err().kind(), ErrorKind::NotFound);
}
