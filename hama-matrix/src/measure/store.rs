//! How fast a store takes and gives tables.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hama_core::{Buffer, Result};
use hama_hdfs::{
    ElementType, Extent, OnExists, ShardRecord, ShardWriter, Table, TableName, TableSpec, TableTarget,
    TableWriter,
};
use ndarray::Array2;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use serde::{Deserialize, Serialize};

use super::median;
use super::turns::in_turns;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::random::{Distribution, Seed, fill_row};
use crate::save_as::replace;

const NAME: &str = "measured";
const ROUNDS: usize = 3;
/// Products of one element that are timed: the first ones still load code.
const PRODUCTS: usize = 5;

/// Bytes that all peers together move between a store and their memory in a second, checksums included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreRates {
    /// The length of the table that was written and read.
    pub table_bytes: u64,
    /// Written, until it is durable.
    pub write_bytes_per_s: f64,
    /// Read from the page cache.
    pub cached_bytes_per_s: f64,
    /// Read past the page cache, where the system drops from it what it is asked to.
    pub cold_bytes_per_s: Option<f64>,
}

/// Measures the store of `hama` with a table of about `bytes`, which is removed afterwards. Nobody else should
/// use that store: the table may take the place of one of its name.
///
/// # Cost
/// A tile of memory a peer; the table is written once and read four or five times.
///
/// # Errors
/// `OutOfSpace`, `OutOfMemory`, `Cancelled`, and those of the store.
pub fn store_rates(hama: &Hama, bytes: u64) -> Result<StoreRates> {
    let name = TableName::new(NAME)?;
    let n = (bytes / 8).isqrt().max(1);
    let spec = TableSpec::new(Extent { rows: n, cols: n }, ElementType::F64)?;
    let outcome = measured(hama, &name, spec);
    // What is left of a table that was not committed has gone with its writer.
    let removed = hama_hdfs::remove(&**hama.store(), &name);
    let rates = outcome?;
    removed?;
    Ok(rates)
}

fn measured(hama: &Hama, name: &TableName, spec: TableSpec) -> Result<StoreRates> {
    let peers = hama.peers().min(spec.shards().count().max(1));
    let buffers = |count: usize| (0..count).map(|_| random_tile(hama, &spec)).collect::<Result<Vec<_>>>();
    let mut buffers_of_writers = buffers(peers)?;
    let start = Instant::now();
    let writer = TableWriter::create(hama.store(), name, spec.clone(), OnExists::Replace)?;
    let target = writer.target();
    let shards = in_turns(&mut buffers_of_writers, spec.shards(), |tile, shard| {
        write_shard(hama, target, shard, tile)
    })?;
    let table = writer.commit(shards)?;
    let write_s = start.elapsed().as_secs_f64();
    drop(buffers_of_writers);
    let mut readers = buffers(hama.peers())?;
    // Once without the clock, so that the page cache has it.
    read_s(hama, &table, &mut readers)?;
    let mut cached_s = f64::INFINITY;
    for _ in 0..ROUNDS {
        cached_s = cached_s.min(read_s(hama, &table, &mut readers)?);
    }
    let cold_s =
        if dropped_from_cache(hama, &table) { Some(read_s(hama, &table, &mut readers)?) } else { None };
    let bytes = table.bytes() as f64;
    Ok(StoreRates {
        table_bytes: table.bytes(),
        write_bytes_per_s: bytes / write_s,
        cached_bytes_per_s: bytes / cached_s,
        cold_bytes_per_s: cold_s.map(|seconds| bytes / seconds),
    })
}

/// A tile that no disk can compress.
fn random_tile(hama: &Hama, spec: &TableSpec) -> Result<Buffer> {
    let mut buffer = hama.tile_buffer(NAME, spec, hama.peers() as u64)?;
    let row = spec.tile.cols as usize;
    for (index, elements) in buffer.elements_mut::<f64>().chunks_mut(row).enumerate() {
        fill_row(Distribution::Uniform, Seed(1), index as u64, 0, elements);
    }
    Ok(buffer)
}

