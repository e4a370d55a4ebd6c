//! The store of a command, opened with the options of every command.

use std::path::Path;
use std::sync::Arc;

use hama::files::{self, ImportOptions, Incoming, NewFileOptions};
use hama::table::{self, StoreUrl, Table, TableName};
use hama::{AnyMatrix, Cancel, Error, ErrorKind, Hama, HamaBuilder, Progress, SaveAs};

use super::failure::Failure;
use super::output::warn;
use super::progress::{self, Shown, Task, Unit};
use super::settings::{Origin, Setting};
use super::spill::Spill;
use super::{Global, interrupt, names};

/// What a command does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It needs what is there.
    Existing,
    /// It writes, and makes the store where there is none.
    Create,
}

/// An open store, a meter of what is done there, and the end that Ctrl-C asks for.
pub(crate) struct Session<'a> {
    pub(crate) hama: Hama,
    pub(crate) meter: Arc<Progress>,
    pub(crate) cancel: Cancel,
    global: &'a Global,
    spill: Spill,
}

/// Gives a session the peers of the settings. What nobody said depends on where jobs run.
pub(crate) fn with_peers(global: &Global) -> impl FnOnce(HamaBuilder) -> HamaBuilder {
    let peers = global.settings.peers.clone();
    move |builder| match peers {
        Setting { origin: Origin::Default, .. } => builder,
        peers => builder.peers(peers.value),
    }
}

/// The store that the settings name.
pub(crate) fn store_url(global: &Global) -> String {
    global.settings.store.value.clone()
}

/// The same URL, where what is written there outlives the command.
pub(crate) fn lasting(url: String) -> hama::Result<String> {
    let refused = |why: &str| Err(Error::invalid(format!("cannot use the store {url}: {why}")));
    match url.split_once(':') {
        Some(("memory" | "strict", _)) => refused("it would end with this command, and all that is in it"),
        Some((scheme, _)) if scheme != "file" && scheme != "hdfs" && url.parse::<StoreUrl>().is_err() => {
            refused(&format!(
                "it is neither a path nor a URL such as file:./hama-data (a path with a colon is written file:{url})"
            ))
        }
        _ => Ok(url),
    }
}

