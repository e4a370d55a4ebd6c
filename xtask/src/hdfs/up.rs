//! An HDFS that outlives the command that started it: one process holds it, in `target/hdfs-up`, until it is told to end.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::{Hdfs, Options, Services, keeper, services};
use crate::root;

/// How long its end may take.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

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
        writeln!(out, "files   {}", home().display())?;
        write!(out, "end it  cargo xtask hdfs down (its files go with it)")
    }
}

/// Starts it, tells that it serves, and holds it until this process is ended.
///
/// # Errors
/// Where one is up, or it cannot be started, or nobody listens to `tell` any more.
pub fn hold(tell: impl FnOnce(&State) -> Result<(), String>) -> Result<(), String> {
    let path = lock_path();
    let failed = |error: &dyn fmt::Display| format!("cannot lock {}: {error}", path.display());
    let mut lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.as_mut().map_err(|error| failed(error))?;
    lock.try_lock().map_err(|_| "an HDFS is up or going up".to_owned())?;
    // Whom `down` ends.
    fs::write(&path, std::process::id().to_string()).map_err(|error| failed(&error))?;
    let programs = Services::found()?;
    keeper::remove(&home())?;
    fs::create_dir(home()).map_err(|error| format!("cannot make {}: {error}", home().display()))?;
    let hdfs = Hdfs::start_in(&home(), &Options::default(), &programs)?;
    let state = State { url: hdfs.url(), web: hdfs.web(), version: hdfs.version()? };
    let text = serde_json::to_string(&state).map_err(|error| error.to_string())?;
    fs::write(state_path(), text).map_err(|error| format!("cannot write {}: {error}", home().display()))?;
    tell(&state)?;
    loop {
        thread::park();
    }
}

/// The one that is up, and how many DataNodes are alive; nothing where none is.
///
/// # Errors
/// Where it is going up or does not answer.
pub fn status() -> Result<Option<(State, u64)>, String> {
    if holder()?.is_none() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(state_path()).map_err(|_| "an HDFS is going up or down: ask again".to_owned())?;
    let state: State = serde_json::from_str(&text)
        .map_err(|error| format!("cannot read {}: {error}", state_path().display()))?;
    let beans = super::web::bean(&state.web, "NameNode", "FSNamesystemState")?;
    Ok(Some((state, beans["NumLiveDataNodes"].as_u64().unwrap_or(0))))
}

/// Ends it, waits until its processes and files are gone, and says whether there was one.
///
/// # Errors
/// Where it does not end.
pub fn down() -> Result<bool, String> {
    let held = holder()?;
    if let Some(process) = held {
        kill_process(process, Signal::TERM)
            .map_err(|error| format!("cannot end process {process:?}: {error}"))?;
        let end = Instant::now() + PATIENCE;
        while holder()?.is_some() || home().exists() {
            if Instant::now() > end {
                break;
            }
            thread::sleep(LOOK);
        }
    }
    if holder()?.is_some() {
        return Err(format!("it does not end within {PATIENCE:?}"));
    }
    // Also that of one that ended with the machine.
    let left = home().exists();
    keeper::remove(&home())?;
    Ok(held.is_some() || left)
}

/// The process that holds one.
fn holder() -> Result<Option<Pid>, String> {
    let path = lock_path();
    let Ok(file) = File::open(&path) else { return Ok(None) };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let process = text.parse().ok().and_then(Pid::from_raw);
            process.map(Some).ok_or_else(|| format!("{} names no process: ask again", path.display()))
        }
        Err(TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}

fn home() -> PathBuf {
    root().join("target/hdfs-up")
}

fn state_path() -> PathBuf {
    home().join("state.json")
}

fn lock_path() -> PathBuf {
    services::home().join("up.lock")
}
