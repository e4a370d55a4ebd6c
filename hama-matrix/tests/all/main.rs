//! Tests of matrices through the public interface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

mod archives;
mod bad_input;
#[cfg(all(feature = "cluster", feature = "testing"))]
mod checks;
#[cfg(all(feature = "cluster", feature = "testing"))]
mod cluster;
mod disks;
mod files;
mod fixture;
mod magnitudes;
mod matrices;
#[cfg(feature = "cluster")]
mod moved;
mod npy;
mod npy_results;
mod orders;
mod placement;
mod products;
#[cfg(all(feature = "cluster", feature = "testing"))]
mod shared_work;
mod symmetric;
mod updates;
mod verification;
mod zarr;
