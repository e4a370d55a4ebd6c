//! How much of what came to a peer from outside was refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of what a peer refused. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refused(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    #[cfg(any(test, feature = "testing", feature = "cluster"))]
    connections: AtomicU64,
    frames: AtomicU64,
}

impl Refused {
    /// A frame was damaged, or not wanted: a double, one of another route, one far ahead.
    pub(crate) fn frame(&self) {
        self.0.frames.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(any(test, feature = "testing", feature = "cluster"))]
impl Refused {
    /// Somebody who connected did not prove to be a peer that is expected.
    pub(crate) fn connection(&self) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were refused.
    pub(crate) fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// How many frames were refused.
    pub(crate) fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }
}
