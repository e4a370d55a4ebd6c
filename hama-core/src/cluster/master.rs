//! A master's process: the scheduler, with ZooKeeper behind it and grooms and clients in front.

mod books;
pub(crate) mod daemon;
mod history;
mod service;
mod term;
