//! A real ZooKeeper on this machine: one server or an ensemble of three, each a process of its own, which end with the
//! process that started them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::Signal;

use crate::servers::jvm::{self, Server};
use crate::servers::keeper::{self, Keeper};
use crate::servers::{self, ports};

pub use crate::servers::services::{INSTALL, Services, describe};

/// Names the file where the tests write what they ran against.
pub const SUMMARY: &str = "HAMA_ZOOKEEPER_SUMMARY";

/// It runs one server alone too, where it is told of no others.
const MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
const HEAP_MIB: u32 = 96;
/// How long servers may take until they serve: half a second on an idle machine, three where they elect. One that ends is noticed at once.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(50);
/// How long a server may take for an answer of one line.
const ANSWER: Duration = Duration::from_secs(2);
/// Others may take the ports that were found free before the servers do.
const TRIES: u32 = 3;
/// For clients, for followers, for elections.
const PORTS: usize = 3;

/// What a ZooKeeper is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// One, or an ensemble of three.
    pub servers: usize,
    /// The shortest session that it grants to clients that ask for less.
    pub session_min: Duration,
    /// Lines more of every server's zoo.cfg.
    pub settings: Vec<String>,
}

impl Default for Options {
    /// One server.
    fn default() -> Options {
        Options { servers: 1, session_min: Duration::from_millis(500), settings: Vec::new() }
    }
}

/// A running ZooKeeper. Dropping it ends all of its processes and removes its folder; so does the end of this process,
/// even by kill -9. Tests may use it from several threads.
#[derive(Debug)]
pub struct ZooKeeper {
    services: Services,
    options: Options,
    /// Of each server: for clients, for followers, for elections.
    ports: Vec<[u16; PORTS]>,
    /// Of everything that it writes.
    home: PathBuf,
    servers: Mutex<Servers>,
}

#[derive(Debug)]
struct Servers {
    keeper: Keeper,
    running: Vec<Option<Server>>,
    /// Those that were frozen and do not answer.
    frozen: Vec<bool>,
}

impl ZooKeeper {
    /// Starts one in a folder of its own below `target`, and waits until every server serves.
    ///
    /// # Errors
    /// Says what is missing ([`Services::found`]), which option cannot be, or which server ended and why.
    pub fn start(options: Options) -> Result<ZooKeeper, String> {
        if ![1, 3].contains(&options.servers) {
            return Err(format!("{} servers of ZooKeeper: 1 or 3 are possible", options.servers));
        }
        let services = Services::found()?;
        ZooKeeper::start_in(&servers::new_folder("zookeeper")?, &options, &services)
    }

    /// The same in a folder that is there, empty and ours. Where it fails, the folder is gone.
    pub(crate) fn start_in(home: &Path, options: &Options, services: &Services) -> Result<ZooKeeper, String> {
        let mut tried = 1;
        loop {
            match ZooKeeper::try_in(home, options, services) {
                Err(why) if why.contains("BindException") && tried < TRIES => tried += 1,
                Err(why) => return keeper::remove(home).and(Err(why)),
                Ok(zookeeper) => return Ok(zookeeper),
            }
            fs::create_dir(home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
        }
    }

    fn try_in(home: &Path, options: &Options, services: &Services) -> Result<ZooKeeper, String> {
        let count = options.servers;
        let found = ports::free(PORTS * count)?;
        let ports = found.chunks_exact(PORTS).map(|three| [three[0], three[1], three[2]]).collect();
        let servers = Servers {
            keeper: Keeper::start(home)?,
            running: (0..count).map(|_| None).collect(),
            frozen: vec![false; count],
        };
        let zookeeper = ZooKeeper {
            services: services.clone(),
            options: options.clone(),
            ports,
            home: home.to_owned(),
            servers: Mutex::new(servers),
        };
        (0..count).try_for_each(|index| zookeeper.prepare(index))?;
        (0..count).try_for_each(|index| zookeeper.spawn(index))?;
        zookeeper.wait_until_it_serves()?;
        Ok(zookeeper)
    }

    /// What clients are told: every server's address and port, with commas between.
    pub fn connect_string(&self) -> String {
        (0..self.options.servers).map(|index| self.server(index)).collect::<Vec<_>>().join(",")
    }

    /// host:port of one server.
    pub fn server(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.ports[index][0])
    }

