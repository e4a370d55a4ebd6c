//! A store in HDFS where commands are run, and what a table there holds.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::TIMEOUT;
use crate::running::{Reply, Running};

const HAMA: &str = env!("CARGO_BIN_EXE_hama");

/// How long a command may take beside what it waits for, however slow the machine is.
const WORK: Duration = Duration::from_secs(60);

/// What the cases begin with. The product lies in several shards.
const SETUP: [&str; 7] = [
    "matrix random a --rows 1500 --cols 1500 --seed 1",
    "matrix multiply a a --output product --grid 2x1x1 --peers 2",
    "matrix random old --rows 1500 --cols 1500 --seed 2",
    "matrix random new --rows 1500 --cols 1500 --seed 3",
    "matrix full patch --rows 300 --cols 300 --value 7",
    "matrix random updated --rows 1500 --cols 1500 --seed 2",
    "matrix update updated --at 600,700 patch",
];
/// The tables of these that others are compared with.
pub(super) const REFERENCES: [&str; 4] = ["old", "new", "product", "updated"];
/// What the cases multiply.
pub(super) const MULTIPLY: &str = "matrix multiply a a --output t --grid 2x1x1 --peers 2";

/// A folder of ours, and a store in HDFS.
pub(super) struct Place {
    folder: tempfile::TempDir,
    url: String,
    web: String,
    timeout: Duration,
}

impl Place {
    /// The store at `url`, and the NameNode's web server.
    pub(super) fn new(url: &str, web: &str) -> Result<Place, String> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        Ok(Place { folder, url: url.to_owned(), web: web.to_owned(), timeout: TIMEOUT })
    }

    /// Another store, or the same as another user.
    pub(super) fn at(&self, url: &str) -> Result<Place, String> {
        Place::new(url, &self.web)
    }

    /// The same store, with more patience.
    pub(super) fn waiting(&self, timeout: Duration) -> Result<Place, String> {
        Ok(Place { timeout, ..self.at(&self.url)? })
    }

    /// Makes the tables that the cases begin with.
    pub(super) fn set_up(&self) -> Result<(), String> {
        self.prepare(&SETUP)?;
        let shards = self.info("product")?.unwrap_or_default()["shards"].as_u64();
        if shards > Some(1) { Ok(()) } else { Err(format!("the product has {shards:?} shards")) }
    }

    /// Where commands write files.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Starts the command.
    pub(super) fn start(&self, line: &str) -> Result<Running, String> {
        let mut command = Command::new(HAMA);
        for (name, _) in std::env::vars_os() {
            if ["HAMA_", "HADOOP_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.path())
            .args(line.split_whitespace())
            .args(["--store", &self.url, "--webhdfs", &self.web])
            .args(["--timeout", &self.timeout.as_secs().to_string()])
            // What is written waits there.
            .args(["--spill-dir", "."])
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("HAMA_PROBE", self.path().join("probe.json"));
        Running::start(line, command)
    }

    /// Runs the command to its end, which comes within the timeout and what the work takes.
    pub(super) fn run(&self, line: &str) -> Result<Reply, String> {
        self.finish(self.start(line)?)
    }

    /// Waits for the end of a command.
    pub(super) fn finish(&self, running: Running) -> Result<Reply, String> {
        let began = Instant::now();
        let reply = running.finish()?;
        let limit = 2 * self.timeout + WORK;
        match began.elapsed() {
            took if took > limit => {
                Err(format!("took {took:.1?}, and {limit:.1?} are enough: {}", reply.said()))
            }
            _ => Ok(reply),
        }
    }

    /// Runs a command that must go well.
    pub(super) fn ok(&self, line: &str) -> Result<String, String> {
        let reply = self.run(line)?;
        if reply.status == 0 { Ok(reply.out) } else { Err(format!("should go well: {}", reply.said())) }
    }

    /// Runs lines that must go well, except for those that begin with `-`.
    pub(super) fn prepare(&self, lines: &[&str]) -> Result<(), String> {
        for line in lines {
            match line.strip_prefix('-') {
                Some(line) => drop(self.run(line)?),
                None => drop(self.ok(line)?),
            }
        }
        Ok(())
    }

    /// How long a command takes that goes well.
    pub(super) fn duration(&self, line: &str) -> Result<Duration, String> {
        let began = Instant::now();
        self.ok(line)?;
        Ok(began.elapsed())
    }

    /// What `info` says of a table; nothing where there is none.
    pub(super) fn info(&self, table: &str) -> Result<Option<Value>, String> {
        let info = self.run(&format!("matrix info {table} --json"))?;
        let document: Value = serde_json::from_str(&info.out).unwrap_or_default();
        if document["error"]["kind"] == "not-found" {
            return Ok(None);
        }
        if info.status == 0 { Ok(Some(document)) } else { Err(format!("cannot be opened: {}", info.said())) }
    }

    /// What a table is: `none`, or which of the tables of [`REFERENCES`] it equals. It must be sound.
    pub(super) fn state(&self, table: &str) -> Result<&'static str, String> {
        if self.info(table)?.is_none() {
            return Ok("none");
        }
        self.ok(&format!("matrix check {table}"))?;
        for reference in REFERENCES {
            let diff = self.run(&format!("matrix diff {table} {reference}"))?;
            match diff.status {
                0 => return Ok(reference),
                5 => {}
                _ => return Err(format!("{table} cannot be compared: {}", diff.said())),
            }
        }
        Err(format!("{table} is none of {REFERENCES:?}"))
    }
}
