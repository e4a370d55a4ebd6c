//! Removes a table, and what killed writers left of one.

use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};

use super::collect::{collect_before, delete_locked, read_if_there, sync_if_there};
use super::files::{read_whole, repeated};
use super::layout::{Layout, generation_of};
use super::versions::Versions;
use crate::generation::GenerationId;
use crate::index::is_index;
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{EntryKind, Lock, LockGuard, Store};
use crate::zarr;

/// How often a removal begins anew because others commit, collect or open the table meanwhile.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// What a removal removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A table.
    Table,
    /// What a killed writer, or a killed removal, left where there is no table.
    Leftovers,
}

/// Removes a table, or what is left of one. One that is being written at the time is made anew by its writer's commit,
/// unless that writer began before the version that is removed: then it is ended.
///
/// # Cost
/// A few small files, and the deletion of the shards; up to 100 ms where somebody reads it.
///
/// # Errors
/// `NotFound`; `Conflict` where somebody reads it; those of the store.
pub fn remove(store: &dyn Store, name: &TableName) -> Result<Removed> {
    remove_version(store, name, None)
}

/// The same, where the latest manifest is the one of this id: another may have its number.
pub(super) fn remove_version(
    store: &dyn Store,
    name: &TableName,
    id: Option<GenerationId>,
) -> Result<Removed> {
    let layout = Layout::new(name);
    let mut held = None;
    for _ in 0..TRIES {
        let versions = Versions::list(store, &layout)?;
        if versions.latest().is_none() {
            return remove_leftovers(store, name, &layout, &versions);
        }
        match lock_all(store, &layout, &versions)? {
            Locked::All(locks) => {
                check_latest(store, name, &versions, id)?;
                return remove_locked(store, name, &versions, locks);
            }
            Locked::Held(number) => held = Some(number),
            Locked::Gone => {}
        }
        std::thread::sleep(PAUSE);
    }
    let why = held.map_or("others keep changing it".to_owned(), |n| format!("version {n} is being read"));
    Err(Error::new(ErrorKind::Conflict, format!("cannot remove table {name}: {why}")))
}

/// Fails where the latest of these versions is another than the one of this id.
fn check_latest(
    store: &dyn Store,
    name: &TableName,
    versions: &Versions,
    id: Option<GenerationId>,
) -> Result<()> {
    let (Some(id), Some(number)) = (id, versions.latest()) else { return Ok(()) };
    let manifest = read_if_there(store, name, &Layout::new(name).manifest(number))?;
    if manifest.is_some_and(|manifest| manifest.id == id) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, format!("cannot remove table {name}: somebody changed it meanwhile")))
}

enum Locked {
    All(Vec<Box<dyn LockGuard>>),
    /// Somebody holds this version.
    Held(u64),
    /// One of the versions went, or others came.
    Gone,
}

fn lock_all(store: &dyn Store, layout: &Layout, versions: &Versions) -> Result<Locked> {
    let mut locks = Vec::new();
    for number in &versions.manifests {
        match store.lock(&layout.manifest(*number), Lock::Exclusive) {
            Ok(Some(lock)) => locks.push(lock),
            Ok(None) => return Ok(Locked::Held(*number)),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Locked::Gone),
            Err(e) => return Err(e),
        }
    }
    let unchanged = Versions::list(store, layout)?.manifests == versions.manifests;
    Ok(if unchanged { Locked::All(locks) } else { Locked::Gone })
}

fn remove_locked(
    store: &dyn Store,
    name: &TableName,
    versions: &Versions,
    locks: Vec<Box<dyn LockGuard>>,
) -> Result<Removed> {
    let layout = Layout::new(name);
    end_late_writers(store, name, &layout)?;
    // The latest last, so that no older version ever is the table.
    for (number, lock) in versions.manifests.iter().zip(&locks) {
        delete_locked(store, &layout.manifest(*number), &**lock)?;
    }
    // Before its bytes go: a manifest that came back after a power loss would name what is not there.
    sync_if_there(store, &layout)?;
    drop(locks);
    collect_before(store, name, 0)?;
    remove_empty(store, &layout)?;
    Ok(Removed::Table)
}

/// Ends the writers of versions that are no longer to come: once the latest manifest is gone, their numbers are free.
fn end_late_writers(store: &dyn Store, name: &TableName, layout: &Layout) -> Result<()> {
    let versions = Versions::list(store, layout)?;
    for id in &versions.pendings {
        let path = layout.pending(*id);
        let late = match read_if_there(store, name, &path) {
            Ok(manifest) => manifest.is_some_and(|manifest| Some(manifest.number) <= versions.latest()),
            // Nobody can commit it to something that is read.
            Err(e) if e.kind() == ErrorKind::Data => true,
            Err(e) => return Err(e),
        };
        if late {
            repeated(|| store.delete(&path))?;
        }
    }
    Ok(())
}

fn remove_leftovers(
    store: &dyn Store,
    name: &TableName,
    layout: &Layout,
    versions: &Versions,
) -> Result<Removed> {
    if has_leftovers(store, layout, versions)? {
        collect_before(store, name, 0)?;
        remove_empty(store, layout)?;
        if Versions::list(store, layout)? == Versions::default() {
            return Ok(Removed::Leftovers);
        }
    }
    Err(Error::new(ErrorKind::NotFound, format!("no table {name} in the store {}", store.url())))
}

/// Whether a directory without a manifest holds what only a writer of a table makes. Everything else in a store is
/// somebody else's.
pub(super) fn has_leftovers(store: &dyn Store, layout: &Layout, versions: &Versions) -> Result<bool> {
    if !versions.pendings.is_empty() {
        return Ok(true);
    }
    let entries = match store.list(&layout.generations()) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => return Ok(false),
        other => other?,
    };
    for entry in &entries {
        let Some(id) = generation_of(&entry.name) else { continue };
        let is_ours = match entry.kind {
            EntryKind::File => begins_as_index(store, &layout.index(id))?,
            // Of a writer that could withdraw and not clear.
            EntryKind::Directory => is_group(store, &layout.group_metadata(id))?,
        };
        if is_ours {
            return Ok(true);
        }
    }
    // The last that a removal deletes, and the first that a writer makes.
    Ok(entries.is_empty())
}

/// Whether a file is the metadata that a generation begins with, to the byte.
fn is_group(store: &dyn Store, path: &StorePath) -> Result<bool> {
    let group = zarr::group()?;
    match read_whole(store, path, group.len() as u64) {
        Ok(found) => Ok(found == group),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Data | ErrorKind::Invalid) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether a file is a generation index, going by its first bytes: all of it may be large.
fn begins_as_index(store: &dyn Store, path: &StorePath) -> Result<bool> {
    let reader = match store.open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let mut head = vec![0; usize::try_from(reader.len()).unwrap_or(usize::MAX).min(256)];
    reader.read_at(0, &mut head)?;
    Ok(is_index(&head))
}

/// Removes a table's link and directories, unless there is a table, or a writer or something foreign is in them.
pub(super) fn remove_empty(store: &dyn Store, layout: &Layout) -> Result<()> {
    if Versions::list(store, layout)?.latest().is_none() {
        repeated(|| store.unpoint(&layout.current(), &layout.generations()))?;
    }
    for dir in [&layout.generations(), layout.dir()] {
        match store.list(dir) {
            Ok(entries) if entries.is_empty() => {}
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) if e.kind() != ErrorKind::Invalid => return Err(e),
            // Something is in it, or it is no directory.
            _ => return Ok(()),
        }
        match repeated(|| store.delete(dir)) {
            Err(e) if e.kind() == ErrorKind::Invalid => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}
