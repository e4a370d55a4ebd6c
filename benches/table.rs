//! Table write and read on a local directory: bytes a second, the checksums included.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use hama_core::Host;
use hama_hdfs::store::{self, Store};
use hama_hdfs::{
    ElementType, Extent, OnExists, ShardRecord, ShardWriter, StoreUrl, Table, TableName, TableSpec,
    TableTarget, TableWriter, TileIndex,
};

/// 128 MB of f64: one full shard, and for small tables the time of a commit alone.
const SIDES: [u64; 2] = [100, 4000];

fn benches(criterion: &mut Criterion) {
    let directory =
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory takes files");
    let url = StoreUrl::directory(&directory.path().join("data")).expect("the path is UTF-8");
    let store = store::create(&url).expect("the directory takes files");
    for side in SIDES {
        let spec = TableSpec::new(Extent::new(side, side), ElementType::F64).expect("it is a table");
        let mut group = criterion.benchmark_group(format!("table/{side}x{side} f64"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Bytes(side * side * 8));
        let tile = vec![1; spec.tile_bytes()];
        group.bench_function("write", |bencher| bencher.iter(|| write(&store, &spec, &tile)));
        let table = write(&store, &spec, &tile);
        group.bench_function("read", |bencher| bencher.iter(|| read(&table, &spec)));
        group.finish();
        calibrate(criterion, directory.path(), side);
    }
}

/// The same bytes as a plain file, written and made durable: what the disk gives.
fn calibrate(criterion: &mut Criterion, directory: &Path, side: u64) {
    let mut group = criterion.benchmark_group(format!("plain file/{side}x{side} f64"));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(side * side * 8));
    let bytes = vec![1; (side * side * 8) as usize];
    let path = directory.join("plain");
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            // A new file, as a shard is one.
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, &bytes).expect("the directory takes files");
            std::fs::File::open(&path).and_then(|file| file.sync_data()).expect("the file is there");
        })
    });
    group.finish();
}

fn write(store: &Arc<dyn Store>, spec: &TableSpec, tile: &[u8]) -> Table {
    let name = TableName::new("bench").expect("it is a name");
    let writer =
        TableWriter::create(store, &name, spec.clone(), OnExists::Replace).expect("the store takes tables");
    let shards = write_shards(writer.target(), tile);
    writer.commit(shards).expect("nobody else writes")
}

fn write_shards(target: &TableTarget, tile: &[u8]) -> Vec<ShardRecord> {
    let write = |shard| {
        let mut writer = ShardWriter::create(target, shard, &Host::local()).expect("nobody else writes");
        for index in target.spec.tiles_of(shard) {
            writer.write_tile(index, tile).expect("the store takes tiles");
        }
        writer.finish().expect("all tiles were written")
    };
    target.spec.shards().map(write).collect()
}

fn read(table: &Table, spec: &TableSpec) {
    let mut buffer = vec![0; spec.tile_bytes()];
    let grid = spec.tile_grid();
    for tile in (0..grid.rows).flat_map(|row| (0..grid.cols).map(move |col| TileIndex::new(row, col))) {
        table.read_tile(tile, black_box(&mut buffer)).expect("it was written");
    }
}

criterion_group!(table, benches);
criterion_main!(table);
