//! Checks and collections by several peers: they find what one finds, in the same order.

use std::sync::Arc;
use std::time::Duration;

use hama_core::{Cancel, ErrorKind, Host, TransportKind};
use hama_hdfs::store::{self, CreateHint, Store};
use hama_hdfs::testing::{Fault, FaultyStore};
use hama_hdfs::{
    CheckReport, Collected, ElementType, Extent, OnExists, ShardWriter, StorePath, Table, TableName,
    TableSpec, TableWriter, versions,
};
use hama_matrix::cluster::Rehearsal;
use hama_matrix::{DenseMatrix, Hama, Seed, check, collect, parse_bytes};

use super::fixture::{TRANSPORTS, fresh, on};

const HOSTS: [&str; 3] = ["dn1", "dn2", "dn3"];

fn name(text: &str) -> TableName {
    TableName::new(text).unwrap()
}

/// A cluster of three hosts with two slots each, rehearsed.
fn cluster(store: &str) -> (Hama, Rehearsal) {
    let rehearsal = Rehearsal::of(&HOSTS, 2, 512 << 20);
    (Hama::builder().store(store).rehearse(rehearsal.clone()).build().unwrap(), rehearsal)
}

/// All that may run a job on that store: 1, 2, 3 and 7 threads by either way, and a cluster.
fn runners(store: &str) -> Vec<Hama> {
    let local =
        [1, 2, 3, 7].into_iter().flat_map(|peers| TRANSPORTS.map(|transport| on(store, peers, transport)));
    local.chain([cluster(store).0]).collect()
}

/// A table of `tiles` small tiles, each a shard, which the hosts wrote in turns.
fn in_shards(store: &Arc<dyn Store>, tiles: u64) -> Table {
    let mut spec = TableSpec::new(Extent::new(3 * tiles, 1), ElementType::F64).unwrap();
    spec.tile = Extent::new(3, 1);
    let spec = spec.with_shard(Extent::new(1, 1)).unwrap();
    let writer = TableWriter::create(store, &name("t"), spec.clone(), OnExists::Replace).unwrap();
    let mut records = Vec::new();
    for (shard, host) in spec.shards().zip(HOSTS.iter().cycle()) {
        let mut of_shard = ShardWriter::create(writer.target(), shard, &Host::new(*host)).unwrap();
        for tile in spec.tiles_of(shard) {
            of_shard.write_tile(tile, &[tile.row as u8; 24]).unwrap();
        }
        records.push(of_shard.finish().unwrap());
    }
    writer.commit(records).unwrap()
}

/// Flips a bit of a file, or takes the file away.
fn damage(store: &dyn Store, path: &StorePath, at: Option<usize>) {
    let reader = store.open(path).unwrap();
    let mut bytes = vec![0; reader.len() as usize];
    reader.read_at(0, &mut bytes).unwrap();
    store.delete(path).unwrap();
    if let Some(at) = at {
        bytes[at] ^= 1;
        let mut writer = store.create(path, CreateHint::new(bytes.len() as u64, &Host::local())).unwrap();
        writer.write(&bytes).unwrap();
        writer.close().unwrap();
    }
}

fn shard(table: &Table, number: usize) -> StorePath {
    table.values_path().child(&table.shards()[number].shard.key()).unwrap()
}

/// What a report says, in its order.
fn said(report: &CheckReport) -> (u64, u64, Vec<String>, Vec<String>) {
    let texts = |errors: &[hama_core::Error]| errors.iter().map(|error| format!("{error:?}")).collect();
    (report.bytes, report.tiles, texts(&report.faults), texts(&report.unreachable))
}

