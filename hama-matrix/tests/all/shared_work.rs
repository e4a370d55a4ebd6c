//! Updates and imports by several peers: every bit is that of one.

use std::fs;

use hama_core::{Cancel, ErrorKind, Host, TransportKind};
use hama_hdfs::{ElementType, Extent, OnExists, ShardWriter, TableName, TableSpec, TableWriter};
use hama_matrix::cluster::Rehearsal;
use hama_matrix::files::{ExportOptions, ImportOptions, export, import};
use hama_matrix::{AnyMatrix, DenseMatrix, Hama, Seed, Tolerance, diff, open_file, parse_bytes};
use ndarray::{Array2, s};

use super::fixture::{TRANSPORTS, fresh, on};

const HOSTS: [&str; 3] = ["dn1", "dn2", "dn3"];

fn cluster(store: &str, memory: u64) -> (Hama, Rehearsal) {
    let rehearsal = Rehearsal::of(&HOSTS, 2, 1 << 30);
    let builder = Hama::builder().store(store).memory(memory);
    (builder.rehearse(rehearsal.clone()).build().unwrap(), rehearsal)
}

fn counted(rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(row, col)| (row * cols + col) as f32)
}

/// The matrix `t` of these elements, each tile a shard, which the hosts wrote in turns.
fn in_shards(hama: &Hama, elements: &Array2<f32>) -> DenseMatrix<f32> {
    let shape = Extent::new(elements.nrows() as u64, elements.ncols() as u64);
    let spec = TableSpec::new(shape, ElementType::F32).unwrap().with_shard(Extent::new(1, 1)).unwrap();
    let name = TableName::new("t").unwrap();
    let writer = TableWriter::create(hama.store(), &name, spec.clone(), OnExists::Fail).unwrap();
    let mut records = Vec::new();
    for (shard, host) in spec.shards().zip(HOSTS.iter().cycle()) {
        let mut of_shard = ShardWriter::create(writer.target(), shard, &Host::new(*host)).unwrap();
        for tile in spec.tiles_of(shard) {
            let (rows, cols) = (spec.tile.rows as usize, spec.tile.cols as usize);
            let (top, left) = (tile.row as usize * rows, tile.col as usize * cols);
            let mut bytes = Vec::new();
            for (row, col) in (top..top + rows).flat_map(|row| (left..left + cols).map(move |col| (row, col)))
            {
                let element = elements.get((row, col)).copied().unwrap_or(f32::NAN);
                bytes.extend_from_slice(&element.to_le_bytes());
            }
            of_shard.write_tile(tile, &bytes).unwrap();
        }
        records.push(of_shard.finish().unwrap());
    }
    drop(writer.commit(records).unwrap());
    DenseMatrix::open(hama, "t").unwrap()
}

