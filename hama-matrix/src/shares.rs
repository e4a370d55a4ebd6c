//! Divides shards among the peers of a job, at the data.

use hama_core::{ErrorKind, Host, Result};
use hama_hdfs::Table;

use crate::hama::Hama;

/// A shard that a job reads: what its program calls it, and where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Lot<T> {
    pub(crate) what: T,
    bytes: u64,
    holders: Vec<Host>,
}

/// What each peer has to do, in order, and the host that it would best be on; no hosts where peers are threads.
#[derive(Debug)]
pub(crate) struct Divided<T> {
    pub(crate) shares: Vec<Vec<T>>,
    pub(crate) preferred: Vec<Option<Host>>,
}

/// The shards of a table for which `what` has a name, given their numbers.
///
/// # Cost
/// On a cluster the store is asked where each shard of the table lies.
///
/// # Errors
/// `Cancelled`. A shard that is missing is no error: whoever reads it tells.
pub(crate) fn lots<T>(hama: &Hama, table: &Table, what: impl Fn(usize) -> Option<T>) -> Result<Vec<Lot<T>>> {
    let located = match hama.has_hosts().then(|| table.locations(hama.cancel())).transpose() {
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
        Err(_) | Ok(None) => None,
        Ok(Some(located)) => Some(located),
    };
    let holders = |number: usize| match located.and_then(|located| located.get(number)) {
        Some(location) => location.holders().map(|replica| replica.host.clone()).collect(),
        None => vec![table.shards()[number].host.clone()],
    };
    let lot = |number: usize| {
        let what = what(number)?;
        Some(Lot { what, bytes: table.shards()[number].len, holders: holders(number) })
    };
    Ok((0..table.shards().len()).filter_map(lot).collect())
}

/// Divides shards among so many peers. On a cluster each host has about as many bytes as any other, of shards that it holds
/// as far as that goes.
///
/// # Errors
/// `Unavailable` where no host of the cluster is alive.
pub(crate) fn divided<T: Clone + Ord>(hama: &Hama, lots: &[Lot<T>], peers: usize) -> Result<Divided<T>> {
    let (mut shares, preferred) = if hama.has_hosts() {
        let hosts: Vec<Host> = hama.hosts()?.into_iter().map(|node| node.host).collect();
        let (shares, preferred) = dealt_by_host(&on_hosts(lots, &hosts), peers);
        let without_hosts = |share: Vec<(Host, T)>| share.into_iter().map(|(_, what)| what).collect();
        (shares.into_iter().map(without_hosts).collect(), preferred)
    } else {
        let all: Vec<T> = lots.iter().map(|lot| lot.what.clone()).collect();
        (dealt(&all, peers), Vec::new())
    };
    shares.iter_mut().for_each(|share: &mut Vec<T>| share.sort());
    Ok(Divided { shares, preferred })
}

/// The host that reads each shard, sorted by it: of those that hold the shard the one with the fewest bytes so far, unless
/// it has its part of all; then the one with the fewest of all.
fn on_hosts<T: Clone + Ord>(lots: &[Lot<T>], hosts: &[Host]) -> Vec<(Host, T)> {
    let all: u64 = lots.iter().map(|lot| lot.bytes).sum();
    let part = all.div_ceil(hosts.len().max(1) as u64);
    let mut bytes = vec![0; hosts.len()];
    let mut placed = Vec::with_capacity(lots.len());
    for lot in lots {
        let holds = |number: &usize| lot.holders.contains(&hosts[*number]) && bytes[*number] < part;
        let least = |number: &usize| bytes[*number];
        let near = (0..hosts.len()).filter(holds).min_by_key(least);
        let Some(number) = near.or_else(|| (0..hosts.len()).min_by_key(least)) else { continue };
        bytes[number] += lot.bytes;
        placed.push((hosts[number].clone(), lot.what.clone()));
    }
    placed.sort();
    placed
}

/// The shards of each peer, and the host that each is for.
pub(crate) type Shares<T> = Vec<Vec<(Host, T)>>;

/// Deals shards to peers in turns.
pub(crate) fn dealt<T: Clone>(shards: &[T], peers: usize) -> Vec<Vec<T>> {
    (0..peers).map(|peer| shards.iter().skip(peer).step_by(peers).cloned().collect()).collect()
}

