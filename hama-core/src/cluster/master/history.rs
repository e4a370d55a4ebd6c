//! The jobs that have ended: each a folder with its outcome and with what each peer returned.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blobs::Blobs;
use crate::cluster::model::ids::Moment;
use crate::cluster::model::job::{JobOutcome, JobState};
use crate::cluster::model::spec::JobSpec;
use crate::cluster::model::task::Returned;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{JobId, PeerId};
use crate::message::codec;

/// So many jobs are remembered, and so many bytes of what they returned.
const JOBS_MAX: usize = 1000;
const BYTES_MAX: u64 = 8 << 30;

const OUTCOME: &str = "outcome";
const SUM_BYTES: usize = 4;

/// The jobs that have ended.
#[derive(Debug)]
pub(crate) struct History {
    blobs: Arc<dyn Blobs>,
    jobs: BTreeMap<JobId, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    ended: Moment,
    bytes: u64,
}

impl History {
    /// What lies there.
    ///
    /// # Errors
    /// Those of what is behind it. A job that cannot be read is left out, with a warning.
    pub(crate) fn open(blobs: Arc<dyn Blobs>) -> Result<History> {
        let mut jobs = BTreeMap::new();
        for folder in blobs.folders()? {
            let Ok(id) = folder.parse::<JobId>() else { continue };
            match load::<JobOutcome>(&*blobs, id, OUTCOME) {
                Ok(Some(outcome)) => {
                    jobs.insert(id, Entry { ended: outcome.ended, bytes: bytes_of(&outcome) });
                }
                // It was being written.
                Ok(None) => {}
                Err(error) => tracing::warn!(job = %id, %error, "the outcome of a job cannot be read"),
            }
        }
        Ok(History { blobs, jobs })
    }

    /// Puts an outcome away, unless there is one of that job. Says how the job ended: the one that was there counts.
    ///
    /// # Errors
    /// Those of the system, with the path.
    pub(crate) fn put(&mut self, outcome: &JobOutcome) -> Result<JobState> {
        if self.jobs.contains_key(&outcome.job) {
            return Ok(self.get(outcome.job)?.state);
        }
        for (peer, left) in (0..).zip(&outcome.peers) {
            if let Some(returned) = &left.returned {
                self.save(outcome.job, &format!("peer-{peer}"), &**returned)?;
            }
        }
        self.save(outcome.job, OUTCOME, &without_bytes(outcome))?;
        self.jobs.insert(outcome.job, Entry { ended: outcome.ended, bytes: bytes_of(outcome) });
        self.forget();
        Ok(outcome.state.clone())
    }

    /// Whether a job has ended.
    pub(crate) fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// The outcome of a job, without what its peers returned.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Data` when it is damaged.
    pub(crate) fn get(&self, job: JobId) -> Result<JobOutcome> {
        load(&*self.blobs, job, OUTCOME)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no job {job}: `hama job list` shows those that are known"),
            )
        })
    }

    /// What a peer of a job returned.
    ///
    /// # Errors
    /// `NotFound` when it returned nothing, or nothing is known of it; `Data` when it is damaged.
    pub(crate) fn returned(&self, job: JobId, peer: PeerId) -> Result<Returned> {
        load(&*self.blobs, job, &format!("peer-{peer}"))?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("peer {peer} of job {job} has left nothing that is known"),
            )
        })
    }

    /// The last that have ended, the newest first, at most so many.
    pub(crate) fn last(&self, count: usize) -> Vec<JobId> {
        let mut jobs: Vec<(Moment, JobId)> = self.jobs.iter().map(|(id, entry)| (entry.ended, *id)).collect();
        jobs.sort_unstable();
        jobs.into_iter().rev().take(count).map(|(_, id)| id).collect()
    }

    /// A checksum, and the value.
    fn save<T: Serialize>(&self, job: JobId, name: &str, value: &T) -> Result<()> {
        let mut bytes = vec![0; SUM_BYTES];
        codec::encode_word(value, "what is left of a job", &mut bytes)?;
        let sum = crc32c::crc32c(&bytes[SUM_BYTES..]);
        bytes[..SUM_BYTES].copy_from_slice(&sum.to_le_bytes());
        self.blobs.put(&job.to_string(), name, &bytes)
    }

    /// Removes the oldest where there are too many.
    fn forget(&mut self) {
        let mut bytes: u64 = self.jobs.values().map(|entry| entry.bytes).sum();
        for id in self.last(usize::MAX).into_iter().rev() {
            if self.jobs.len() <= JOBS_MAX && (bytes <= BYTES_MAX || self.jobs.len() == 1) {
                return;
            }
            bytes -= self.jobs.remove(&id).map_or(0, |entry| entry.bytes);
            if let Err(error) = self.blobs.remove(&id.to_string()) {
                tracing::debug!(job = %id, %error, "an old job is not forgotten");
            }
        }
    }
}