impl<'a> Session<'a> {
    /// Opens the store; `set` has the last word on how.
    pub(crate) fn open_with(
        global: &'a Global,
        access: Access,
        set: impl FnOnce(HamaBuilder) -> HamaBuilder,
    ) -> Result<Session<'a>, Failure> {
        let set = |builder| set(with_peers(global)(builder));
        Session::open_at(global, lasting(store_url(global))?, access, set)
    }

    /// Opens the store at `url`, whatever the options say. Once a command: it catches interrupts.
    pub(crate) fn open_at(
        global: &'a Global,
        url: String,
        access: Access,
        set: impl FnOnce(HamaBuilder) -> HamaBuilder,
    ) -> Result<Session<'a>, Failure> {
        Session::open_in(global, Some(url), access, set)
    }

    /// The same where no store is wanted if there is no URL.
    fn open_in(
        global: &'a Global,
        url: Option<String>,
        access: Access,
        set: impl FnOnce(HamaBuilder) -> HamaBuilder,
    ) -> Result<Session<'a>, Failure> {
        let (meter, cancel) = (Arc::new(Progress::new()), Cancel::new());
        let builder = match url {
            Some(url) => Hama::builder().store(url),
            None => Hama::builder().without_store(),
        };
        let builder = builder
            .create(access == Access::Create)
            .cancel(cancel.clone())
            .progress(Arc::clone(&meter))
            .host(global.settings.host.value.clone())
            .durability(global.settings.durability.value.into());
        let builder = match &global.settings.memory {
            // What that is depends on where jobs run.
            Setting { origin: Origin::Default, .. } => builder,
            memory => builder.memory(memory.value.0),
        };
        let hama = set(builder).build().map_err(|error| {
            let missing = error.kind() == ErrorKind::NotFound;
            let failure = Failure::from(error);
            if missing { failure.or_try("--store URL, or `hama demo`, which makes one") } else { failure }
        })?;
        interrupt::ends(global, cancel.clone());
        let memory = hama::format_bytes(hama.memory());
        tracing::info!(store = %hama.store().url(), memory, peers = hama.peers(), "opened the store");
        Ok(Session { hama, meter, cancel, global, spill: Spill::default() })
    }

    /// Opens the store.
    pub(crate) fn open(global: &'a Global, access: Access) -> Result<Session<'a>, Failure> {
        Session::open_with(global, access, |builder| builder)
    }

    /// Opens the store where an operand or the result is a matrix there; files need none. Where only the result is, the
    /// store is made, unless its name or a file cannot be.
    pub(crate) fn open_for<'n>(
        global: &'a Global,
        operands: impl IntoIterator<Item = &'n str>,
        result: Option<&str>,
        set: impl FnOnce(HamaBuilder) -> HamaBuilder,
    ) -> Result<Session<'a>, Failure> {
        let operands: Vec<&str> = operands.into_iter().collect();
        let all_files = operands.iter().all(|operand| files::is_path(operand));
        match (all_files, result.is_none_or(files::is_path)) {
            (true, true) => {
                let set = |builder| set(with_peers(global)(builder));
                Session::open_in(global, None, Access::Create, set)
            }
            (true, false) => {
                result.map(TableName::new).transpose()?;
                let store = lasting(store_url(global))?;
                if Hama::builder().store(store).create(false).build().is_err() {
                    for operand in operands {
                        Incoming::open(Path::new(operand), &ImportOptions::default())?;
                    }
                }
                Session::open_with(global, Access::Create, set)
            }
            (false, _) => Session::open_with(global, Access::Existing, set),
        }
    }

    /// The matrix `name`, or the one in the file of that path.
    pub(crate) fn matrix(&self, name: &str) -> Result<AnyMatrix, Failure> {
        if files::is_path(name) {
            return self.file(name);
        }
        let matrix = hama::open_any(&self.hama, name).map_err(|error| self.unknown(name, error))?;
        opened(matrix.table()?);
        Ok(matrix)
    }

    /// The matrix in a file: as it is where it can be read in place, else converted into a table that goes with this
    /// session.
    fn file(&self, path: &str) -> Result<AnyMatrix, Failure> {
        if let Some(matrix) = self.spill.converted(path) {
            return Ok(matrix);
        }
        let options = ImportOptions { cancel: self.cancel.clone(), ..ImportOptions::default() };
        let incoming = Incoming::open(Path::new(path), &options)?;
        let checking = incoming.check_bytes();
        let label = format!("checking {path}");
        let shown = (checking > 0).then(|| self.show(Task { label, total: checking, unit: Unit::Bytes }));
        let in_place = incoming.in_place(&self.hama)?;
        drop(shown);
        if let Some(matrix) = in_place {
            let (rows, cols) = matrix.shape();
            tracing::info!(file = path, rows, cols, dtype = %matrix.element(), "opened in place");
            return Ok(matrix);
        }
        let spill = self.spill_hama()?;
        self.say(&format!("{path} is converted first, in {}", self.spill.folder()));
        let total = incoming.work_bytes(&self.hama);
        let shown = self.show(Task { label: format!("converting {path}"), total, unit: Unit::Bytes });
        let matrix = incoming.save(&spill, self.spill.name(path))?.in_hama(&self.hama).shown_as(path);
        drop(shown);
        self.spill.keep(path, &matrix);
        Ok(matrix)
    }

    /// The same memory and peers with a store that goes with this session.
    pub(crate) fn spill_hama(&self) -> Result<Hama, Failure> {
        Ok(self.spill.hama(&self.hama, self.global.settings.spill_dir.value.as_deref())?)
    }

    /// Says something to people on standard error, unless they asked for silence.
    pub(crate) fn say(&self, text: &str) {
        if !self.global.quiet && !self.global.json {
            warn(&format!("{text}\n"));
        }
    }

    /// The table `name`.
    pub(crate) fn table(&self, name: &str) -> Result<Table, Failure> {
        not_a_file(name)?;
        let table = Table::open_named(self.hama.store(), &name.parse()?);
        let table = table.map_err(|error| self.unknown(name, error))?;
        opened(&table);
        Ok(table)
    }

    /// The failure of a name that cannot be opened, with the names that were perhaps meant.
    pub(crate) fn unknown(&self, name: &str, error: Error) -> Failure {
        let not_found = error.kind() == ErrorKind::NotFound;
        let failure = Failure::from(error);
        if !not_found {
            return failure;
        }
        let tables = table::list(&**self.hama.store()).unwrap_or_default();
        if let Some((table, _)) = name.split_once('@')
            && tables.iter().any(|there| there.as_str() == table)
        {
            return failure.or_try(format!("hama matrix history {table}"));
        }
        let name = name.split('@').next().unwrap_or(name);
        let near = names::near(name, tables.iter().map(TableName::as_str));
        match near[..] {
            [] => failure.or_try("`hama matrix list` shows what is there"),
            _ => failure.or_try(near.join(" or ")),
        }
    }

    /// Shows how far a task is until what it gives is dropped.
    pub(crate) fn show(&self, task: Task) -> Shown {
        progress::show(self.global, task, Arc::clone(&self.meter))
    }
}

/// Fails where a path stands where only a matrix of the store can.
pub(crate) fn not_a_file(name: &str) -> hama::Result<()> {
    if !files::is_path(name) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "cannot do that with {name}: it is a file, and a matrix of the store is wanted; `hama matrix import` makes one"
    )))
}

fn opened(table: &Table) {
    let spec = table.spec();
    tracing::info!(table = %table.name(), version = table.version(), shape = %spec.shape, dtype = %spec.element, "opened");
}

/// Where a result goes: a new name, or one whose table it may replace.
pub(crate) fn target(name: &str, replace: bool) -> SaveAs {
    if replace { hama::replace(name) } else { name.into() }
}

/// How a file that is no matrix is made.
pub(crate) fn new_file(global: &Global, replace: bool) -> NewFileOptions {
    NewFileOptions { replace, durability: global.settings.durability.value.into(), doing: "cannot write" }
}

/// The failure of a name that is taken.
pub(crate) fn taken(error: Error) -> Failure {
    let exists = error.kind() == ErrorKind::Exists;
    let failure = Failure::from(error);
    if exists { failure.or_try("another name, or --replace") } else { failure }
}
