//! Writes a table: the side of the one who begins and commits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hama_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::Table;
use super::collect::{collect_quietly, delete_generation};
use super::files::write_whole;
use super::labels::{WrittenLabels, records, write_labels};
use super::layout::Layout;
use super::open::point_or_warn;
use super::pending::{Base, Pending, ended_or};
use super::remove::remove_empty;
use crate::extent::ShardIndex;
use crate::generation::GenerationId;
use crate::index::{GenerationIndex, ShardRecord, check_shards, generation_of_file, shard_file};
use crate::labels::Dimension;
use crate::manifest::{Manifest, ManifestIds};
use crate::name::TableName;
use crate::path::StorePath;
use crate::spec::TableSpec;
use crate::store::{Durability, EntryKind, Store};
use crate::url::StoreUrl;
use crate::zarr;

/// What to do where a table has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExists {
    /// Refuse.
    Fail,
    /// Make a new version of it.
    Replace,
}

impl OnExists {
    pub(super) fn base(self) -> Base {
        match self {
            OnExists::Fail => Base::Absent,
            OnExists::Replace => Base::Any,
        }
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// What to do where a table has the name already.
    pub on_exists: OnExists,
    /// What of it survives a power loss.
    pub durability: Durability,
}

impl From<OnExists> for WriteOptions {
    fn from(on_exists: OnExists) -> WriteOptions {
        WriteOptions { on_exists, durability: Durability::Full }
    }
}

/// What a peer needs to write shards of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableTarget {
    /// The table's store.
    pub url: StoreUrl,
    /// The table.
    pub name: TableName,
    /// The generation that is being written.
    pub generation: GenerationId,
    /// What the table will be.
    pub spec: TableSpec,
    /// What of it survives a power loss.
    pub durability: Durability,
}

/// A table that is being written. Nobody sees it before [`commit`](TableWriter::commit); dropped before that, it
/// leaves nothing, and what a killed one leaves the next writer of the table clears.
#[derive(Debug)]
pub struct TableWriter {
    store: Arc<dyn Store>,
    pending: Option<Pending>,
    target: TableTarget,
    /// The version that this one follows, held open, and those of its shards that are shared.
    base: Option<Table>,
    shared: Vec<ShardRecord>,
}

impl TableWriter {
    /// Begins to write a table. Shards are then written by [`ShardWriter`](super::ShardWriter)s, anywhere.
    ///
    /// # Errors
    /// `Invalid` where the specification is; `Exists` where the name is taken and `on_exists` says so; `OutOfSpace`
    /// where the store says that it has no room for the table; those of the store.
    pub fn create(
        store: &Arc<dyn Store>,
        name: &TableName,
        spec: TableSpec,
        options: impl Into<WriteOptions>,
    ) -> Result<TableWriter> {
        let needed = spec.stored_bytes();
        TableWriter::create_labelled(store, name, spec, options.into(), [None, None], needed)
    }

    /// The same with labels, where so many bytes will be written.
    pub(super) fn create_labelled(
        store: &Arc<dyn Store>,
        name: &TableName,
        spec: TableSpec,
        options: WriteOptions,
        labels: WrittenLabels,
        needed: u64,
    ) -> Result<TableWriter> {
        let WriteOptions { on_exists, durability } = options;
        spec.validate()?;
        check_room(&**store, name, needed)?;
        let base = on_exists.base();
        let created_unix = unix_seconds();
        let pending = Pending::begin(store, name, base, durability, |number, id| {
            let ids = ManifestIds { number, id, generation: id, created_unix };
            let is_settled = durability == Durability::Full;
            Manifest { labels: records(&labels), is_settled, ..Manifest::new(name.clone(), &spec, ids) }
        })?;
        collect_quietly(&**store, name);
        let generation = pending.manifest().generation;
        let target =
            TableTarget { url: store.url().clone(), name: name.clone(), generation, spec, durability };
        let writer = TableWriter::start(store, pending, target, None, Vec::new())?;
        writer.write_labels(&labels)?;
        Ok(writer)
    }

    /// The writer of a table that another one has begun to write, and left with its pending file.
    pub(super) fn taken_over(store: &Arc<dyn Store>, pending: Pending, target: TableTarget) -> TableWriter {
        let (store, pending) = (Arc::clone(store), Some(pending));
        TableWriter { store, pending, target, base: None, shared: Vec::new() }
    }

