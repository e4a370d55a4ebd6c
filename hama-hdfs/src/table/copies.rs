//! Placed copies: the same elements in shards that follow the blocks, so that whoever owns a block has its files.
//!
//! A table has at most one, with its own blocking. The manifest knows which shards of the table were written anew since, so
//! only what they touch is copied again.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use hama_core::{ErrorKind, Result};

use super::Table;
use super::open::read_index;
use super::read::OpenShards;
use super::write::{TableTarget, TableWriter, check_room, owners};
use crate::cut::tiles_per_shard;
use crate::extent::{Extent, ShardIndex};
use crate::generation::GenerationId;
use crate::index::ShardRecord;
use crate::manifest::PlacedCopy;
use crate::spec::TableSpec;
use crate::store::Durability;

impl Table {
    /// How many shards of its placed copy have to be copied anew before it can be used, and of how many; `None` where
    /// there is no placed copy.
    pub fn stale_copy_shards(&self) -> Result<Option<(u64, u64)>> {
        let Some(copy) = self.placed_copy() else { return Ok(None) };
        let spec = self.inner.manifest.spec.clone().with_shard(copy.shard)?;
        let stale = self.stale_shards(copy, &spec).len() as u64;
        Ok(Some((stale, spec.shards().count() as u64)))
    }

    /// The same version, read through its placed copy; `None` where there is none, or it is out of date.
    ///
    /// # Errors
    /// `Data` where its index is damaged; those of the store.
    pub fn through_copy(&self) -> Result<Option<Table>> {
        match self.placed_copy() {
            Some(copy) if copy.stale.is_empty() => self.view(copy).map(Some),
            _ => Ok(None),
        }
    }

    /// Begins to bring the placed copy with so many blocks along rows and columns up to date, or to make it. The shards
    /// that the writer names are to be written with the elements of this table; the others are shared with the copy of
    /// before. `None` where there is nothing to be done.
    ///
    /// # Errors
    /// Those of [`TableWriter::update`].
    pub fn begin_copy(&self, blocking: Extent, durability: Durability) -> Result<Option<TableWriter>> {
        self.begin_copy_moving(blocking, durability, &BTreeSet::new())
    }

    /// The same, where these shards of the copy are to be written anew, up to date or not: elsewhere.
    ///
    /// # Errors
    /// Those of [`begin_copy`](Self::begin_copy).
    pub fn begin_copy_moving(
        &self,
        blocking: Extent,
        durability: Durability,
        moving: &BTreeSet<ShardIndex>,
    ) -> Result<Option<TableWriter>> {
        self.rebased()?.begin_copy_of_latest(blocking, durability, moving)
    }

    fn begin_copy_of_latest(
        &self,
        blocking: Extent,
        durability: Durability,
        moving: &BTreeSet<ShardIndex>,
    ) -> Result<Option<TableWriter>> {
        let dense = self.dense()?;
        let spec = self.copy_spec(blocking)?;
        // One that is cut otherwise is another's, and made anew.
        let before = self.placed_copy().filter(|copy| copy.blocking == blocking && copy.shard == spec.shard);
        let (changed, shared) = match (before, self.copy_to_keep()?) {
            (Some(copy), Some(view)) => {
                let mut stale = self.stale_shards(copy, &spec);
                stale.extend(moving);
                let all = view.shards().iter().cloned();
                (stale.len() as u64, all.filter(|record| !stale.contains(&record.shard)).collect())
            }
            _ => (spec.shards().count() as u64, Vec::new()),
        };
        if changed == 0 && self.inner.manifest.spec.blocking == Some(blocking) {
            return Ok(None);
        }
        let store = self.store();
        check_room(&**store, self.name(), spec.stored_bytes_of(changed))?;
        let borrowed = self.borrowed(&shared, dense.shards());
        let all = spec.shards().count();
        let pending = self.begin_next(durability, |manifest, id| {
            manifest.spec.blocking = Some(blocking);
            manifest.borrowed.clone_from(&borrowed);
            manifest.change = format!("copied {changed} of {all} shards of {blocking} placed blocks");
            let (source, shard, stale) = (manifest.generation, spec.shard, Vec::new());
            manifest.copies = vec![PlacedCopy { generation: id, source, blocking, shard, stale }];
        })?;
        let target = TableTarget {
            url: store.url().clone(),
            name: self.name().clone(),
            generation: pending.manifest().id,
            spec,
            durability,
        };
        TableWriter::start(store, pending, target, Some(self.clone()), shared).map(Some)
    }

