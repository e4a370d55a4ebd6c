//! Where shards lie: by the store, by the index, by nobody.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use hama_core::{Cancel, ErrorKind};

use super::*;
use crate::store::{BlockHosts, CreateHint, Entry, Lock, LockGuard, StoreReader, StoreWriter};
use crate::testing::{Fault, FaultyStore};
use crate::{LocationSource, ShardLocation};

fn three_shards() -> TableSpec {
    spec(2100, 10, ElementType::F32).with_shard(Extent::new(1, 1)).unwrap()
}

fn hosts(location: &ShardLocation) -> Vec<&str> {
    location.replicas.iter().map(|replica| replica.host.name()).collect()
}

#[test]
fn the_store_is_believed_first_and_then_the_index() {
    for test in stores() {
        let table = write_table(&test.store, "t", three_shards(), 1, OnExists::Fail).unwrap();
        let found = table.locations(&Cancel::new()).unwrap();
        let strict = test.url.to_string().starts_with("strict:");
        let source = if strict { LocationSource::Store } else { LocationSource::Writer };
        assert_eq!(found.len(), 3);
        for (location, record) in found.iter().zip(table.shards()) {
            assert_eq!((location.shard, location.bytes, location.source), (record.shard, record.len, source));
            assert_eq!(hosts(location), [record.host.name()]);
            assert_eq!(location.replicas[0].bytes, record.len);
        }
    }
}

#[test]
fn who_has_not_said_where_it_writes_has_said_nothing_but_on_this_host() {
    for test in stores() {
        let writer = TableWriter::create(&test.store, &name("t"), three_shards(), OnExists::Fail).unwrap();
        let target = writer.target().clone();
        let mut records = write_some(&target, writer.shards(), 1).unwrap();
        records.iter_mut().for_each(|record| record.host = Host::local());
        let table = writer.commit(records).unwrap();
        let location = &table.locations(&Cancel::new()).unwrap()[0];
        let (source, hosts) = (location.source, hosts(location));
        match test.url.to_string().split(':').next().unwrap() {
            "file" => assert_eq!((source, hosts), (LocationSource::Writer, vec!["localhost"])),
            "memory" => assert_eq!((source, hosts), (LocationSource::Unknown, vec![])),
            _ => assert_eq!((source, hosts), (LocationSource::Store, vec!["host-c.0.0"])),
        }
    }
}

#[test]
fn it_is_asked_once_and_a_store_that_fails_only_until_it_does() {
    for test in stores() {
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&test.store)));
        store::register(&test.url, Arc::clone(&faulty) as Arc<dyn Store>).unwrap();
        let store: Arc<dyn Store> = faulty.clone();
        write_table(&store, "t", three_shards(), 1, OnExists::Fail).unwrap();
        let open = || Table::open(&store, &name("t")).unwrap();
        let (table, cancel) = (open(), Cancel::new());
        faulty.set(Fault::None);
        table.clone().locations(&cancel).unwrap();
        table.locations(&cancel).unwrap();
        assert_eq!(faulty.calls(), 3);
        let table = open();
        faulty.set(Fault::DeadFrom(0));
        let found = table.locations(&cancel).unwrap();
        assert!(found.iter().all(|location| location.source == LocationSource::Writer), "{found:?}");
        faulty.set(Fault::None);
        let table = open();
        faulty.set(Fault::Fails(1, ErrorKind::NotFound));
        assert_eq!(table.locations(&cancel).unwrap_err().kind(), ErrorKind::Data);
        faulty.set(Fault::None);
        cancel.cancel();
        assert_eq!(table.locations(&cancel).unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(faulty.calls(), 0);
        assert_eq!(table.locations(&Cancel::new()).unwrap().len(), 3, "what failed is not kept");
    }
}

/// A store whose files have two blocks with replicas in racks, and that counts how many ask it at once.
#[derive(Debug)]
struct Racks {
    inner: Arc<dyn Store>,
    asking: AtomicUsize,
    most: AtomicUsize,
}

impl Store for Racks {
    fn hosts(&self, path: &StorePath) -> Result<Vec<BlockHosts>> {
        let asking = self.asking.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(asking, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        self.asking.fetch_sub(1, Ordering::SeqCst);
        let len = self.inner.open(path)?.len();
        let block = |offset, len, hosts: &[&str]| {
            let hosts = hosts.iter().map(|name| Host::new(*name)).collect();
            BlockHosts { offset, len, hosts }
        };
        Ok(vec![block(0, 10, &["x", "b"]), block(10, len - 10, &["b", "a"])])
    }

    fn rack(&self, host: &Host) -> Option<String> {
        (host.name() != "x").then(|| "/rack1".to_owned())
    }

    fn url(&self) -> &StoreUrl {
        self.inner.url()
    }

    fn create(&self, path: &StorePath, hint: CreateHint<'_>) -> Result<Box<dyn StoreWriter>> {
        self.inner.create(path, hint)
    }

    fn open(&self, path: &StorePath) -> Result<Box<dyn StoreReader>> {
        self.inner.open(path)
    }

    fn sync(&self, dir: &StorePath) -> Result<()> {
        self.inner.sync(dir)
    }

    fn publish(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        self.inner.publish(from, to)
    }

    fn list(&self, dir: &StorePath) -> Result<Vec<Entry>> {
        self.inner.list(dir)
    }

    fn delete(&self, path: &StorePath) -> Result<()> {
        self.inner.delete(path)
    }

    fn delete_all(&self, dir: &StorePath) -> Result<()> {
        self.inner.delete_all(dir)
    }

    fn lock(&self, path: &StorePath, lock: Lock) -> Result<Option<Box<dyn LockGuard>>> {
        self.inner.lock(path, lock)
    }

    fn point(&self, link: &StorePath, target: &StorePath) -> Result<bool> {
        self.inner.point(link, target)
    }

    fn unpoint(&self, link: &StorePath, dir: &StorePath) -> Result<()> {
        self.inner.unpoint(link, dir)
    }

    fn sweep(&self, dir: &StorePath) -> Result<bool> {
        self.inner.sweep(dir)
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        self.inner.free_bytes()
    }

    fn local_path(&self, path: &StorePath) -> Option<PathBuf> {
        self.inner.local_path(path)
    }
}

#[test]
fn many_are_asked_for_at_once_and_who_holds_most_comes_first() {
    let test = stores().pop().unwrap();
    write_table(
        &test.store,
        "t",
        spec(60_000, 1, ElementType::F32).with_shard(Extent::new(1, 1)).unwrap(),
        1,
        OnExists::Fail,
    )
    .unwrap();
    let racks = Arc::new(Racks { inner: Arc::clone(&test.store), asking: 0.into(), most: 0.into() });
    let store: Arc<dyn Store> = racks.clone();
    let table = Table::open(&store, &name("t")).unwrap();
    let found = table.locations(&Cancel::new()).unwrap();
    assert_eq!(found.len(), 59);
    assert!(found.iter().map(|location| location.shard).eq(table.spec().shards()));
    let most = racks.most.load(Ordering::SeqCst);
    assert!((2..=32).contains(&most), "{most} at once");
    assert_eq!(hosts(&found[7]), ["b", "a", "x"]);
    assert_eq!(found[7].holders().map(|replica| replica.host.name()).collect::<Vec<_>>(), ["b"]);
    let racks: Vec<Option<&str>> = found[7].replicas.iter().map(|replica| replica.rack.as_deref()).collect();
    assert_eq!(racks, [Some("/rack1"), Some("/rack1"), None]);
}
