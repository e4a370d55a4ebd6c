//! `hama matrix copy` and `hama matrix rename`: a matrix in another store, or under another name.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hama::files::{self, ExportOptions, Format, ImportOptions};
use hama::table::store::{self, Store};
use hama::table::{self, CopyOptions, OnExists, StoreUrl, Table, TableName, VersionName, WriteOptions};
use hama::{AnyMatrix, Error};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, lasting, taken, target, with_peers};

const EXAMPLES: &str = "\
Examples:
  hama matrix copy a b                           within the store: no element moves
  hama matrix copy a@3 a-as-it-was               an older version
  hama matrix copy a /backup/matrices/a          to another store, the folder /backup/matrices
  hama matrix copy file:/backup/matrices/a a --replace
  hama matrix copy a hdfs://namenode/m/a --resume    goes on from where an earlier one was interrupted
  hama matrix copy a ./a.npy                     to a file, or from one: as export and import do

Elements, blocks, attributes and labels are copied; history and a placed copy are not. What goes from store to store is
checked against its checksums on the way.";

const RENAME_EXAMPLES: &str = "\
Example:
  hama matrix rename a b

Its history and its placed copy go. A matrix that somebody reads keeps its name. Killed in the moment between, it has
both names: remove one.";

/// Copy a matrix: to another name, or to another store
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Copy {
    /// What is copied: NAME, NAME@VERSION, a store's path or URL that ends in /NAME, or a file
    #[arg(value_name = "SRC")]
    from: String,
    /// Where to: NAME, a store's path or URL that ends in /NAME, or a file
    #[arg(value_name = "DST")]
    to: String,
    /// Replace what is there
    #[arg(long)]
    replace: bool,
    /// Between stores: leave what was copied where this is interrupted or fails, and go on from what an earlier one left;
    /// `hama matrix gc` clears it
    #[arg(long)]
    resume: bool,
}

/// Give a matrix another name
#[derive(clap::Args)]
#[command(after_help = RENAME_EXAMPLES)]
pub(crate) struct Rename {
    /// The matrix
    name: String,
    /// Its new name
    #[arg(value_name = "NEW")]
    to: String,
}

#[derive(Serialize)]
struct CopyReport {
    #[serde(flatten)]
    table: Summary,
    from: String,
    /// Where it is now; a file is in none.
    store: Option<String>,
}

/// A matrix in the session's store or in another one.
struct Place {
    /// The URL of another store.
    store: Option<StoreUrl>,
    name: VersionName,
}

impl Place {
    fn of(text: &str) -> hama::Result<Place> {
        let Some((store, name)) = text.rsplit_once('/') else {
            return Ok(Place { store: None, name: text.parse()? });
        };
        let name = name.parse()?;
        // The folder above /a is /.
        let store =
            if store.is_empty() || store.ends_with(':') { format!("{store}/") } else { store.to_owned() };
        Ok(Place { store: Some(lasting(store)?.parse()?), name })
    }
}

