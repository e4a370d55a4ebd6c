//! NumPy's file format, read and written tile by tile.
//!
//! The header is read here, strictly and bounded, rather than by a parser of Python literals: it is one
//! dictionary of three known keys.

mod export;
mod header;
mod import;

pub use export::export;
pub use import::{check, import};