#[test]
fn peers_share_an_update() {
    let (rows, cols) = (2100, 1100);
    for index in 0..9 {
        let url = fresh("memory");
        let local = [1, 2, 3, 7].into_iter().flat_map(|peers| TRANSPORTS.map(|t| on(&url, peers, t)));
        let mut runners: Vec<Hama> = local.collect();
        let (there, rehearsal) = cluster(&url, 1 << 30);
        runners.push(there);
        let hama = runners.swap_remove(index);
        let mut model = counted(rows, cols);
        let matrix = in_shards(&hama, &model);
        assert_eq!(matrix.table().unwrap().shards().len(), 6);
        let part = DenseMatrix::<f32>::random(&hama, "part", (900, 500), Seed(3)).unwrap();
        let values = part.to_ndarray().unwrap();
        let before = hama.progress().done();
        let first = matrix.update_from((650, 500), &part).unwrap();
        model.slice_mut(s![650..1550, 500..1000]).assign(&values);
        assert_eq!(first.to_ndarray().unwrap(), model, "runner {index}");
        assert!(hama.progress().done() - before >= 6 * matrix.table().unwrap().spec().tile_bytes() as u64);
        assert_eq!(first.table().unwrap().version(), 2);
        // The lower left corner alone: the other shards are those of before.
        let second = first.update_from((1600, 0), &part.t()).unwrap();
        model.slice_mut(s![1600..2100, 0..900]).assign(&values.t());
        let third = second.t().update_from((0, 7), &part.t()).unwrap();
        assert!(third.is_transposed());
        model.slice_mut(s![7..907, 0..500]).assign(&values);
        assert_eq!(third.t().to_ndarray().unwrap(), model, "runner {index}");
        let (old, new) = (first.table().unwrap(), second.table().unwrap());
        let same: Vec<_> = old.shards().iter().zip(new.shards()).map(|(a, b)| a.tiles == b.tiles).collect();
        assert_eq!(same, [true, true, true, true, false, false]);
        let sound = third.table().unwrap().check(&|_| {}, hama.cancel()).unwrap();
        assert!(sound.faults.is_empty() && sound.unreachable.is_empty(), "{sound:?}");
        let jobs: Vec<_> = rehearsal.started().into_iter().filter(|job| job.program == "update").collect();
        if index == 8 {
            assert_eq!(jobs.iter().map(|job| job.peers).collect::<Vec<_>>(), [6, 2, 2]);
            let preferred: Vec<_> = jobs[0].preferred.iter().flatten().map(Host::name).collect();
            assert!(HOSTS.iter().all(|host| preferred.contains(host)), "{preferred:?}");
            let written = first.table().unwrap().shards();
            assert!(written.iter().all(|record| preferred.contains(&record.host.name())));
        } else {
            assert!(jobs.is_empty());
        }
    }
}

#[test]
fn a_file_of_this_host_is_put_in_from_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.npy");
    let here = on(&fresh("memory"), 2, TransportKind::Memory);
    let part = AnyMatrix::F32(DenseMatrix::random(&here, "part", (900, 500), Seed(3)).unwrap());
    export(&part, &path, &ExportOptions::default()).unwrap();
    let (there, rehearsal) = cluster(&fresh("memory"), 1 << 30);
    for hama in [&here, &there] {
        let AnyMatrix::F32(part) = open_file(hama, &path).unwrap() else { panic!("it is f32") };
        let mut model = counted(2100, 1100);
        let updated = in_shards(hama, &model).update_from((1, 2), &part).unwrap();
        model.slice_mut(s![1..901, 2..502]).assign(&part.to_ndarray().unwrap());
        assert_eq!(updated.to_ndarray().unwrap(), model);
        assert_eq!(updated.hama().peers(), hama.peers());
        let imported = import(hama, &path, "imported", &ImportOptions::default()).unwrap();
        let AnyMatrix::F32(imported) = imported else { panic!("it is f32") };
        assert_eq!(imported.hama().peers(), hama.peers());
        assert_eq!(
            diff(&imported.in_hama(&here), &part.in_hama(&here), Tolerance::default()).unwrap().different,
            0
        );
        let there = folder.path().join(format!("{}.zarr", hama.peers()));
        export(&AnyMatrix::F32(imported), &there, &ExportOptions::default()).unwrap();
        assert_eq!(open_file(&here, &there).unwrap().shape(), (900, 500));
    }
    let started = rehearsal.started();
    assert!(started.is_empty(), "peers do not reach this host's files: {started:?}");
}

