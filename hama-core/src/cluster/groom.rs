//! A groom, one on each host: what it has, what it does when the master says so, and the processes of its peers.

pub(crate) mod daemon;
pub(crate) mod host;
pub(crate) mod log;
mod logs;
mod meetings;
pub(crate) mod process;
pub(crate) mod state;
mod tasks;
#[cfg(test)]
mod tests;
