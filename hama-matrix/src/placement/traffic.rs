//! What moves between hosts where bricks are placed in some way.

use std::collections::BTreeMap;

use super::{Passed, Reads};

/// Bricks to be placed on hosts, and the data that they need and pass on.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) bricks: usize,
    /// Hosts that compute: those of the first numbers.
    pub(super) hosts: usize,
    /// The rack of each host, where it is known, of those that only hold data too.
    pub(super) racks: Vec<Option<usize>>,
    pub(super) data: Vec<Data>,
    pub(super) passes: Vec<Pass>,
}

/// Bytes that one of their users reads and passes on to the others.
#[derive(Clone, Debug)]
pub(super) struct Data {
    pub(super) bytes: u64,
    /// Hosts, ascending; none where nobody knows.
    pub(super) holders: Vec<usize>,
    /// Bricks, ascending.
    pub(super) users: Vec<usize>,
}

/// Bytes that one brick passes on to another.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) bytes: u64,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// A host reads them from a DataNode.
    Read { at: usize, from: Option<usize> },
    /// They go from one host to another.
    Passed { from: usize, to: usize },
}

/// What is more than between hosts of one rack, as HDFS counts it.
const BEYOND_RACK: u8 = 2;

/// How far it is from one host to another.
fn distance(racks: &[Option<usize>], a: usize, b: usize) -> u8 {
    if a == b {
        return 0;
    }
    let rack = |host: usize| racks.get(host).copied().flatten();
    let same_rack = rack(a).is_some() && rack(a) == rack(b);
    if same_rack { 1 } else { BEYOND_RACK }
}

/// How far a host is from the nearest holder.
pub(super) fn distance_to(racks: &[Option<usize>], holders: &[usize], at: usize) -> u8 {
    holders.iter().map(|&holder| distance(racks, holder, at)).min().unwrap_or(BEYOND_RACK)
}

/// The hosts that read what these hold for so many users on each host, in turns, ascending: those that are nearest to a
/// holder, and of these those from which it has the least way to go to the others.
pub(super) fn readers(
    racks: &[Option<usize>],
    holders: &[usize],
    users: &BTreeMap<usize, u64>,
) -> Vec<usize> {
    let nearest = users.keys().map(|&host| distance_to(racks, holders, host)).min();
    let way = |from: usize| -> u64 {
        users.iter().map(|(&to, &count)| u64::from(distance(racks, from, to)) * count).sum()
    };
    let near = users.keys().filter(|&&host| Some(distance_to(racks, holders, host)) == nearest);
    let ways: Vec<(u64, usize)> = near.map(|&host| (way(host), host)).collect();
    let least = ways.iter().map(|(way, _)| *way).min();
    ways.into_iter().filter(|(way, _)| Some(*way) == least).map(|(_, host)| host).collect()
}

impl Work {
    fn distance(&self, a: usize, b: usize) -> u8 {
        distance(&self.racks, a, b)
    }

    /// Bricks on hosts in their order, as many on each, without looking.
    pub(super) fn spread(&self) -> Vec<usize> {
        (0..self.bricks)
            .map(|brick| (brick as u128 * self.hosts as u128 / self.bricks as u128) as usize)
            .collect()
    }

    /// What moves for some data: its [`readers`] pass it on to its other users.
    pub(super) fn flows_of(&self, data: &Data, places: &[usize], flow: &mut impl FnMut(Flow, u64)) {
        let mut users: BTreeMap<usize, u64> = BTreeMap::new();
        for &user in &data.users {
            *users.entry(places[user]).or_default() += 1;
        }
        let readers = readers(&self.racks, &data.holders, &users);
        for (at, share) in shares(data.bytes, &readers) {
            self.read(data, at, share, flow);
            for (&to, &count) in users.iter().filter(|(to, _)| **to != at) {
                flow(Flow::Passed { from: at, to }, share.saturating_mul(count));
            }
        }
    }

    fn read(&self, data: &Data, at: usize, bytes: u64, flow: &mut impl FnMut(Flow, u64)) {
        if data.holders.is_empty() {
            return flow(Flow::Read { at, from: None }, bytes);
        }
        let nearest = distance_to(&self.racks, &data.holders, at);
        let near = data.holders.iter().copied().filter(|&holder| self.distance(holder, at) == nearest);
        for (from, share) in shares(bytes, &near.collect::<Vec<_>>()) {
            flow(Flow::Read { at, from: Some(from) }, share);
        }
    }

