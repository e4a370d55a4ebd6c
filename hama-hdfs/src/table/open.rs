//! Opens a table: the latest version, or the one that a reference names.

use std::sync::Arc;
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::files::read_whole;
use super::layout::Layout;
use super::versions::{Versions, read_manifest};
use super::{Table, TableRef};
use crate::generation::GenerationId;
use crate::index::GenerationIndex;
use crate::manifest::Manifest;
use crate::name::{TableName, VersionName};
use crate::spec::TableSpec;
use crate::store::{self, Lock, LockGuard, Store};

/// How often the latest manifest is looked for, and how long between: those that remove it lock it for moments.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);
/// How many versions an error names.
const VERSIONS_SHOWN: usize = 8;

impl Table {
    /// Opens the latest version of a table. Its bytes stay as long as this or a clone does, whoever replaces it.
    ///
    /// # Cost
    /// Lists a directory and reads two files; the second has some 20 bytes for each tile, as the table then has in memory.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Data` where its manifest or index is damaged, or of a newer hama; those of the
    /// store.
    pub fn open(store: &Arc<dyn Store>, name: &TableName) -> Result<Table> {
        loop {
            let (number, lock) = lock_version(&**store, name, None)?;
            let table = Table::load(Arc::clone(store), name, number, Some(lock))?;
            // A writer that was killed between its commit and the link left that behind. It is a hint: where it cannot
            // be repaired, it stays.
            if !matches!(point_current(&**store, &Layout::new(name), &table.inner.manifest), Ok(false)) {
                return Ok(table);
            }
        }
    }

    /// Opens what `name` says: the latest version, or an older one.
    ///
    /// # Errors
    /// Those of [`open`](Table::open) and [`open_version`](Table::open_version).
    pub fn open_named(store: &Arc<dyn Store>, name: &VersionName) -> Result<Table> {
        match name.version {
            Some(number) => Table::open_version(store, &name.name, number),
            None => Table::open(store, &name.name),
        }
    }

    /// Opens an older version of a table, or the latest, by its number.
    ///
    /// # Cost
    /// That of [`open`](Table::open).
    ///
    /// # Errors
    /// Those of `open`; `NotFound`, with the versions that there are, where that one is not there (any more).
    pub fn open_version(store: &Arc<dyn Store>, name: &TableName, number: u64) -> Result<Table> {
        let (number, lock) = lock_version(&**store, name, Some(number))?;
        Table::load(Arc::clone(store), name, number, Some(lock))
    }

    /// Opens the version that a reference names, as a peer does for a client that holds the table open.
    ///
    /// # Cost
    /// Reads the same two files as [`open`](Table::open).
    ///
    /// # Errors
    /// `NotFound` where it is not there any more; `Data` and those of the store as in [`open`](Table::open).
    pub fn open_ref(reference: &TableRef) -> Result<Table> {
        let mut table = Table::load(store::open(&reference.url)?, &reference.name, reference.version, None)?;
        if let Some(copy) = table.copy_at(reference.generation)? {
            table = copy;
        }
        if table.generation() != reference.generation {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("cannot open table {}: version {} was made anew", reference.name, reference.version),
            ));
        }
        Ok(table)
    }

    fn load(
        store: Arc<dyn Store>,
        name: &TableName,
        number: u64,
        lock: Option<Arc<dyn LockGuard>>,
    ) -> Result<Table> {
        let path = Layout::new(name).manifest(number);
        let manifest = read_manifest(&*store, &path, name)?;
        if manifest.number != number {
            return Err(Error::data(format!("cannot read {path}: it is of version {}", manifest.number)));
        }
        let index = read_index(&*store, &manifest, manifest.generation, &manifest.spec)?;
        Ok(Table::assemble(store, manifest, Arc::new(index), lock))
    }
}

/// Lets the link lead to the generation of a version. False where that changed it and somebody committed another version
/// meanwhile: then it may lead back, and has to be set again.
pub(super) fn point_current(store: &dyn Store, layout: &Layout, manifest: &Manifest) -> Result<bool> {
    let changed = store.point(&layout.current(), &layout.generation(manifest.generation))?;
    Ok(!changed || Versions::list(store, layout)?.latest() == Some(manifest.number))
}

/// Lets the link lead to the generation of a version that was just committed. It is a hint, so a failure is only said.
pub(super) fn point_or_warn(store: &Arc<dyn Store>, manifest: &Manifest) {
    let name = &manifest.table;
    match point_current(&**store, &Layout::new(name), manifest) {
        Ok(true) => {}
        // Whoever opens the table lets it lead to the version that was committed meanwhile.
        Ok(false) => drop(Table::open(store, name)),
        Err(error) => {
            tracing::warn!(table = %name, %error, "the link to the current generation is out of date");
        }
    }
}

/// The index of a generation that the manifest names, which is cut as `spec` says.
pub(super) fn read_index(
    store: &dyn Store,
    manifest: &Manifest,
    generation: GenerationId,
    spec: &TableSpec,
) -> Result<GenerationIndex> {
    let path = Layout::new(&manifest.table).index(generation);
    let bytes = read_whole(store, &path, GenerationIndex::bytes_max(spec)).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            Error::data(format!("cannot read table {}: its generation index is missing", manifest.table))
                .with_source(e)
        }
        _ => e,
    })?;
    let shown = format_args!("{path} in {}", store.url());
    GenerationIndex::decode(&bytes, (&manifest.table, generation, spec), &manifest.borrowed, &shown)
}

/// The manifest of this number, or the latest, locked against those who clear old ones.
fn lock_version(
    store: &dyn Store,
    name: &TableName,
    number: Option<u64>,
) -> Result<(u64, Arc<dyn LockGuard>)> {
    let layout = Layout::new(name);
    for _ in 0..TRIES {
        let versions = Versions::list(store, &layout)?;
        let Some(latest) = versions.latest() else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no table {name} in the store {}", store.url()),
            ));
        };
        let number = number.unwrap_or(latest);
        if !versions.manifests.contains(&number) {
            return Err(no_version(name, number, &versions.manifests));
        }
        match store.lock(&layout.manifest(number), Lock::Shared) {
            Ok(Some(lock)) => return Ok((number, Arc::from(lock))),
            Ok(None) => std::thread::sleep(PAUSE),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("cannot open table {name}: others hold its manifest locked"),
    ))
}

/// The error of a version that is not there, which says which are.
fn no_version(name: &TableName, number: u64, numbers: &[u64]) -> Error {
    let shown: Vec<String> = numbers.iter().rev().take(VERSIONS_SHOWN).map(u64::to_string).collect();
    let more = if numbers.len() > VERSIONS_SHOWN { ", .." } else { "" };
    Error::new(
        ErrorKind::NotFound,
        format!("no version {number} of table {name}: there are {}{more}", shown.join(", ")),
    )
}
