//! Tables: tiles of a matrix in a store, written by many, committed by one, never seen half.
//!
//! A table is a directory with immutable generations and numbered manifests; the manifest with the highest number
//! says which generation counts. `docs/table-format.md` specifies all of its bytes.

mod blocking;
mod catalog;
mod check;
mod collect;
mod copies;
mod files;
#[cfg(feature = "cluster")]
pub(crate) use files::{read_whole, repeated, write_whole};
mod finishing;
mod history;
mod labels;
mod layout;
mod locate;
mod open;
mod pending;
mod read;
mod reference;
mod remove;
mod resume;
mod settle;
mod shard_writer;
mod transfer;
mod update;
mod versions;
mod write;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::generation::GenerationId;
use crate::index::{GenerationIndex, ShardRecord};
use crate::manifest::Manifest;
use crate::name::TableName;
use crate::path::StorePath;
use crate::spec::TableSpec;
use crate::store::{LockGuard, Store};
use crate::url::StoreUrl;
use layout::Layout;
use read::OpenShards;

pub use catalog::list;
pub use check::CheckReport;
pub use collect::{Collected, collect, collect_swept, sweep};
pub use finishing::Finishing;
pub use history::{Version, versions};
pub use locate::{LocationSource, Replica, ShardLocation};
pub use reference::Reference;
pub use remove::{Removed, remove};
pub use shard_writer::ShardWriter;
pub use transfer::{CopyOptions, copy, rename};
pub use update::Changes;
pub use write::{OnExists, TableTarget, TableWriter, WriteOptions};

/// One version of a table, open for reading. Clones share it; its bytes stay as long as one of them does.
#[derive(Clone, Debug)]
pub struct Table {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    manifest: Manifest,
    /// What is read: the table itself, or its placed copy, which is cut otherwise.
    generation: GenerationId,
    spec: TableSpec,
    index: Arc<GenerationIndex>,
    open_shards: OpenShards,
    /// Asked for once.
    locations: OnceLock<Vec<ShardLocation>>,
    /// `None` where it was opened by a reference: then somebody else holds it.
    lock: Option<Arc<dyn LockGuard>>,
}

/// Names one version of a table: what travels to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRef {
    /// The table's store.
    pub url: StoreUrl,
    /// The table.
    pub name: TableName,
    /// The number of its manifest.
    pub version: u64,
    /// The generation that holds its elements.
    pub generation: GenerationId,
}

impl Table {
    fn assemble(
        store: Arc<dyn Store>,
        manifest: Manifest,
        index: Arc<GenerationIndex>,
        lock: Option<Arc<dyn LockGuard>>,
    ) -> Table {
        let (generation, spec) = (manifest.generation, manifest.spec.clone());
        let (open_shards, locations) = (OpenShards::default(), OnceLock::new());
        let inner = Inner { store, manifest, generation, spec, index, open_shards, locations, lock };
        Table { inner: Arc::new(inner) }
    }

    /// What names this version for a peer. It holds as long as this table is open.
    pub fn to_ref(&self) -> TableRef {
        TableRef {
            url: self.inner.store.url().clone(),
            name: self.name().clone(),
            version: self.version(),
            generation: self.generation(),
        }
    }

    /// Its store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Its name.
    pub fn name(&self) -> &TableName {
        &self.inner.manifest.table
    }

    /// What it is.
    pub fn spec(&self) -> &TableSpec {
        &self.inner.spec
    }

    /// Which version of the table this is, counted from 1.
    pub fn version(&self) -> u64 {
        self.inner.manifest.number
    }

    /// The generation that holds its elements.
    pub fn generation(&self) -> GenerationId {
        self.inner.generation
    }

    /// Its shards, row by row.
    pub fn shards(&self) -> &[ShardRecord] {
        &self.inner.index.shards
    }

    /// The bytes of its shards' files, less than 2^63.
    pub fn bytes(&self) -> u64 {
        self.shards().iter().map(|record| record.len).sum()
    }

    /// Where the Zarr array with its elements is.
    pub fn values_path(&self) -> StorePath {
        Layout::new(self.name()).values(self.generation())
    }
}

#[cfg(test)]
mod tests;
