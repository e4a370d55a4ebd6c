//! Tables in HDFS beside plain files of `hdfs-native` with as many bytes, 8 in flight, in turns:
//! `HAMA_TEST_HDFS=hdfs://HOST:PORT/PATH cargo bench --bench hdfs -- [ROUNDS [TILES]]`, 5 rounds with shards of 4 x 4 tiles by
//! default. Each figure is the ratio of the two rates of one round.

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

/// Plain files, and shards.
const FILES: u64 = 8;
/// The extent of a tile: 16 of them make a shard as large as shards become.
const TILE: u64 = 1000;
const WRITERS: usize = 2;

fn main() {
    let Ok(url) = std::env::var("HAMA_TEST_HDFS") else {
        println!(
            "hdfs: skipped, HAMA_TEST_HDFS names no HDFS to measure in (`cargo xtask hdfs up` gives one)"
        );
        return;
    };
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let rounds = numbers.next().unwrap_or(5).max(1);
    let spec = spec(numbers.next().unwrap_or(4).clamp(1, 4));
    let bytes = spec.shape.rows * spec.shape.cols * spec.element.size_bytes() as u64;
    let folder = format!("bench-{}", SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()));
    let url: StoreUrl = format!("{}/{folder}", url.trim_end_matches('/')).parse().expect("it is a URL");
    let store = store::create(&url).expect("HDFS serves");
    let plain = Plain::new(&url, (bytes / FILES) as usize);
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "a table of {} shards with {} tiles, {:.1} MB of elements, beside {FILES} plain files of {:.1} MB: MB/s",
        spec.shards().count(),
        spec.tile_grid().rows * spec.tile_grid().cols,
        mb(bytes),
        mb(bytes / FILES)
    );
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut table = None;
        let written = turns(round, bytes, |turn| match turn {
            Turn::Plain => plain.write(round),
            Turn::Table => table = Some(write(&store, &spec)),
        });
        let table = table.expect("it was written");
        let read = turns(round, bytes, |turn| match turn {
            Turn::Plain => plain.read(round),
            Turn::Table => read_table(&table, &spec),
        });
        println!(
            "round {round}: write plain {:.1} table {:.1}, read plain {:.1} table {:.1}",
            written[0], written[1], read[0], read[1]
        );
        writes.push(written[1] / written[0]);
        reads.push(read[1] / read[0]);
    }
    plain.clear();
    store.delete_all(&hama_hdfs::StorePath::root()).expect("it can go");
    for (what, mut ratios) in [("write", writes), ("read", reads)] {
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        println!("{what}, table / plain: {:.3} ({least:.3} to {most:.3})", ratios[ratios.len() / 2]);
    }
}

/// A table of as many shards as there are plain files, each of `tiles` x `tiles` tiles.
fn spec(tiles: u64) -> TableSpec {
    let side = tiles * TILE;
    let spec = TableSpec::new(Extent::new(FILES * side, side), ElementType::F64);
    spec.and_then(|spec| spec.with_shard(Extent::new(tiles, tiles))).expect("it is a table")
}

#[derive(Clone, Copy)]
enum Turn {
    Plain,
    Table,
}

/// MB/s of both, each round beginning with another one.
fn turns(round: u64, bytes: u64, mut work: impl FnMut(Turn)) -> [f64; 2] {
    let mut order = [(0, Turn::Plain), (1, Turn::Table)];
    order.rotate_left((round % 2) as usize);
    let mut rates = [0.0; 2];
    for (index, turn) in order {
        let started = Instant::now();
        work(turn);
        rates[index] = bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
        // What DataNodes on this machine have not written yet, the next turn would pay for.
        rustix::fs::sync();
    }
    rates
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

    fn path(&self, round: u64, file: u64) -> String {
        format!("{}/{round}-{file}", self.folder)
    }

    fn each<F: Future<Output = ()> + Send + 'static>(&self, work: impl Fn(u64) -> F) {
        let tasks: Vec<_> = (0..FILES).map(|file| self.runtime.spawn(work(file))).collect();
        for task in tasks {
            self.runtime.block_on(task).expect("it does not panic");
        }
    }

    fn write(&self, round: u64) {
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

    fn read(&self, round: u64) {
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
