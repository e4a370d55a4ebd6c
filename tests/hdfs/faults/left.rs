//! What lies in a store and is named by nothing: asked of the NameNode, not of the command.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Bench;
use crate::generations::generations_in;

/// Where the store of the cases lies.
const ROOT: &str = "/faults";
/// Directories that stay, and are empty then.
const OWN: [&str; 3] = ["/.hama", "/.hama/locks", "/.hama/sessions"];

impl Bench {
    /// Runs `gc`, and checks that the store then holds what its manifests name and nothing else.
    pub(super) fn is_clean(&self) -> Result<(), String> {
        self.place.ok("matrix gc")?;
        let mut files = self.files(ROOT)?;
        files.retain(|file| !OWN.iter().any(|own| file.strip_prefix(ROOT) == Some(own)));
        let named = self.named(&files)?;
        if let Some(missing) = named.iter().find(|name| !files.contains(name)) {
            return Err(format!("{missing} is named and not there"));
        }
        let left: Vec<&String> = files.iter().filter(|file| !named.contains(*file)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("left behind after gc: {left:?}")) }
    }

    /// The unfinished files in the store.
    pub(super) fn unfinished(&self) -> Result<usize, String> {
        Ok(self.files(ROOT)?.iter().filter(|file| file.contains("/.hama-part-")).count())
    }

    /// All files below a directory of HDFS, and those directories that are empty.
    pub(super) fn files(&self, path: &str) -> Result<Vec<String>, String> {
        let mut files = Vec::new();
        self.walk(path, &mut files)?;
        Ok(files)
    }

    /// A request of WebHDFS that must go well, in the name of who may everything.
    pub(super) fn ask(&self, method: &str, path: &str, query: &str) -> Result<Value, String> {
        let query = format!("{query}&user.name={}", user());
        let asked = || self.hdfs.webhdfs(method, path, &query, &[]).map(|reply| reply.json());
        // A DataNode learns by that error that its connection to a NameNode that was killed is gone.
        asked().or_else(|why| if why.contains("EOFException") { asked() } else { Err(why) })
    }

    fn walk(&self, path: &str, into: &mut Vec<String>) -> Result<(), String> {
        let found = match self.ask("GET", path, "op=LISTSTATUS") {
            // It went meanwhile.
            Err(message) if message.contains("FileNotFoundException") => return Ok(()),
            found => found?,
        };
        let entries = found["FileStatuses"]["FileStatus"].as_array().cloned().unwrap_or_default();
        if entries.is_empty() {
            into.push(path.to_owned());
        }
        for entry in entries {
            let below = format!("{path}/{}", entry["pathSuffix"].as_str().unwrap_or_default());
            match entry["type"].as_str() {
                Some("DIRECTORY") => self.walk(&below, into)?,
                _ => into.push(below),
            }
        }
        Ok(())
    }

    /// What the manifests among `files` name, and they themselves.
    fn named(&self, files: &[String]) -> Result<BTreeSet<String>, String> {
        let mut named = BTreeSet::new();
        let mut generations = BTreeMap::new();
        for manifest in files.iter().filter(|file| file.contains("/manifest-")) {
            let (table, _) = manifest.rsplit_once('/').unwrap_or_default();
            let mut ids = BTreeSet::new();
            generations_in(&self.read(manifest)?["body"], &mut ids);
            generations.extend(ids.into_iter().map(|id| (id, table.to_owned())));
            named.insert(manifest.clone());
        }
        for (id, table) in generations {
            let index = format!("{table}/generations/{id}.json");
            for shard in self.read(&index)?["body"]["shards"].as_array().into_iter().flatten() {
                named.insert(format!("{table}/{}", shard["file"].as_str().unwrap_or_default()));
            }
            let home = format!("{table}/generations/{id}");
            named.extend([index, format!("{home}/zarr.json"), format!("{home}/values/zarr.json")]);
        }
        Ok(named)
    }

    fn read(&self, path: &str) -> Result<Value, String> {
        let document = self.ask("GET", path, "op=OPEN")?;
        if document.is_null() { Err(format!("cannot read {path}")) } else { Ok(document) }
    }
}

/// Whom the servers let do everything: who started them.
pub(super) fn user() -> String {
    let output = std::process::Command::new("id").arg("-un").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
