//! Nodes and changes of them, as data.

use crate::error::{Error, Result};

/// The most bytes of one call. Servers close a connection on which more than 1 MiB comes in one piece.
pub(crate) const CALL_BYTES_MAX: usize = (1 << 20) - (16 << 10);

/// What a node adds to the bytes of its path and data, at most.
const OPERATION_BYTES: usize = 128;

/// How long a node stays.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stay {
    /// Until it is deleted.
    Forever,
    /// Until the session ends.
    Session,
    /// Until the last of its children is gone, and some minutes.
    Children,
}

/// A change of one node.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create {
        path: String,
        data: Vec<u8>,
        stay: Stay,
    },
    Set {
        path: String,
        data: Vec<u8>,
        version: Option<i32>,
    },
    Delete {
        path: String,
    },
    DeleteVersion {
        path: String,
        version: i32,
    },
    /// No change: all others are made only where the node has this version.
    Check {
        path: String,
        version: i32,
    },
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) data: Vec<u8>,
    /// How often it was set.
    pub(crate) version: i32,
    /// Whether this session made it, for its time.
    pub(crate) is_ours: bool,
}

/// Fails where servers would close the connection because of so many bytes.
pub(super) fn check_size(what: &str, changes: &[Change]) -> Result<()> {
    let bytes = |change: &Change| {
        OPERATION_BYTES
            + match change {
                Change::Create { path, data, .. } | Change::Set { path, data, .. } => path.len() + data.len(),
                Change::Delete { path } | Change::DeleteVersion { path, .. } | Change::Check { path, .. } => {
                    path.len()
                }
            }
    };
    let bytes: usize = changes.iter().map(bytes).sum();
    if bytes <= CALL_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what}: ZooKeeper takes {CALL_BYTES_MAX} bytes in one call, these are {bytes}"
    )))
}
