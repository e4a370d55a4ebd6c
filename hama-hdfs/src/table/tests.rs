//! Tests of tables, over all stores.

mod copies;
mod damage;
mod faults;
mod locate;
mod mounts;
mod races;
mod round_trip;
mod updates;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hama_core::{Error, Host, Result};

use super::layout::Layout;
use super::versions::Versions;
use crate::path::StorePath;
use crate::store::{self, Durability, EntryKind, Store, StrictRules, StrictStore};
use crate::{
    ElementType, Extent, OnExists, ShardIndex, ShardRecord, ShardWriter, StoreUrl, Table, TableName,
    TableSpec, TableTarget, TableWriter, TileIndex,
};

/// A store that goes with its test.
pub(super) struct TestStore {
    pub(super) store: Arc<dyn Store>,
    url: StoreUrl,
    directory: Option<tempfile::TempDir>,
}

impl Drop for TestStore {
    fn drop(&mut self) {
        store::forget(&self.url).unwrap();
        drop(self.directory.take());
    }
}

/// What decides which replies of the strict store are ambiguous: the same in each run.
const STRICT: StrictRules =
    StrictRules { close_delay: Duration::from_millis(1), ambiguous_one_in: 16, seed: 1 };

/// One store of each kind, the directory on a disk.
pub(super) fn stores() -> Vec<TestStore> {
    stores_with(tempfile::tempdir().unwrap())
}

/// One store of each kind, the directory in memory where that can be had: for what waits for a disk too often.
pub(super) fn fast_stores() -> Vec<TestStore> {
    stores_with(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
}

fn stores_with(directory: tempfile::TempDir) -> Vec<TestStore> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    // A real one, where somebody gives it.
    let hdfs = std::env::var("HAMA_TEST_HDFS").ok().filter(|_| cfg!(feature = "hdfs"));
    let hdfs = hdfs.map(|url| format!("{}/{id}", url.trim_end_matches('/')));
    let urls: Vec<String> = [
        format!("file:{}", directory.path().join("data").display()),
        format!("memory:{id}"),
        format!("strict:{id}"),
    ]
    .into_iter()
    .chain(hdfs)
    .collect();
    let mut directory = Some(directory);
    urls.iter()
        .map(|url| {
            let url: StoreUrl = url.parse().unwrap();
            if url.to_string().starts_with("strict:") {
                // Shown where a test fails, which may depend on it.
                println!("{url} follows {STRICT:?}");
                store::register(&url, Arc::new(StrictStore::new(url.clone(), STRICT))).unwrap();
            }
            TestStore { store: store::create(&url).unwrap(), url, directory: directory.take() }
        })
        .collect()
}

pub(super) fn name(text: &str) -> TableName {
    TableName::new(text).unwrap()
}

pub(super) fn spec(rows: u64, cols: u64, element: ElementType) -> TableSpec {
    TableSpec::new(Extent::new(rows, cols), element).unwrap()
}

/// The bytes of a tile: each element says where it is, plus `seed`; the padding is -1.
pub(super) fn tile_bytes(spec: &TableSpec, tile: TileIndex, seed: u64) -> Vec<u8> {
    let valid = spec.tile_valid(tile);
    let mut bytes = Vec::with_capacity(spec.tile_bytes());
    for row in 0..spec.tile.rows {
        for col in 0..spec.tile.cols {
            let inside = row < valid.rows && col < valid.cols;
            let at = (tile.row * spec.tile.rows + row) * spec.shape.cols + tile.col * spec.tile.cols + col;
            let value = if inside { (at + seed) as f64 } else { -1.0 };
            match spec.element {
                ElementType::F64 => bytes.extend_from_slice(&value.to_le_bytes()),
                ElementType::F32 => bytes.extend_from_slice(&(value as f32).to_le_bytes()),
            }
        }
    }
    bytes
}

pub(super) fn write_shards(target: &TableTarget, seed: u64) -> Result<Vec<ShardRecord>> {
    write_some(target, target.spec.shards(), seed)
}

/// Writes some shards of a table.
pub(super) fn write_some(
    target: &TableTarget,
    shards: impl IntoIterator<Item = ShardIndex>,
    seed: u64,
) -> Result<Vec<ShardRecord>> {
    let spec = &target.spec;
    let write = |shard| {
        let mut writer = ShardWriter::create(target, shard, &Host::new(format!("host-{shard}")))?;
        // In an order of their own: tiles may come in any.
        let mut tiles: Vec<_> = spec.tiles_of(shard).collect();
        tiles.sort_by_key(|tile| (tile.col, std::cmp::Reverse(tile.row)));
        for tile in tiles {
            assert!(!writer.is_complete());
            writer.write_tile(tile, &tile_bytes(spec, tile, seed))?;
        }
        assert!(writer.is_complete());
        writer.finish()
    };
    shards.into_iter().map(write).collect()
}

pub(super) fn write_table(
    store: &Arc<dyn Store>,
    table: &str,
    spec: TableSpec,
    seed: u64,
    on_exists: OnExists,
) -> Result<Table> {
    let writer = TableWriter::create(store, &name(table), spec, on_exists)?;
    let shards = write_shards(writer.target(), seed)?;
    writer.commit(shards)
}

/// Reads all of a table and compares it with what [`write_table`] wrote.
pub(super) fn verify(table: &Table, seed: u64) -> Result<()> {
    verify_by(table, |_| seed)
}

/// Every file below a table's directory, by its path in the store.
pub(super) fn files(store: &dyn Store, table: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![StorePath::new(table).unwrap()];
    while let Some(dir) = dirs.pop() {
        for entry in store.list(&dir).unwrap() {
            let path = dir.child(&entry.name).unwrap();
            match entry.kind {
                EntryKind::Directory if entry.name == "current" => {}
                EntryKind::Directory => dirs.push(path),
                EntryKind::File => drop(found.insert(path.to_string())),
            }
        }
    }
    found
}

/// Fails where a file of the table belongs to nothing that a version of it names.
pub(super) fn no_orphans(store: &Arc<dyn Store>, table: &str) {
    let layout = Layout::new(&name(table));
    let mut known = BTreeSet::new();
    for number in Versions::list(&**store, &layout).unwrap().manifests {
        let version = Table::open_version(store, &name(table), number).unwrap();
        known.insert(layout.manifest(number).to_string());
        known.extend(version.inner.manifest.generations().map(|id| layout.generation(id).to_string()));
    }
    for file in files(&**store, table) {
        let found = known.iter().any(|path| file.starts_with(path.as_str()));
        assert!(found, "{file} belongs to nothing in {known:?}");
    }
}

/// The same where each shard of the table was written with a seed of its own.
pub(super) fn verify_by(table: &Table, seed: impl Fn(TileIndex) -> u64) -> Result<()> {
    let spec = table.spec();
    let mut tile = vec![0; spec.tile_bytes()];
    for index in spec.shards().flat_map(|shard| spec.tiles_of(shard)) {
        table.read_tile(index, &mut tile)?;
        if tile != tile_bytes(spec, index, seed(index)) {
            return Err(Error::internal(format!("tile {index} differs")));
        }
    }
    Ok(())
}
