//! Files in a table's directory that no manifest and no index names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::generations::generations_in;

/// All that lies below a table's directory and is not named; empty where there is no table and no directory.
///
/// # Errors
/// What is named and not there, such as the directory of a table that is there: then we look at another store than the
/// commands.
pub(crate) fn strays(store: &Path, table: &str, is_there: bool) -> Result<Vec<PathBuf>, String> {
    let folder = store.join(table);
    let mut found = Vec::new();
    walk(&folder, &mut found);
    match (folder.exists(), is_there) {
        (true, _) => {}
        (false, false) => return Ok(found),
        (false, true) => {
            return Err(format!("table {table} is there, and its folder {} is not", folder.display()));
        }
    }
    let named = named(&folder)?;
    if let Some(missing) = named.iter().find(|path| fs::symlink_metadata(path).is_err()) {
        return Err(format!("{} is named and not there", missing.display()));
    }
    // A folder is named by what is in it.
    found.retain(|path| !named.iter().any(|named| named.starts_with(path)));
    Ok(found)
}

fn named(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut named = BTreeSet::new();
    let mut generations = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("manifest-") {
            named.insert(entry.path());
            generations_in(&read(&entry.path())?["body"], &mut generations);
        }
    }
    if !named.is_empty() {
        named.insert(folder.join("current"));
    }
    for generation in generations {
        let index = folder.join(format!("generations/{generation}.json"));
        let home = folder.join(format!("generations/{generation}"));
        for shard in read(&index)?["body"]["shards"].as_array().into_iter().flatten() {
            named.insert(folder.join(shard["file"].as_str().unwrap_or_default()));
        }
        named.extend([index, home.join("zarr.json"), home.join("values/zarr.json")]);
        // Coordinate arrays: a chunk each. Those of placed copies have none.
        for labels in ["row", "column"].map(|name| home.join(name)).iter().filter(|labels| labels.exists()) {
            named.extend([labels.join("zarr.json"), labels.join("c.0")]);
        }
    }
    Ok(named)
}

fn read(path: &Path) -> Result<Value, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), found);
        }
    }
}
