//! What this machine does in a second: what [`Rates`](crate::plan::Rates) are made of, and what kernels are
//! measured against.
//!
//! Every function runs for some tenths of a second, on cores that should have nothing else to do.
//!
//! ```
//! use hama_matrix::Hama;
//! use hama_matrix::measure::{superstep_s, Machine};
//!
//! # fn main() -> hama_core::Result<()> {
//! let hama = Hama::builder().store("memory:measured").memory(1 << 20).build()?;
//! println!("{}: l = {} s on 2 peers", Machine::this(), superstep_s(&hama, 2)?);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "cluster")]
mod cluster;
mod exchange;
pub(crate) mod kernel;
mod machine;
mod memory;
#[cfg(feature = "cluster")]
mod probes;
mod store;
mod turns;

pub use crate::kernel::peak_flop_per_s;
#[cfg(feature = "cluster")]
pub use cluster::{ClusterRates, cluster_rates};
#[cfg(feature = "cluster")]
pub(crate) use exchange::Exchange;
pub use exchange::{seconds_per_byte, superstep_s};
pub use kernel::multiply_in_memory;
pub use machine::Machine;
pub use memory::{MemoryRates, memory_rates};
#[cfg(feature = "cluster")]
pub(crate) use probes::{ComputeProbe, ReadProbe, WriteProbe};
pub use store::{StoreRates, product_s, store_rates};

/// The middle one of some numbers; NaN of none.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
