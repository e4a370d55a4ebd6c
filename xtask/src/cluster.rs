//! A whole cluster on this machine: an HDFS, a ZooKeeper, a master and grooms, each a process of its own, which end with
//! the process that started them.

pub mod up;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::hdfs::{self, Hdfs};
use crate::servers::jvm::Server;
use crate::servers::keeper::{self, Keeper};
use crate::servers::{self, services::Services};
use crate::zookeeper::{self, ZooKeeper};

/// How many grooms there are: one beside each DataNode.
pub const GROOMS: usize = 3;

/// How long daemons may take until they serve. One that ends is noticed at once.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// What the master says when it listens.
const LISTENS: &str = "master listens on ";

/// A running cluster. Dropping it ends all of its processes and removes its folder; so does the end of this process, even
/// by kill -9.
#[derive(Debug)]
pub struct Cluster {
    hama: PathBuf,
    home: PathBuf,
    keeper: Keeper,
    /// The master, then the grooms.
    daemons: Vec<Server>,
    master: String,
    grooms: Vec<String>,
    // Ended after those who use them.
    zookeeper: ZooKeeper,
    hdfs: Hdfs,
}

impl Cluster {
    /// Starts one of the command `hama`, in a folder of its own below `target`, and waits until all grooms serve: some 10 s.
    /// With `hosts` each groom is on the host of a DataNode, where [hosts](hdfs::are_hosts_here) are.
    ///
    /// # Errors
    /// Says what is missing, or what ended and why.
    pub fn start(hama: &Path, hosts: bool) -> Result<Cluster, String> {
        Cluster::start_in(&servers::new_folder("cluster")?, hama, hosts)
    }

    /// The same in a folder that is there, empty and ours. Where it fails, the folder is gone.
    fn start_in(home: &Path, hama: &Path, hosts: bool) -> Result<Cluster, String> {
        let started = Cluster::try_in(home, hama, hosts);
        if started.is_err() {
            keeper::remove(home)?;
        }
        started
    }

    fn try_in(home: &Path, hama: &Path, hosts: bool) -> Result<Cluster, String> {
        let services = Services::found()?;
        // First, so that the folder goes whatever comes of the rest.
        let keeper = Keeper::start(home)?;
        let options = hdfs::Options { datanodes: GROOMS, hosts, ..hdfs::Options::default() };
        let hdfs = Hdfs::start_in(&folder(home, "hdfs")?, &options, &services)?;
        let zookeeper =
            ZooKeeper::start_in(&folder(home, "zookeeper")?, &zookeeper::Options::default(), &services)?;
        let mut cluster = Cluster {
            hama: hama.to_owned(),
            home: home.to_owned(),
            keeper,
            daemons: Vec::new(),
            master: String::new(),
            grooms: Vec::new(),
            zookeeper,
            hdfs,
        };
        cluster.start_master()?;
        (0..GROOMS).try_for_each(|index| cluster.start_groom(index))?;
        cluster.wait("all grooms serve", |cluster| cluster.grooms_alive() == GROOMS)?;
        Ok(cluster)
    }

    /// host:port of the master, as in `--master`.
    pub fn master(&self) -> &str {
        &self.master
    }

    /// The names of the grooms.
    pub fn grooms(&self) -> &[String] {
        &self.grooms
    }

    /// Its HDFS.
    pub fn hdfs(&self) -> &Hdfs {
        &self.hdfs
    }

    /// Its ZooKeeper.
    pub fn zookeeper(&self) -> &ZooKeeper {
        &self.zookeeper
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn start_master(&mut self) -> Result<(), String> {
        let log = self.home.join("master.log");
        let mut command =
            self.command(&["master", "run", "-v", "--listen", "127.0.0.1:0", "--dir", "master"]);
        command.args(["--zookeeper", &self.zookeeper.connect_string()]);
        self.daemons.push(Server::start(&self.keeper, "the master", &log, &mut command)?);
        let address = || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let line =
                said.split_inclusive('\n').find_map(|line| line.strip_prefix(LISTENS)?.strip_suffix('\n'));
            line.map(str::to_owned)
        };
        self.wait("the master listens", |_| address().is_some())?;
        self.master = address().unwrap_or_default();
        Ok(())
    }

    fn start_groom(&mut self, index: usize) -> Result<(), String> {
        let host = self.hdfs.host(index);
        let name = if self.hdfs.options().hosts { host.clone() } else { format!("groom-{}", index + 1) };
        let mut command = self.command(&["groom", "run", "-v", "--name", &name, "--dir", &name]);
        command.args(["--host", &host, "--data-address", &host, "--master", &self.master]);
        command.args(["--zookeeper", &self.zookeeper.connect_string()]);
        // More than its share of the cores: whoever tries something wants more peers than that.
        let cores = available_parallelism().map_or(1, |count| count.get());
        command.args(["--slots", &cores.to_string(), "--memory", &memory_bytes().to_string()]);
        let log = self.home.join(format!("{name}.log"));
        self.daemons.push(Server::start(&self.keeper, &format!("the groom {name}"), &log, &mut command)?);
        self.grooms.push(name);
        Ok(())
    }

    /// `hama`, by nothing but what it is told here.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hama);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HAMA_") {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.home).env("XDG_CONFIG_HOME", &self.home).args(arguments);
        command
    }

    fn grooms_alive(&self) -> usize {
        let mut command = self.command(&["groom", "list", "--json", "--master", &self.master]);
        let Ok(output) = command.stdin(Stdio::null()).output() else { return 0 };
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let grooms = listed["grooms"].as_array().into_iter().flatten();
        grooms.filter(|groom| groom["health"] == "alive").count()
    }

    /// Waits until `is_done`, as long as no daemon ends.
    fn wait(&mut self, what: &str, is_done: impl Fn(&Cluster) -> bool) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !is_done(self) {
            self.daemons.iter_mut().try_for_each(Server::is_alive)?;
            if Instant::now() > end {
                let said: String = self.daemons.iter().map(Server::tail).collect();
                return Err(format!("waited {PATIENCE:?} in vain until {what}{said}"));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Ends all of its processes and removes its folder. What is done to it afterwards fails.
    ///
    /// # Errors
    /// Where the folder cannot be removed.
    pub fn stop(&mut self) -> Result<(), String> {
        self.keeper.end();
        for daemon in self.daemons.drain(..) {
            // It is dead already.
            let _ = daemon.kill();
        }
        self.zookeeper.stop()?;
        self.hdfs.stop()?;
        keeper::remove(&self.home)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.stop();
    }
}

/// The memory of a groom: all of them together leave half of the machine's to the others.
fn memory_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    machine.totalram.saturating_mul(u64::from(machine.mem_unit.max(1))) / 2 / GROOMS as u64
}

fn folder(home: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = home.join(name);
    fs::create_dir(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}