#[test]
fn all_peers_together_find_what_one_finds() {
    for tiles in [1, 2, 7, 130] {
        let url = fresh("memory");
        let store = store::create(&url.parse().unwrap()).unwrap();
        let table = in_shards(&store, tiles);
        let by_one = |table: &Table| said(&table.check(&|_| {}, &Cancel::new()).unwrap());
        let sound = by_one(&table);
        assert_eq!((sound.0, sound.1, sound.2.len()), (table.bytes(), tiles, 0));
        for hama in runners(&url) {
            let before = hama.progress().done();
            assert_eq!(said(&check(&hama, &table).unwrap()), sound);
            assert_eq!(hama.progress().done() - before, table.bytes());
        }
        // Every tile, an index, a shard that is gone, and what other programs read.
        for number in 0..tiles as usize {
            damage(&*store, &shard(&table, number), Some(5));
        }
        damage(&*store, &shard(&table, tiles as usize / 2), Some(4100));
        damage(&*store, &shard(&table, tiles as usize - 1), None);
        damage(&*store, &table.values_path().child("zarr.json").unwrap(), None);
        let table = Table::open(&store, &name("t")).unwrap();
        let found = by_one(&table);
        assert_eq!(found.2.len(), (tiles as usize + 1 + usize::from(tiles > 2)).min(CheckReport::LISTED_MAX));
        assert!(found.2[0].contains("zarr.json") && found.3.is_empty(), "{found:?}");
        for hama in runners(&url) {
            assert_eq!(said(&check(&hama, &table).unwrap()), found, "{} peers", hama.peers());
        }
    }
}

#[test]
fn the_placed_copy_is_checked_whether_it_is_up_to_date_or_not() {
    let url = fresh("memory");
    let made = on(&url, 3, TransportKind::Memory);
    let a = DenseMatrix::<f64>::random(&made, "a", (3500, 7), Seed(1)).unwrap();
    let (a, _) = a.blocking_with_copy(4).unwrap();
    let updated = a.set(17, 3, 1.0).unwrap();
    for matrix in [&a, &updated] {
        let table = matrix.table().unwrap();
        let copy = table.any_copy().unwrap().unwrap();
        assert_eq!(copy.shards().len(), 4);
        for round in 0..3 {
            // None, the last shard of the copy, and that of the table.
            match round {
                1 => damage(&**made.store(), &shard(&copy, 3), Some(100)),
                2 => damage(&**made.store(), &shard(table, 0), Some(200)),
                _ => {}
            }
            let table = Table::open_ref(&table.to_ref()).unwrap();
            let found = said(&table.check(&|_| {}, &Cancel::new()).unwrap());
            assert_eq!(found.0, table.bytes() + copy.bytes());
            for hama in runners(&url) {
                assert_eq!(said(&check(&hama, &table).unwrap()), found);
            }
            assert!(found.2.len() >= round, "{found:?}");
        }
        // As it was, for the other one.
        damage(&**made.store(), &shard(&copy, 3), Some(100));
        damage(&**made.store(), &shard(table, 0), Some(200));
    }
}

#[test]
fn what_cannot_be_reached_is_told_beside_what_is_damaged() {
    let url = fresh("memory");
    let inner = store::create(&url.parse().unwrap()).unwrap();
    damage(&*inner, &shard(&in_shards(&inner, 6), 0), Some(5));
    let faulty = Arc::new(FaultyStore::new(inner));
    store::register(&url.parse().unwrap(), faulty.clone()).unwrap();
    let store: Arc<dyn Store> = faulty.clone();
    for hama in runners(&url) {
        let found = |fault| {
            let table = Table::open(&store, &name("t")).unwrap();
            faulty.set(fault);
            let found = check(&hama, &table).unwrap();
            let calls = faulty.calls();
            faulty.set(Fault::None);
            (found, calls)
        };
        let (whole, calls) = found(Fault::None);
        assert_eq!((whole.faults.len(), whole.unreachable.len()), (1, 0));
        let mut still_damaged = 0;
        for call in 0..calls {
            let (report, _) = found(Fault::Fails(call, ErrorKind::Unavailable));
            // Where shards lie need not be known.
            assert!(report.unreachable.len() <= 1, "call {call}: {report:?}");
            assert!(report.unreachable.iter().all(|error| error.kind() == ErrorKind::Unavailable));
            assert!(!report.unreachable.is_empty() || report.faults.len() == 1, "call {call}: {report:?}");
            assert!(report.faults.iter().all(|error| error.to_string().contains("c.0.0 is damaged")));
            still_damaged += usize::from(!report.unreachable.is_empty() && report.faults.len() == 1);
        }
        assert!(still_damaged >= 5, "{still_damaged} of {calls}");
        let (none, _) = found(Fault::DeadFrom(0));
        assert!(none.faults.is_empty() && none.tiles == 0 && !none.unreachable.is_empty(), "{none:?}");
    }
}

