//! The records of live jobs in ZooKeeper, as the scheduler wants them; what is too large for them lies in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cluster::files::{make_folder, read_whole, remove_parts, write_whole};
use crate::cluster::ledger::{Ledger, Version};
use crate::cluster::model::record::{Record, StoredJob};
use crate::cluster::model::spec::{JobSpec, Submission};
use crate::error::{Error, Result};
use crate::ids::JobId;
use crate::message::codec;

/// A program's value that is longer lies in a file.
const ARGUMENTS_BYTES_MAX: usize = 64 << 10;

/// The records of live jobs.
#[derive(Debug)]
pub(crate) struct Books {
    ledger: Ledger,
    programs: PathBuf,
    /// The jobs as they are recorded, without what lies in files.
    jobs: BTreeMap<JobId, Recorded>,
}

#[derive(Debug)]
struct Recorded {
    job: StoredJob,
    /// The program's value is part of the record.
    is_inline: bool,
    version: Version,
}

impl Books {
    /// What the master before has left in the ledger, and in the folder `programs`.
    ///
    /// # Errors
    /// `Unavailable` when the session ends; `Data` for records that no master made; those of the system. A job whose program
    /// is missing is left out, and its record stays.
    pub(crate) async fn open(ledger: Ledger, programs: PathBuf) -> Result<(Books, Vec<StoredJob>)> {
        make_folder(&programs)?;
        remove_parts(&programs);
        let mut books = Books { ledger, programs, jobs: BTreeMap::new() };
        let mut stored = Vec::new();
        for id in books.ledger.list().await? {
            let Some(record) = books.ledger.get(id).await? else { continue };
            let (job, is_inline): (StoredJob, bool) = codec::decode(&record.bytes, "the record of a job")?;
            let whole = if is_inline {
                job.clone()
            } else {
                match read_whole(&books.program(id))? {
                    Some(arguments) => with_arguments(&job, arguments.into()),
                    None => {
                        let path = books.program(id);
                        tracing::error!(job = %id, path = %path.display(), "a job is lost: its program is missing");
                        continue;
                    }
                }
            };
            books.jobs.insert(id, Recorded { job, is_inline, version: record.version });
            stored.push(whole);
        }
        books.remove_others();
        Ok((books, stored))
    }

    /// Makes a change durable.
    ///
    /// # Errors
    /// `Conflict` when another master leads; `Unavailable` when the session ends; those of the system.
    pub(crate) async fn write(&mut self, record: Record) -> Result<()> {
        match record {
            Record::Submitted(job) => self.submitted(job).await,
            Record::Moved { job: id, progress } => {
                let Some(recorded) = self.jobs.get_mut(&id) else {
                    return Err(Error::internal(format!("job {id} moved and has no record")));
                };
                recorded.job.progress = progress;
                let bytes = encoded(&recorded.job, recorded.is_inline)?;
                recorded.version = self.ledger.put(id, &bytes, recorded.version).await?;
                Ok(())
            }
            Record::Removed { job: id } => {
                let Some(recorded) = self.jobs.remove(&id) else { return Ok(()) };
                self.ledger.delete(id, recorded.version).await?;
                let _ = fs::remove_file(self.program(id));
                Ok(())
            }
        }
    }

    async fn submitted(&mut self, job: StoredJob) -> Result<()> {
        let id = job.submission.job;
        let arguments = &job.submission.spec.arguments;
        let is_inline = arguments.len() <= ARGUMENTS_BYTES_MAX;
        let job = if is_inline {
            job
        } else {
            write_whole(&self.program(id), arguments)?;
            with_arguments(&job, Arc::default())
        };
        let version = self.ledger.create(id, &encoded(&job, is_inline)?).await?;
        self.jobs.insert(id, Recorded { job, is_inline, version });
        Ok(())
    }

    fn program(&self, job: JobId) -> PathBuf {
        self.programs.join(job.to_string())
    }

    /// Removes the programs of jobs that are gone: a master was killed before it did.
    fn remove_others(&self) {
        for entry in fs::read_dir(&self.programs).into_iter().flatten().flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse::<JobId>().ok());
            if id.is_none_or(|id| !self.jobs.contains_key(&id)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A record: the job, and whether its program's value is in it.
fn encoded(job: &StoredJob, is_inline: bool) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    codec::encode(&(job, is_inline), "the record of a job", &mut bytes)?;
    Ok(bytes)
}

fn with_arguments(job: &StoredJob, arguments: Arc<[u8]>) -> StoredJob {
    let spec = JobSpec { arguments, ..JobSpec::clone(&job.submission.spec) };
    let submission = Submission { spec: Arc::new(spec), ..Submission::clone(&job.submission) };
    StoredJob { submission: Arc::new(submission), ..job.clone() }
}
