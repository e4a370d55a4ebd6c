//! What a groom says to the master: that it is there, and then, again and again, how its tasks are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::model::bounds;
use crate::cluster::model::ids::{Epoch, GroomId, Session, TaskId, validate_host};
use crate::cluster::model::task::TaskStatus;
use crate::error::{Error, Result};
use crate::ids::Host;

/// What a groom asks. Each request has one answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    Register(Registration),
    Report(Report),
}

/// What a groom offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroomInfo {
    pub(crate) host: Host,
    /// The address that its peers are to listen on.
    pub(crate) address: String,
    pub(crate) slots: u32,
    /// The memory that it has for peers.
    pub(crate) memory_bytes: u64,
    pub(crate) rack: Option<String>,
    pub(crate) version: String,
    /// What programs want to know of its host.
    pub(crate) labels: BTreeMap<String, String>,
}

/// What a groom was told that takes no more tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drained {
    /// It ends when it has none.
    pub(crate) stop: bool,
}

/// A groom opens a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) groom: GroomId,
    pub(crate) session: Session,
    /// The greatest that it has seen.
    pub(crate) epoch: Epoch,
    pub(crate) info: GroomInfo,
    /// It was told to take no more tasks, and perhaps that it ends when it has none.
    pub(crate) draining: Option<Drained>,
    /// All tasks that it was told to launch and not yet to forget.
    pub(crate) tasks: Vec<Held>,
}

/// A task that a groom has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) task: TaskId,
    pub(crate) memory_bytes: u64,
}

/// All that a groom has to say at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) groom: GroomId,
    pub(crate) session: Session,
    /// The greatest that it has seen.
    pub(crate) epoch: Epoch,
    /// The report's number in its session, from 1.
    pub(crate) sequence: u64,
    /// The last action of the session that it did.
    pub(crate) seen: u64,
    /// The memory that nobody on its host uses now.
    pub(crate) free_memory_bytes: u64,
    /// The load of its host, in hundredths of a busy core.
    pub(crate) load_percent: u32,
    /// All tasks that it was told to launch and not yet to forget. What does not fit any more under
    /// [`PART_BYTES_MAX`](bounds::PART_BYTES_MAX) ends in a later report.
    pub(crate) tasks: Vec<TaskReport>,
}

/// How a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskReport {
    pub(crate) task: TaskId,
    /// Where its peer listens, from [`TaskStatus::Ready`] on.
    pub(crate) addresses: Vec<String>,
    pub(crate) status: TaskStatus,
}

impl GroomInfo {
    /// Whether it can be a groom.
    pub(crate) fn validate(&self) -> Result<()> {
        validate_host(&self.host)?;
        bounds::text("the data address of a groom", &self.address, bounds::ADDRESS_BYTES_MAX)?;
        bounds::between("the slots of a groom", u64::from(self.slots), 1, u64::from(bounds::SLOTS_MAX))?;
        bounds::between("the memory of a groom in bytes", self.memory_bytes, 1, bounds::MEMORY_BYTES_MAX)?;
        bounds::text("the version of a groom", &self.version, bounds::NAME_BYTES_MAX)?;
        bounds::at_most("a groom, in labels,", self.labels.len(), bounds::LABELS_MAX)?;
        for text in self.labels.iter().flat_map(|(name, label)| [name, label]) {
            bounds::text("a label of a groom", text, bounds::NAME_BYTES_MAX)?;
        }
        let rack = self.rack.as_ref();
        rack.map_or(Ok(()), |rack| bounds::text("the rack of a groom", rack, bounds::NAME_BYTES_MAX))
    }
}

impl Request {
    /// Whether a groom can have said that.
    ///
    /// # Errors
    /// `Invalid`, naming what cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        match self {
            Request::Register(registration) => registration.validate(),
            Request::Report(report) => report.validate(),
        }
    }
}

impl Registration {
    fn validate(&self) -> Result<()> {
        self.groom.validate()?;
        self.info.validate()?;
        bounds::at_most("a registration, in tasks,", self.tasks.len(), bounds::TASKS_MAX)?;
        self.tasks.iter().try_for_each(|held| {
            bounds::between("the memory of a task in bytes", held.memory_bytes, 0, bounds::MEMORY_BYTES_MAX)
        })
    }
}

