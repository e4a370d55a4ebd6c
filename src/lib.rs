//! Hama multiplies matrices that are larger than memory.
//!
//! Matrices lie in tables of tiles on a store: a directory here, read by zarr, dask and xarray too. A product is
//! planned first: which peer computes what, out of which tiles, within the memory given. Then it runs as supersteps of
//! a BSP program (bulk synchronous parallel) on peers that are threads of this process.
//!
//! ```no_run
//! use hama::{DenseMatrix, Hama, Seed, replace};
//!
//! # fn main() -> hama::Result<()> {
//! let hama = Hama::builder().store("file:./hama-data").memory(2 << 30).build()?;
//! let a = DenseMatrix::<f64>::random(&hama, replace("a"), (4000, 2000), Seed(1))?.blocking(4)?; // 4 x 4 blocks
//! let b = DenseMatrix::<f64>::random(&hama, replace("b"), (2000, 3000), Seed(2))?.blocking(4)?;
//! let product = a.mult(&b)?; // shapes checked, nothing run
//! println!("{}", product.plan()?);
//! let c = product.save(replace("c"))?; // runs the plan, commits the table
//! let corner = c.read(0..2, 0..2)?; // ndarray::Array2<f64>
//! # Ok(())
//! # }
//! ```
//!
//! # What is here
//! - Matrices: [`Hama`], [`DenseMatrix`], [`Product`], [`Plan`], [`verify`], [`files`].
//! - Programs of your own: [`Bsp`], [`SuperstepProgram`], [`Peer`], run by [`Hama::run`].
//! - Tables and stores: [`mod@table`].
//! - The command `hama`, behind the feature `cli` (on by default): libraries turn it off with
//!   `default-features = false`.

pub use hama_core::*;
pub use hama_hdfs as table;
pub use hama_matrix::*;
/// The crate whose arrays go in and come out.
pub use ndarray;

/// The code of these pages compiles, and runs where it can.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/quick-start.md")]
    struct QuickStart;
    #[doc = include_str!("../docs/bsp-in-ten-minutes.md")]
    struct BspInTenMinutes;
    #[doc = include_str!("../docs/updates.md")]
    struct Updates;
    #[doc = include_str!("../docs/library.md")]
    struct Library;
    #[cfg(feature = "cluster")]
    #[doc = include_str!("../docs/cluster.md")]
    struct Cluster;
}
