//! NumPy's file format, read in place and written tile by tile.
//!
//! The header is read here, strictly and bounded, rather than by a parser of Python literals: it is one
//! dictionary of three known keys.

mod array;
mod export;
pub(crate) mod header;
mod result;

pub(crate) use array::{NpyArray, NpyReader, NpyRef, regular};
pub(crate) use export::{elements_bytes, export};
pub(crate) use result::{NpyTarget, NpyWriter};
