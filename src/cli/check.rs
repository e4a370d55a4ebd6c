//! `hama matrix check`: every stored byte of a matrix against its checksums.

use std::cell::Cell;
use std::fmt;

use hama::{Error, ErrorKind};
use serde::Serialize;

use super::Global;
use super::count::counted;
use super::failure::Failure;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, not_a_file};
use super::size::Size;

const EXAMPLES: &str = "\
Example:
  hama matrix check c && echo sound

Ends with 5 where a byte is not what was written, and says which table, shard and tile.";

/// Check every stored byte of a matrix against its checksums
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// The matrix
    name: String,
}

#[derive(Serialize)]
struct CheckReport {
    name: String,
    sound: bool,
    shards: usize,
    tiles: u64,
    bytes: u64,
}

impl Check {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        not_a_file(&self.name)?;
        let session = Session::open(global, Access::Existing)?;
        let table = session.table(&self.name)?;
        let task = Task { label: format!("checking {}", self.name), total: table.bytes(), unit: Unit::Bytes };
        let shown = session.show(task);
        let before = Cell::new(0);
        let report =
            table.check(&|bytes| session.meter.add(bytes - before.replace(bytes)), &session.cancel)?;
        drop(shown);
        if !report.faults.is_empty() {
            return Err(damaged(&self.name, &report.faults));
        }
        tracing::info!(table = self.name, tiles = report.tiles, bytes = report.bytes, "checked");
        output.report(&CheckReport {
            name: self.name,
            sound: true,
            shards: table.shards().len(),
            tiles: report.tiles,
            bytes: report.bytes,
        })
    }
}

/// All faults in one error.
fn damaged(name: &str, faults: &[Error]) -> Failure {
    let faults: Vec<&str> = faults.iter().map(Error::message).collect();
    Error::new(
        ErrorKind::Data,
        format!("{name} is damaged, {}: {}", counted(faults.len(), "fault"), faults.join("; ")),
    )
    .into()
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: sound, {} read of {} in {}",
            self.name,
            Size(self.bytes),
            counted(self.tiles, "tile"),
            counted(self.shards, "shard")
        )
    }
}
