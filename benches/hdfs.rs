//! Tables in HDFS beside plain files of `hdfs-native`, 8 in flight, in turns: `HAMA_TEST_HDFS=hdfs://HOST:PORT/PATH cargo
//! bench --bench hdfs`. Each figure is the ratio of the two rates of one round.

#![expect(clippy::print_stdout, reason = "a bench that says what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use hama_core::Host;
use hama_hdfs::store::{self, Store};
use hama_hdfs::{
    ElementType, Extent, Finishing, OnExists, ShardIndex, ShardRecord, ShardWriter, StoreUrl, Table,
    TableName, TableSpec, TableTarget, TableWriter,
};
use hdfs_native::{Client, ClientBuilder, WriteOptions};

const ROUNDS: usize = 5;
const FILES: usize = 8;
/// Some 128 MiB each.
const SHARD_SIDE: u64 = 4096;
const WRITERS: usize = 2;

fn main() {
    let Ok(url) = std::env::var("HAMA_TEST_HDFS") else {
        println!(
            "hdfs: skipped, HAMA_TEST_HDFS names no HDFS to measure in (`cargo xtask hdfs up` gives one)"
        );
        return;
    };
    let side = SHARD_SIDE;
    let spec =
        TableSpec::new(Extent::new(FILES as u64 * side, side), ElementType::F64).expect("it is a table");
    let bytes = spec.shards().count() as u64 * side * side * 8;
    let folder = format!("bench-{}", SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()));
    let url: StoreUrl = format!("{}/{folder}", url.trim_end_matches('/')).parse().expect("it is a URL");
    let store = store::create(&url).expect("HDFS serves");
    let plain = Plain::new(&url, bytes as usize / FILES);
    println!(
        "{} shards of {} MiB, {} tiles each",
        FILES,
        (bytes / FILES as u64) >> 20,
        spec.shard.rows * spec.shard.cols
    );
    let rate = |started: Instant| bytes as f64 / f64::from(1 << 20) / started.elapsed().as_secs_f64();
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut written = [0.0; 2];
        let mut read = [0.0; 2];
        let mut table = None;
        for turn in [round % 2, (round + 1) % 2] {
            let started = Instant::now();
            match turn {
                0 => plain.write(round),
                _ => table = Some(write(&store, &spec)),
            }
            written[turn] = rate(started);
        }
        let table = table.expect("it was written");
        for turn in [round % 2, (round + 1) % 2] {
            let started = Instant::now();
            match turn {
                0 => plain.read(round),
                _ => read_table(&table, &spec),
            }
            read[turn] = rate(started);
        }
        println!(
            "round {round}: write plain {:.0} table {:.0} MiB/s, read plain {:.0} table {:.0} MiB/s",
            written[0], written[1], read[0], read[1]
        );
        writes.push(written[1] / written[0]);
        reads.push(read[1] / read[0]);
    }
    plain.clear();
    store.delete_all(&hama_hdfs::StorePath::root()).expect("it can go");
    for (what, mut ratios) in [("write", writes), ("read", reads)] {
        ratios.sort_by(f64::total_cmp);
        println!(
            "{what}, table / plain: {:.3} ({:.3} to {:.3})",
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1]
        );
    }
}

fn write(store: &Arc<dyn Store>, spec: &TableSpec) -> Table {
    let name = TableName::new("bench").expect("it is a name");
    let writer =
        TableWriter::create(store, &name, spec.clone(), OnExists::Replace).expect("HDFS takes tables");
    let shards: Vec<ShardIndex> = spec.shards().collect();
    let next = AtomicUsize::new(0);
    let records = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..WRITERS).map(|_| scope.spawn(|| write_shards(writer.target(), &shards, &next))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    writer.commit(records).expect("nobody else writes")
}

fn write_shards(target: &TableTarget, shards: &[ShardIndex], next: &AtomicUsize) -> Vec<ShardRecord> {
    let tile = vec![1; target.spec.tile_bytes()];
    let mut finishing = Finishing::default();
    while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut writer = ShardWriter::create(target, *shard, &Host::local()).expect("HDFS takes files");
        for index in target.spec.tiles_of(*shard) {
            writer.write_tile(index, &tile).expect("HDFS takes bytes");
        }
        finishing.finish(writer).expect("HDFS takes files");
    }
    finishing.wait().expect("HDFS takes files")
}

fn read_table(table: &Table, spec: &TableSpec) {
    let tiles: Vec<_> = spec.shards().flat_map(|shard| spec.tiles_of(shard)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..FILES {
            scope.spawn(|| {
                let mut into = vec![0; spec.tile_bytes()];
                while let Some(tile) = tiles.get(next.fetch_add(1, Ordering::Relaxed)) {
                    table.read_tile(*tile, &mut into).expect("HDFS gives bytes");
                }
            });
        }
    });
}

/// Files written and read by the client alone.
struct Plain {
    runtime: tokio::runtime::Runtime,
    client: Client,
    folder: String,
    bytes: usize,
}

impl Plain {
    fn new(url: &StoreUrl, bytes: usize) -> Plain {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        let text = url.to_string();
        let rest = text.strip_prefix("hdfs://").expect("it is in HDFS");
        let (authority, path) = rest.split_once('/').expect("it has a path");
        let client = ClientBuilder::new()
            .with_url(format!("hdfs://{authority}"))
            .with_io_runtime(runtime.handle().clone())
            .build()
            .expect("it is a URL");
        Plain { runtime, client, folder: format!("/{path}/plain"), bytes }
    }

    fn path(&self, round: usize, file: usize) -> String {
        format!("{}/{round}-{file}", self.folder)
    }

    fn each<F: Future<Output = ()> + Send + 'static>(&self, work: impl Fn(usize) -> F) {
        let tasks: Vec<_> = (0..FILES).map(|file| self.runtime.spawn(work(file))).collect();
        for task in tasks {
            self.runtime.block_on(task).expect("it does not panic");
        }
    }

    fn write(&self, round: usize) {
        let bytes = self.bytes;
        let chunk = bytes::Bytes::from(vec![1; 1 << 20]);
        self.each(|file| {
            let (client, path, chunk) = (self.client.clone(), self.path(round, file), chunk.clone());
            async move {
                let block = (bytes as u64).next_multiple_of(512);
                let mut file = client
                    .create(&path, WriteOptions::default().block_size(block))
                    .await
                    .expect("HDFS takes files");
                for start in (0..bytes).step_by(chunk.len()) {
                    let part = chunk.slice(..chunk.len().min(bytes - start));
                    file.write_bytes(part).await.expect("HDFS takes bytes");
                }
                file.close().await.expect("HDFS takes files");
            }
        });
    }

    fn read(&self, round: usize) {
        let bytes = self.bytes;
        self.each(|file| {
            let (client, path) = (self.client.clone(), self.path(round, file));
            async move {
                let mut into = vec![0; 8 << 20];
                let file = client.read(&path).await.expect("it is there");
                for start in (0..bytes).step_by(8 << 20) {
                    let len = into.len().min(bytes - start);
                    file.read_range_buf(&mut into[..len], start).await.expect("HDFS gives bytes");
                }
            }
        });
    }

    fn clear(&self) {
        let _ = self.runtime.block_on(self.client.delete(&self.folder, true));
    }
}