/// The same without what is large: the program's value, and what peers returned.
fn without_bytes(outcome: &JobOutcome) -> JobOutcome {
    let mut small = outcome.clone();
    small.spec = Arc::new(JobSpec { arguments: Arc::default(), ..JobSpec::clone(&outcome.spec) });
    small.peers.iter_mut().for_each(|peer| peer.returned = None);
    small
}

fn bytes_of(outcome: &JobOutcome) -> u64 {
    let returned = outcome.peers.iter().filter_map(|peer| peer.returned.as_ref());
    returned.map(|returned| returned.bytes() as u64).sum()
}

fn load<T: DeserializeOwned>(blobs: &dyn Blobs, job: JobId, name: &str) -> Result<Option<T>> {
    let most = codec::WORD_BYTES_MAX + SUM_BYTES;
    let Some(bytes) = blobs.get(&job.to_string(), name, most)? else { return Ok(None) };
    let damaged = || Error::data(format!("what is left of job {job} is damaged: {name}"));
    let (sum, value) = bytes.split_first_chunk::<SUM_BYTES>().ok_or_else(damaged)?;
    if crc32c::crc32c(value) != u32::from_le_bytes(*sum) {
        return Err(damaged());
    }
    codec::decode_word(value, "what is left of a job").map(Some)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::blobs::LocalBlobs;
    use crate::cluster::model::job::PeerOutcome;
    use crate::cluster::model::spec::tests::spec;
    use crate::ids::Host;

    fn blobs(folder: &tempfile::TempDir) -> Arc<dyn Blobs> {
        Arc::new(LocalBlobs::open(folder.path().to_owned()).unwrap())
    }

    fn outcome(job: u8, output: usize) -> JobOutcome {
        let returned = Returned { output: vec![7; output], ..Returned::default() };
        JobOutcome {
            job: JobId::from_bytes([job; 16]),
            spec: Arc::new(spec(1)),
            state: JobState::Succeeded,
            history: Vec::new(),
            ended: Moment(u64::from(job)),
            peers: vec![PeerOutcome {
                host: Host::local(),
                superstep: 3,
                returned: Some(Arc::new(returned)),
                log: b"printed".as_slice().into(),
            }],
        }
    }

    #[test]
    fn what_is_put_away_is_there_again_and_the_first_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(blobs(&folder)).unwrap();
        let first = outcome(1, 100);
        assert_eq!(history.put(&first).unwrap(), JobState::Succeeded);
        let killed = JobOutcome { state: JobState::Killed { why: "late".to_owned() }, ..outcome(1, 5) };
        assert_eq!(history.put(&killed).unwrap(), JobState::Succeeded);
        history.put(&outcome(2, 0)).unwrap();
        let history = History::open(blobs(&folder)).unwrap();
        assert!(history.has(first.job));
        assert_eq!(history.last(9), [outcome(2, 0).job, first.job]);
        let read = history.get(first.job).unwrap();
        assert_eq!((read.state, &*read.peers[0].log), (JobState::Succeeded, &b"printed"[..]));
        let returned = history.returned(first.job, PeerId::from_index(0)).unwrap();
        assert_eq!(returned.output, vec![7; 100]);
        let none = history.returned(first.job, PeerId::from_index(1)).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::NotFound);
        assert_eq!(history.get(JobId::from_bytes([9; 16])).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_damaged_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(blobs(&folder)).unwrap();
        let first = outcome(1, 100);
        history.put(&first).unwrap();
        let path = folder.path().join(first.job.to_string()).join("peer-0");
        let mut bytes = fs::read(&path).unwrap();
        bytes[50] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(history.returned(first.job, PeerId::from_index(0)).unwrap_err().kind(), ErrorKind::Data);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(blobs(&folder)).unwrap();
        history.put(&outcome(1, 1)).unwrap();
        history.put(&outcome(2, 1)).unwrap();
        history.jobs.get_mut(&outcome(2, 1).job).unwrap().bytes = BYTES_MAX;
        history.put(&outcome(3, 1)).unwrap();
        assert_eq!(history.last(9), [outcome(3, 1).job]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
