//! For tests of this and other crates: the suite that every store passes, and a store that fails on demand.

mod conformance;
mod faulty;
pub mod parse;

pub use conformance::conformance;
pub use faulty::{Fault, FaultyStore};
