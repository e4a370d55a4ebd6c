//! The clock of this host, which only its own sessions are measured by.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What tells how long ago something was.
#[derive(Clone, Debug)]
pub(in crate::store::hdfs) enum Clock {
    /// That of the kernel since its boot; it goes on while the host sleeps.
    Boot,
    /// One that a test sets, in milliseconds.
    #[cfg(test)]
    Set(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

impl Clock {
    pub(super) fn now(&self) -> Duration {
        match self {
            Clock::Boot => {
                let now = clock_gettime(ClockId::Boottime);
                Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
            }
            #[cfg(test)]
            Clock::Set(ms) => Duration::from_millis(ms.load(std::sync::atomic::Ordering::SeqCst)),
        }
    }

    pub(super) fn wait(&self, time: Duration) {
        match self {
            Clock::Boot => std::thread::sleep(time),
            #[cfg(test)]
            Clock::Set(ms) => {
                let time = u64::try_from(time.as_millis()).unwrap();
                ms.fetch_add(time, std::sync::atomic::Ordering::SeqCst);
            }
        }
    }
}
