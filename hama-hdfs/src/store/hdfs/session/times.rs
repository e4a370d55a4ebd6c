//! How often sessions are renewed, and how long they last.

use std::time::Duration;

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::hdfs) struct Times {
    /// How often a session is renewed.
    pub(in crate::store::hdfs) renewal: Duration,
    /// How long after its last renewal it is dead.
    pub(in crate::store::hdfs) lease: Duration,
    /// How long who lets a lock go, or the store, waits until that is done.
    pub(in crate::store::hdfs) release: Duration,
}

impl Default for Times {
    fn default() -> Times {
        let lease = lease();
        Times { renewal: lease / 6, lease, release: Duration::from_secs(2) }
    }
}

/// How long after its last renewal a session is dead. All who share a store have to agree in that.
#[cfg(not(feature = "testing"))]
fn lease() -> Duration {
    Duration::from_secs(60)
}

/// The same, which tests shorten.
#[cfg(feature = "testing")]
fn lease() -> Duration {
    Duration::from_millis(LEASE_MS.load(std::sync::atomic::Ordering::Relaxed))
}

#[cfg(feature = "testing")]
static LEASE_MS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(60_000);

#[cfg(feature = "testing")]
pub(crate) fn set_hdfs_lease_ms(ms: u64) {
    LEASE_MS.store(ms, std::sync::atomic::Ordering::Relaxed);
}
