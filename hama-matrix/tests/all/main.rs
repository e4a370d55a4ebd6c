//! Tests of matrices through the public interface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

mod archives;
mod bad_input;
mod disks;
mod files;
mod fixture;
mod magnitudes;
mod matrices;
mod npy;
mod npy_results;
mod orders;
mod products;
mod symmetric;
mod updates;
mod verification;
mod zarr;
