//! A master and grooms as processes of this program, which is the executable of the jobs too.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hama_core::testing::cluster::nodes_of_jobs;
use hama_core::{
    Cancel, Cluster, ClusterRunner, ConnectOptions, GroomOptions, GroomStatus, Host, MasterOptions,
    ZooKeeperOptions,
};

/// The words that start this program as a daemon.
pub(crate) const MASTER: &str = "daemon-master";
pub(crate) const GROOM: &str = "daemon-groom";

/// Where daemons find the file of their token, if they have one.
const TOKEN: &str = "HAMA_TEST_TOKEN_FILE";

/// How much longer than promised anything may take on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);
const GIB: u64 = 1 << 30;

/// A cluster of processes on this machine. Dropping it ends them.
pub(crate) struct Fleet {
    meets: Meets,
    folder: tempfile::TempDir,
    address: String,
    master: Daemon,
    grooms: Vec<Daemon>,
    fit: Fit,
}

/// Where masters and grooms meet.
#[derive(Clone)]
struct Meets {
    servers: String,
    root: String,
    session: Duration,
    token: Option<PathBuf>,
}

/// A daemon's process.
pub(crate) struct Daemon {
    name: String,
    child: Child,
}

/// What a fleet is like.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    pub(crate) grooms: usize,
    pub(crate) slots: u32,
    pub(crate) memory_bytes: u64,
    /// The time of sessions with ZooKeeper.
    pub(crate) session: Duration,
    /// The file of the cluster's token.
    pub(crate) token: Option<PathBuf>,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit { grooms: 2, slots: 2, memory_bytes: 8 * GIB, session: Duration::from_secs(6), token: None }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Fleet {
    /// Starts one that meets in the ZooKeeper at `zookeeper`, and waits until all grooms are there.
    pub(crate) fn start(zookeeper: &str, fit: &Fit) -> Fleet {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = format!("/fleet-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let (servers, token) = (zookeeper.to_owned(), fit.token.clone());
        let meets = Meets { servers, root, session: fit.session, token };
        let (master, address) = start_master(&meets, &folder.path().join("master"), "127.0.0.1:0");
        let mut fleet = Fleet { meets, folder, address, master, grooms: Vec::new(), fit: fit.clone() };
        for index in 0..fit.grooms {
            fleet.add_groom(&format!("g{index}"));
        }
        fleet.wait_for_grooms(fit.grooms);
        fleet
    }

    /// The node of ZooKeeper below which it meets.
    pub(crate) fn root(&self) -> &str {
        &self.meets.root
    }

    /// Starts another groom, on a host of its name.
    pub(crate) fn add_groom(&mut self, name: &str) {
        let (address, servers) = (self.address.clone(), self.meets.servers.clone());
        self.add_groom_by(name, &address, &servers);
    }

    /// The same with another token than the cluster's.
    pub(crate) fn add_groom_with_token(&mut self, name: &str, token: &Path) {
        let meets = Meets { token: Some(token.to_owned()), ..self.meets.clone() };
        self.start_groom(name, &self.address.clone(), &meets);
    }

    /// The same where it reaches the master and ZooKeeper at other addresses.
    pub(crate) fn add_groom_by(&mut self, name: &str, master: &str, zookeeper: &str) {
        let meets = Meets { servers: zookeeper.to_owned(), ..self.meets.clone() };
        self.start_groom(name, master, &meets);
    }

    fn start_groom(&mut self, name: &str, master: &str, meets: &Meets) {
        let folder = self.folder.path().join(name);
        let mut command = daemon(GROOM, meets, &folder);
        command.args([name, master, &self.fit.slots.to_string(), &self.fit.memory_bytes.to_string()]);
        let child = command.spawn().unwrap();
        self.grooms.push(Daemon { name: name.to_owned(), child });
    }

    /// Starts a groom again that has ended.
    pub(crate) fn restart_groom(&mut self, name: &str) {
        self.grooms.retain(|groom| groom.name != name);
        self.add_groom(name);
    }

    pub(crate) fn wait_for_grooms(&self, count: usize) {
        until("all grooms are there", || {
            let grooms = self.cluster().grooms().unwrap_or_default();
            grooms.iter().filter(|groom| groom.health == "alive").count() == count
        });
    }

    pub(crate) fn groom(&mut self, name: &str) -> &mut Daemon {
        self.grooms.iter_mut().find(|groom| groom.name == name).unwrap()
    }

    /// What the master says of a groom.
    pub(crate) fn status(&self, name: &str) -> GroomStatus {
        let grooms = self.cluster().grooms().unwrap();
        grooms.into_iter().find(|groom| groom.name == name).unwrap()
    }

    pub(crate) fn master(&mut self) -> &mut Daemon {
        &mut self.master
    }

    /// Starts another master, for the day when the first one leads no more, and says where it listens.
    pub(crate) fn second_master(&self) -> (Daemon, ConnectOptions) {
        let (daemon, address) = start_master(&self.meets, &self.folder.path().join("second"), "127.0.0.1:0");
        (daemon, self.connect_options_to(address))
    }

    /// The processes of the daemons and of the peers that there are.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let daemons = [&self.master].into_iter().chain(&self.grooms).map(|daemon| daemon.child.id());
        daemons.chain(peers_of(self.folder.path())).collect()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Starts the master again, at the same address.
    pub(crate) fn restart_master(&mut self) {
        let folder = self.folder.path().join("master");
        (self.master, _) = start_master(&self.meets, &folder, &self.address);
    }

    pub(crate) fn cluster(&self) -> Cluster {
        until("the master leads", || Cluster::connect(&self.connect_options()).is_ok());
        Cluster::connect(&self.connect_options()).unwrap()
    }

    pub(crate) fn connect_options(&self) -> ConnectOptions {
        self.connect_options_to(self.address.clone())
    }

    fn connect_options_to(&self, master: String) -> ConnectOptions {
        ConnectOptions { token_file: self.meets.token.clone(), ..ConnectOptions::new(master) }
    }

    pub(crate) fn runner(&self) -> ClusterRunner {
        drop(self.cluster());
        ClusterRunner::connect(&self.connect_options()).unwrap()
    }

    /// The folder of a groom's peers.
    pub(crate) fn tasks(&self, groom: &str) -> PathBuf {
        self.folder.path().join(groom).join("tasks")
    }

    /// Waits until all slots and all memory are free, no groom has a process or a peer's folder, and no job has a record.
    pub(crate) fn is_clean(&self) {
        let cluster = self.cluster();
        until("all slots are free", || {
            let grooms = cluster.grooms().unwrap_or_default();
            let alive = grooms.iter().filter(|groom| groom.health == "alive");
            alive.into_iter().all(|groom| {
                (groom.slots_free, groom.memory_free, groom.tasks) == (groom.slots, groom.memory_bytes, 0)
            })
        });
        let names: Vec<&str> = self.grooms.iter().map(|groom| groom.name.as_str()).collect();
        until("nothing is left of the peers", || {
            names
                .iter()
                .all(|name| std::fs::read_dir(self.tasks(name)).is_ok_and(|mut left| left.next().is_none()))
        });
        until("no process of a peer is left", || self.processes().len() == 1 + self.grooms.len());
        until("no node of a job is left", || nodes_of_jobs(&self.meets.servers, &self.meets.root).is_empty());
    }
}

/// The processes that have their directory below `folder`, as peers do.
pub(crate) fn peers_of(folder: &Path) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let is_below =
        |id: &u32| std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_below).collect()
}

