//! The store in a real HDFS: what every store does, names, and errors that say what to do.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hama::table::store::{self, CreateHint, HdfsOptions, Store};
use hama::table::{StorePath, StoreUrl, Table, TableName, testing};
use hama::{DenseMatrix, ErrorKind, Hama, Host, Seed, replace};
use xtask::hdfs::Options;

use crate::{Test, own, shared};

pub(crate) const TESTS: &[Test] = &[
    ("it_does_what_every_store_does", it_does_what_every_store_does),
    ("it_works_within_a_runtime", it_works_within_a_runtime),
    ("tables_live_there", tables_live_there),
    ("opening_a_table_costs_a_fixed_number_of_calls", opening_a_table_costs_a_fixed_number_of_calls),
    ("large_files_come_back", large_files_come_back),
    ("any_name_is_a_store", any_name_is_a_store),
    ("what_cannot_be_reached_is_told_soon", what_cannot_be_reached_is_told_soon),
    ("what_is_refused_says_why", what_is_refused_says_why),
];

/// A store of a test's own in the HDFS of all.
fn store_in(path: &str) -> Arc<dyn Store> {
    store::create(&url(path)).unwrap()
}

fn url(path: &str) -> StoreUrl {
    format!("{}/{path}", shared().url()).parse().unwrap()
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

fn write(store: &dyn Store, at: &str, bytes: &[u8]) -> hama::Result<()> {
    let mut writer = store.create(&path(at), CreateHint::new(bytes.len() as u64, &Host::local()))?;
    writer.write(bytes)?;
    writer.close()
}

fn it_does_what_every_store_does() {
    testing::conformance(&*store_in("store/conformance"));
}

fn it_works_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let len = runtime.block_on(async {
        let store = store_in("store/runtime");
        write(&*store, "a", b"abc").unwrap();
        store.open(&path("a")).unwrap().len()
    });
    assert_eq!(len, 3);
}

fn tables_live_there() {
    let hama = Hama::builder().store(url("store/tables").to_string()).memory(256 << 20).build().unwrap();
    let a = DenseMatrix::<f64>::random(&hama, replace("a"), (1100, 700), Seed(1)).unwrap();
    let c = a.t().mult(&a).unwrap().save(replace("c")).unwrap();
    let expected = a.to_ndarray().unwrap();
    let product = expected.t().dot(&expected);
    let largest = (c.to_ndarray().unwrap() - product).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    assert!(largest < 1e-9, "{largest}");
    let updated = c.update(3..4, 5..6, ndarray::array![[7.0]].view()).unwrap();
    assert_eq!(updated.read(3..4, 5..6).unwrap()[(0, 0)], 7.0);
    let name = TableName::new("c").unwrap();
    let before = Table::open_version(hama.store(), &name, 1).unwrap();
    assert_eq!(before.version(), 1);
    drop((before, c, updated));
    let collected = hama::table::collect(&**hama.store(), &name, Duration::ZERO).unwrap();
    assert_eq!(collected.versions, 1);
    assert_eq!(hama::table::list(&**hama.store()).unwrap().len(), 2);
    drop(a);
    for name in ["a", "c"] {
        hama::table::remove(&**hama.store(), &TableName::new(name).unwrap()).unwrap();
    }
    assert!(hama.store().list(&StorePath::root()).unwrap().is_empty());
}

fn opening_a_table_costs_a_fixed_number_of_calls() {
    let hama = Hama::builder().store(url("store/calls").to_string()).memory(256 << 20).build().unwrap();
    let mut counts = Vec::new();
    for (name, rows) in [("small", 10), ("large", 9000)] {
        drop(DenseMatrix::<f32>::full(&hama, name, (rows, 1000), 1.0).unwrap());
        let name = TableName::new(name).unwrap();
        // Once before, so that the session of this process is there.
        drop(Table::open(hama.store(), &name).unwrap());
        // What the process does beside it (a lease renewed, a lock given back) is counted too and only adds: the least counts.
        let opened = (0..5).map(|_| {
            std::thread::sleep(Duration::from_millis(300));
            let before = store::hdfs_calls();
            let table = Table::open(hama.store(), &name).unwrap();
            let count = store::hdfs_calls() - before;
            drop(table);
            count
        });
        counts.push(opened.min().unwrap());
    }
    // Two listings, two files and a lock.
    assert!(counts.iter().all(|count| (5..=9).contains(count)), "{counts:?}");
}