impl Copy {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        if self.resume && (is_file(&self.from) || is_file(&self.to)) {
            let message = format!(
                "cannot copy {} to {} with --resume: it is for copies between stores",
                self.from, self.to
            );
            return Err(Error::invalid(message).into());
        }
        if is_file(&self.to) {
            return self.export(global, output);
        }
        let to = Place::of(&self.to)?;
        if to.name.version.is_some() {
            return Err(Error::invalid(format!(
                "cannot copy to {}: an older version cannot be written",
                self.to
            ))
            .into());
        }
        if is_file(&self.from) {
            return self.import(to, global, output);
        }
        let from = Place::of(&self.from)?;
        let access =
            if to.store.is_none() && from.store.is_some() { Access::Create } else { Access::Existing };
        let elsewhere = from.store.is_some() && to.store.is_some();
        // Where both are elsewhere, the store of this command need not be there.
        let session = match &from.store {
            Some(url) if elsewhere => {
                Session::open_at(global, url.to_string(), Access::Existing, with_peers(global))?
            }
            _ => Session::open(global, access)?,
        };
        let table = match &from.store {
            Some(url) => Table::open_named(&store::open(url)?, &from.name)?,
            None => session.table(&self.from)?,
        };
        let target = match &to.store {
            Some(url) => store::create(url)?,
            None => Arc::clone(session.hama.store()),
        };
        let on_exists = if self.replace { OnExists::Replace } else { OnExists::Fail };
        let write = WriteOptions { on_exists, durability: session.hama.durability() };
        let options = CopyOptions { write, resume: self.resume };
        let copied = copied(&session, &table, &target, &to.name.name, options)?;
        output.report(&CopyReport {
            table: Summary::of_table(&target, &copied),
            from: self.from,
            store: Some(target.url().to_string()),
        })
    }

    /// To a file.
    fn export(&self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let options = ExportOptions { replace: self.replace, ..ExportOptions::default() };
        options.check(Path::new(&self.to)).map_err(taken)?;
        let (session, matrix) = if is_file(&self.from) || !self.from.contains('/') {
            let session = Session::open_for(global, [self.from.as_str()], None, |builder| builder)?;
            let matrix = session.matrix(&self.from)?;
            (session, matrix)
        } else {
            let Place { store, name } = Place::of(&self.from)?;
            let url = store.map_or_else(String::new, |url| url.to_string());
            let session = Session::open_at(global, url, Access::Existing, with_peers(global))?;
            let matrix = session.matrix(&name.to_string())?;
            (session, matrix)
        };
        let total = bytes_of(&matrix);
        let task = Task { label: format!("copying {}", self.from), total, unit: Unit::Bytes };
        let shown = session.show(task);
        files::export(&matrix, Path::new(&self.to), &options).map_err(taken)?;
        drop(shown);
        let table = Summary::of_file(&self.to, &matrix);
        output.report(&CopyReport { table, from: self.from.clone(), store: None })
    }

    /// From a file.
    fn import(
        &self,
        Place { store, name }: Place,
        global: &Global,
        output: &mut Output,
    ) -> Result<(), Failure> {
        // Before a store is made for it.
        let incoming = files::Incoming::open(Path::new(&self.from), &ImportOptions::default())?;
        let session = match store {
            Some(url) => Session::open_at(global, url.to_string(), Access::Create, with_peers(global))?,
            None => Session::open(global, Access::Create)?,
        };
        let total = incoming.work_bytes(&session.hama);
        let task = Task { label: format!("copying {}", self.from), total, unit: Unit::Bytes };
        let shown = session.show(task);
        let matrix = incoming.save(&session.hama, target(name.name.as_str(), self.replace)).map_err(taken)?;
        drop(shown);
        let table = Summary::of(&session, matrix.table()?);
        let store = Some(session.hama.store().url().to_string());
        output.report(&CopyReport { table, from: self.from.clone(), store })
    }
}

fn bytes_of(matrix: &AnyMatrix) -> u64 {
    let (rows, cols) = matrix.shape();
    rows.saturating_mul(cols).saturating_mul(matrix.element().size_bytes() as u64)
}

/// Whether a place is a file of a format that is known, by its suffix.
fn is_file(text: &str) -> bool {
    // An array of an archive is named after a #.
    let path = Path::new(text.split_once(".npz#").map_or(text, |(stem, _)| stem));
    let suffix = path.extension().and_then(|suffix| suffix.to_str());
    suffix.is_some_and(|suffix| suffix.parse::<Format>().is_ok())
        || text.ends_with(".mtx.gz")
        || text.contains(".npz#")
}

fn copied(
    session: &Session,
    table: &Table,
    store: &Arc<dyn Store>,
    name: &TableName,
    options: CopyOptions,
) -> Result<Table, Failure> {
    let task = Task { label: format!("copying {}", table.name()), total: table.bytes(), unit: Unit::Bytes };
    let shown = session.show(task);
    let meter = &session.meter;
    let progress = |bytes| meter.add(bytes);
    let copied = table::copy(table, store, name, options, &progress, &session.cancel).map_err(taken)?;
    drop(shown);
    tracing::info!(from = %table.name(), to = %name, store = %store.url(), "copied");
    Ok(copied)
}

impl Rename {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let (from, to) = (TableName::new(&self.name)?, TableName::new(&self.to)?);
        let session = Session::open(global, Access::Existing)?;
        let store = session.hama.store();
        let renamed = table::rename(store, &from, &to, &|_| {}, &session.cancel)
            .map_err(|error| session.unknown(&self.name, error))?;
        tracing::info!(from = %from, to = %to, "renamed");
        let (table, store) = (Summary::of(&session, &renamed), Some(store.url().to_string()));
        output.report(&CopyReport { table, from: self.name, store })
    }
}

impl fmt::Display for CopyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)?;
        match &self.store {
            Some(store) => writeln!(f, "from {}, in {store}", self.from),
            None => writeln!(f, "from {}", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_names_or_stores_with_names() {
        let place = |text: &str| {
            let Place { store, name } = Place::of(text).unwrap();
            (store.map(|url| url.to_string()), name.to_string())
        };
        assert_eq!(place("a@3"), (None, "a@3".into()));
        assert_eq!(place("/backup/m/a"), (Some("file:/backup/m".into()), "a".into()));
        assert_eq!(place("file:/backup/a@2"), (Some("file:/backup".into()), "a@2".into()));
        assert_eq!(place("./x/a"), (Some("file:./x".into()), "a".into()));
        for bad in ["/backup/", "memory:x/a", "a/", "x/a@0", "http://h/a"] {
            assert!(Place::of(bad).is_err(), "{bad}");
        }
    }
}