    /// Writes what comes before the shards, and shares those that are shared.
    pub(super) fn start(
        store: &Arc<dyn Store>,
        pending: Pending,
        target: TableTarget,
        base: Option<Table>,
        shared: Vec<ShardRecord>,
    ) -> Result<TableWriter> {
        let pending = Some(pending);
        let mut writer = TableWriter { store: Arc::clone(store), pending, target, base, shared: Vec::new() };
        writer.unless_ended(writer.write_metadata())?;
        let name = writer.target.name.clone();
        writer.share(&name, shared)?;
        Ok(writer)
    }

    pub(super) fn write_labels(&self, labels: &WrittenLabels) -> Result<()> {
        for (dimension, labels) in Dimension::ALL.into_iter().zip(labels) {
            if let Some((_, labels)) = labels {
                self.unless_ended(write_labels(&*self.store, &self.target, dimension, labels))?;
            }
        }
        Ok(())
    }

    /// The error of what failed, or that somebody ended this writer, where that is why.
    pub(super) fn unless_ended<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|e| ended_or(&*self.store, &self.target.name, self.target.generation, e))
    }

    fn write_metadata(&self) -> Result<()> {
        let layout = Layout::new(&self.target.name);
        let TableTarget { generation, durability, .. } = self.target;
        write_whole(&*self.store, &layout.group_metadata(generation), &zarr::group()?, durability)?;
        write_whole(
            &*self.store,
            &layout.values_metadata(generation),
            &zarr::values(&self.target.spec)?,
            durability,
        )
    }

    /// Lets this generation have shards of another one, of the table `from`, too.
    pub(super) fn share(&mut self, from: &TableName, records: Vec<ShardRecord>) -> Result<()> {
        if !self.store.has_links() {
            self.shared = records;
            return Ok(());
        }
        let linked = records.into_iter().map(|record| {
            let file = shard_file(self.target.generation, record.shard);
            self.store.link(&path_of(from, &record.file)?, &path_of(&self.target.name, &file)?)?;
            Ok(ShardRecord { file, ..record })
        });
        self.shared = self.unless_ended(linked.collect())?;
        Ok(())
    }

    /// What a peer needs to write shards of it.
    pub fn target(&self) -> &TableTarget {
        &self.target
    }

    /// The shards that are to be written: all that are not shared.
    pub fn shards(&self) -> Vec<ShardIndex> {
        let shared: BTreeSet<ShardIndex> = self.shared.iter().map(|record| record.shard).collect();
        self.target.spec.shards().filter(|shard| !shared.contains(shard)).collect()
    }

    /// Makes the table visible, with all of its shards at once. A version that this one replaces goes unless somebody reads
    /// it; one that it follows is history from then on.
    ///
    /// # Cost
    /// One file with some 20 bytes for each tile, two waits for the disk.
    ///
    /// # Errors
    /// `Invalid` where a shard is missing, there twice, or not what its record says; `Conflict` where somebody else
    /// committed a version meanwhile or ended this writer; `Exists` where somebody made the table meanwhile that was
    /// not to be replaced; `Unavailable` where nobody can say whether it is visible now, or whether it survives a power
    /// loss: open it and see.
    pub fn commit(mut self, mut shards: Vec<ShardRecord>) -> Result<Table> {
        shards.append(&mut self.shared);
        shards.sort_by_key(|record| record.shard);
        let TableTarget { name, generation, spec, .. } = self.target.clone();
        let index = self.unless_ended(self.prepare(shards))?;
        let pending = self.pending();
        pending.publish()?;
        let (manifest, lock) = (pending.manifest().clone(), pending.take_lock());
        self.pending = None;
        if manifest.generation != generation {
            collect_quietly(&*self.store, &name);
            let base = self.base.take().ok_or_else(|| Error::internal("a placed copy has no table"))?;
            let dense = Arc::clone(&base.dense()?.inner.index);
            return Ok(Table::assemble(Arc::clone(&self.store), manifest, dense, lock));
        }
        point_or_warn(&self.store, &manifest);
        collect_quietly(&*self.store, &name);
        tracing::info!(table = %name, version = manifest.number, shape = %spec.shape, "committed");
        Ok(Table::assemble(Arc::clone(&self.store), manifest, Arc::new(index), lock))
    }

    /// Checks the shards, and makes them and their index durable.
    fn prepare(&self, shards: Vec<ShardRecord>) -> Result<GenerationIndex> {
        self.check(&shards)?;
        let TableTarget { name, generation, .. } = self.target.clone();
        let layout = Layout::new(&name);
        let index = GenerationIndex { table: name, generation, shards };
        let bytes = index.encode(&self.target.spec)?;
        write_whole(&*self.store, &layout.index(generation), &bytes, self.target.durability)?;
        self.sync(&layout)?;
        Ok(index)
    }

    fn has_labels(&self, dimension: Dimension) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            let manifest = pending.manifest();
            manifest.generation == self.target.generation && manifest.labels.of(dimension).is_some()
        })
    }

    pub(super) fn pending(&mut self) -> &mut Pending {
        self.pending.as_mut().expect("it is there until the commit")
    }

    /// Makes the names on the way to every file of the generation durable. Publishing does that for the table's own
    /// directory.
    fn sync(&self, layout: &Layout) -> Result<()> {
        if self.target.durability == Durability::None {
            return Ok(());
        }
        let generation = self.target.generation;
        for dimension in Dimension::ALL.into_iter().filter(|dimension| self.has_labels(*dimension)) {
            self.store.sync(&layout.labels(generation, dimension))?;
        }
        for dir in [
            layout.values(generation),
            layout.generation(generation),
            layout.generations(),
            StorePath::root(),
        ] {
            self.store.sync(&dir)?;
        }
        Ok(())
    }

    /// Checks that the shards are the table's, and that their files are there.
    fn check(&self, shards: &[ShardRecord]) -> Result<()> {
        let TableTarget { name, generation, spec, .. } = &self.target;
        let bad = |e| Error::invalid(format!("cannot commit table {name}")).with_source(e);
        let borrowed = self.pending.as_ref().map(|pending| &pending.manifest().borrowed);
        check_shards(spec, *generation, borrowed.unwrap_or(&BTreeSet::new()), shards).map_err(bad)?;
        let files = self.store.list(&Layout::new(name).values(*generation))?;
        for record in shards.iter().filter(|record| generation_of_file(record) == Some(*generation)) {
            let key = record.shard.key();
            let found =
                files.binary_search_by(|entry| entry.name.as_str().cmp(&key)).ok().map(|at| &files[at]);
            let len = found.filter(|entry| entry.kind == EntryKind::File).map(|entry| entry.len);
            if len != Some(record.len) {
                return Err(bad(Error::invalid(format!(
                    "the file of shard {key} should have {} bytes and {}",
                    record.len,
                    len.map_or("is not there".to_owned(), |len| format!("has {len}"))
                ))));
            }
        }
        Ok(())
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        let Some(mut pending) = self.pending.take() else { return };
        if !pending.withdraw() {
            return;
        }
        let layout = Layout::new(&self.target.name);
        let cleared = delete_generation(&*self.store, &layout, self.target.generation)
            .and_then(|()| remove_empty(&*self.store, &layout));
        if let Err(error) = cleared {
            tracing::warn!(table = %self.target.name, %error, "the next writer has to clear an unfinished generation");
        }
    }
}

/// The generations in whose directories the files of shards lie.
pub(super) fn owners<'a>(shards: impl IntoIterator<Item = &'a ShardRecord>) -> BTreeSet<GenerationId> {
    shards.into_iter().filter_map(generation_of_file).collect()
}

/// The path of a file that a shard's record names.
pub(super) fn path_of(name: &TableName, file: &str) -> Result<StorePath> {
    StorePath::new(&format!("{name}/{file}"))
}

/// Checks that there is room for so many bytes, where the store knows: better before the work than after it.
pub(super) fn check_room(store: &dyn Store, name: &TableName, needed: u64) -> Result<()> {
    let Ok(Some(free)) = store.free_bytes() else { return Ok(()) };
    if needed <= free {
        return Ok(());
    }
    let store = store.url();
    Err(Error::new(
        ErrorKind::OutOfSpace,
        format!("cannot write table {name} of {needed} bytes: the store {store} has room for {free}"),
    ))
}

/// Now, by the clock of this host. Only how long history stays is decided by it.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
