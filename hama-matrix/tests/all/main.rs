//! Tests of matrices through the public interface.

mod fixture;
mod products;
