//! What peers have printed, kept when the rest of them is removed: that of the newest tasks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::files::make_folder;
use crate::cluster::groom::log;
use crate::cluster::model::ids::TaskId;
use crate::error::Result;

/// The logs of so many tasks are kept.
const TASKS_MAX: usize = 1000;
/// Of each so many bytes: the last.
const BYTES_MAX: u64 = 1 << 20;

/// The logs of tasks that are gone.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
}

impl Logs {
    /// Those in a folder, which is made.
    ///
    /// # Errors
    /// Those of the system, with the path.
    pub(crate) fn open(folder: PathBuf) -> Result<Logs> {
        make_folder(&folder)?;
        Ok(Logs { folder })
    }

    /// Keeps the log of a task that lies in `from`, and forgets those of the oldest tasks.
    pub(crate) fn keep(&self, task: TaskId, from: &Path) {
        let name = format!("{}-{}-{}.log", task.job, task.attempt, task.peer.index());
        let kept = log::tail(from, BYTES_MAX).and_then(|bytes| {
            if bytes.is_empty() { Ok(()) } else { fs::write(self.folder.join(name), bytes) }
        });
        if let Err(error) = kept.and_then(|()| self.forget()) {
            tracing::debug!(%task, %error, "a log is not kept");
        }
    }

    fn forget(&self) -> std::io::Result<()> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            logs.push((entry.metadata()?.modified()?, entry.path()));
        }
        logs.sort();
        let old = logs.len().saturating_sub(TASKS_MAX);
        logs.iter().take(old).try_for_each(|(_, path)| fs::remove_file(path))
    }
}
