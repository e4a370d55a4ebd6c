//! What the tests of Hama start: a real HDFS, a real ZooKeeper and a whole cluster on this machine. The command is in `main.rs`.
//!
//! ```no_run
//! use xtask::hdfs::{Hdfs, Options};
//!
//! # fn main() -> Result<(), String> {
//! let hdfs = Hdfs::start(Options::default())?;
//! println!("hama --store {}/matrices list", hdfs.url());
//! hdfs.kill_datanode(0)?;
//! # Ok(())
//! # } // Here all of it ends, and its folder is removed.
//! ```

pub mod cluster;
pub mod hdfs;
mod servers;
pub mod zookeeper;

use std::path::{Path, PathBuf};

/// The workspace's folder: that of the cargo that runs us, else the one that we were built in.
pub fn root() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or(built.to_owned(), PathBuf::from);
    let root = here.ancestors().chain(built.ancestors()).find(|folder| folder.join("xtask/hdfs").is_dir());
    root.unwrap_or(&here).to_owned()
}
