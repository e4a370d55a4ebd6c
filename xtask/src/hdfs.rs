//! A real HDFS on this machine: a NameNode and DataNodes, each a process of its own, which end with the process that
//! started them.

pub(crate) mod archive;
mod faults;
mod hosts;
mod options;
mod settings;
pub mod up;
pub mod web;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

pub use hosts::{are_hosts_here, may_make_hosts, may_mount, on_hosts};
pub use options::Options;
use settings::Addresses;

use crate::servers::jvm::{self, Server};
use crate::servers::keeper::{self, Keeper};
pub use crate::servers::services::{INSTALL, Services, describe};
use crate::servers::{self, ports};

/// Names the file where the tests write what they ran against.
pub const SUMMARY: &str = "HAMA_HDFS_SUMMARY";

pub(crate) const NAMENODE: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const DATANODE: &str = "org.apache.hadoop.hdfs.server.datanode.DataNode";
const ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSAdmin";
const SHELL: &str = "org.apache.hadoop.fs.FsShell";
const NAMENODE_MIB: u32 = 96;
const DATANODE_MIB: u32 = 64;
const TOOL_MIB: u32 = 64;

/// How long servers may take until they serve: some 5 s on an idle machine. One that ends is noticed at once.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often is asked whether they do.
const LOOK: Duration = Duration::from_millis(50);
/// Others may take the ports that were found free before the servers do.
const TRIES: u32 = 3;

/// A running HDFS. Dropping it ends all of its processes and removes its folder; so does the end of this process, even by
/// kill -9. Tests may use it from several threads.
#[derive(Debug)]
pub struct Hdfs {
    services: Services,
    options: Options,
    addresses: Addresses,
    /// Of everything that it writes.
    home: PathBuf,
    servers: Mutex<Servers>,
}

#[derive(Debug)]
struct Servers {
    keeper: Keeper,
    namenode: Option<Server>,
    datanodes: Vec<Option<Server>>,
    /// Those that were frozen and do not answer.
    frozen: Vec<bool>,
}

impl Hdfs {
    /// Starts one in a folder of its own below `target`, and waits until it serves: some 5 s, 550 MB.
    ///
    /// # Errors
    /// Says what is missing ([`Services::found`]), which option cannot be, or which server ended and why.
    pub fn start(options: Options) -> Result<Hdfs, String> {
        options.check()?;
        let services = Services::found()?;
        Hdfs::start_in(&servers::new_folder("hdfs")?, &options, &services)
    }

