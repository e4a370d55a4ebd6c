//! What things of the cluster are called, and which comes before which.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::model::bounds::{self, NAME_BYTES_MAX};
use crate::error::{Error, Result};
use crate::ids::{Host, JobId, PeerId};

/// A groom, by the name that its operator gives it: it stays when the groom is started again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct GroomId(Arc<str>);

impl GroomId {
    /// Whether it is a name, which those that come from elsewhere need not be.
    pub(crate) fn validate(&self) -> Result<()> {
        let fits = (1..=NAME_BYTES_MAX).contains(&self.0.len());
        if fits && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b)) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "cannot take {:?} as the name of a groom: it is 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 - _ . : [ ]",
            bounds::start_of(&self.0)
        )))
    }
}

impl FromStr for GroomId {
    type Err = Error;

    fn from_str(text: &str) -> Result<GroomId> {
        let id = GroomId(text.into());
        id.validate().map(|()| id)
    }
}

impl fmt::Display for GroomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One try to run a job. Its tasks are launched, connected, killed and forgotten together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct RunId {
    pub(crate) job: JobId,
    /// How often the job was started before.
    pub(crate) attempt: u32,
}

impl RunId {
    /// The task of this run for a peer.
    pub(crate) fn task(self, peer: PeerId) -> TaskId {
        TaskId { job: self.job, peer, attempt: self.attempt }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} attempt {}", self.job, self.attempt)
    }
}

/// A peer of one attempt of a job: what becomes a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct TaskId {
    pub(crate) job: JobId,
    pub(crate) peer: PeerId,
    pub(crate) attempt: u32,
}

impl TaskId {
    /// The run that it is part of.
    pub(crate) fn run(self) -> RunId {
        RunId { job: self.job, attempt: self.attempt }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {} of {}", self.peer, self.run())
    }
}

/// The term of a master: each that leads has a greater one than all before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Epoch(pub(crate) u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One registration of a groom. Reports, and the numbers of reports and actions, are of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Session {
    /// When the groom's process was started, in milliseconds since 1970: tasks do not outlive it.
    pub(crate) start: u64,
    /// How often this process has registered.
    pub(crate) number: u64,
}

/// The SHA-256 of an executable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the peers of a job know each other by. It is never printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A moment, in milliseconds since 1970: by the wall clock when a daemon started, by the monotonic clock from there, so
/// that it never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// The time from `earlier` until then, none when that is later.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// So much later.
    pub(crate) fn after(self, time: Duration) -> Moment {
        Moment(self.0.saturating_add(time.as_millis() as u64))
    }
}

/// Whether a host that came from elsewhere has a name.
pub(crate) fn validate_host(host: &Host) -> Result<()> {
    host.name().parse::<Host>().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_grooms_are_read() {
        for name in ["dn1", "node-7.rack_2:9000", "[::1]:1", &"x".repeat(255)] {
            assert_eq!(name.parse::<GroomId>().unwrap().to_string(), *name);
        }
        for wrong in ["", " ", "a b", "a/b", "..\u{0}", "h\u{f6}st", &"\u{f6}".repeat(1 << 20)] {
            assert!(wrong.parse::<GroomId>().unwrap_err().message().len() < 500, "{wrong}");
        }
    }

    #[test]
    fn sessions_are_ordered_by_process_and_then_by_number() {
        let session = |start, number| Session { start, number };
        assert!(session(1, 9) < session(2, 1) && session(2, 1) < session(2, 2));
    }

    #[test]
    fn moments_do_not_overflow() {
        assert_eq!(Moment(u64::MAX).after(Duration::MAX), Moment(u64::MAX));
        assert_eq!(Moment(5).since(Moment(7)), Duration::ZERO);
        assert_eq!(Moment(9).since(Moment(7)), Duration::from_millis(2));
    }

    #[test]
    fn a_secret_is_not_printed_and_a_digest_is() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret");
        assert_eq!(Digest([0xab; 32]).to_string(), "ab".repeat(32));
    }
}
