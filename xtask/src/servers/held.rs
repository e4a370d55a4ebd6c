//! What outlives the command that started it: one process holds it, in a folder of its own, until it is told to end.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{keeper, services};
use crate::root;

/// How long its end may take.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// Something that there is once in a workspace.
pub(crate) struct Held {
    /// As errors call it, such as `an HDFS`.
    pub(crate) what: &'static str,
    /// Its folder, below `target`.
    pub(crate) folder: &'static str,
    /// The file, among the services' programs, that says who holds it.
    pub(crate) lock: &'static str,
}

impl Held {
    /// Has it started in its folder, which is new, tells what it is, and holds it until this process is ended. What is
    /// started has to end and to remove the folder when this process ends.
    ///
    /// # Errors
    /// Where one is up, or it cannot be started, or nobody listens to `tell` any more.
    pub(crate) fn hold<T, S: Serialize>(
        &self,
        start: impl FnOnce(&Path) -> Result<(T, S), String>,
        tell: impl FnOnce(&S) -> Result<(), String>,
    ) -> Result<(), String> {
        let path = self.lock_path();
        let failed = |error| format!("cannot lock {}: {error}", path.display());
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        lock.try_lock().map_err(|_| format!("{} is up or going up", self.what))?;
        // Whom `down` ends.
        fs::write(&path, std::process::id().to_string()).map_err(failed)?;
        let home = self.home();
        keeper::remove(&home)?;
        fs::create_dir(&home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
        let (_held, state) = start(&home)?;
        let text = serde_json::to_string(&state).map_err(|error| error.to_string())?;
        fs::write(self.state_path(), text)
            .map_err(|error| format!("cannot write {}: {error}", home.display()))?;
        tell(&state)?;
        loop {
            thread::park();
        }
    }

    /// What is told of the one that is up; nothing where none is.
    ///
    /// # Errors
    /// Where it is going up.
    pub(crate) fn state<S: DeserializeOwned>(&self) -> Result<Option<S>, String> {
        if self.holder()?.is_none() {
            return Ok(None);
        }
        let path = self.state_path();
        let text =
            fs::read_to_string(&path).map_err(|_| format!("{} is going up or down: ask again", self.what))?;
        let state = serde_json::from_str(&text)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(Some(state))
    }

    /// Ends it, waits until its processes and files are gone, and says whether there was one.
    ///
    /// # Errors
    /// Where it does not end.
    pub(crate) fn down(&self) -> Result<bool, String> {
        let held = self.holder()?;
        let home = self.home();
        if let Some(process) = held {
            kill_process(process, Signal::TERM)
                .map_err(|error| format!("cannot end process {process:?}: {error}"))?;
            let end = Instant::now() + PATIENCE;
            while self.holder()?.is_some() || home.exists() {
                if Instant::now() > end {
                    break;
                }
                thread::sleep(LOOK);
            }
        }
        if self.holder()?.is_some() {
            return Err(format!("it does not end within {PATIENCE:?}"));
        }
        // Also that of one that ended with the machine.
        let left = home.exists();
        keeper::remove(&home)?;
        Ok(held.is_some() || left)
    }

    /// The process that holds one.
    fn holder(&self) -> Result<Option<Pid>, String> {
        let path = self.lock_path();
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

    /// Its folder.
    pub(crate) fn home(&self) -> PathBuf {
        root().join("target").join(self.folder)
    }

    fn state_path(&self) -> PathBuf {
        self.home().join("state.json")
    }

    fn lock_path(&self) -> PathBuf {
        services::home().join(self.lock)
    }
}