/// Deals shards, which are sorted by host, to peers on their hosts, each host's in turns; with the host of each peer. Where
/// there are more hosts than peers, a peer has the shards of several, and is on the first of them.
pub(crate) fn dealt_by_host<T: Clone>(shards: &[(Host, T)], peers: usize) -> (Shares<T>, Vec<Option<Host>>) {
    let (mut shares, mut preferred) = (vec![Vec::new(); peers], vec![None; peers]);
    let by_host: Vec<_> = shards.chunk_by(|one, next| one.0 == next.0).collect();
    for (number, of_host) in by_host.iter().enumerate() {
        let own: Vec<usize> = match number < peers {
            true => (number..peers).step_by(by_host.len()).collect(),
            false => vec![number % peers],
        };
        for (shard, &peer) in of_host.iter().zip(own.iter().cycle()) {
            shares[peer].push(shard.clone());
        }
        for &peer in &own {
            preferred[peer].get_or_insert_with(|| of_host[0].0.clone());
        }
    }
    (shares, preferred)
}

#[cfg(test)]
mod tests {
    use hama_hdfs::ShardIndex;

    use super::*;

    fn shards(hosts: &[(&str, u64)]) -> Vec<(Host, ShardIndex)> {
        let of = |&(host, count)| (0..count).map(move |col| (Host::new(host), ShardIndex::new(0, col)));
        hosts.iter().flat_map(of).collect()
    }

    #[test]
    fn each_shard_is_dealt_once_to_a_peer_on_its_host() {
        let all = shards(&[("a", 5), ("b", 1), ("c", 4)]);
        for peers in [3, 4, 6, 10] {
            let (shares, preferred) = dealt_by_host(&all, peers);
            assert_eq!((shares.len(), preferred.len()), (peers, peers));
            for (share, host) in shares.iter().zip(&preferred) {
                assert!(
                    share.iter().all(|(of, _)| Some(of) == host.as_ref()),
                    "{peers}: {share:?} on {host:?}"
                );
            }
            let mut dealt: Vec<_> = shares.into_iter().flatten().collect();
            dealt.sort();
            assert_eq!(dealt, all);
        }
    }

    #[test]
    fn fewer_peers_than_hosts_have_the_shards_of_several() {
        let all = shards(&[("a", 2), ("b", 3), ("c", 1)]);
        for peers in [1, 2] {
            let (shares, preferred) = dealt_by_host(&all, peers);
            assert_eq!(preferred, ["a", "b"].map(|host| Some(Host::new(host)))[..peers]);
            let mut of_all: Vec<_> = shares.concat();
            of_all.sort();
            assert_eq!(of_all, all);
            let mut turns = dealt(&all, peers).concat();
            turns.sort();
            assert_eq!(turns, all);
        }
    }

    fn lot(what: u32, bytes: u64, holders: &[&str]) -> Lot<u32> {
        Lot { what, bytes, holders: holders.iter().map(|host| Host::new(*host)).collect() }
    }

    #[test]
    fn shards_are_read_by_who_holds_them_as_far_as_that_is_fair() {
        let hosts = ["a", "b", "c"].map(Host::new);
        let of = |lots: &[Lot<u32>]| -> Vec<(String, u32)> {
            let placed = on_hosts(lots, &hosts);
            placed.into_iter().map(|(host, what)| (host.name().to_owned(), what)).collect()
        };
        let at = |host: &str, what: u32| (host.to_owned(), what);
        let each = [lot(0, 8, &["c"]), lot(1, 8, &["a", "x"]), lot(2, 8, &["b"])];
        assert_eq!(of(&each), [at("a", 1), at("b", 2), at("c", 0)]);
        // Of two replicas the one on the host that has less to do.
        let two = [lot(0, 8, &["a"]), lot(1, 8, &["a", "b"]), lot(2, 8, &["a", "b", "c"])];
        assert_eq!(of(&two), [at("a", 0), at("b", 1), at("c", 2)]);
        // One host holds all, or a host that does not compute: the others help.
        for holder in ["b", "x"] {
            let all: Vec<Lot<u32>> = (0..7).map(|what| lot(what, 8, &[holder])).collect();
            let placed = of(&all);
            for host in ["a", "b", "c"] {
                let count = placed.iter().filter(|(on, _)| on == host).count();
                assert!((2..=3).contains(&count), "{holder}: {placed:?}");
            }
        }
        assert!(of(&[]).is_empty());
    }
}
