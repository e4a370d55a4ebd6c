//! Writes a table: the side of the one who begins and commits.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hama_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::Table;
use super::collect::{collect_quietly, delete_generation};
use super::files::write_whole;
use super::layout::Layout;
use super::open::point_current;
use super::pending::{Base, Pending, ended_or};
use super::remove::remove_empty;
use crate::generation::GenerationId;
use crate::index::{GenerationIndex, ShardRecord, check_shards};
use crate::manifest::{Manifest, ManifestIds};
use crate::name::TableName;
use crate::path::StorePath;
use crate::spec::TableSpec;
use crate::store::{EntryKind, Store};
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
}

/// A table that is being written. Nobody sees it before [`commit`](TableWriter::commit); dropped before that, it
/// leaves nothing, and what a killed one leaves the next writer of the table clears.
#[derive(Debug)]
pub struct TableWriter {
    store: Arc<dyn Store>,
    pending: Option<Pending>,
    target: TableTarget,
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
        on_exists: OnExists,
    ) -> Result<TableWriter> {
        spec.validate()?;
        check_room(&**store, name, &spec)?;
        let base = match on_exists {
            OnExists::Fail => Base::Absent,
            OnExists::Replace => Base::Any,
        };
        let created_unix = unix_seconds();
        let pending = Pending::begin(store, name, base, |number, id| {
            Manifest::new(name.clone(), &spec, ManifestIds { number, id, generation: id, created_unix })
        })?;
        collect_quietly(&**store, name);
        let generation = pending.manifest().generation;
        let target = TableTarget { url: store.url().clone(), name: name.clone(), generation, spec };
        let writer = TableWriter { store: Arc::clone(store), pending: Some(pending), target };
        writer.write_metadata().map_err(|e| ended_or(&**store, name, generation, e))?;
        Ok(writer)
    }

    fn write_metadata(&self) -> Result<()> {
        let layout = Layout::new(&self.target.name);
        let generation = self.target.generation;
        write_whole(&*self.store, &layout.group_metadata(generation), &zarr::group()?)?;
        write_whole(&*self.store, &layout.values_metadata(generation), &zarr::values(&self.target.spec)?)
    }

    /// What a peer needs to write shards of it.
    pub fn target(&self) -> &TableTarget {
        &self.target
    }

    /// Makes the table visible, with all of its shards at once, and clears the version before unless somebody reads it.
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
        shards.sort_by_key(|record| record.shard);
        let TableTarget { name, generation, spec, .. } = self.target.clone();
        let index = self.prepare(shards).map_err(|e| ended_or(&*self.store, &name, generation, e))?;
        let layout = Layout::new(&name);
        let pending = self.pending();
        pending.publish()?;
        let (manifest, lock) = (pending.manifest().clone(), pending.take_lock());
        self.pending = None;
        match point_current(&*self.store, &layout, &manifest) {
            Ok(true) => {}
            // Whoever opens the table lets it lead to the version that was committed meanwhile.
            Ok(false) => drop(Table::open(&self.store, &name)),
            Err(error) => {
                tracing::warn!(table = %name, %error, "the link to the current generation is out of date");
            }
        }
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
        write_whole(&*self.store, &layout.index(generation), &index.encode(&self.target.spec)?)?;
        self.sync(&layout)?;
        Ok(index)
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.as_mut().expect("it is there until the commit")
    }

    /// Makes the names on the way to every file of the generation durable. Publishing does that for the table's own
    /// directory.
    fn sync(&self, layout: &Layout) -> Result<()> {
        let generation = self.target.generation;
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
        check_shards(spec, *generation, shards).map_err(bad)?;
        let files = self.store.list(&Layout::new(name).values(*generation))?;
        for record in shards {
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

/// Checks that there is room for all shards, where the store knows: better before the work than after it.
fn check_room(store: &dyn Store, name: &TableName, spec: &TableSpec) -> Result<()> {
    let Ok(Some(free)) = store.free_bytes() else { return Ok(()) };
    let needed = spec.stored_bytes();
    if needed <= free {
        return Ok(());
    }
    let store = store.url();
    Err(Error::new(
        ErrorKind::OutOfSpace,
        format!("cannot write table {name} of {needed} bytes: the store {store} has room for {free}"),
    ))
}

/// Now, by the clock of this host. Nothing is decided by it.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