fn daemon(word: &str, meets: &Meets, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([word, &meets.servers, &meets.root, &meets.session.as_millis().to_string()]);
    command.arg(folder).stdin(Stdio::null());
    if let Some(token) = &meets.token {
        command.env(TOKEN, token);
    }
    if std::env::var_os("HAMA_TEST_LOGS").is_none() {
        command.stderr(Stdio::null());
    }
    command
}

fn start_master(meets: &Meets, folder: &Path, listen: &str) -> (Daemon, String) {
    let mut command = daemon(MASTER, meets, folder);
    let mut child = command.arg(listen).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (Daemon { name: "master".to_owned(), child }, address.trim().to_owned())
}

impl Daemon {
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this program does as a daemon.
pub(crate) fn run(word: &str, arguments: &[String]) -> ExitCode {
    let [servers, root, session, folder, rest @ ..] = arguments else { unreachable!("{word} {arguments:?}") };
    let zookeeper = ZooKeeperOptions {
        root: root.clone(),
        session: Duration::from_millis(session.parse().unwrap()),
        ..ZooKeeperOptions::new(servers.clone())
    };
    let token_file = std::env::var_os(TOKEN).map(PathBuf::from);
    let ran = match (word, rest) {
        (MASTER, [listen]) => {
            let options = MasterOptions {
                listen: listen.parse().unwrap(),
                token_file,
                ..MasterOptions::new(zookeeper, folder)
            };
            hama_core::run_master(&options, &Cancel::new(), |address| println!("{address}"))
        }
        (GROOM, [name, master, slots, memory]) => {
            let options = GroomOptions {
                name: name.clone(),
                host: Host::new(name.clone()),
                slots: slots.parse().unwrap(),
                memory_bytes: memory.parse().unwrap(),
                token_file,
                ..GroomOptions::new(master.clone(), zookeeper, folder)
            };
            hama_core::run_groom(&options, &Cancel::new(), || ())
        }
        _ => unreachable!("{word} {arguments:?}"),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
