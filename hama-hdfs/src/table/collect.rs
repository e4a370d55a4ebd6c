//! Clears what no manifest names and no lock covers, and the versions that have been history for long enough.

use std::collections::BTreeSet;
use std::time::Duration;

use hama_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::files::{TRIES, repeated};
use super::layout::{Layout, generation_of};
use super::remove::{has_leftovers, remove_empty};
use super::versions::{Versions, read_manifest};
use super::write::unix_seconds;
use crate::generation::GenerationId;
use crate::manifest::Manifest;
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{Lock, LockGuard, Store};

/// How long a version stays after the next one was committed, where nobody says otherwise.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The most versions that stay, so that a commit never has to look at more.
const VERSIONS_MAX: usize = 256;

/// What a collection deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Versions that were history.
    pub versions: u64,
    /// What killed writers had begun.
    pub writers: u64,
    /// Generations, with all of their files.
    pub generations: u64,
}

/// Clears the directory of a table: versions that were followed by another one longer ago than `older_than` (and all but
/// the last 256), what killed writers left, and the generations that nothing names any more; the directory too where nothing
/// else is in it. What somebody has open or is writing stays.
///
/// # Cost
/// A few small files for each version; lists the files of each generation.
///
/// # Errors
/// `Data` where a manifest is damaged: then nothing goes that it may name; those of the store.
pub fn collect(store: &dyn Store, name: &TableName, older_than: Duration) -> Result<Collected> {
    sweep(store)?;
    collect_swept(store, name, older_than)
}

/// Clears what dead processes left of locks in a store. A commit has no need to look for that in all of the store.
///
/// # Errors
/// Those of the store.
pub fn sweep(store: &dyn Store) -> Result<()> {
    repeated(|| store.sweep(&StorePath::root())).map(drop)
}

/// As [`collect`], of one of several tables: [`sweep`] is called once for all of them.
///
/// # Errors
/// Those of `collect`.
pub fn collect_swept(store: &dyn Store, name: &TableName, older_than: Duration) -> Result<Collected> {
    let layout = Layout::new(name);
    let was_begun = repeated(|| store.sweep(layout.dir()))?;
    let versions = Versions::list(store, &layout)?;
    if versions.latest().is_some() {
        let before = unix_seconds().saturating_sub(older_than.as_secs());
        let collected = collect_before(store, name, before)?;
        for id in list_generations(store, &layout)? {
            sweep_generation(store, &layout, id)?;
        }
        return Ok(collected);
    }
    if !has_leftovers(store, &layout, &versions)? {
        // A writer was killed before its first file had its name, or a removal before its last step. Nobody loses by an empty
        // directory, and who begins to write makes it again.
        remove_empty(store, &layout)?;
        return Ok(Collected { writers: u64::from(was_begun), ..Collected::default() });
    }
    let collected = collect_before(store, name, 0)?;
    remove_empty(store, &layout)?;
    Ok(collected)
}

/// Deletes what killed writers left unfinished among the files of a generation.
pub(super) fn sweep_generation(store: &dyn Store, layout: &Layout, id: GenerationId) -> Result<()> {
    layout.dirs(id).iter().try_for_each(|dir| repeated(|| store.sweep(dir)).map(drop))
}

/// Clears a table's directory as far as that goes; what stays is left to the next writing command.
pub(super) fn collect_quietly(store: &dyn Store, name: &TableName) {
    let before = unix_seconds().saturating_sub(KEPT.as_secs());
    if let Err(error) = collect_before(store, name, before) {
        tracing::warn!(table = %name, %error, "old generations stay until the next writing command");
    }
}

/// Deletes the pending files of dead writers, the manifests of before the history and those that were followed by another
/// before the second `before` of 1970, and the generations that nothing names.
///
/// A generation is made after its pending file, so generations are listed first. What the latest manifest of the first
/// look names stays, whatever the second one shows: others may replace and collect that manifest between the two.
pub(super) fn collect_before(store: &dyn Store, name: &TableName, before: u64) -> Result<Collected> {
    let mut collected = Collected::default();
    for _ in 0..TRIES {
        if collect_once(store, name, before, &mut collected)? {
            return Ok(collected);
        }
    }
    // Whoever keeps replacing the table collects too.
    Ok(collected)
}

