//! Clears what no manifest names and no lock covers.

use std::collections::BTreeSet;

use hama_core::{ErrorKind, Result};

use super::files::{TRIES, repeated};
use super::layout::{Layout, generation_of};
use super::versions::{Versions, read_manifest};
use crate::generation::GenerationId;
use crate::manifest::Manifest;
use crate::name::TableName;
use crate::path::StorePath;
use crate::store::{Lock, LockGuard, Store};

/// Clears a table's directory as far as that goes; what stays is left to the next writing command.
pub(super) fn collect_quietly(store: &dyn Store, name: &TableName) {
    if let Err(error) = collect(store, name) {
        tracing::warn!(table = %name, %error, "old generations stay until the next writing command");
    }
}

/// Deletes the pending files of dead writers, the manifests before the latest, and the generations that nothing names.
///
/// A generation is made after its pending file, so generations are listed first. What the latest manifest of the first
/// look names stays, whatever the second one shows: others may replace and collect that manifest between the two.
pub(super) fn collect(store: &dyn Store, name: &TableName) -> Result<()> {
    for _ in 0..TRIES {
        if collect_once(store, name)? {
            return Ok(());
        }
    }
    // Whoever keeps replacing the table collects too.
    Ok(())
}

/// False where the latest manifest was replaced meanwhile, so that nobody knows what it named.
fn collect_once(store: &dyn Store, name: &TableName) -> Result<bool> {
    let layout = Layout::new(name);
    for dir in [layout.dir(), &layout.generations()] {
        repeated(|| store.sweep(dir))?;
    }
    let generations = list_generations(store, &layout)?;
    let mut kept = Kept::default();
    let first = Versions::list(store, &layout)?;
    for id in &first.pendings {
        collect_pending(store, name, &layout.pending(*id), &mut kept)?;
    }
    let latest = first.latest();
    if let Some(number) = latest {
        let Some(manifest) = read_if_there(store, name, &layout.manifest(number))? else { return Ok(false) };
        kept.add(Some(manifest));
    }
    for number in first.manifests.iter().filter(|number| Some(**number) != latest) {
        collect_manifest(store, &layout, *number, &kept)?;
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
    }
    Ok(true)
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
            self.generations.insert(manifest.generation);
            self.generations.extend(manifest.copies.iter().map(|copy| copy.generation));
        }
    }
}

fn collect_pending(store: &dyn Store, name: &TableName, path: &StorePath, kept: &mut Kept) -> Result<()> {
    if let Some(_lock) = lock_exclusively(store, path)? {
        return repeated(|| store.delete(path));
    }
    let manifest = read_if_there(store, name, path)?;
    kept.wanted.extend(manifest.as_ref().map(|manifest| manifest.number));
    kept.add(manifest);
    Ok(())
}

fn collect_manifest(store: &dyn Store, layout: &Layout, number: u64, kept: &Kept) -> Result<()> {
    let path = layout.manifest(number);
    if kept.wanted.contains(&number) {
        return Ok(());
    }
    match lock_exclusively(store, &path)? {
        Some(_lock) => repeated(|| store.delete(&path)),
        None => Ok(()),
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