fn write_shard(
    hama: &Hama,
    target: &TableTarget,
    shard: hama_hdfs::ShardIndex,
    tile: &[u8],
) -> Result<ShardRecord> {
    let mut writer = ShardWriter::create(target, shard, hama.host())?;
    for index in target.spec.tiles_of(shard) {
        hama.cancel().check()?;
        writer.write_tile(index, tile)?;
    }
    writer.finish()
}

/// Seconds that all peers take to read the table, tiles in turns.
fn read_s(hama: &Hama, table: &Table, buffers: &mut [Buffer]) -> Result<f64> {
    let tiles = table.spec().shards().flat_map(|shard| table.spec().tiles_of(shard));
    let start = Instant::now();
    in_turns(buffers, tiles, |buffer, tile| {
        hama.cancel().check()?;
        table.read_tile(tile, buffer)
    })?;
    Ok(start.elapsed().as_secs_f64().max(1e-9))
}

/// Asks the system to drop the table's files from the page cache, and whether it did.
fn dropped_from_cache(hama: &Hama, table: &Table) -> bool {
    let Some(folder) = hama.store().local_path(&table.values_path()) else { return false };
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.iter().all(|path| dropped(path))
}

fn dropped(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    if rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).is_err() {
        return false;
    }
    // A read that must not wait finds nothing where the page has gone. Some file systems cannot tell.
    let mut byte = [0];
    let buffers = &mut [std::io::IoSliceMut::new(&mut byte)];
    let middle = file.metadata().map_or(0, |meta| meta.len() / 2);
    rustix::io::preadv2(&file, buffers, middle, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN)
}

/// Seconds from the plan to the durable result of a product of two matrices of one element, in the store of
/// `hama`; the median of five. Nobody else should use that store.
///
/// # Errors
/// Those of products.
pub fn product_s(hama: &Hama) -> Result<f64> {
    product_s_named(hama, &TableName::new(NAME)?)
}

/// The same with tables of this name.
pub(crate) fn product_s_named(hama: &Hama, name: &TableName) -> Result<f64> {
    let seconds = seconds_of_products(hama, name);
    let removed = hama_hdfs::remove(&**hama.store(), name);
    let seconds = seconds?;
    removed?;
    Ok(median(seconds))
}

fn seconds_of_products(hama: &Hama, name: &TableName) -> Result<Vec<f64>> {
    let name = || replace(name.as_str());
    let one = DenseMatrix::from_array(hama, name(), Array2::from_elem((1, 1), 1.0).view())?;
    let product = one.mult(&one)?;
    (0..PRODUCTS).map(|_| Ok(product.run(name())?.seconds)).collect()
}

#[cfg(test)]
mod tests {
    use hama_core::{Cancel, ErrorKind};

    use super::*;

    fn hama_at(folder: &Path, cancel: Cancel) -> Hama {
        Hama::builder()
            .store(folder.display().to_string())
            .memory(64 << 20)
            .peers(3)
            .cancel(cancel)
            .build()
            .unwrap()
    }

    #[test]
    fn a_store_is_measured_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let hama = hama_at(folder.path(), Cancel::new());
        let rates = store_rates(&hama, 20 << 20).unwrap();
        assert!(rates.table_bytes >= 20 << 20 && rates.table_bytes < 25 << 20, "{rates:?}");
        assert!(rates.write_bytes_per_s > 0.0 && rates.cached_bytes_per_s.is_finite(), "{rates:?}");
        assert!(rates.cold_bytes_per_s.is_none_or(|rate| rate > 0.0), "{rates:?}");
        assert!(product_s(&hama).unwrap() > 0.0);
        assert_eq!(hama.store().list(&hama_hdfs::StorePath::root()).unwrap(), []);
        let memory = Hama::builder().store("memory:measured-store").memory(64 << 20).build().unwrap();
        assert_eq!(store_rates(&memory, 1 << 20).unwrap().cold_bytes_per_s, None);
    }

    #[test]
    fn a_request_to_end_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        let hama = hama_at(folder.path(), cancel.clone());
        cancel.cancel();
        assert_eq!(store_rates(&hama, 20 << 20).unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(hama.store().list(&hama_hdfs::StorePath::root()).unwrap(), []);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let hama = hama_at(folder.path(), Cancel::new());
        let error = store_rates(&hama, 1 << 46).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
        assert_eq!(store_rates(&hama, u64::MAX).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
