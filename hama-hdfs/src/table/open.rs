//! Opens a table: the latest version, or the one that a reference names.

use std::sync::Arc;
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::files::read_whole;
use super::layout::Layout;
use super::versions::{Versions, read_manifest};
use super::{Table, TableRef};
use crate::index::GenerationIndex;
use crate::manifest::Manifest;
use crate::name::TableName;
use crate::store::{self, Lock, LockGuard, Store};

/// How often the latest manifest is looked for, and how long between: those that remove it lock it for moments.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

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
            let (number, lock) = lock_latest(&**store, name)?;
            let table = Table::load(Arc::clone(store), name, number, Some(lock))?;
            // A writer that was killed between its commit and the link left that behind. It is a hint: where it cannot
            // be repaired, it stays.
            if !matches!(point_current(&**store, &Layout::new(name), &table.inner.manifest), Ok(false)) {
                return Ok(table);
            }
        }
    }

    /// Opens the version that a reference names, as a peer does for a client that holds the table open.
    ///
    /// # Cost
    /// Reads the same two files as [`open`](Table::open).
    ///
    /// # Errors
    /// `NotFound` where it is not there any more; `Data` and those of the store as in [`open`](Table::open).
    pub fn open_ref(reference: &TableRef) -> Result<Table> {
        let table = Table::load(store::open(&reference.url)?, &reference.name, reference.version, None)?;
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
        lock: Option<Box<dyn LockGuard>>,
    ) -> Result<Table> {
        let layout = Layout::new(name);
        let path = layout.manifest(number);
        let manifest = read_manifest(&*store, &path, name)?;
        if manifest.number != number {
            return Err(Error::data(format!("cannot read {path}: it is of version {}", manifest.number)));
        }
        let index = read_index(&*store, &layout, &manifest)?;
        Ok(Table::assemble(store, manifest, Arc::new(index), lock))
    }
}

/// Lets the link lead to the generation of a version. False where that changed it and somebody committed another version
/// meanwhile: then it may lead back, and has to be set again.
pub(super) fn point_current(store: &dyn Store, layout: &Layout, manifest: &Manifest) -> Result<bool> {
    let changed = store.point(&layout.current(), &layout.generation(manifest.generation))?;
    Ok(!changed || Versions::list(store, layout)?.latest() == Some(manifest.number))
}

fn read_index(store: &dyn Store, layout: &Layout, manifest: &Manifest) -> Result<GenerationIndex> {
    let path = layout.index(manifest.generation);
    let spec = &manifest.spec;
    let bytes = read_whole(store, &path, GenerationIndex::bytes_max(spec)).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            Error::data(format!("cannot read table {}: its generation index is missing", manifest.table))
                .with_source(e)
        }
        _ => e,
    })?;
    let shown = format_args!("{path} in {}", store.url());
    GenerationIndex::decode(&bytes, (&manifest.table, manifest.generation, spec), &shown)
}

/// The number of the latest manifest, locked against those who clear old ones.
fn lock_latest(store: &dyn Store, name: &TableName) -> Result<(u64, Box<dyn LockGuard>)> {
    let layout = Layout::new(name);
    for _ in 0..TRIES {
        let Some(number) = Versions::list(store, &layout)?.latest() else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no table {name} in the store {}", store.url()),
            ));
        };
        match store.lock(&layout.manifest(number), Lock::Shared) {
            Ok(Some(lock)) => return Ok((number, lock)),
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
