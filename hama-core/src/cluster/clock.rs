//! The clock of a daemon: the time of the day when it started, and the monotonic one from there.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cluster::model::ids::Moment;

/// A clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    since: Duration,
    started: Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { since, started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(u64::try_from((self.since + self.started.elapsed()).as_millis()).unwrap_or(u64::MAX))
    }
}
