//! Tests of matrices through the public interface.

mod bad_input;
mod fixture;
mod matrices;
mod npy;
mod orders;
mod products;
mod verification;
