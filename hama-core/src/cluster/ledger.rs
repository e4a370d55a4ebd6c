//! What the leading master has to know again after its end: a small record of each live job.
//!
//! Each is a node below `jobs`. Every change is a multi with a check of the leader's epoch: one who led before changes
//! nothing any more, however late its change arrives.

use crate::cluster::leader::Epoch;
use crate::cluster::zookeeper::{Change, Fault, Stay, ZooKeeper};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::JobId;

const JOBS: &str = "/jobs";

/// The most bytes of a record.
pub(crate) const RECORD_BYTES_MAX: usize = 256 << 10;

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
}

/// How often a record was put: a change says which one it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version(i32);

/// The records, for one leader.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    zookeeper: ZooKeeper,
    epoch: Epoch,
}

impl Ledger {
    /// Those of a leader with this epoch.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn open(zookeeper: &ZooKeeper, epoch: Epoch) -> Result<Ledger> {
        zookeeper.ensure(JOBS).await?;
        Ok(Ledger { zookeeper: zookeeper.clone(), epoch })
    }

    /// The jobs that have records, sorted.
    ///
    /// # Errors
    /// `Unavailable` when the session ends; `Data` for a node that no master made.
    pub(crate) async fn list(&self) -> Result<Vec<JobId>> {
        let names = self.zookeeper.children(JOBS).await?.unwrap_or_default();
        let foreign = |error: Error| {
            Error::data(format!("the nodes below {JOBS} are not all of masters")).with_source(error)
        };
        let mut jobs: Vec<JobId> =
            names.iter().map(|name| name.parse().map_err(foreign)).collect::<Result<_>>()?;
        jobs.sort_unstable();
        Ok(jobs)
    }

    /// A job's record, if it has one.
    ///
    /// # Errors
    /// `Unavailable` when the session ends.
    pub(crate) async fn get(&self, job: JobId) -> Result<Option<Record>> {
        let node = self.zookeeper.get(&path(job)).await?;
        Ok(node.map(|node| Record { bytes: node.data, version: Version(node.version) }))
    }

    /// Makes a job's first record.
    ///
    /// # Errors
    /// `Conflict` when another leads; `Exists` when there is one; `Invalid` when it is too long; `Unavailable` when the
    /// session ends: then it may have been made.
    pub(crate) async fn create(&self, job: JobId, bytes: &[u8]) -> Result<Version> {
        let change = Change::Create { path: path(job), data: bytes.to_vec(), stay: Stay::Forever };
        self.change(job, change, Some((bytes, Version(0)))).await?;
        Ok(Version(0))
    }

    /// Replaces the record of this version.
    ///
    /// # Errors
    /// `Conflict` when another leads or the record has another version; `NotFound` when it is gone; the rest as
    /// [`create`](Ledger::create).
    pub(crate) async fn put(&self, job: JobId, bytes: &[u8], version: Version) -> Result<Version> {
        let next = version.0.checked_add(1).map(Version);
        let next =
            next.ok_or_else(|| Error::internal(format!("the record of job {job} was put too often")))?;
        let change = Change::Set { path: path(job), data: bytes.to_vec(), version: Some(version.0) };
        self.change(job, change, Some((bytes, next))).await?;
        Ok(next)
    }

    /// Removes the record of this version.
    ///
    /// # Errors
    /// As [`put`](Ledger::put).
    pub(crate) async fn delete(&self, job: JobId, version: Version) -> Result<()> {
        self.change(job, Change::DeleteVersion { path: path(job), version: version.0 }, None).await
    }

    /// Makes a change if this leader still leads. `after` is what the record is then: where a connection is lost, it tells
    /// whether the change was made, since nobody else makes one in this epoch.
    async fn change(&self, job: JobId, change: Change, after: Option<(&[u8], Version)>) -> Result<()> {
        let what = format!("cannot change the record of job {job}");
        if let Some((bytes, _)) = after
            && bytes.len() > RECORD_BYTES_MAX
        {
            let len = bytes.len();
            return Err(Error::invalid(format!(
                "{what}: it has {len} bytes, the limit is {RECORD_BYTES_MAX}"
            )));
        }
        let changes = [self.epoch.check(), change];
        let mut tried = false;
        loop {
            let fault = match self.zookeeper.multi(&what, &changes).await {
                Ok(_) => return Ok(()),
                Err((0, Fault::BadVersion | Fault::NoNode)) => {
                    let message =
                        format!("{what}: epoch {} is over, another master leads", self.epoch.number());
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                Err((_, fault)) => fault,
            };
            if matches!(fault, Fault::Lost) {
                self.zookeeper.resumed().await?;
                tried = true;
                continue;
            }
            if tried && self.is(job, after).await? {
                return Ok(());
            }
            return Err(match fault {
                Fault::NodeExists => Error::new(ErrorKind::Exists, format!("{what}: there is one")),
                Fault::NoNode => Error::new(ErrorKind::NotFound, format!("{what}: there is none")),
                Fault::BadVersion => Error::new(
                    ErrorKind::Conflict,
                    format!("{what}: it was changed meanwhile, read it again"),
                ),
                fault => self.zookeeper.unexpected(&what, fault),
            });
        }
    }

    async fn is(&self, job: JobId, expected: Option<(&[u8], Version)>) -> Result<bool> {
        let record = self.get(job).await?;
        Ok(record.as_ref().map(|record| (&record.bytes[..], record.version)) == expected)
    }
}

fn path(job: JobId) -> String {
    format!("{JOBS}/{job}")
}
