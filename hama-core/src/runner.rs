//! Who runs a program: what comes out of it, and the handle to a job that runs.

pub(crate) mod board;
pub(crate) mod job;
pub(crate) mod outcome;
#[cfg(feature = "cluster")]
pub(crate) mod program;
pub(crate) mod threads;