    /// The version that a server says it is.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn version(&self) -> Result<String, String> {
        let said = self.ask(0)?;
        let line = said.lines().find_map(|line| line.strip_prefix("Zookeeper version: "));
        let version = line.and_then(|line| line.split(['-', ',']).next());
        version.map(str::to_owned).ok_or_else(|| format!("server 0 names no version: {said}"))
    }

    /// What a server is at this moment: `standalone`, `leader` or `follower`; nothing where it does not serve.
    pub fn mode(&self, index: usize) -> Option<String> {
        let said = self.ask(index).ok()?;
        said.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// The server that leads the ensemble, or is the only one.
    pub fn leader(&self) -> Option<usize> {
        (0..self.options.servers).find(|index| self.mode(*index).is_some_and(|mode| mode != "follower"))
    }

    /// Ends a server by kill -9.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&self, index: usize) -> Result<(), String> {
        let mut servers = self.lock();
        servers.frozen[index] = false;
        servers.running[index].take().ok_or_else(|| not_running(index))?.kill()
    }

    /// Starts a server again, with its data and its ports, and waits until all that run serve, if they are enough for that.
    ///
    /// # Errors
    /// Where it ends again, and why.
    pub fn restart(&self, index: usize) -> Result<(), String> {
        self.spawn(index)?;
        self.wait_until_it_serves()
    }

    /// Stops a server in its tracks (SIGSTOP): it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn freeze(&self, index: usize) -> Result<(), String> {
        self.signal(index, Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn thaw(&self, index: usize) -> Result<(), String> {
        self.signal(index, Signal::CONT)
    }

    fn signal(&self, index: usize, signal: Signal) -> Result<(), String> {
        let mut servers = self.lock();
        servers.running[index].as_ref().ok_or_else(|| not_running(index))?.signal(signal)?;
        servers.frozen[index] = signal == Signal::STOP;
        Ok(())
    }

    /// Waits until every server that runs and is not frozen serves; at once where those are no majority.
    ///
    /// # Errors
    /// Where a server has ended, and why, or where nothing comes of it within five minutes.
    pub fn wait_until_it_serves(&self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let awake = self.awake()?;
            let enough = 2 * awake.len() > self.options.servers;
            if !enough || awake.iter().all(|index| self.mode(*index).is_some()) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the servers do not serve after {PATIENCE:?}{}", self.lock().tail()));
            }
            thread::sleep(LOOK);
        }
    }

    /// The servers that run and are not frozen.
    fn awake(&self) -> Result<Vec<usize>, String> {
        let mut servers = self.lock();
        servers.running.iter_mut().flatten().try_for_each(Server::is_alive)?;
        let all = 0..self.options.servers;
        Ok(all.filter(|index| servers.running[*index].is_some() && !servers.frozen[*index]).collect())
    }

    /// Asks a server what it is, on a connection of its own.
    fn ask(&self, index: usize) -> Result<String, String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[index][0]));
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.write_all(b"srvr")?;
            let mut said = String::new();
            stream.read_to_string(&mut said)?;
            Ok(said)
        };
        ask().map_err(|error| format!("ZooKeeper's server {index} at {address} does not answer: {error}"))
    }

    fn folder(&self, index: usize) -> PathBuf {
        self.home.join(format!("server-{index}"))
    }

    /// Writes what a server is told, in a folder of its own.
    fn prepare(&self, index: usize) -> Result<(), String> {
        let folder = self.folder(index);
        let write = || -> std::io::Result<()> {
            for name in ["data", "conf", "tmp"] {
                fs::create_dir_all(folder.join(name))?;
            }
            fs::write(folder.join("data/myid"), format!("{}\n", index + 1))?;
            fs::write(folder.join("conf/zoo.cfg"), self.settings(index))
        };
        write().map_err(|error| format!("cannot prepare {}: {error}", folder.display()))
    }

    fn settings(&self, index: usize) -> String {
        let mut lines = vec![
            // A session ends up to a tick late.
            "tickTime=250".to_owned(),
            "initLimit=40".to_owned(),
            "syncLimit=20".to_owned(),
            format!("dataDir={}", self.folder(index).join("data").display()),
            "clientPortAddress=127.0.0.1".to_owned(),
            format!("clientPort={}", self.ports[index][0]),
            "admin.enableServer=false".to_owned(),
            "4lw.commands.whitelist=srvr".to_owned(),
            "maxClientCnxns=0".to_owned(),
            format!("minSessionTimeout={}", self.options.session_min.as_millis()),
            "maxSessionTimeout=60000".to_owned(),
        ];
        if self.options.servers > 1 {
            let ensemble = self.ports.iter().enumerate();
            lines.extend(ensemble.map(|(index, [_, follow, elect])| {
                format!("server.{}=127.0.0.1:{follow}:{elect}", index + 1)
            }));
        }
        lines.extend(self.options.settings.iter().cloned());
        lines.join("\n") + "\n"
    }

    fn spawn(&self, index: usize) -> Result<(), String> {
        let mut servers = self.lock();
        if servers.running[index].is_some() {
            return Err(format!("ZooKeeper's server {index} runs"));
        }
        let folder = self.folder(index);
        let mut command = jvm::command(&self.services, &folder, HEAP_MIB, MAIN);
        command.arg(folder.join("conf/zoo.cfg"));
        let name = format!("ZooKeeper's server {index}");
        let server = Server::start(&servers.keeper, &name, &folder.join("log"), &mut command)?;
        servers.running[index] = Some(server);
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

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.stop();
    }
}

impl Servers {
    fn tail(&mut self) -> String {
        self.running.iter().flatten().map(Server::tail).collect()
    }

    fn end(&mut self) {
        self.keeper.end();
        for server in self.running.iter_mut().filter_map(Option::take) {
            // It is dead already.
            let _ = server.kill();
        }
    }
}

fn not_running(index: usize) -> String {
    format!("ZooKeeper's server {index} does not run")
}