    /// The placed copy with so many blocks, up to date or not, for who wants to know where it lies; `None` where there is
    /// none, or it is damaged.
    ///
    /// # Errors
    /// Those of the store.
    pub fn placed(&self, blocking: Extent) -> Result<Option<Table>> {
        let spec = self.copy_spec(blocking)?;
        let same = self.placed_copy().filter(|copy| copy.blocking == blocking && copy.shard == spec.shard);
        if same.is_some() { self.copy_to_keep() } else { Ok(None) }
    }

    /// The table itself, where this is its placed copy.
    pub(super) fn dense(&self) -> Result<Table> {
        let manifest = &self.inner.manifest;
        self.at(manifest.generation, &manifest.spec)
    }

    /// The placed copy, up to date or not; `None` where there is none.
    ///
    /// # Errors
    /// `Data` where its index is damaged; those of the store.
    pub fn any_copy(&self) -> Result<Option<Table>> {
        self.placed_copy().map(|copy| self.view(copy)).transpose()
    }

    /// The same, and `None` where it is damaged.
    pub(super) fn copy_to_keep(&self) -> Result<Option<Table>> {
        match self.any_copy() {
            Err(error) if error.kind() == ErrorKind::Data => {
                tracing::warn!(table = %self.name(), %error, "the placed copy is damaged and goes");
                Ok(None)
            }
            other => other,
        }
    }

