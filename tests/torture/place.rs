//! A folder with a store, where commands are run, and what a table there holds.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::running::{Reply, Running};
use crate::strays::strays;

const HAMA: &str = env!("CARGO_BIN_EXE_hama");

/// Where commands are run. Its store is `hama-data`.
pub(crate) struct Place {
    folder: PathBuf,
    /// The rows and columns of large matrices: what `{n}` in lines stands for.
    pub(crate) n: u64,
    /// The folder goes with the place that made it.
    _made: Option<tempfile::TempDir>,
}

impl Place {
    /// A new folder on the disk of the build.
    pub(crate) fn new(n: u64) -> Result<Place, String> {
        let made = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        Ok(Place { folder: made.path().to_owned(), n, _made: Some(made) })
    }

    /// A folder that is there.
    pub(crate) fn at(folder: &Path, n: u64) -> Place {
        Place { folder: folder.to_owned(), n, _made: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("hama-data")
    }

    /// Starts the command.
    pub(crate) fn start(&self, line: &str) -> Result<Running, String> {
        Running::start(line, self.by(Command::new(HAMA), line))
    }

    /// Runs the command under limits that a shell sets, such as `ulimit -n 20`.
    pub(crate) fn limited(&self, limits: &str, line: &str) -> Result<Reply, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limits} && exec \"$0\" \"$@\""), HAMA]);
        Running::start(line, self.by(shell, line))?.finish()
    }

    fn by(&self, mut command: Command, line: &str) -> Command {
        let line = line.replace("{n}", &self.n.to_string());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HAMA_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.folder)
            .args(line.split_whitespace())
            // What this machine's user has set is not for us, least of all the store.
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .env("HAMA_PROBE", self.folder.join("probe.json"));
        command
    }

    pub(crate) fn run(&self, line: &str) -> Result<Reply, String> {
        self.start(line)?.finish()
    }

    /// Runs a command that must go well.
    pub(crate) fn ok(&self, line: &str) -> Result<String, String> {
        let reply = self.run(line)?;
        if reply.status == 0 { Ok(reply.out) } else { Err(format!("should go well: {}", reply.said())) }
    }

    /// Runs lines that must go well, except for those that begin with `-`. `rm FILE` removes a file, if it is there.
    pub(crate) fn prepare(&self, lines: &[&str]) -> Result<(), String> {
        for line in lines {
            match (line.strip_prefix('-'), line.strip_prefix("rm ")) {
                (_, Some(file)) => drop(std::fs::remove_file(self.folder.join(file))),
                (Some(line), _) => drop(self.run(line)?),
                _ => drop(self.ok(line)?),
            }
        }
        Ok(())
    }

    /// What `info` says of a table; nothing where there is none.
    pub(crate) fn info(&self, table: &str) -> Result<Option<Value>, String> {
        let info = self.run(&format!("matrix info {table} --json"))?;
        let document: Value = serde_json::from_str(&info.out).unwrap_or_default();
        if document["error"]["kind"] == "not-found" {
            return Ok(None);
        }
        if info.status != 0 {
            return Err(format!("{table} cannot be opened: {}", info.said()));
        }
        Ok(Some(document))
    }

    /// What a table, or a file, is: `none`, or which of the tables `references` it equals. It must be sound.
    pub(crate) fn state(&self, table: &str, references: &[&str]) -> Result<String, String> {
        if self.info(table)?.is_none() {
            return Ok("none".to_owned());
        }
        if !table.starts_with("./") {
            self.ok(&format!("matrix check {table}"))?;
        }
        for reference in references {
            let diff = self.run(&format!("matrix diff {table} {reference}"))?;
            if diff.status == 0 {
                return Ok((*reference).to_owned());
            }
            // 2 where the shapes differ.
            if ![2, 5].contains(&diff.status) {
                return Err(format!("{table} cannot be compared: {}", diff.said()));
            }
        }
        Err(format!("{table} is none of {}", references.join(", ")))
    }

    /// Checks that a table lies in several shards, so that one of them may be of another generation than the others.
    pub(crate) fn is_spread(&self, table: &str) -> Result<(), String> {
        let shards = self.info(table)?.unwrap_or_default()["shards"].as_u64().unwrap_or_default();
        if shards > 1 { Ok(()) } else { Err(format!("{table} has {shards} shards, which shows nothing")) }
    }

    /// Checks that a table's directory holds what its manifests name and nothing else, and the folder no file that is
    /// neither among `files` nor the store.
    pub(crate) fn is_clean(&self, table: &str, files: &[&str]) -> Result<(), String> {
        let found = strays(&self.store(), table, self.info(table)?.is_some())?;
        if !found.is_empty() {
            return Err(format!("left behind: {found:?}"));
        }
        self.has_only(files)
    }

    /// Checks that the folder holds no file that is neither among `files` nor the store.
    pub(crate) fn has_only(&self, files: &[&str]) -> Result<(), String> {
        let mut found = Vec::new();
        let entries = std::fs::read_dir(&self.folder).map_err(|error| error.to_string())?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name != "hama-data" && !files.iter().any(|file| name == *file) {
                found.push(entry.path());
            }
        }
        if found.is_empty() { Ok(()) } else { Err(format!("left behind: {found:?}")) }
    }
}
