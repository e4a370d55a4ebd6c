//! A cluster that is rehearsed by threads of this process, for tests: programs are encoded, placed and given memory as on
//! a real one, and frames go over sockets.

use std::sync::{Arc, Mutex, PoisonError};

use hama_core::{
    Bsp, Cancel, Error, ErrorKind, GroomStatus, Host, LocalRunner, Outcome, Pool, Progress, Result,
    TransportKind,
};

/// A rehearsed cluster. Clones share what was started.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Its grooms.
    pub grooms: Vec<GroomStatus>,
    started: Arc<Mutex<Vec<Started>>>,
}

/// A job that was started on a rehearsed cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The program's name.
    pub program: &'static str,
    /// How many peers it had.
    pub peers: usize,
    /// The pool of each.
    pub pool_bytes: u64,
    /// The host that each preferred.
    pub preferred: Vec<Option<Host>>,
}

impl Rehearsal {
    /// A cluster of a groom on each of these hosts, with so many slots and so much memory.
    pub fn of(hosts: &[&str], slots: u32, memory_bytes: u64) -> Rehearsal {
        let groom = |host: &&str| GroomStatus {
            name: format!("groom-{host}"),
            host: Some(Host::new(*host)),
            slots,
            slots_free: slots,
            memory_bytes,
            memory_free: memory_bytes,
            ..GroomStatus::default()
        };
        Rehearsal { grooms: hosts.iter().map(groom).collect(), started: Arc::default() }
    }

    /// The jobs that were started, in their order.
    pub fn started(&self) -> Vec<Started> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each peer is on the host that it prefers, the others on the hosts in turns.
    pub(super) fn run<P: Bsp>(
        &self,
        program: &P,
        (peers, pool_bytes): (usize, u64),
        preferred: Vec<Option<Host>>,
        progress: Option<Arc<Progress>>,
        cancel: Option<Cancel>,
    ) -> Result<Outcome<P::Output>> {
        if !preferred.is_empty() && preferred.len() != peers {
            let message =
                format!("hosts are preferred for {} peers, and the job has {peers}", preferred.len());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let turns = self.grooms.iter().filter_map(|groom| groom.host.as_ref()).cycle();
        let hosts = turns
            .take(peers)
            .zip(0..)
            .map(|(host, peer)| preferred.get(peer).cloned().flatten().unwrap_or_else(|| host.clone()));
        let all_bytes = pool_bytes.saturating_mul(peers as u64);
        let pool = Pool::new(usize::try_from(all_bytes).unwrap_or(usize::MAX));
        let runner = LocalRunner::new(pool).with_transport(TransportKind::Framed).with_hosts(hosts.collect());
        let started = Started { program: P::NAME, peers, pool_bytes, preferred };
        self.started.lock().unwrap_or_else(PoisonError::into_inner).push(started);
        let run = runner.run(program).progress(progress.unwrap_or_default());
        run.cancel(cancel.unwrap_or_default()).peers(peers)
    }
}
