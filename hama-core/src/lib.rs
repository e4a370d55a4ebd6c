//! The BSP engine of Hama.
pub mod cancel;
pub mod error;
pub mod ids;
pub mod pool;

pub use error::{BoxError, Error, ErrorKind, Result};
