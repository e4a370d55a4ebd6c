//! Dense and blocked matrices in tables, planned and multiplied as supersteps.
//!
//! A [`DenseMatrix`] is a table of tiles on a store; a [`Product`] of two of them is a value that is planned
//! first and then run: the [`Plan`] says which peer computes what, out of which tiles and in which order,
//! within the memory given. [`verify`] checks a product for a small part of its work.
//!
//! ```
//! use hama_matrix::{DenseMatrix, Hama, Seed, verify};
//!
//! # fn main() -> hama_core::Result<()> {
//! let hama = Hama::builder().store("memory:example").memory(64 << 20).peers(2).build()?;
//! let a = DenseMatrix::<f64>::random(&hama, "a", (40, 20), Seed(1))?;
//! let b = DenseMatrix::<f64>::random(&hama, "b", (20, 30), Seed(2))?;
//! let product = a.mult(&b)?;
//! println!("{}", product.plan()?);
//! let c = product.save("c")?;
//! assert_eq!(c.shape(), (40, 30));
//! assert!(verify(&a, &b, &c)?.passed);
//!
//! let expected = a.to_ndarray()?.dot(&b.to_ndarray()?);
//! assert!((c.to_ndarray()? - expected).iter().all(|difference| difference.abs() < 1e-12));
//! # Ok(())
//! # }
//! ```

mod any;
mod bytes;
mod check;
#[cfg(feature = "cluster")]
pub mod cluster;
mod collect;
mod dense;
mod diff;
pub mod files;
mod fill;
mod grid;
mod hama;
mod host_memory;
#[cfg(feature = "testing")]
pub mod in_memory;
mod job;
mod kernel;
mod magnitudes;
mod make;
pub mod measure;
mod moved;
mod multiply;
mod npy;
#[cfg(feature = "testing")]
pub mod parse;
mod placed;
pub mod placement;
pub mod plan;
mod problem;
mod product;
mod random;
mod read_ahead;
mod runner;
mod save_as;
mod scalar;
mod shares;
mod source;
mod symmetric;
mod target;
mod tile;
mod told;
mod transpose;
mod update;
mod verify;
mod write_behind;
mod zarr;

pub use any::{AnyMatrix, open_any, open_file};
pub use bytes::{format_bytes, parse_bytes};
pub use check::check;
pub use collect::collect;
pub use dense::DenseMatrix;
pub use diff::{Apart, Difference, Tolerance, diff};
pub use grid::{Coordinates, Grid};
pub use hama::{Hama, HamaBuilder};
pub use host_memory::default_memory;
pub use job::Job;
pub use kernel::KernelId;
pub use magnitudes::Magnitudes;
pub use moved::{Moved, ReadFrom, Wire};
pub use placed::Copied;
pub use plan::Plan;
pub use problem::{Operand, Problem};
pub use product::{Finished, Product};
pub use random::{Drawn, Seed};
pub use save_as::{SaveAs, replace};
pub use scalar::Scalar;
pub use verify::{Verification, verify};
