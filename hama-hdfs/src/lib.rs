//! Tables of tiles on a store.
//!
//! A [`Table`] is a dense matrix cut into tiles, which lie in shards, which are files of a [`Store`](store::Store): a
//! local directory, or memory. It is written once, by many writers, and seen by nobody until it is committed; a version
//! that was opened stays as it is. Its files are a Zarr v3 array that Python opens.
//!
//! ```
//! use hama_core::Host;
//! use hama_hdfs::{ElementType, Extent, OnExists, ShardWriter, Table, TableName, TableSpec, TableWriter, store};
//!
//! # fn main() -> hama_core::Result<()> {
//! let store = store::create(&"memory:example".parse()?)?;
//! let name = TableName::new("a")?;
//! let writer = TableWriter::create(&store, &name, TableSpec::new(Extent::new(2, 3), ElementType::F64)?, OnExists::Fail)?;
//!
//! // Shards may be written anywhere: all that it takes is the target.
//! let target = writer.target().clone();
//! let mut shards = Vec::new();
//! for shard in target.spec.shards() {
//!     let mut shard_writer = ShardWriter::create(&target, shard, &Host::local())?;
//!     for tile in target.spec.tiles_of(shard) {
//!         shard_writer.write_tile(tile, &vec![0; target.spec.tile_bytes()])?;
//!     }
//!     shards.push(shard_writer.finish()?);
//! }
//! let table = writer.commit(shards)?;
//! assert_eq!(table.version(), 1);
//!
//! let mut tile = vec![1; table.spec().tile_bytes()];
//! Table::open(&store, &name)?.read_tile(hama_hdfs::TileIndex::new(0, 0), &mut tile)?;
//! assert_eq!(tile, vec![0; 48]);
//! # Ok(())
//! # }
//! ```

mod attributes;
#[cfg(feature = "cluster")]
mod blobs;
mod checked;
mod cut;
mod element;
mod extent;
mod generation;
mod index;
mod labels;
mod manifest;
mod name;
mod path;
mod shard;
mod spec;
pub mod store;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod url;
mod zarr;

pub use attributes::Attributes;
#[cfg(feature = "cluster")]
pub use blobs::StoreBlobs;
pub use cut::{tile_extent, tiles_per_shard};
pub use element::{Element, ElementType};
pub use extent::{Extent, ShardIndex, TileIndex};
pub use generation::GenerationId;
pub use index::ShardRecord;
pub use labels::{Dimension, Labels};
pub use name::{TableName, VersionName};
pub use path::StorePath;
pub use shard::TileRecord;
pub use spec::TableSpec;
pub use table::{
    Changes, CheckReport, Collected, CopyOptions, Finishing, LocationSource, OnExists, Reference, Removed,
    Replica, ShardLocation, ShardWriter, Table, TableRef, TableTarget, TableWriter, Version, WriteOptions,
    collect, collect_swept, copy, list, remove, rename, sweep, versions,
};
pub use url::StoreUrl;
