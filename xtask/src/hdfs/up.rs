//! An HDFS that outlives the command that started it, in `target/hdfs-up`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Hdfs, Options, Services};
use crate::servers::held::Held;

const UP: Held = Held { what: "an HDFS", folder: "hdfs-up", lock: "up.lock" };

/// What is told of an HDFS that is up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Of the NameNode, as in `--store`.
    pub url: String,
    /// host:port of the NameNode's web server.
    pub web: String,
    /// Of Hadoop.
    pub version: String,
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "HDFS    Hadoop {}, a NameNode and {} DataNodes",
            self.version,
            Options::default().datanodes
        )?;
        writeln!(out, "store   --store {}/hama-data", self.url)?;
        writeln!(out, "web     http://{}", self.web)?;
        writeln!(out, "files   {}", UP.home().display())?;
        write!(out, "end it  cargo xtask hdfs down (its files go with it)")
    }
}

/// Starts it, tells that it serves, and holds it until this process is ended.
///
/// # Errors
/// Where one is up, or it cannot be started, or nobody listens to `tell` any more.
pub fn hold(tell: impl FnOnce(&State) -> Result<(), String>) -> Result<(), String> {
    let programs = Services::found()?;
    UP.hold(
        |home| {
            let hdfs = Hdfs::start_in(home, &Options::default(), &programs)?;
            let state = State { url: hdfs.url(), web: hdfs.web(), version: hdfs.version()? };
            Ok((hdfs, state))
        },
        tell,
    )
}

/// The one that is up, and how many DataNodes are alive; nothing where none is.
///
/// # Errors
/// Where it is going up or does not answer.
pub fn status() -> Result<Option<(State, u64)>, String> {
    let Some(state) = UP.state::<State>()? else { return Ok(None) };
    let beans = super::web::bean(&state.web, "NameNode", "FSNamesystemState")?;
    Ok(Some((state, beans["NumLiveDataNodes"].as_u64().unwrap_or(0))))
}

/// Ends it, waits until its processes and files are gone, and says whether there was one.
///
/// # Errors
/// Where it does not end.
pub fn down() -> Result<bool, String> {
    UP.down()
}
