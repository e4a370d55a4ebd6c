//! The words of the cluster, as data that travels. Each type that comes from elsewhere has `validate`, to be asked before
//! anything else is done with it.

pub(crate) mod action;
pub(crate) mod bounds;
pub(crate) mod error;
#[cfg(test)]
mod golden;
pub(crate) mod ids;
pub(crate) mod job;
pub(crate) mod question;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod spec;
pub(crate) mod task;