#[test]
fn a_failed_update_changes_nothing() {
    let url = fresh("memory");
    let (there, _) = cluster(&url, 1 << 30);
    let here = on(&url, 3, TransportKind::Memory);
    let model = counted(2100, 1100);
    let matrix = in_shards(&here, &model);
    let part = DenseMatrix::<f32>::random(&here, "part", (900, 500), Seed(3)).unwrap();
    let (store, table) = (here.store(), part.table().unwrap());
    let file = table.values_path().child("c.0.0").unwrap();
    let reader = store.open(&file).unwrap();
    let mut bytes = vec![0; reader.len() as usize];
    reader.read_at(0, &mut bytes).unwrap();
    bytes[1000] ^= 4;
    store.delete(&file).unwrap();
    let host = Host::local();
    let mut writer = store.create(&file, hama_hdfs::store::CreateHint::new(0, &host)).unwrap();
    writer.write(&bytes).unwrap();
    writer.close().unwrap();
    for hama in [&here, &there] {
        let part = DenseMatrix::<f32>::open(hama, "part").unwrap();
        let error = matrix.in_hama(hama).update_from((0, 0), &part).unwrap_err();
        assert!(error.kind() == ErrorKind::Data && error.to_string().contains("table part"), "{error}");
        let is_placed = error.to_string().starts_with("peer ");
        assert_eq!(is_placed, std::ptr::eq(hama, &there), "where it was met matters on a cluster: {error}");
        let cancel = Cancel::new();
        cancel.cancel();
        let ended = Hama::builder().store(&url).cancel(cancel).build().unwrap();
        let error = matrix.in_hama(&ended).update_from((0, 0), &part).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        let error = matrix.in_hama(hama).update_from((1300, 0), &part).unwrap_err();
        assert_eq!(error.message(), "cannot update rows 1300..2200 of t: it has 2100");
    }
    let now = DenseMatrix::<f32>::open(&here, "t").unwrap();
    assert_eq!((now.table().unwrap().version(), now.to_ndarray().unwrap()), (1, model));
    assert_eq!(fs_names(&here), ["part", "t"]);
}

fn fs_names(hama: &Hama) -> Vec<String> {
    hama_hdfs::list(&**hama.store()).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn too_little_memory_for_an_update_or_an_import_is_told_and_what_would_do_does() {
    let url = fresh("memory");
    let made = on(&url, 2, TransportKind::Memory);
    let matrix = in_shards(&made, &counted(2100, 1100));
    let part = DenseMatrix::<f32>::random(&made, "part", (900, 500), Seed(3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.npy");
    export(&AnyMatrix::F32(part.t()), &path, &ExportOptions::default()).unwrap();
    let tried = |error: hama_core::Error| {
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        parse_bytes(error.message().rsplit("--memory ").next().unwrap()).unwrap()
    };
    let local = |memory: u64| Hama::builder().store(&url).peers(3).memory(memory).build().unwrap();
    let there = |memory: u64| cluster(&url, memory).0;
    let mut latest = matrix;
    for with in [&local as &dyn Fn(u64) -> Hama, &there] {
        let small = with(3 << 20);
        let needed = tried(latest.in_hama(&small).update_from((0, 0), &part.in_hama(&small)).unwrap_err());
        let enough = with(needed);
        latest = latest.in_hama(&enough).update_from((0, 0), &part.in_hama(&enough)).unwrap();
        let name = format!("of-{}", enough.peers());
        let options = ImportOptions { element: Some(ElementType::F64), ..ImportOptions::default() };
        let needed = tried(import(&small, &path, name.as_str(), &options).unwrap_err());
        import(&with(needed), &path, name.as_str(), &options).unwrap();
    }
    drop(fs::remove_file(&path));
}

#[test]
fn peers_share_an_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let url = fresh("memory");
    let hama = on(&url, 3, TransportKind::Memory);
    // More than a shard.
    let a = DenseMatrix::<f64>::random(&hama, "a", (17_000, 1030), Seed(1)).unwrap();
    assert!(a.table().unwrap().shards().len() > 1);
    export(&AnyMatrix::F64(a.clone()), &path, &ExportOptions::default()).unwrap();
    for peers in [1, 2, 3, 7] {
        let hama = on(&url, peers, TransportKind::Memory);
        let name = format!("from-{peers}");
        let before = hama.progress().done();
        let imported = import(&hama, &path, name.as_str(), &ImportOptions::default()).unwrap();
        assert_eq!(hama.progress().done() - before, 17_000 * 1030 * 8);
        let (one, other) = (a.table().unwrap().shards(), imported.table().unwrap().shards());
        assert!(one.iter().zip(other).all(|(one, other)| one.tiles == other.tiles), "{peers} peers");
        hama_hdfs::remove(&**hama.store(), &TableName::new(&name).unwrap()).map(drop).unwrap_err();
        drop(imported);
        hama_hdfs::remove(&**hama.store(), &TableName::new(&name).unwrap()).unwrap();
    }
}
