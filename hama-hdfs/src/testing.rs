//! For tests of this and other crates: the suite that every store passes, and a store that fails on demand.

mod conformance;
mod faulty;
pub mod parse;

pub use conformance::conformance;
pub use faulty::{Fault, FaultyStore};

/// Lets sessions in HDFS be dead after so long instead of a minute, for the stores that this process opens from then on.
#[cfg(feature = "hdfs")]
pub fn set_hdfs_lease(lease: std::time::Duration) {
    let ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    crate::store::set_hdfs_lease_ms(ms);
}