/// False where the latest manifest was replaced meanwhile, so that nobody knows what it named.
fn collect_once(store: &dyn Store, name: &TableName, before: u64, collected: &mut Collected) -> Result<bool> {
    let layout = Layout::new(name);
    for dir in [layout.dir(), &layout.generations()] {
        repeated(|| store.sweep(dir))?;
    }
    let generations = list_generations(store, &layout)?;
    let mut kept = Kept::default();
    let first = Versions::list(store, &layout)?;
    for id in &first.pendings {
        collected.writers += u64::from(collect_pending(store, name, &layout.pending(*id), &mut kept)?);
    }
    if let Some(number) = first.latest() {
        let Some(manifest) = read_if_there(store, name, &layout.manifest(number))? else { return Ok(false) };
        let since = manifest.since;
        kept.add(Some(manifest));
        for number in past(store, name, &first.manifests, since, before)? {
            collected.versions += u64::from(collect_manifest(store, &layout, number, &kept)?);
        }
    }
    let second = Versions::list(store, &layout)?;
    for id in &second.pendings {
        kept.add(read_if_there(store, name, &layout.pending(*id))?);
    }
    for number in &second.manifests {
        kept.add(read_if_there(store, name, &layout.manifest(*number))?);
    }
    let garbage: Vec<_> = generations.difference(&kept.generations).collect();
    if !garbage.is_empty() {
        // Manifests that came back after a power loss would name what is not there.
        sync_if_there(store, &layout)?;
    }
    for id in garbage {
        delete_generation(store, &layout, *id)?;
        collected.generations += 1;
    }
    Ok(true)
}

/// Which of the versions `numbers`, of which the last is the table, are over: those of before its history, those that were
/// followed by another before the second `before` of 1970, and all but the last many.
fn past(store: &dyn Store, name: &TableName, numbers: &[u64], since: u64, before: u64) -> Result<Vec<u64>> {
    let layout = Layout::new(name);
    let many = numbers.len().saturating_sub(VERSIONS_MAX);
    let mut past = Vec::new();
    for (place, pair) in numbers.windows(2).enumerate() {
        let is_over = pair[0] < since || place < many || {
            let follower = read_if_there(store, name, &layout.manifest(pair[1]))?;
            follower.is_none_or(|follower| follower.created_unix <= before)
        };
        if is_over {
            past.push(pair[0]);
        }
    }
    Ok(past)
}

/// Deletes a generation, and its index after it.
pub(super) fn delete_generation(store: &dyn Store, layout: &Layout, id: GenerationId) -> Result<()> {
    repeated(|| store.delete_all(&layout.generation(id)))?;
    repeated(|| store.delete(&layout.index(id)))
}

/// Makes the deletions in a table's directory durable.
pub(super) fn sync_if_there(store: &dyn Store, layout: &Layout) -> Result<()> {
    match store.sync(layout.dir()) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Locks a file for itself; `None` where others hold it or it is gone.
fn lock_exclusively(store: &dyn Store, path: &StorePath) -> Result<Option<Box<dyn LockGuard>>> {
    match store.lock(path, Lock::Exclusive) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        other => other,
    }
}

/// Deletes a file that is locked: a process that slept may have lost the lock, and somebody else have it.
pub(super) fn delete_locked(store: &dyn Store, path: &StorePath, lock: &dyn LockGuard) -> Result<()> {
    repeated(|| {
        if lock.is_held() {
            return store.delete(path);
        }
        let message =
            format!("cannot delete {path}: the lock of it was lost while this process slept; try again");
        Err(Error::new(ErrorKind::Conflict, message))
    })
}

/// What must stay.
#[derive(Debug, Default)]
struct Kept {
    generations: BTreeSet<GenerationId>,
    /// The numbers that live writers want to commit. A manifest that has one stays, so that they see their conflict.
    wanted: BTreeSet<u64>,
}

impl Kept {
    fn add(&mut self, manifest: Option<Manifest>) {
        if let Some(manifest) = manifest {
            self.generations.extend(manifest.generations());
        }
    }
}

/// Whether it deleted the pending file.
fn collect_pending(store: &dyn Store, name: &TableName, path: &StorePath, kept: &mut Kept) -> Result<bool> {
    if let Some(lock) = lock_exclusively(store, path)? {
        return delete_locked(store, path, &*lock).map(|()| true);
    }
    let manifest = read_if_there(store, name, path)?;
    kept.wanted.extend(manifest.as_ref().map(|manifest| manifest.number));
    kept.add(manifest);
    Ok(false)
}

/// Whether it deleted the manifest.
fn collect_manifest(store: &dyn Store, layout: &Layout, number: u64, kept: &Kept) -> Result<bool> {
    let path = layout.manifest(number);
    if kept.wanted.contains(&number) {
        return Ok(false);
    }
    match lock_exclusively(store, &path)? {
        Some(lock) => delete_locked(store, &path, &*lock).map(|()| true),
        None => Ok(false),
    }
}

fn list_generations(store: &dyn Store, layout: &Layout) -> Result<BTreeSet<GenerationId>> {
    match store.list(&layout.generations()) {
        Ok(entries) => Ok(entries.iter().filter_map(|entry| generation_of(&entry.name)).collect()),
        // Something foreign may have the name.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => Ok(BTreeSet::new()),
        Err(e) => Err(e),
    }
}

/// A manifest or pending file, where it is there.
pub(super) fn read_if_there(
    store: &dyn Store,
    name: &TableName,
    path: &StorePath,
) -> Result<Option<Manifest>> {
    match read_manifest(store, path, name) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
