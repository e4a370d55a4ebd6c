//! What a client asks for: a program, and what its peers need.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::model::bounds;
use crate::cluster::model::ids::{Digest, Secret, validate_host};
use crate::error::{Error, Result};
use crate::ids::{Host, JobId};
use crate::runner::threads::PEERS_MAX;

/// A job as it is submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobSpec {
    /// The program's name.
    pub(crate) program: String,
    /// The program's value, encoded.
    pub(crate) arguments: Arc<[u8]>,
    /// What every peer runs.
    pub(crate) executable: Digest,
    /// How many peers it has.
    pub(crate) peers: u32,
    /// What a groom without free slots means to it.
    pub(crate) slots: Slots,
    /// The pool of each peer.
    pub(crate) pool_bytes: u64,
    /// The memory of each peer's process, the pool included.
    pub(crate) memory_bytes: u64,
    /// The host that holds most of a peer's data, for each peer; or nothing at all.
    pub(crate) preferred: Vec<Option<Host>>,
    /// Variables for its processes, beside those that grooms pass on.
    pub(crate) environment: BTreeMap<String, String>,
    /// It goes on when its client goes away.
    pub(crate) detached: bool,
}

/// How the peers of a job take slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Slots {
    /// One for each peer.
    Own,
    /// Where the cluster has fewer slots than the job has peers, several peers share one.
    Shared,
    /// None: they wait for other jobs, which need the slots.
    Unneeded,
}

/// A job as the master took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// The client made it up, so that it can submit again when it hears nothing.
    pub(crate) job: JobId,
    pub(crate) spec: Arc<JobSpec>,
    /// The master made it up.
    pub(crate) secret: Secret,
}

impl Submission {
    /// The same without what grooms have no use for: it goes to each of them.
    pub(crate) fn for_grooms(self: &Arc<Submission>) -> Arc<Submission> {
        if self.spec.preferred.is_empty() {
            return Arc::clone(self);
        }
        let spec = JobSpec { preferred: Vec::new(), ..JobSpec::clone(&self.spec) };
        Arc::new(Submission { spec: Arc::new(spec), ..Submission::clone(self) })
    }
}

impl JobSpec {
    /// Whether it can be a job.
    ///
    /// # Errors
    /// `Invalid`, naming what cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        bounds::text("the program's name", &self.program, bounds::NAME_BYTES_MAX)?;
        bounds::at_most("the program, in bytes,", self.arguments.len(), bounds::PROGRAM_BYTES_MAX)?;
        bounds::between("the number of peers", u64::from(self.peers), 1, PEERS_MAX as u64)?;
        bounds::between("the memory of a peer in bytes", self.memory_bytes, 1, bounds::MEMORY_BYTES_MAX)?;
        bounds::between("the pool of a peer in bytes", self.pool_bytes, 0, self.memory_bytes)?;
        if !self.preferred.is_empty() && self.preferred.len() != self.peers as usize {
            return Err(Error::invalid(format!(
                "hosts are preferred for {} peers, and the job has {}",
                self.preferred.len(),
                self.peers
            )));
        }
        self.preferred.iter().flatten().try_for_each(validate_host)?;
        let names = self.preferred.iter().flatten().map(|host| host.name().len()).sum();
        bounds::at_most(
            "a job, in bytes of the hosts that it prefers,",
            names,
            bounds::ENVIRONMENT_BYTES_MAX,
        )?;
        validate_environment(&self.environment)
    }

    /// The memory of all of its peers, in bytes.
    pub(crate) fn memory_of_all(&self) -> u64 {
        self.memory_bytes.saturating_mul(u64::from(self.peers))
    }
}

fn validate_environment(variables: &BTreeMap<String, String>) -> Result<()> {
    bounds::at_most("the environment", variables.len(), bounds::VARIABLES_MAX)?;
    let bytes = variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    bounds::at_most("the environment, in bytes,", bytes, bounds::ENVIRONMENT_BYTES_MAX)?;
    for (name, value) in variables {
        let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_name || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::invalid(format!(
                "cannot set the variable {:?}: a name has letters, digits and _, no digit first",
                bounds::start_of(name)
            )));
        }
        if value.contains('\0') {
            let name = bounds::start_of(name);
            return Err(Error::invalid(format!("cannot set the variable {name}: its value has a zero byte")));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// A job of so many peers of 1 GiB that want nothing else.
    pub(crate) fn spec(peers: u32) -> JobSpec {
        JobSpec {
            program: "pi-estimate".to_owned(),
            arguments: [1, 2, 3].into(),
            executable: Digest([0xe1; 32]),
            peers,
            slots: Slots::Own,
            pool_bytes: 1 << 29,
            memory_bytes: 1 << 30,
            preferred: Vec::new(),
            environment: BTreeMap::new(),
            detached: false,
        }
    }

    #[test]
    fn jobs_that_can_be_pass() {
        let variable = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        for fits in [
            spec(1),
            spec(1024),
            JobSpec { pool_bytes: 0, ..spec(1) },
            JobSpec { arguments: vec![0; bounds::PROGRAM_BYTES_MAX].into(), ..spec(1) },
            JobSpec { preferred: vec![Some(Host::local()), None], ..spec(2) },
            JobSpec { environment: variable("RUST_LOG", "hama=debug\nall"), ..spec(1) },
        ] {
            assert!(fits.validate().is_ok(), "{:?}", fits.validate());
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let variable = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let many = (0..257).map(|n| (format!("V{n}"), String::new())).collect();
        let wrong = [
            (JobSpec { program: String::new(), ..spec(1) }, "program's name"),
            (JobSpec { program: "a\tb".to_owned(), ..spec(1) }, "program's name"),
            (JobSpec { arguments: vec![0; bounds::PROGRAM_BYTES_MAX + 1].into(), ..spec(1) }, "16777217"),
            (spec(0), "number of peers is 0"),
            (spec(1025), "number of peers is 1025"),
            (JobSpec { memory_bytes: 0, ..spec(1) }, "memory of a peer"),
            (JobSpec { memory_bytes: u64::MAX, ..spec(1) }, "memory of a peer"),
            (JobSpec { pool_bytes: (1 << 30) + 1, ..spec(1) }, "pool of a peer"),
            (JobSpec { preferred: vec![None], ..spec(2) }, "for 1 peers, and the job has 2"),
            (JobSpec { preferred: vec![Some(Host::new("a/b"))], ..spec(1) }, "a/b"),
            (JobSpec { environment: variable("", "x"), ..spec(1) }, "variable \"\""),
            (JobSpec { environment: variable("1A", "x"), ..spec(1) }, "1A"),
            (JobSpec { environment: variable("A=B", "x"), ..spec(1) }, "A=B"),
            (JobSpec { environment: variable("A", "\0"), ..spec(1) }, "zero byte"),
            (JobSpec { environment: variable("A", &"x".repeat(70_000)), ..spec(1) }, "environment"),
            (JobSpec { environment: many, ..spec(1) }, "has 257"),
        ];
        for (spec, says) in wrong {
            let error = spec.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(says), "{error} does not say {says}");
        }
    }
}
