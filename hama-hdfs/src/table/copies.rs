//! Placed copies: the same elements in shards that follow the blocks, so that whoever owns a block has its files.
//!
//! A table has at most one, with its own blocking. The manifest knows which shards of the table were written anew since, so
//! only what they touch is copied again.

use std::collections::BTreeSet;
use std::sync::Arc;

use hama_core::Result;

use super::Table;
use super::open::read_index;
use super::read::OpenShards;
use super::write::{TableTarget, TableWriter, check_room, owners};
use crate::cut::tiles_per_shard;
use crate::extent::{Extent, ShardIndex};
use crate::generation::GenerationId;
use crate::manifest::PlacedCopy;
use crate::spec::TableSpec;
use crate::store::Durability;

impl Table {
    /// How many shards of its placed copy have to be copied anew before it can be used, and of how many; `None` where
    /// there is no placed copy.
    pub fn stale_copy_shards(&self) -> Result<Option<(u64, u64)>> {
        let Some(copy) = self.placed_copy() else { return Ok(None) };
        let spec = self.copy_spec(copy.blocking)?;
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
        let dense = self.dense()?;
        let spec = self.copy_spec(blocking)?;
        let before = self.placed_copy().filter(|copy| copy.blocking == blocking);
        let (changed, shared) = match before {
            Some(copy) => {
                let stale = self.stale_shards(copy, &spec);
                let all = self.view(copy)?.shards().to_vec();
                (
                    stale.len() as u64,
                    all.into_iter().filter(|record| !stale.contains(&record.shard)).collect(),
                )
            }
            None => (spec.shards().count() as u64, Vec::new()),
        };
        if changed == 0 && self.inner.manifest.spec.blocking == Some(blocking) {
            return Ok(None);
        }
        let store = self.store();
        check_room(&**store, self.name(), spec.stored_bytes_of(changed))?;
        let mut borrowed = if store.has_links() { BTreeSet::new() } else { owners(&shared) };
        borrowed.append(&mut owners(dense.shards()));
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
            generation: pending.manifest().generation_of_copy(),
            spec,
            durability,
        };
        TableWriter::start(store, pending, target, Some(self.clone()), shared).map(Some)
    }

    /// The table itself, where this is its placed copy.
    pub(super) fn dense(&self) -> Result<Table> {
        let manifest = &self.inner.manifest;
        self.at(manifest.generation, &manifest.spec)
    }

    /// The placed copy, up to date or not.
    pub(super) fn any_copy(&self) -> Result<Option<Table>> {
        self.placed_copy().map(|copy| self.view(copy)).transpose()
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
        let (spec, lock, open_shards) = (spec.clone(), self.inner.lock.clone(), OpenShards::default());
        Ok(Table {
            inner: Arc::new(super::Inner { store, manifest, generation, spec, index, open_shards, lock }),
        })
    }

    fn copy_spec(&self, blocking: Extent) -> Result<TableSpec> {
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