    /// What moves where bricks are placed so.
    pub(super) fn traffic(&self, places: &[usize]) -> Traffic<'_> {
        let mut traffic = Traffic::new(self);
        for data in &self.data {
            self.flows_of(data, places, &mut |flow, bytes| traffic.add(flow, bytes));
        }
        for pass in &self.passes {
            traffic.add(Flow::Passed { from: places[pass.from], to: places[pass.to] }, pass.bytes);
        }
        traffic
    }

    /// What bricks that are placed so send each other.
    pub(super) fn passed(&self, places: &[usize]) -> Passed {
        let (mut all, mut between) = (0, 0);
        for data in &self.data {
            all += u128::from(data.bytes) * data.users.len().saturating_sub(1) as u128;
            self.flows_of(data, places, &mut |flow, bytes| {
                if let Flow::Passed { .. } = flow {
                    between += u128::from(bytes);
                }
            });
        }
        for pass in &self.passes {
            all += u128::from(pass.bytes);
            between += u128::from(if places[pass.from] == places[pass.to] { 0 } else { pass.bytes });
        }
        Passed { between_hosts_bytes: narrow(between), within_hosts_bytes: narrow(all - between) }
    }
}

/// Bytes in equal parts, the first of them a byte more where that does not come out even.
fn shares(bytes: u64, among: &[usize]) -> impl Iterator<Item = (usize, u64)> + '_ {
    let count = among.len().max(1) as u64;
    let share = move |index: u64| bytes / count + u64::from(index < bytes % count);
    among.iter().zip(0..).map(move |(&one, index)| (one, share(index)))
}

/// Bytes by host. Sums are of 128 bits, so that what was added can be taken away again.
#[derive(Clone, Debug)]
pub(super) struct Traffic<'a> {
    work: &'a Work,
    of: Vec<OfHost>,
    /// All bytes, each as often as its way is long.
    weighed: u128,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfHost {
    /// By distance.
    read: [u128; BEYOND_RACK as usize + 1],
    unknown: u128,
    sent: u128,
    received: u128,
}

impl<'a> Traffic<'a> {
    fn new(work: &'a Work) -> Traffic<'a> {
        Traffic { work, of: vec![OfHost::default(); work.racks.len()], weighed: 0 }
    }

    pub(super) fn add(&mut self, flow: Flow, bytes: u64) {
        self.change(flow, |sum| *sum += u128::from(bytes));
    }

    pub(super) fn take(&mut self, flow: Flow, bytes: u64) {
        self.change(flow, |sum| *sum -= u128::from(bytes));
    }

    fn change(&mut self, flow: Flow, mut change: impl FnMut(&mut u128)) {
        let (from, to, distance) = match flow {
            Flow::Read { at, from: None } => {
                change(&mut self.of[at].unknown);
                (None, at, BEYOND_RACK)
            }
            Flow::Read { at, from: Some(from) } => {
                let distance = self.work.distance(from, at);
                change(&mut self.of[at].read[usize::from(distance)]);
                (Some(from), at, distance)
            }
            Flow::Passed { from, to } => (Some(from), to, self.work.distance(from, to)),
        };
        for _ in 0..distance {
            change(&mut self.weighed);
        }
        if distance > 0 {
            change(&mut self.of[to].received);
            if let Some(from) = from {
                change(&mut self.of[from].sent);
            }
        }
    }

    /// What placements are compared by: all bytes by their ways, then h.
    pub(super) fn cost(&self) -> (u128, u128) {
        (self.weighed, self.of.iter().map(|of| of.sent.max(of.received)).max().unwrap_or(0))
    }

    pub(super) fn busiest(&self) -> u64 {
        narrow(self.cost().1)
    }

    pub(super) fn sent(&self, host: usize) -> u64 {
        narrow(self.of[host].sent)
    }

    pub(super) fn received(&self, host: usize) -> u64 {
        narrow(self.of[host].received)
    }

    /// What a host reads, where any `racks` are known.
    pub(super) fn reads(&self, host: usize, racks: bool) -> Reads {
        let OfHost { read: [local, rack, remote], unknown, .. } = self.of[host];
        Reads {
            local_bytes: narrow(local),
            rack_bytes: racks.then_some(narrow(rack)),
            remote_bytes: narrow(remote),
            unknown_bytes: narrow(unknown),
        }
    }

    pub(super) fn all_reads(&self, racks: bool) -> Reads {
        let all = (0..self.of.len()).map(|host| self.reads(host, racks));
        let none = Reads { rack_bytes: racks.then_some(0), ..Reads::default() };
        all.fold(none, |sum, reads| Reads {
            local_bytes: sum.local_bytes.saturating_add(reads.local_bytes),
            rack_bytes: sum.rack_bytes.zip(reads.rack_bytes).map(|(a, b)| a.saturating_add(b)),
            remote_bytes: sum.remote_bytes.saturating_add(reads.remote_bytes),
            unknown_bytes: sum.unknown_bytes.saturating_add(reads.unknown_bytes),
        })
    }
}

fn narrow(bytes: u128) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
