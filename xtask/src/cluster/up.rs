//! A cluster that outlives the command that started it, in `target/cluster-up`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Cluster;
use crate::servers::held::Held;

const UP: Held = Held { what: "a cluster", folder: "cluster-up", lock: "cluster.lock" };

/// What is told of a cluster that is up: what to type to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// host:port of the master.
    pub master: String,
    /// The URL of a store in its HDFS.
    pub store: String,
    /// The names of its grooms.
    pub grooms: Vec<String>,
    /// host:port of the NameNode's web server.
    pub web: String,
    /// host:port of ZooKeeper.
    pub zookeeper: String,
    /// The folder with logs.
    pub home: PathBuf,
    /// The command that it was started with.
    pub hama: PathBuf,
}

impl State {
    /// That of a cluster.
    pub fn of(cluster: &Cluster) -> State {
        State {
            master: cluster.master().to_owned(),
            store: format!("{}/hama-data", cluster.hdfs().url()),
            grooms: cluster.grooms().to_vec(),
            web: cluster.hdfs().web(),
            zookeeper: cluster.zookeeper().connect_string(),
            home: cluster.home().to_owned(),
            hama: cluster.hama.clone(),
        }
    }

    /// What to set in a shell.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        let folder = self.hama.parent().unwrap_or(Path::new("."));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = format!("{}:{}", folder.display(), path.to_string_lossy());
        [("PATH", path), ("HAMA_MASTER", self.master.clone()), ("HAMA_STORE", self.store.clone())]
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.hama.parent().unwrap_or(Path::new("."));
        writeln!(out, "cluster    master {}, grooms {}", self.master, self.grooms.join(", "))?;
        writeln!(out, "zookeeper  {}", self.zookeeper)?;
        writeln!(out, "HDFS       {}, its pages http://{}", self.store, self.web)?;
        writeln!(out, "logs       {}/*.log", self.home.display())?;
        writeln!(out, "\ntype       export PATH={}:$PATH", folder.display())?;
        writeln!(out, "           export HAMA_MASTER={}", self.master)?;
        writeln!(out, "           export HAMA_STORE={}", self.store)?;
        write!(out, "{}", Lines(&self.hama))
    }
}

/// What can be done with a cluster.
struct Lines<'a>(&'a Path);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pi = self.0.with_file_name("examples").join("pi");
        writeln!(out, "           hama master status")?;
        writeln!(out, "           hama groom list")?;
        writeln!(out, "           hama job submit {} 100000000", pi.display())?;
        writeln!(out, "           hama job list")?;
        writeln!(out, "           hama matrix random a --rows 4000 --cols 4000")?;
        write!(out, "           hama matrix multiply a a --output c")
    }
}

/// Starts it with the command `hama`, tells that it serves, and holds it until this process is ended.
///
/// # Errors
/// Where one is up, or it cannot be started, or nobody listens to `tell` any more.
pub fn hold(hama: &Path, tell: impl FnOnce(&State) -> Result<(), String>) -> Result<(), String> {
    UP.hold(
        |home| {
            let cluster = Cluster::start_in(home, hama, false)?;
            let state = State::of(&cluster);
            Ok((cluster, state))
        },
        tell,
    )
}

/// The one that is up; nothing where none is.
///
/// # Errors
/// Where it is going up.
pub fn status() -> Result<Option<State>, String> {
    UP.state()
}

/// Ends it, waits until its processes and files are gone, and says whether there was one.
///
/// # Errors
/// Where it does not end.
pub fn down() -> Result<bool, String> {
    UP.down()
}
