//! The names of a store in HDFS: what is asked of the NameNode about directories and files.

use std::sync::Arc;

use hama_core::{Error, ErrorKind, Result};
use hdfs_native::client::FileStatus;

use super::call::NameNode;
use crate::path::StorePath;

const DIRECTORY_MODE: u32 = 0o755;

/// The names below the directory of a store.
#[derive(Debug)]
pub(super) struct Names {
    namenode: Arc<NameNode>,
    /// The directory in HDFS, `/` or `/a/b`.
    root: String,
}

impl Names {
    pub(super) fn new(namenode: Arc<NameNode>, root: String) -> Names {
        Names { namenode, root }
    }

    pub(super) fn namenode(&self) -> &Arc<NameNode> {
        &self.namenode
    }

    /// The path in HDFS.
    pub(super) fn full(&self, path: &StorePath) -> String {
        let root = self.root.trim_end_matches('/');
        match path.as_str() {
            "" => self.root.clone(),
            inside => format!("{root}/{inside}"),
        }
    }

    /// The path as errors name it.
    pub(super) fn shown(&self, path: &StorePath) -> String {
        format!("hdfs://{}{}", self.namenode.configuration().place.address(), self.full(path))
    }

    /// Makes a directory with those above it; fine where it is there.
    pub(super) fn make_directory(&self, path: &StorePath) -> Result<()> {
        let full = self.full(path);
        self.namenode.repeat(
            || format!("cannot make the directory {}", self.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.mkdirs(&full, DIRECTORY_MODE, true).await }
            },
        )
    }

    /// What has a name.
    pub(super) fn look(&self, path: &StorePath) -> Result<FileStatus> {
        let full = self.full(path);
        self.namenode.repeat(
            || format!("cannot find {}", self.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.get_file_info(&full).await }
            },
        )
    }

    /// All that lies in a directory, each with its name.
    pub(super) fn entries(&self, dir: &StorePath) -> Result<Vec<(String, FileStatus)>> {
        let full = self.full(dir);
        let asked = full.clone();
        let found = self.namenode.repeat(
            || format!("cannot list {}", self.shown(dir)),
            move |client| {
                let asked = asked.clone();
                async move { client.list_status(&asked, false).await }
            },
        )?;
        // A file is listed as the only thing in itself.
        if let [only] = &found[..]
            && !only.isdir
            && only.path == full
        {
            return Err(Error::invalid(format!("cannot list {}: it is a file", self.shown(dir))));
        }
        let name = |status: &FileStatus| status.path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(found.into_iter().map(|status| (name(&status), status)).collect())
    }

    /// Gives a file another name, which nothing has.
    pub(super) fn rename(&self, from: &StorePath, to: &StorePath) -> Result<()> {
        let (full_from, full_to) = (self.full(from), self.full(to));
        self.namenode.change(
            || format!("cannot rename {} to {to}", self.shown(from)),
            move |client| {
                let (from, to) = (full_from.clone(), full_to.clone());
                async move { client.rename(&from, &to, false).await }
            },
        )
    }

    /// Deletes a file or a directory, with all that is in it where `all` says so; fine where nothing is there.
    pub(super) fn delete(&self, path: &StorePath, all: bool) -> Result<()> {
        let full = self.full(path);
        let deleted = self.namenode.repeat(
            || format!("cannot delete {}", self.shown(path)),
            move |client| {
                let full = full.clone();
                async move { client.delete(&full, all).await }
            },
        );
        match deleted {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}
