//! What sessions and locks ask of the NameNode, so that they can be tested without one.

use std::fmt::Debug;

use hama_core::Result;

use crate::path::StorePath;

/// The names in an HDFS, below the store's directory. Each call is one step there, or two for [`put`](Namespace::put) and
/// three for [`renew`](Namespace::renew).
pub(super) trait Namespace: Send + Sync + Debug {
    /// Makes an empty file in place of what has the name, and the directories above it. Its time is the NameNode's.
    fn put(&self, path: &StorePath) -> Result<()>;

    /// Makes an empty file anew, so that its time is now. False where it is not there: nothing is made then.
    fn renew(&self, path: &StorePath) -> Result<bool>;

    /// Makes a directory with those above it; fine where it is there.
    fn make_dir(&self, path: &StorePath) -> Result<()>;

    /// All that lies in a directory, what other listings hide too. `NotFound` where it is not there.
    fn entries(&self, dir: &StorePath) -> Result<Vec<Named>>;

    /// Whether something has the name.
    fn exists(&self, path: &StorePath) -> Result<bool>;

    /// Removes a file, also an unfinished one, or an empty directory; fine where nothing is there. `Invalid` where it is a
    /// directory with something in it.
    fn remove(&self, path: &StorePath) -> Result<()>;
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Its name there.
    pub(super) name: String,
    /// When it was made or changed, in milliseconds by the NameNode's clock.
    pub(super) modified_ms: u64,
}

#[cfg(test)]
pub(super) mod fake;
