//! `hama matrix history` and `hama matrix restore`: the versions of a matrix, and the way back to one.

use std::fmt;

use hama::table::{self, Extent, TableName, Version};
use hama::{AnyMatrix, Error};
use serde::Serialize;

use super::Global;
use super::date::date;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::session::{Access, Session};

const EXAMPLES: &str = "\
Example:
  hama matrix history a
  hama matrix show a@3             an older version is read as a@3, wherever a matrix is read
  hama matrix restore a@3          and becomes the latest again

Versions stay for a day after the next one was made (the last 256 at most), and as long as somebody has them open.
Writing a matrix anew (--replace) ends its history.";

const RESTORE_EXAMPLES: &str = "\
Example:
  hama matrix restore a@3

That makes a new version, so that it can be undone as well. No element moves.";

/// List the versions of a matrix: when each was made, and what it changed
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct History {
    /// The matrix
    name: String,
}

/// Make an older version of a matrix the latest again
#[derive(clap::Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct Restore {
    /// The matrix and the number of its version
    #[arg(value_name = "NAME@VERSION")]
    name: String,
}

#[derive(Serialize)]
struct Line {
    version: u64,
    created_unix: u64,
    change: String,
    rows: u64,
    cols: u64,
}

#[derive(Serialize)]
struct HistoryReport {
    name: String,
    versions: Vec<Line>,
}

#[derive(Serialize)]
struct RestoreReport {
    #[serde(flatten)]
    table: Summary,
    restored: u64,
    blocks: Option<Extent>,
    #[serde(skip)]
    loses_blocks: bool,
}

impl History {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open(global, Access::Existing)?;
        let versions = table::versions(session.hama.store(), &TableName::new(&self.name)?)
            .map_err(|error| session.unknown(&self.name, error))?;
        output.report(&HistoryReport { name: self.name, versions: versions.into_iter().map(line).collect() })
    }
}

fn line(version: Version) -> Line {
    let Version { number, created_unix, change, shape } = version;
    Line { version: number, created_unix, change, rows: shape.rows, cols: shape.cols }
}

impl fmt::Display for HistoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> =
            self.versions.iter().map(|line| format!("{}@{}", self.name, line.version)).collect();
        let width = versions.iter().map(String::len).max().unwrap_or_default();
        for (version, line) in versions.iter().zip(&self.versions) {
            writeln!(f, "{version:width$}  {}  {}", date(line.created_unix), line.change)?;
        }
        Ok(())
    }
}

impl Restore {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        if !self.name.contains('@') {
            let error = Error::invalid(format!("cannot restore {}: it names no version", self.name));
            return Err(Failure::from(error).or_try(format!("hama matrix history {}", self.name)));
        }
        let session = Session::open(global, Access::Existing)?;
        let old = session.matrix(&self.name)?;
        let latest = session.table(self.name.split('@').next().unwrap_or_default())?;
        let had_blocks = latest.spec().blocking.is_some();
        drop(latest);
        let restored = match &old {
            AnyMatrix::F64(matrix) => AnyMatrix::F64(matrix.restore()?),
            AnyMatrix::F32(matrix) => AnyMatrix::F32(matrix.restore()?),
        };
        let (table, restored) = (Summary::of(&session, restored.table()?), old.table()?.version());
        tracing::info!(table = table.name, version = restored, "restored");
        let blocks = old.table()?.spec().blocking;
        let loses_blocks = blocks.is_none() && had_blocks;
        output.report(&RestoreReport { table, restored, blocks, loses_blocks })
    }
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)?;
        writeln!(
            f,
            "version {} is as version {} was",
            self.table.version.unwrap_or_default(),
            self.restored
        )?;
        if self.loses_blocks {
            writeln!(
                f,
                "blocks      none, as in version {}: `hama matrix blocking` cuts it again",
                self.restored
            )?;
        }
        Ok(())
    }
}
