//! A store in HDFS.

mod lock;
mod namespace;
mod session;
mod web;
