//! `hama matrix check`: every stored byte of a matrix against its checksums.

use std::fmt;

use hama::table::CheckReport as Found;
use hama::{Error, ErrorKind};
use serde::Serialize;

use super::Global;
use super::cluster;
use super::count::counted;
use super::failure::Failure;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, not_a_file};
use super::size::Size;

const EXAMPLES: &str = "\
Example:
  hama matrix check c && echo sound

Ends with 5 where a byte is not what was written, and says which table, shard and tile; with 4 where
nothing is damaged as far as it could be read. With --master the hosts that hold the shards read them.";

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
        let set = |builder| cluster::with_master(global, builder, cluster::Slots::default());
        let session = Session::open_with(global, Access::Existing, set)?;
        let table = session.table(&self.name)?;
        let task = Task { label: format!("checking {}", self.name), total: table.bytes(), unit: Unit::Bytes };
        let shown = session.show(task);
        let report = hama::check(&session.hama, &table)?;
        drop(shown);
        not_sound(&self.name, &report).map_or(Ok(()), Err)?;
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

/// All faults in one error. What was not read may be sound, so that alone is no damage.
fn not_sound(name: &str, report: &Found) -> Option<Error> {
    let Found { faults, unreachable, .. } = report;
    let damaged = format!("{name} is damaged, {}: {}", counted(faults.len(), "fault"), all(faults));
    let unread = format!("{} could not be read: {}", counted(unreachable.len(), "part"), all(unreachable));
    match (faults.is_empty(), unreachable.is_empty()) {
        (true, true) => None,
        (false, true) => Some(Error::data(damaged)),
        (false, false) => Some(Error::data(format!("{damaged}; and {unread}"))),
        (true, false) => {
            let message = format!("cannot check all of {name}, nothing is known to be damaged, but {unread}");
            Some(Error::new(ErrorKind::Unavailable, message))
        }
    }
}

fn all(errors: &[Error]) -> String {
    errors.iter().map(Error::message).collect::<Vec<_>>().join("; ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_not_damaged_and_damage_is_told_beside_it() {
        let of = |faults: &[&str], unreachable: &[&str]| {
            let errors = |kind, list: &[&str]| list.iter().map(|text| Error::new(kind, *text)).collect();
            not_sound(
                "c",
                &Found {
                    faults: errors(ErrorKind::Data, faults),
                    unreachable: errors(ErrorKind::Unavailable, unreachable),
                    ..Found::default()
                },
            )
        };
        assert!(of(&[], &[]).is_none());
        let damaged = of(&["x", "y"], &[]).unwrap();
        assert_eq!((damaged.kind(), damaged.message()), (ErrorKind::Data, "c is damaged, 2 faults: x; y"));
        let unreachable = of(&[], &["z"]).unwrap();
        assert_eq!(unreachable.kind(), ErrorKind::Unavailable);
        assert!(unreachable.message().ends_with("1 part could not be read: z"), "{unreachable}");
        assert!(!unreachable.message().contains("is damaged"), "{unreachable}");
        let both = of(&["x"], &["z"]).unwrap();
        assert_eq!(both.kind(), ErrorKind::Data);
        assert_eq!(both.message(), "c is damaged, 1 fault: x; and 1 part could not be read: z");
    }
}