fn large_files_come_back() {
    let store = store_in("store/large");
    let bytes: Vec<u8> = (0..5_000_001_u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    write(&*store, "a", &bytes).unwrap();
    let reader = store.open(&path("a")).unwrap();
    let mut into = vec![0; bytes.len()];
    reader.read_at(0, &mut into).unwrap();
    assert!(into == bytes);
    reader.read_at(4_999_990, &mut into[..11]).unwrap();
    assert_eq!(into[..11], bytes[4_999_990..]);
    assert_eq!(reader.read_at(4_999_991, &mut into[..11]).unwrap_err().kind(), ErrorKind::Data);
    let (mut part, mut whole) = (vec![0; 999], Vec::new());
    reader.read_through(1, 4_000_000, &mut part, &mut |part| whole.extend_from_slice(part)).unwrap();
    assert!(whole == bytes[1..4_000_001]);
    // One block, as long as the file.
    let status = shared().webhdfs("GET", "/store/large/a", "op=GETFILESTATUS", &[]).unwrap().json();
    assert_eq!(status["FileStatus"]["blockSize"], 5_000_001_u64.next_multiple_of(512));
    assert!(store.list(&StorePath::root()).unwrap().len() == 1);
}

fn any_name_is_a_store() {
    let long = "l".repeat(255);
    for name in ["with space", "gr\u{f6}\u{df}e", "50%25", "a+b", "q?x#y", "it's $HOME", &long] {
        let store = store_in(&format!("store/names/{name}"));
        write(&*store, "a", b"1").unwrap();
        let printed: StoreUrl = store.url().to_string().parse().unwrap();
        assert_eq!(store::open(&printed).unwrap().open(&path("a")).unwrap().len(), 1, "{printed}");
    }
    let too_long = store::create(&url(&format!("store/names/{}", "l".repeat(256)))).unwrap_err();
    assert!(too_long.kind() == ErrorKind::Invalid && too_long.message().contains("too long"), "{too_long}");
}

fn what_cannot_be_reached_is_told_soon() {
    let refused = |url: &str, within: f64| {
        let started = Instant::now();
        let error = store::open(&url.parse().unwrap()).unwrap_err();
        let seconds = started.elapsed().as_secs_f64();
        assert!(seconds < within, "{url}: {seconds} s: {error}");
        error
    };
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(&format!("hdfs://127.0.0.1:{nobody}/x"), 3.0);
    assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("nobody listens"), "{error}");
    let error = refused(&format!("hdfs://{}/x", shared().web()), 10.0);
    assert!(error.message().contains("answers HTTP"), "{error}");
    let error = refused(&format!("{}/nothing", shared().url()), 5.0);
    assert!(error.kind() == ErrorKind::NotFound, "{error}");
    assert!(refused("hdfs://no-such-host.invalid/x", 40.0).message().contains("no such host"));

    // One that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    store::set_hdfs_options(HdfsOptions { timeout: Duration::from_secs(1), ..HdfsOptions::DEFAULT }).unwrap();
    let error = refused(&format!("hdfs://127.0.0.1:{port}/x"), 6.0);
    store::set_hdfs_options(HdfsOptions::DEFAULT).unwrap();
    assert!(error.message().contains("no answer of") && error.message().contains("--timeout"), "{error}");
}

fn what_is_refused_says_why() {
    let (hdfs, _turn) = own(Options { datanodes: 1, permissions: true, ..Options::default() });
    let at = |path: &str| format!("{}/{path}", hdfs.url()).parse::<StoreUrl>().unwrap();
    let shell = |arguments: &[&str]| hdfs.tool("org.apache.hadoop.fs.FsShell", arguments).unwrap();
    shell(&["-mkdir", "-p", "/mine", "/names", "/bytes"]);
    let error =
        store::create(&format!("{}/mine/x", hdfs.url().replace("//", "//stranger@")).parse().unwrap());
    let error = error.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("stranger"), "{error}");

    hdfs.admin(&["-setQuota", "3", "/names"]).unwrap();
    let store = store::open(&at("names")).unwrap();
    let error = (0..5).find_map(|i| write(&*store, &i.to_string(), b"1").err()).unwrap();
    assert!(error.kind() == ErrorKind::OutOfSpace && error.message().contains("names"), "{error}");

    hdfs.admin(&["-setSpaceQuota", "3m", "/bytes"]).unwrap();
    let store = store::open(&at("bytes")).unwrap();
    let error = (0..5).find_map(|i| write(&*store, &i.to_string(), &[1; 1 << 20]).err()).unwrap();
    assert!(error.kind() == ErrorKind::OutOfSpace && error.message().contains("bytes"), "{error}");

    hdfs.safe_mode(true).unwrap();
    let error = store::create(&at("late")).unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("safe mode"), "{error}");
}
