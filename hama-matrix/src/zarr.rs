//! Zarr arrays of other programs, read in place: two dimensions, a regular grid of chunks, versions 3 and 2 of the
//! format, in a local directory or in a store such as HDFS.
//!
//! Written by hand as the tables' own arrays are: the crate that reads all of Zarr brings 44 others and reads at half
//! the speed.

pub(crate) mod array;
mod codecs;
mod folder;
pub(crate) mod metadata;
mod reader;
mod shard;
mod version2;

pub(crate) use array::{ZarrArray, ZarrRef};
pub(crate) use reader::ZarrReader;
