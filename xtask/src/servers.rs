//! What the servers of all kinds share: their programs, how they are started, and that nothing of them is left.

pub(crate) mod held;
pub(crate) mod jvm;
pub(crate) mod keeper;
pub(crate) mod ports;
pub(crate) mod services;

use std::path::PathBuf;
use std::{fs, io};

use crate::root;

/// A new folder below `target` for what servers write, named for them and for this process.
pub(crate) fn new_folder(name: &str) -> Result<PathBuf, String> {
    let process = std::process::id();
    for number in 0.. {
        let folder = root().join(format!("target/{name}-{process}-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot make {}: {error}", folder.display())),
        }
    }
    Err("no folder is free".to_owned())
}
