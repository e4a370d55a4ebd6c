//! Copies a table to another name or store, and gives one another name.

use std::sync::Arc;

use hama_core::{Cancel, Error, ErrorKind, Host, Result};

use super::Table;
use super::finishing::Finishing;
use super::labels::{WrittenLabels, same_labels};
use super::remove::remove_version;
use super::shard_writer::ShardWriter;
use super::write::{OnExists, TableWriter, WriteOptions};
use crate::name::TableName;
use crate::store::{Durability, Store};

/// Copies a table, as it is in this version, to `name` in `store`: elements, blocking, attributes and labels; neither
/// history nor a placed copy. `progress` is told the bytes copied so far.
///
/// # Cost
/// Within a store that has links, one for each shard; else every tile is read, checked and written, through one tile of
/// memory, on this thread.
///
/// # Errors
/// `Exists` where the name is taken and the options say so; `Data` where the table is damaged; `Cancelled`; `OutOfSpace`,
/// and those of the stores.
pub fn copy(
    table: &Table,
    store: &Arc<dyn Store>,
    name: &TableName,
    options: impl Into<WriteOptions>,
    progress: &dyn Fn(u64),
    cancel: &Cancel,
) -> Result<Table> {
    let options = options.into();
    let table = table.dense()?;
    let labels: WrittenLabels = same_labels(&table)?;
    let links = store.has_links() && store.url() == table.store().url();
    let needed = if links { 0 } else { table.spec().stored_bytes() };
    if links && options.durability == Durability::Full {
        table.settle()?;
    }
    let mut writer =
        TableWriter::create_labelled(store, name, table.spec().clone(), options, labels, needed)?;
    if links {
        writer.share(table.name(), table.shards().to_vec())?;
        return writer.commit(Vec::new());
    }
    let (target, mut shards, mut done) = (writer.target().clone(), Finishing::default(), 0);
    let mut buffer = tile_buffer(&table)?;
    for record in table.shards() {
        let mut shard = ShardWriter::create(&target, record.shard, &Host::local())?;
        for tile in table.spec().tiles_of(record.shard) {
            cancel.check()?;
            table.read_tile(tile, &mut buffer)?;
            shard.write_tile(tile, &buffer)?;
            done += buffer.len() as u64;
            progress(done);
        }
        shards.finish(shard)?;
    }
    writer.commit(shards.wait()?)
}

fn tile_buffer(table: &Table) -> Result<Vec<u8>> {
    let (mut buffer, bytes) = (Vec::new(), table.spec().tile_bytes());
    buffer.try_reserve_exact(bytes).map_err(|e| {
        let message = format!("cannot copy table {} through a tile of {bytes} bytes", table.name());
        Error::new(ErrorKind::OutOfMemory, message).with_source(e)
    })?;
    buffer.resize(bytes, 0);
    Ok(buffer)
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
    progress: &dyn Fn(u64),
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
