//! `hama matrix list`: the matrices of a store.

use std::fmt;

use hama::ErrorKind;
use hama::table::{self, Table, TableName};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::info::Summary;
use super::output::{Output, warn};
use super::session::{Access, Session};
use super::size::Size;

/// List the matrices of the store
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hama matrix list --store file:/data/matrices")]
pub(crate) struct List {}

/// A matrix that can be opened, or why it cannot.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Sound(Summary),
    Damaged { name: String, error: String },
}

#[derive(Serialize)]
struct ListReport {
    store: String,
    tables: Vec<Line>,
}

impl List {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open(global, Access::Existing)?;
        let store = session.hama.store().url().to_string();
        let names = table::list(&**session.hama.store())?;
        let tables: Vec<Line> = names.iter().filter_map(|name| Line::of(&session, name)).collect();
        if tables.is_empty() && !global.json && !global.quiet {
            warn(&format!("no matrices in {store}\n"));
        }
        output.report(&ListReport { store, tables })
    }
}

impl Line {
    /// The line of a name; none where the table went while others were listed.
    fn of(session: &Session, name: &TableName) -> Option<Line> {
        match Table::open(session.hama.store(), name) {
            Ok(table) => Some(Line::Sound(Summary::of(session, &table))),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(Line::Damaged { name: name.to_string(), error: error.to_string() }),
        }
    }

    /// Name and shape, as they are printed.
    fn columns(&self) -> (&str, String) {
        match self {
            Line::Sound(table) => (&table.name, format!("{} x {}", table.rows, table.cols)),
            Line::Damaged { name, .. } => (name, "-".into()),
        }
    }
}

impl fmt::Display for ListReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tables.iter().map(|line| line.columns().0.len()).max().unwrap_or_default();
        let shapes = self.tables.iter().map(|line| line.columns().1.len()).max().unwrap_or_default();
        for line in &self.tables {
            let (name, shape) = line.columns();
            write!(f, "{name:names$}  {shape:>shapes$}  ")?;
            match line {
                Line::Sound(table) => {
                    writeln!(f, "{}  {:>10} of files", table.dtype, Size(table.bytes).to_string())?
                }
                Line::Damaged { error, .. } => writeln!(f, "{error}")?,
            }
        }
        Ok(())
    }
}
