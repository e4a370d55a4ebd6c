//! The engine on many hosts: its words, the state machines of master and groom, how their processes meet in ZooKeeper, and
//! the edges around them.
//!
//! `model`, `scheduler` and `groom::state` are pure: no clock, socket, file or thread. What happens comes in as a value with
//! the time that it happened at; what is to be done goes out as a value.

pub(crate) mod client;
pub(crate) mod client_job;
mod clock;
pub(crate) mod control;
mod digest;
pub(crate) mod files;
pub(crate) mod gather;
pub(crate) mod groom;
pub(crate) mod leader;
pub(crate) mod ledger;
pub(crate) mod master;
pub(crate) mod meeting;
pub(crate) mod model;
pub(crate) mod options;
pub(crate) mod peer;
mod rpc;
pub(crate) mod runner;
pub(crate) mod scheduler;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod simulation;
pub(crate) mod status;
mod stop;
#[cfg(feature = "testing")]
pub mod testing;
pub(crate) mod zookeeper;
