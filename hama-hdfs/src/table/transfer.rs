//! Copies a table to another name or store, and gives one another name.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hama_core::{Buffer, Cancel, Error, ErrorKind, Host, Pool, Result};

use super::Table;
use super::labels::{WrittenLabels, same_labels};
use super::remove::remove_version;
use super::shard_writer::ShardWriter;
use super::write::{OnExists, TableTarget, TableWriter, WriteOptions};
use crate::index::ShardRecord;
use crate::name::TableName;
use crate::store::{Durability, Store};

/// How many shards are copied at once: on HDFS a file is slower than the disks and hosts behind it.
const IN_FLIGHT: usize = 4;

/// How a table is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// How it is written.
    pub write: WriteOptions,
    /// Whether a copy that ends early leaves the shards that it has copied, and whether this one goes on from such.
    pub resume: bool,
}

impl<T: Into<WriteOptions>> From<T> for CopyOptions {
    fn from(write: T) -> CopyOptions {
        CopyOptions { write: write.into(), resume: false }
    }
}

/// Copies a table, as it is in this version, to `name` in `store`: elements, blocking, attributes and labels; neither
/// history nor a placed copy. `progress` is told of bytes as they are copied, from several threads.
///
/// With `resume`, what a copy of the same table left is used where its bytes have the table's checksums, and where this
/// one fails or is cancelled it leaves the shards that are whole, invisible, until [`collect`](super::collect) or the next
/// writer of that name clears them.
///
/// # Cost
/// Within a store that has links, one for each shard; else every tile is read, checked and written, four shards at once,
/// each through one tile of memory.
///
/// # Errors
/// `Exists` where the name is taken and the options say so; `Data` where the table is damaged; `Cancelled`; `OutOfSpace`,
/// and those of the stores.
pub fn copy(
    table: &Table,
    store: &Arc<dyn Store>,
    name: &TableName,
    options: impl Into<CopyOptions>,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &Cancel,
) -> Result<Table> {
    let CopyOptions { write, resume } = options.into();
    let table = table.dense()?;
    let labels: WrittenLabels = same_labels(&table)?;
    let links = store.has_links() && store.url() == table.store().url();
    let spec = table.spec();
    if links {
        if write.durability == Durability::Full {
            table.settle()?;
        }
        let mut writer = TableWriter::create_labelled(store, name, spec.clone(), write, labels, 0)?;
        writer.share(table.name(), table.shards().to_vec())?;
        return writer.commit(Vec::new());
    }
    let left = if resume { TableWriter::resume(store, name, spec, write, &labels)? } else { None };
    let writer = match left {
        Some(writer) => writer,
        None => TableWriter::create_labelled(store, name, spec.clone(), write, labels, spec.stored_bytes())?,
    };
    match copy_shards(&table, writer.target(), resume, progress, cancel) {
        Ok(shards) => writer.commit(shards),
        Err(error) if resume => {
            writer.leave();
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Copies all shards, several at once; the first error ends all.
fn copy_shards(
    table: &Table,
    target: &TableTarget,
    resume: bool,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &Cancel,
) -> Result<Vec<ShardRecord>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Ok(Vec::new())));
    let locked = || done.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        let mut buffer = tile_buffer(table);
        while let Some(record) = table.shards().get(next.fetch_add(1, Ordering::Relaxed)) {
            if locked().is_err() {
                return;
            }
            let copied = buffer.as_mut().map_err(|e| Error::new(e.kind(), e.message())).and_then(|buffer| {
                let copy = ShardCopy { table, target, record, progress, cancel };
                copy.run(resume, buffer)
            });
            let mut done = locked();
            match (copied, &mut *done) {
                (Ok(copied), Ok(all)) => all.push(copied),
                (Err(error), Ok(_)) => *done = Err(error),
                (_, Err(_)) => return,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..IN_FLIGHT.min(table.shards().len()) {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A shard that is being copied.
struct ShardCopy<'a> {
    table: &'a Table,
    target: &'a TableTarget,
    record: &'a ShardRecord,
    progress: &'a (dyn Fn(u64) + Sync),
    cancel: &'a Cancel,
}

impl ShardCopy<'_> {
    fn run(&self, resume: bool, buffer: &mut [u8]) -> Result<ShardRecord> {
        if resume && let Some(there) = self.left(buffer)? {
            (self.progress)(there.len);
            return Ok(there);
        }
        let mut shard = ShardWriter::create(self.target, self.record.shard, &Host::local())?;
        for tile in self.target.spec.tiles_of(self.record.shard) {
            self.cancel.check()?;
            self.table.read_tile(tile, buffer)?;
            shard.write_tile(tile, buffer)?;
            (self.progress)(buffer.len() as u64);
        }
        shard.finish()
    }

    /// The shard that a copy before this one left, where all of its bytes are right; what else lies there goes.
    fn left(&self, buffer: &mut [u8]) -> Result<Option<ShardRecord>> {
        let left = ShardWriter::left(self.target, self.record, buffer, self.cancel)?;
        if left.is_none() {
            ShardWriter::clear(self.target, self.record.shard)?;
        }
        Ok(left)
    }
}

/// Whole pages, from which a local directory writes past the page cache.
fn tile_buffer(table: &Table) -> Result<Buffer> {
    let bytes = table.spec().tile_bytes();
    Pool::new(Pool::cost(bytes)).take(bytes).map_err(|e| {
        let message = format!("cannot copy table {} through a tile of {bytes} bytes", table.name());
        Error::new(ErrorKind::OutOfMemory, message).with_source(e)
    })
}

/// Gives the latest version of a table another name. What was its history goes. Whoever is killed between the two
/// steps leaves it with both names.
///
/// # Cost
/// That of [`copy`] within the store, and of a removal.
///
/// # Errors
/// `NotFound`; `Exists` where the new name is taken; `Conflict` where somebody reads or changes the table: then it keeps
/// its name; those of the store.
pub fn rename(
    store: &Arc<dyn Store>,
    from: &TableName,
    to: &TableName,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &Cancel,
) -> Result<Table> {
    let table = Table::open(store, from)?;
    if from == to {
        return Err(Error::new(
            ErrorKind::Exists,
            format!("cannot rename table {from} to {to}: that is its name"),
        ));
    }
    let id = table.inner.manifest.id;
    let renamed = copy(&table, store, to, OnExists::Fail, progress, cancel)?;
    drop(table);
    let Err(error) = remove_version(&**store, from, Some(id)) else { return Ok(renamed) };
    let is_there = Table::open(store, from).is_ok_and(|table| table.inner.manifest.id == id);
    if !is_there {
        // It has the new name, or somebody made another of the old one: what is left of it is the next writer's.
        tracing::warn!(table = %from, %error, "renamed, but not all of the old name could be cleared");
        return Ok(renamed);
    }
    let made = renamed.inner.manifest.id;
    drop(renamed);
    remove_version(&**store, to, Some(made))?;
    let message = format!("cannot rename table {from} to {to}: it is in use, and keeps its name");
    Err(Error::new(error.kind(), message).with_source(error))
}
