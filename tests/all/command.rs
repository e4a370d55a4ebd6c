//! Runs the `hama` command in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The built command.
pub(crate) const HAMA: &str = env!("CARGO_BIN_EXE_hama");

/// A fresh folder to run commands in, whose store is `hama-data` there.
pub(crate) struct Place(TempDir);

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    line: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file or folder of the store.
    pub(crate) fn stored(&self, path: &str) -> PathBuf {
        self.path().join("hama-data").join(path)
    }

    /// Where the figures of `hama bench probe` are stored here.
    pub(crate) fn probe(&self) -> PathBuf {
        self.path().join("state/probe.json")
    }

    /// The command, ready to run, with the words of `line` as its arguments.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(HAMA);
        command
            .current_dir(self.path())
            .args(line.split_whitespace())
            // Nor what this machine's user has set.
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .envs(
                ["STORE", "MEMORY", "PEERS", "PROGRESS", "DURABILITY", "SPILL_DIR", "HOST"]
                    .map(|name| (format!("HAMA_{name}"), "")),
            )
            .envs(
                [
                    "MASTER",
                    "TOKEN_FILE",
                    "INSECURE_NETWORK",
                    "ZOOKEEPER",
                    "ZOOKEEPER_ROOT",
                    "ZOOKEEPER_AUTH_FILE",
                ]
                .map(|name| (format!("HAMA_{name}"), "")),
            )
            // Not what this machine's user has measured.
            .env("HAMA_PROBE", self.probe())
            .stdin(Stdio::null());
        command
    }

    /// Runs the command with the words of `line` as its arguments.
    pub(crate) fn run(&self, line: &str) -> Reply {
        Reply::of(line, self.command(line).output().unwrap())
    }

    /// Runs it with an argument after those of `line`, whatever that holds.
    pub(crate) fn run_with(&self, line: &str, argument: impl AsRef<std::ffi::OsStr>) -> Reply {
        Reply::of(line, self.command(line).arg(argument).output().unwrap())
    }

    /// Runs it, which must go well, and gives what it prints.
    pub(crate) fn ok(&self, line: &str) -> String {
        self.run(line).ok().out
    }

    /// Runs it with `--json`, which must go well.
    pub(crate) fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).ok().json()
    }

    /// The names of the matrices that are there.
    pub(crate) fn names(&self) -> Vec<String> {
        let tables = self.json("matrix list")["tables"].clone();
        tables.as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a random matrix of f64.
    pub(crate) fn random(&self, name: &str, rows: u64, cols: u64) {
        self.ok(&format!("matrix random {name} --rows {rows} --cols {cols} --seed {}", name.len()));
    }
}

impl Reply {
    pub(crate) fn of(line: &str, output: Output) -> Reply {
        Reply {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            line: line.to_owned(),
        }
    }

    /// It went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Reply {
        self.ends_with(0)
    }

    /// It ended with this exit status, and did not panic.
    #[track_caller]
    pub(crate) fn ends_with(self, status: i32) -> Reply {
        assert_eq!(self.status, Some(status), "hama {}: {}{}", self.line, self.out, self.err);
        assert!(!self.err.contains("panicked"), "hama {}: {}", self.line, self.err);
        self
    }

    /// It failed with an error of its own, whichever.
    #[track_caller]
    pub(crate) fn ends_with_failure(self) {
        assert!(matches!(self.status, Some(1..=5)), "hama {}: {:?}", self.line, self);
        assert!(self.err.starts_with("hama: ") || self.err.starts_with("error: "), "{}", self.err);
    }

    /// It failed with this exit status, said each of `parts` on standard error, and nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(self, status: i32, parts: &[&str]) -> Reply {
        let reply = self.ends_with(status);
        assert_eq!(reply.out, "", "hama {}", reply.line);
        for part in parts {
            assert!(reply.err.contains(part), "hama {}: {part:?} is not in: {}", reply.line, reply.err);
        }
        reply
    }

    /// Its one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("hama {}: {error}: {}", self.line, self.out));
        assert_eq!(value["schema"], 1);
        value
    }
}
