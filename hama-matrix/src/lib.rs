//! Dense and blocked matrices in tables, planned and multiplied as supersteps.

mod any;
mod bytes;
mod dense;
mod fill;
mod grid;
mod hama;
mod host_memory;
mod kernel;
mod multiply;
pub mod npy;
pub mod plan;
mod problem;
mod product;
mod random;
mod read_ahead;
mod save_as;
mod scalar;
#[cfg(feature = "testing")]
pub mod testing;
mod tile;
mod verify;
mod write_behind;

pub use any::{AnyMatrix, open_any};
pub use bytes::{format_bytes, parse_bytes};
pub use dense::DenseMatrix;
pub use grid::{Coordinates, Grid};
pub use hama::{Hama, HamaBuilder};
pub use host_memory::default_memory;
pub use kernel::KernelId;
pub use plan::Plan;
pub use problem::{Operand, Problem};
pub use product::{Finished, Product};
pub use random::{Seed, Uniform};
pub use save_as::{SaveAs, replace};
pub use scalar::Scalar;
pub use verify::{Verification, verify};
