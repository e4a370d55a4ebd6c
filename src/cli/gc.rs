//! `hama matrix gc`: the history that is old enough, and what killed writers left, goes.

use std::fmt;
use std::time::Duration;

use hama::Error;
use hama::table::store::Store;
use hama::table::{self, Collected, TableName};
use serde::Serialize;

use super::Global;
use super::cluster;
use super::failure::Failure;
use super::output::Output;
use super::session::{Access, Session};

const EXAMPLES: &str = "\
Examples:
  hama matrix gc                         all matrices of the store, as every writing command does for its own
  hama matrix gc a --older-than 0s       all of a but the latest version
  hama matrix gc --older-than 7d

What somebody has open, or is writing, stays. With --master the peers of a job share the matrices.";

/// Clear old versions of matrices, and what killed commands left
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Gc {
    /// The matrices [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How long a version stays after the next one was made, such as 90s, 30min, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    older_than: Duration,
}

#[derive(Serialize)]
struct GcReport {
    tables: u64,
    versions: u64,
    generations: u64,
    unfinished: u64,
    failed: Vec<Uncleared>,
}

/// A matrix that could not be cleared, and why.
#[derive(Serialize)]
struct Uncleared {
    name: String,
    error: String,
}

fn duration(text: &str) -> hama::Result<Duration> {
    humantime::parse_duration(text).map_err(|_| {
        Error::invalid(format!("cannot read the time {text:?}: one such as 90s, 24h or 7d is wanted"))
    })
}

impl Gc {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let set = |builder| cluster::with_master(global, builder, cluster::Slots::default());
        let session = Session::open_with(global, Access::Existing, set)?;
        let store = session.hama.store();
        let names = if self.names.is_empty() { directories(&**store)? } else { self.named(&session)? };
        let collected = hama::collect(&session.hama, &names, self.older_than)?;
        let mut report = GcReport {
            tables: collected.len() as u64,
            versions: 0,
            generations: 0,
            unfinished: 0,
            failed: Vec::new(),
        };
        let mut first = None;
        for (name, collected) in collected {
            match collected {
                Ok(Collected { versions, writers, generations }) => {
                    report.versions += versions;
                    report.generations += generations;
                    report.unfinished += writers;
                }
                // One that is damaged is no reason to leave the others.
                Err(error) => {
                    report.failed.push(Uncleared { name: name.to_string(), error: error.to_string() });
                    first = first.or(Some(error));
                }
            }
        }
        tracing::info!(versions = report.versions, generations = report.generations, "cleared");
        output.report(&report)?;
        first.map_or(Ok(()), |error| Err(Failure::from(error).after_report()))
    }

    fn named(&self, session: &Session) -> Result<Vec<TableName>, Failure> {
        let there = directories(&**session.hama.store())?;
        let names = self.names.iter().map(|name| {
            let parsed = TableName::new(name)?;
            if there.contains(&parsed) {
                return Ok(parsed);
            }
            let error = Error::new(
                hama::ErrorKind::NotFound,
                format!("cannot clear {name}: there is no such matrix"),
            );
            Err(session.unknown(name, error))
        });
        names.collect()
    }
}

/// The names of all directories that may be tables: the first writing of one may have been killed.
fn directories(store: &dyn Store) -> hama::Result<Vec<TableName>> {
    let entries = store.list(&table::StorePath::root())?;
    Ok(entries.iter().filter_map(|entry| TableName::new(&entry.name).ok()).collect())
}

impl fmt::Display for GcReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GcReport { tables, versions, generations, unfinished, failed } = self;
        failed
            .iter()
            .try_for_each(|Uncleared { name, error }| writeln!(f, "{name} is left as it is: {error}"))?;
        let plural = |count: &u64, what: &str| {
            if *count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
        };
        writeln!(
            f,
            "{}: cleared {}, {} of elements and {}",
            plural(tables, "name"),
            plural(versions, "old version"),
            plural(generations, "generation"),
            plural(unfinished, "unfinished writing")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("30min", 1800), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds));
        }
        for text in ["", "24", "-1h", "soon", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