    /// The same in a folder that is there, empty and ours. Where it fails, the folder is gone.
    pub(crate) fn start_in(home: &Path, options: &Options, services: &Services) -> Result<Hdfs, String> {
        let mut tried = 1;
        loop {
            match Hdfs::try_in(home, options, services) {
                Err(why) if why.contains("BindException") && tried < TRIES => tried += 1,
                Err(why) => return keeper::remove(home).and(Err(why)),
                Ok(hdfs) => return Ok(hdfs),
            }
            fs::create_dir(home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
        }
    }

    fn try_in(home: &Path, options: &Options, services: &Services) -> Result<Hdfs, String> {
        let addresses = Addresses::of(&ports::free(2 + 3 * options.datanodes)?);
        let servers = Servers {
            keeper: Keeper::start(home)?,
            namenode: None,
            datanodes: (0..options.datanodes).map(|_| None).collect(),
            frozen: vec![false; options.datanodes],
        };
        let hdfs = Hdfs {
            services: services.clone(),
            options: options.clone(),
            addresses,
            home: home.to_owned(),
            servers: Mutex::new(servers),
        };
        hdfs.prepare()?;
        hdfs.start_all()?;
        Ok(hdfs)
    }

    fn prepare(&self) -> Result<(), String> {
        let failed = |error| format!("cannot prepare {}: {error}", self.home.display());
        for folder in ["conf", "logs", "tmp"] {
            fs::create_dir(self.home.join(folder)).map_err(failed)?;
        }
        settings::write(&self.home, &self.options, &self.addresses)?;
        self.services.formatted(&self.home.join("name"))?;
        for index in 0..self.options.datanodes {
            fs::create_dir_all(self.data_dir(index)).map_err(failed)?;
        }
        match self.options.small_volume {
            Some((index, bytes)) => mount(&self.data_dir(index), bytes),
            None => Ok(()),
        }
    }

    /// Starts all that do not run, and waits until they serve.
    fn start_all(&self) -> Result<(), String> {
        self.spawn_namenode()?;
        (0..self.options.datanodes).try_for_each(|index| self.spawn_datanode(index))?;
        self.wait_until_it_serves()
    }

    /// What is given to `--store`, without a path: as a client on no DataNode's host dials.
    pub fn url(&self) -> String {
        format!("hdfs://127.0.0.1:{}", self.addresses.rpc)
    }

    /// The same as a client on the host of a DataNode dials.
    pub fn url_on(&self, index: usize) -> String {
        format!("hdfs://{}:{}", self.host(index), self.addresses.rpc)
    }

    /// host:port of the NameNode's web server.
    pub fn web(&self) -> String {
        format!("127.0.0.1:{}", self.addresses.web)
    }

    /// The same as a client on the host of a DataNode dials.
    pub fn web_on(&self, index: usize) -> String {
        format!("{}:{}", self.host(index), self.addresses.web)
    }

    /// The host of a DataNode, as locations name it.
    pub fn host(&self, index: usize) -> String {
        settings::host(&self.options, index)
    }

    /// host:port at which a DataNode sends and takes blocks, as locations name it.
    pub fn datanode(&self, index: usize) -> String {
        format!("{}:{}", self.host(index), self.addresses.datanodes[index][0])
    }

    /// Where a DataNode keeps its blocks.
    pub fn data_dir(&self, index: usize) -> PathBuf {
        let is_small = self.options.small_volume.is_some_and(|(small, _)| small == index);
        self.home.join(format!("datanode-{index}")).join(if is_small { "volume" } else { "data" })
    }

    /// A folder with core-site.xml and hdfs-site.xml, for `HADOOP_CONF_DIR`.
    pub fn conf_dir(&self) -> PathBuf {
        self.home.join("conf")
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The version that the NameNode says it is.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn version(&self) -> Result<String, String> {
        let info = web::bean(&self.web(), "NameNode", "NameNodeInfo")?;
        info["SoftwareVersion"].as_str().map(str::to_owned).ok_or("the NameNode names no version".to_owned())
    }

    /// How many DataNodes the NameNode takes for alive. It notices a dead one after 12 s.
    ///
    /// # Errors
    /// Where the NameNode does not answer.
    pub fn live_datanodes(&self) -> Result<u64, String> {
        Ok(web::bean(&self.web(), "NameNode", "FSNamesystemState")?["NumLiveDataNodes"].as_u64().unwrap_or(0))
    }

    /// Sends a request of WebHDFS, such as `("PUT", "/a", "op=CREATE", bytes)`, and follows to the DataNode. Path and query
    /// are percent-encoded.
    ///
    /// # Errors
    /// Says what was answered, where that is not a success.
    pub fn webhdfs(&self, method: &str, path: &str, query: &str, body: &[u8]) -> Result<web::Reply, String> {
        web::webhdfs(method, &self.web(), path, query, body)
    }

    /// Runs `hdfs dfsadmin`, such as `["-setQuota", "10", "/a"]`: some 2 s.
    ///
    /// # Errors
    /// Says what it complained of.
    pub fn admin(&self, arguments: &[&str]) -> Result<String, String> {
        self.tool(ADMIN, arguments)
    }

    /// Runs `hdfs dfs`, such as `["-put", "file", "/a"]`, with as much heap and compiling as when a person does.
    ///
    /// # Errors
    /// Says what it complained of.
    pub fn dfs(&self, arguments: &[&str]) -> Result<String, String> {
        jvm::run(jvm::plain(&self.services, &self.home, SHELL), arguments)
    }

    /// Runs a Java class of Hadoop, such as `org.apache.hadoop.fs.FsShell`.
    ///
    /// # Errors
    /// Says what it complained of.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, String> {
        jvm::run(jvm::command(&self.services, &self.home, TOOL_MIB, class), arguments)
    }

    /// Enters or leaves safe mode, in which nothing may be written.
    ///
    /// # Errors
    /// Says what was complained of.
    pub fn safe_mode(&self, on: bool) -> Result<(), String> {
        self.admin(&["-safemode", if on { "enter" } else { "leave" }]).map(drop)
    }

    /// Waits until the NameNode is out of safe mode and has every DataNode that runs and is not frozen.
    ///
    /// # Errors
    /// Where a server has ended, and why, or where nothing comes of it within five minutes.
    pub fn wait_until_it_serves(&self) -> Result<(), String> {
        let servers = self.lock();
        let awake = servers
            .datanodes
            .iter()
            .zip(&servers.frozen)
            .filter(|(server, frozen)| server.is_some() && !**frozen);
        let awake = awake.count();
        drop(servers);
        self.wait(|| {
            let state = web::bean(&self.web(), "NameNode", "FSNamesystemState").unwrap_or_default();
            state["FSState"] == "Operational" && self.disks() >= awake
        })
    }

    /// How many DataNodes the NameNode knows to have a disk: it hears of them before it hears of that.
    fn disks(&self) -> usize {
        let info = web::bean(&self.web(), "NameNode", "NameNodeInfo").unwrap_or_default();
        let nodes = info["LiveNodes"].as_str().and_then(|nodes| serde_json::from_str::<Value>(nodes).ok());
        let nodes = nodes.as_ref().and_then(Value::as_object).into_iter().flatten();
        nodes.filter(|(_, node)| node["capacity"].as_u64() > Some(0)).count()
    }

    /// Waits until `is_done`, as long as no server ends.
    fn wait(&self, is_done: impl Fn() -> bool) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !is_done() {
            self.lock().are_alive()?;
            if Instant::now() > end {
                return Err(format!("the servers do not serve after {PATIENCE:?}{}", self.lock().tail()));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn spawn_namenode(&self) -> Result<(), String> {
        let mut servers = self.lock();
        if servers.namenode.is_some() {
            return Err("the NameNode runs".to_owned());
        }
        let mut command = jvm::command(&self.services, &self.home, NAMENODE_MIB, NAMENODE);
        let log = self.home.join("logs/namenode");
        servers.namenode = Some(Server::start(&servers.keeper, "the NameNode", &log, &mut command)?);
        Ok(())
    }

    fn spawn_datanode(&self, index: usize) -> Result<(), String> {
        let mut servers = self.lock();
        if servers.datanodes[index].is_some() {
            return Err(format!("DataNode {index} runs"));
        }
        let mut command = jvm::command(&self.services, &self.home, DATANODE_MIB, DATANODE);
        command.args(settings::datanode(&self.options, &self.addresses, index, &self.data_dir(index)));
        let log = self.home.join(format!("logs/datanode-{index}"));
        let server = Server::start(&servers.keeper, &format!("DataNode {index}"), &log, &mut command)?;
        servers.datanodes[index] = Some(server);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Servers> {
        // A test that has failed leaves it as it was.
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all of its processes and removes its folder. What is done to it afterwards fails.
    ///
    /// # Errors
    /// Where the folder cannot be removed.
    pub fn stop(&self) -> Result<(), String> {
        self.lock().end();
        keeper::remove(&self.home)
    }
}

impl Drop for Hdfs {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.stop();
    }
}

impl Servers {
    fn all(&mut self) -> impl Iterator<Item = &mut Server> {
        self.namenode.iter_mut().chain(self.datanodes.iter_mut().flatten())
    }

    fn are_alive(&mut self) -> Result<(), String> {
        self.all().try_for_each(Server::is_alive)
    }

    fn tail(&mut self) -> String {
        self.all().map(|server| server.tail()).collect()
    }

    fn end(&mut self) {
        self.keeper.end();
        let running: Vec<Server> = self.datanodes.iter_mut().filter_map(Option::take).collect();
        for server in self.namenode.take().into_iter().chain(running) {
            // It is dead already.
            let _ = server.kill();
        }
    }
}

fn mount(folder: &Path, bytes: u64) -> Result<(), String> {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(folder);
    let output = command.output().map_err(|error| format!("cannot start mount: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = || format!("cannot mount {} bytes at {}: {}", bytes, folder.display(), said.trim());
    output.status.success().then_some(()).ok_or_else(failed)
}