    /// The generations whose files the next version uses without naming them otherwise: those of the `shared` shards, where
    /// the store has no links, and those of what stays as it is.
    pub(super) fn borrowed<'a>(
        &self,
        shared: &[ShardRecord],
        kept: impl IntoIterator<Item = &'a ShardRecord>,
    ) -> BTreeSet<GenerationId> {
        let mut borrowed = if self.store().has_links() { BTreeSet::new() } else { owners(shared) };
        let named = self.inner.manifest.generations_of_its_own();
        borrowed.extend(owners(kept).into_iter().filter(|id| !named.contains(id)));
        borrowed
    }

    /// Whether it was not followed by another version.
    fn is_latest(&self) -> Result<bool> {
        let layout = super::layout::Layout::new(self.name());
        Ok(super::versions::Versions::list(&**self.store(), &layout)?.latest() == Some(self.version()))
    }

    /// The latest version, where it has the same elements as this one: what was changed since (blocks, a placed copy) does
    /// not matter to whoever changes elements. Else this one, which can no longer be followed.
    pub fn rebased(&self) -> Result<Table> {
        if self.inner.lock.is_none() || self.is_latest()? {
            return Ok(self.clone());
        }
        match Table::open(self.store(), self.name()) {
            Ok(latest) if latest.inner.manifest.generation == self.inner.manifest.generation => Ok(latest),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(self.clone()),
        }
    }

    /// The placed copy that lies in this generation, where it may be used.
    pub(super) fn copy_at(&self, generation: GenerationId) -> Result<Option<Table>> {
        match self.placed_copy() {
            Some(copy) if copy.generation == generation && copy.stale.is_empty() => self.view(copy).map(Some),
            _ => Ok(None),
        }
    }

    fn placed_copy(&self) -> Option<&PlacedCopy> {
        let manifest = &self.inner.manifest;
        manifest.copies.iter().find(|copy| copy.source == manifest.generation)
    }

    fn view(&self, copy: &PlacedCopy) -> Result<Table> {
        let spec = self.inner.manifest.spec.clone().with_shard(copy.shard)?;
        self.at(copy.generation, &spec)
    }

    /// The same version, read from one of its generations.
    fn at(&self, generation: GenerationId, spec: &TableSpec) -> Result<Table> {
        if generation == self.inner.generation {
            return Ok(self.clone());
        }
        let (store, manifest) = (Arc::clone(self.store()), self.inner.manifest.clone());
        let index = Arc::new(read_index(&*store, &manifest, generation, spec)?);
        let (spec, lock) = (spec.clone(), self.inner.lock.clone());
        let (open_shards, locations) = (OpenShards::default(), OnceLock::new());
        let inner = super::Inner { store, manifest, generation, spec, index, open_shards, locations, lock };
        Ok(Table { inner: Arc::new(inner) })
    }

    /// What its placed copy with so many blocks is, or would be: a block is a rectangle of whole shards, as far as they
    /// divide it; a shard that crosses its edge is that block's in which it begins.
    ///
    /// # Errors
    /// `Invalid` where there are 0 blocks or more than elements.
    pub fn copy_spec(&self, blocking: Extent) -> Result<TableSpec> {
        let spec = self.inner.manifest.spec.clone().with_blocking(Some(blocking))?;
        let shard = copy_shard(spec.tile_grid(), blocking, spec.tile_bytes());
        spec.with_shard(shard)
    }

    /// The copy's shards that hold a tile of a shard of the table that was written anew.
    fn stale_shards(&self, copy: &PlacedCopy, spec: &TableSpec) -> BTreeSet<ShardIndex> {
        let dense = &self.inner.manifest.spec;
        let width = dense.shard_grid().cols;
        let stale = dense.shards().filter(|shard| copy.is_stale(shard.row * width + shard.col));
        stale.flat_map(|shard| dense.tiles_of(shard)).map(|tile| spec.shard_of(tile)).collect()
    }
}

/// The extent, in tiles, of the shards of a copy with so many blocks: a block is as many whole shards as it takes to keep
/// each below its most bytes.
fn copy_shard(tiles: Extent, blocking: Extent, tile_bytes: usize) -> Extent {
    let block = tiles.div_ceil(blocking.min(tiles));
    let most = tiles_per_shard(tile_bytes);
    let cols = block.cols.div_ceil(block.cols.div_ceil(most.isqrt().max(most / block.rows)));
    let rows = block.rows.div_ceil(block.rows.div_ceil((most / cols).max(1)));
    Extent::new(rows, cols)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_is_whole_shards() {
        let mib = 8 << 20;
        assert_eq!(copy_shard(Extent::new(8, 8), Extent::new(4, 4), mib), Extent::new(2, 2));
        assert_eq!(copy_shard(Extent::new(8, 8), Extent::new(9, 9), mib), Extent::new(1, 1));
        assert_eq!(copy_shard(Extent::new(8, 8), Extent::new(3, 1), mib), Extent::new(3, 4));
        assert_eq!(copy_shard(Extent::new(40, 40), Extent::new(4, 4), mib), Extent::new(5, 3));
    }

    proptest! {
        #[test]
        fn shards_of_copies_are_not_too_large(
            rows in 1..200u64, cols in 1..200u64, down in 1..200u64, across in 1..200u64, tile in 1..70_000_000usize,
        ) {
            let (tiles, blocking) = (Extent::new(rows, cols), Extent::new(down, across));
            let shard = copy_shard(tiles, blocking, tile);
            prop_assert!(shard.count().unwrap() <= tiles_per_shard(tile));
            let block = tiles.div_ceil(blocking.min(tiles));
            prop_assert!(!shard.is_empty() && shard.min(block) == shard);
        }
    }
}