#[test]
fn peers_check_what_lies_on_their_hosts() {
    let url = fresh("memory");
    let (hama, rehearsal) = cluster(&url);
    let table = in_shards(hama.store(), 9);
    check(&hama, &table).unwrap();
    let job = rehearsal.started().pop().unwrap();
    assert_eq!((job.program, job.peers), ("check", 6));
    let mut preferred: Vec<_> = job.preferred.iter().flatten().map(Host::name).collect();
    preferred.sort_unstable();
    assert_eq!(preferred, ["dn1", "dn1", "dn2", "dn2", "dn3", "dn3"]);
}

#[test]
fn a_check_keeps_its_memory_and_can_be_ended() {
    let url = fresh("memory");
    let a =
        DenseMatrix::<f64>::random(&on(&url, 2, TransportKind::Memory), "a", (1100, 1100), Seed(1)).unwrap();
    let table = a.table().unwrap();
    let local = |memory: u64| Hama::builder().store(&url).peers(2).memory(memory).build().unwrap();
    let rehearsed = |memory: u64| {
        let rehearsal = Rehearsal::of(&HOSTS, 2, 1 << 30);
        Hama::builder().store(&url).memory(memory).rehearse(rehearsal).build().unwrap()
    };
    for with in [&local as &dyn Fn(u64) -> Hama, &rehearsed] {
        let error = check(&with(1 << 20), table).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        let needed = parse_bytes(error.message().rsplit("--memory ").next().unwrap()).unwrap();
        assert_eq!(check(&with(needed), table).unwrap().bytes, table.bytes());
    }
    for hama in runners(&url) {
        let cancel = Cancel::new();
        cancel.cancel();
        let hama = Hama::builder().store(&url).peers(hama.peers()).cancel(cancel).build().unwrap();
        assert_eq!(check(&hama, table).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn tables_are_cleared_by_all_peers() {
    for index in 0..runners("memory:none").len() {
        let url = fresh("memory");
        let hama = runners(&url).swap_remove(index);
        let names: Vec<TableName> = ["a", "b", "bad", "c", "d"].map(name).into();
        for (table, updates) in names.iter().zip(1..) {
            let mut matrix = DenseMatrix::<f64>::random(&hama, table.as_str(), (9, 5), Seed(1)).unwrap();
            for update in 0..updates {
                matrix = matrix.set(update, 0, 1.0).unwrap();
            }
        }
        let manifests = hama.store().list(&StorePath::new("bad").unwrap()).unwrap();
        let latest = manifests.iter().rfind(|entry| entry.name.starts_with("manifest-")).unwrap();
        let latest = StorePath::new(&format!("bad/{}", latest.name)).unwrap();
        damage(&**hama.store(), &latest, Some(60));
        let mut asked = names.clone();
        asked.extend(["a", "nobody"].map(name));
        let collected = collect(&hama, &asked, Duration::ZERO).unwrap();
        let told: Vec<&TableName> = collected.iter().map(|(name, _)| name).collect();
        assert_eq!(
            told,
            names.iter().chain([&name("nobody")]).collect::<Vec<_>>(),
            "each once, in their order"
        );
        for (table, collected) in &collected {
            match (table.as_str(), collected) {
                ("bad", collected) => {
                    let error = collected.as_ref().unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Data);
                    assert!(error.to_string().contains(latest.as_str()), "{error}");
                }
                ("nobody", collected) => assert_eq!(*collected.as_ref().unwrap(), Collected::default()),
                (_, collected) => {
                    let updates = names.iter().position(|name| name == table).unwrap() as u64 + 1;
                    assert_eq!(collected.as_ref().unwrap().versions, updates, "{table}");
                    assert_eq!(versions(hama.store(), table).unwrap().len(), 1, "{table}");
                }
            }
        }
        assert!(collect(&hama, &[], Duration::ZERO).unwrap().is_empty());
    }
}
