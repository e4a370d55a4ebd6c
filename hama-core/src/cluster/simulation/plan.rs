//! What a seed makes of a cluster: its hosts, the jobs and what they do, and what strikes when.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::Digest;
use crate::cluster::model::spec::{JobSpec, Slots};
use crate::cluster::model::task::How;
use crate::error::ErrorKind;
use crate::ids::{Host, JobId};
use crate::transport::framed::faulty::Random;

const GIB: u64 = 1 << 30;

/// A cluster.
pub(super) struct Plan {
    pub(super) rate: u64,
    pub(super) hosts: Vec<HostPlan>,
    pub(super) jobs: Vec<Planned>,
    pub(super) strikes: Vec<(u64, Strike)>,
    pub(super) master_ms: u64,
    pub(super) healed_ms: u64,
}

/// A host of it.
#[derive(Clone, Copy)]
pub(super) struct HostPlan {
    pub(super) index: usize,
    pub(super) slots: u32,
    pub(super) memory_bytes: u64,
    pub(super) start_ms: u64,
}

/// A job, what its peers do, and what became of it so far.
pub(super) struct Planned {
    pub(super) id: JobId,
    pub(super) spec: Arc<JobSpec>,
    pub(super) submit_ms: u64,
    pub(super) kill_ms: Option<u64>,
    pub(super) supersteps: u64,
    /// What a peer does in the middle of a superstep instead of going on.
    pub(super) fates: BTreeMap<usize, (u64, Fate)>,
    /// The master said that it takes it.
    pub(super) accepted: bool,
    /// Somebody wanted its end.
    pub(super) is_killed: bool,
    /// It is in the history, or was refused.
    pub(super) is_over: bool,
}

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Fails,
    Exits,
    IsSignalled,
    WantsMemory,
    Hangs,
}

/// What strikes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strike {
    KillGroom {
        host: usize,
        back_ms: u64,
    },
    FreezeGroom {
        host: usize,
        ms: u64,
    },
    CutGroom {
        host: usize,
        ms: u64,
    },
    DrainGroom {
        host: usize,
    },
    /// It dies the next time that it writes, after so many records.
    KillMaster {
        writes: usize,
        back_ms: u64,
    },
    FreezeMaster {
        ms: u64,
    },
}

impl Plan {
    pub(super) fn of(random: &mut Random) -> Plan {
        // Of four worlds one is calm.
        let is_calm = random.below(4) == 0;
        let rate = if is_calm { 0 } else { random.below(12) };
        let healed_ms = 15_000 + random.below(25_000);
        let hosts: Vec<HostPlan> =
            (0..1 + random.below(4) as usize).map(|index| host(index, random)).collect();
        let jobs =
            (0..2 + random.below(6)).map(|number| job(number, hosts.len(), healed_ms, random)).collect();
        let strike = |_| (random.below(healed_ms), strike(hosts.len(), random));
        let strikes = if is_calm { Vec::new() } else { (0..1 + rate).map(strike).collect() };
        Plan { rate, hosts, jobs, strikes, master_ms: 500, healed_ms }
    }
}

fn host(index: usize, random: &mut Random) -> HostPlan {
    let slots = 1 + random.below(4) as u32;
    // In any order, before the master and after it.
    HostPlan { index, slots, memory_bytes: (1 + random.below(6)) * GIB, start_ms: random.below(2000) }
}

fn job(number: u64, hosts: usize, healed_ms: u64, random: &mut Random) -> Planned {
    let peers = 1 + random.below(6) as u32;
    let slots = match random.below(6) {
        0 => Slots::Shared,
        1 => Slots::Unneeded,
        _ => Slots::Own,
    };
    let prefers = random.below(2) == 0;
    let preferred =
        |_| (random.below(3) > 0).then(|| Host::new(format!("h{}", random.below(hosts as u64 + 1))));
    let preferred = if prefers { (0..peers).map(preferred).collect() } else { Vec::new() };
    let supersteps = random.below(6);
    let mut fates = BTreeMap::new();
    if random.below(3) == 0 {
        let fate = match random.below(5) {
            0 => Fate::Fails,
            1 => Fate::Exits,
            2 => Fate::IsSignalled,
            3 => Fate::WantsMemory,
            _ => Fate::Hangs,
        };
        fates.insert(random.below(u64::from(peers)) as usize, (random.below(supersteps + 1), fate));
    }
    let submit_ms = random.below(healed_ms);
    let spec = JobSpec {
        program: format!("job-{number}"),
        arguments: number.to_le_bytes().into(),
        executable: Digest([number as u8 % 2; 32]),
        peers,
        slots,
        pool_bytes: 0,
        memory_bytes: (1 + random.below(2)) * GIB,
        preferred,
        environment: BTreeMap::new(),
        detached: false,
    };
    let mut id = [0; 16];
    id[..8].copy_from_slice(&random.number().to_le_bytes());
    Planned {
        id: JobId::from_bytes(id),
        spec: Arc::new(spec),
        submit_ms,
        kill_ms: (random.below(5) == 0).then(|| submit_ms + random.below(6000)),
        supersteps,
        fates,
        accepted: false,
        is_killed: false,
        is_over: false,
    }
}

fn strike(hosts: usize, random: &mut Random) -> Strike {
    let host = random.below(hosts as u64) as usize;
    match random.below(10) {
        0 | 1 => Strike::KillGroom { host, back_ms: 100 + random.below(20_000) },
        2 | 3 => Strike::FreezeGroom { host, ms: 500 + random.below(20_000) },
        4 => Strike::CutGroom { host, ms: 500 + random.below(15_000) },
        5 if random.below(3) == 0 => Strike::DrainGroom { host },
        5..8 => Strike::KillMaster { writes: random.below(3) as usize, back_ms: 200 + random.below(8000) },
        _ => Strike::FreezeMaster { ms: 500 + random.below(14_000) },
    }
}

impl Planned {
    /// Whether it ends only when somebody ends it.
    pub(super) fn is_endless(&self) -> bool {
        self.fates.values().any(|(_, fate)| *fate == Fate::Hangs)
    }
}

impl Fate {
    /// How the process of such a peer ends. Nothing, where it does not.
    pub(super) fn how(self) -> Option<How> {
        Some(match self {
            Fate::Fails => How::Failed(WireError {
                kind: ErrorKind::Program.name().to_owned(),
                message: "it was to fail".to_owned(),
                at: None,
            }),
            Fate::Exits => How::Exited { code: 3 },
            Fate::IsSignalled => How::Signalled { signal: 9 },
            Fate::WantsMemory => How::MemoryLimit { bytes: 5 },
            Fate::Hangs => return None,
        })
    }
}