impl Report {
    fn validate(&self) -> Result<()> {
        self.groom.validate()?;
        bounds::at_most("a report, in tasks,", self.tasks.len(), bounds::TASKS_MAX)?;
        self.tasks.iter().try_for_each(TaskReport::validate)
    }
}

impl TaskReport {
    fn validate(&self) -> Result<()> {
        validate_addresses(&self.addresses)?;
        if self.addresses.is_empty() && matches!(self.status, TaskStatus::Ready | TaskStatus::Running { .. })
        {
            return Err(Error::invalid(format!("{} is ready and listens nowhere", self.task)));
        }
        self.status.validate()
    }
}

/// Whether a peer can listen there.
///
/// # Errors
/// `Invalid` where there are too many, or one is too long or cannot be printed.
pub(crate) fn validate_addresses(addresses: &[String]) -> Result<()> {
    bounds::at_most("a peer, in addresses,", addresses.len(), bounds::ADDRESSES_MAX)?;
    addresses
        .iter()
        .try_for_each(|address| bounds::text("an address of a peer", address, bounds::ADDRESS_BYTES_MAX))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids::{JobId, PeerId};

    /// A groom on a host, with so many slots and so many GiB.
    pub(crate) fn info(host: &str, slots: u32, memory_gib: u64) -> GroomInfo {
        GroomInfo {
            host: Host::new(host),
            address: format!("{host}:0"),
            slots,
            memory_bytes: memory_gib << 30,
            rack: None,
            version: "0.1.0".to_owned(),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn offers_that_cannot_be_are_named() {
        let labels =
            |count: u32, label: &str| (0..count).map(|i| (i.to_string(), label.to_owned())).collect();
        assert!(info("dn1", 1, 1).validate().is_ok());
        assert!(GroomInfo { labels: labels(16, "x"), ..info("dn1", 1, 1) }.validate().is_ok());
        for (wrong, says) in [
            (info("d n", 1, 1), "d n"),
            (info("dn1", 0, 1), "slots"),
            (info("dn1", 1025, 1), "1025"),
            (info("dn1", 1, 0), "memory"),
            (GroomInfo { address: String::new(), ..info("dn1", 1, 1) }, "address"),
            (GroomInfo { version: "\n".to_owned(), ..info("dn1", 1, 1) }, "version"),
            (GroomInfo { labels: labels(17, "x"), ..info("dn1", 1, 1) }, "16 is the most"),
            (GroomInfo { labels: labels(1, "x\n"), ..info("dn1", 1, 1) }, "label"),
            (GroomInfo { rack: Some("x".repeat(256)), ..info("dn1", 1, 1) }, "rack"),
        ] {
            let error = wrong.validate().unwrap_err();
            assert!(error.message().contains(says), "{error} does not say {says}");
        }
    }

    #[test]
    fn requests_are_bounded() {
        let run = JobId::from_bytes([1; 16]);
        let task = TaskId { job: run, peer: PeerId::from_index(0), attempt: 0 };
        let session = Session { start: 1, number: 1 };
        let report = |tasks| {
            Request::Report(Report {
                groom: "g".parse().unwrap(),
                session,
                epoch: Epoch(1),
                sequence: 1,
                seen: 0,
                free_memory_bytes: 0,
                load_percent: 0,
                tasks,
            })
        };
        let at = |addresses: &[&str]| TaskReport {
            task,
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            status: TaskStatus::Ready,
        };
        assert!(report(vec![at(&["unix:/a", "10.0.0.1:7"])]).validate().is_ok());
        assert!(report(vec![at(&[""])]).validate().is_err());
        assert!(report(vec![at(&["a", "b", "c", "d", "e"])]).validate().is_err());
        assert!(report(vec![at(&[])]).validate().is_err());
        assert!(report(vec![at(&["a"]); bounds::TASKS_MAX + 1]).validate().is_err());
        let register = |memory_bytes, count| {
            Request::Register(Registration {
                groom: "g".parse().unwrap(),
                session,
                epoch: Epoch(1),
                info: info("dn1", 1, 1),
                draining: None,
                tasks: vec![Held { task, memory_bytes }; count],
            })
        };
        assert!(register(1, 2).validate().is_ok());
        assert!(register(u64::MAX, 1).validate().is_err());
        assert!(register(1, bounds::TASKS_MAX + 1).validate().is_err());
    }
}
