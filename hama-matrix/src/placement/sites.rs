//! Where the matrices of a job lie and its peers are meant to be: what a job takes along from who placed it.
//!
//! So all peers agree on who reads a tile that several of them need, and none asks the store again.

use std::collections::BTreeMap;

use hama_core::{Context, Host};
use hama_hdfs::{TableSpec, TileIndex};
use serde::{Deserialize, Serialize};

use super::faces::Lying;
use super::node::Nodes;
use super::traffic::{distance_to, readers};
use super::{Passed, Placement};
use crate::moved::{Locality, PLANNED_BETWEEN_HOSTS, PLANNED_WITHIN_HOSTS};
use crate::plan::steps::Need;
use crate::problem::Problem;

/// Where everything is, as far as whoever placed a job knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sites {
    /// By number.
    hosts: Vec<Host>,
    /// Of the hosts, where they are known.
    racks: Vec<Option<usize>>,
    /// What is read, operand by operand.
    read: Vec<Lying>,
    /// The host that each peer is meant to be on; empty where no tile is needed by two of them.
    places: Vec<usize>,
    /// What the peers send each other by the plan.
    passed: Passed,
}

impl Sites {
    /// Of a job whose peers each read tiles of their own.
    pub(crate) fn of(nodes: &Nodes, read: Vec<Lying>) -> Sites {
        let hosts = nodes.all().iter().map(|node| node.host.clone()).collect();
        Sites { hosts, racks: nodes.racks(), read, places: Vec::new(), passed: Passed::default() }
    }

    /// Of a job whose peers are placed so.
    pub(crate) fn placed(nodes: &Nodes, read: Vec<Lying>, placement: &Placement) -> Sites {
        let (places, passed) = (placement.places(), placement.passed);
        Sites { places, passed, ..Sites::of(nodes, read) }
    }

    /// Has each tile read by one of those who need it that is near to it, as the placement counts.
    pub(crate) fn assign(&self, problem: &Problem, mut needs: Vec<Need>) -> Vec<Need> {
        // In a step all tiles of an operand have the same sharers.
        let mut known: BTreeMap<(usize, &[usize]), Vec<Vec<u64>>> = BTreeMap::new();
        for need in &mut needs {
            let operand = need.operand as usize;
            let Some(holders) = self.holders(operand, problem, need) else { continue };
            let by_host =
                known.entry((operand, holders)).or_insert_with(|| self.near(holders, &need.sharers));
            let turn = need.tile.row + need.tile.col;
            if let Some(peers) = in_turn(by_host, turn)
                && let Some(&reader) = in_turn(peers, turn / by_host.len() as u64)
            {
                need.reader = reader;
            }
        }
        needs
    }

    fn holders(&self, operand: usize, problem: &Problem, need: &Need) -> Option<&[usize]> {
        if self.places.is_empty() {
            return None;
        }
        let (tile, extent) = (problem.stored(need.operand, need.tile), problem.stored_tile(need.operand));
        Some(self.read.get(operand)?.holders_of(tile.row * extent.rows, tile.col * extent.cols))
    }

    /// Of these peers those on the hosts that read what `holders` hold, by host.
    fn near(&self, holders: &[usize], sharers: &[u64]) -> Vec<Vec<u64>> {
        let mut by_host: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for &peer in sharers {
            if let Some(&place) = usize::try_from(peer).ok().and_then(|peer| self.places.get(peer)) {
                by_host.entry(place).or_default().push(peer);
            }
        }
        let users = by_host.iter().map(|(&host, peers)| (host, peers.len() as u64)).collect();
        readers(&self.racks, holders, &users).iter().filter_map(|host| by_host.remove(host)).collect()
    }

    /// Counts a tile that a peer of a product has read.
    pub(crate) fn count_read(&self, context: &Context, problem: &Problem, need: &Need) {
        let (tile, extent) = (problem.stored(need.operand, need.tile), problem.stored_tile(need.operand));
        let bytes = extent.rows * extent.cols * problem.element.size_bytes() as u64;
        self.count(context, need.operand as usize, (tile.row * extent.rows, tile.col * extent.cols), bytes);
    }

    /// Counts a tile that a peer has read of the only matrix of its job.
    pub(crate) fn count_tile(&self, context: &Context, spec: &TableSpec, tile: TileIndex) {
        let at = (tile.row * spec.tile.rows, tile.col * spec.tile.cols);
        self.count(context, 0, at, spec.tile_bytes() as u64);
    }

    fn count(&self, context: &Context, matrix: usize, (row, col): (u64, u64), bytes: u64) {
        context.add(self.locality(matrix, (row, col), context.host()).counter(), bytes);
    }

    /// How far from a host the shard of an element lies.
    fn locality(&self, matrix: usize, (row, col): (u64, u64), host: &Host) -> Locality {
        let holders = self.read.get(matrix).map_or(&[][..], |read| read.holders_of(row, col));
        match (holders, self.hosts.iter().position(|known| known == host)) {
            ([], _) => Locality::Unknown,
            // Nobody expected a peer there.
            (_, None) => Locality::Remote,
            (_, Some(own)) => match distance_to(&self.racks, holders, own) {
                0 => Locality::Local,
                1 => Locality::Rack,
                _ => Locality::Remote,
            },
        }
    }

    /// Has the job's counters say what its plan sends: by one peer of all.
    pub(crate) fn count_plan(&self, context: &Context) {
        let Passed { between_hosts_bytes, within_hosts_bytes } = self.passed;
        if context.index() == 0 && !self.places.is_empty() {
            context.add(PLANNED_BETWEEN_HOSTS, between_hosts_bytes);
            context.add(PLANNED_WITHIN_HOSTS, within_hosts_bytes);
        }
    }
}

/// The one whose turn it is.
fn in_turn<T>(all: &[T], turn: u64) -> Option<&T> {
    all.get((turn % (all.len().max(1) as u64)) as usize)
}

#[cfg(test)]
mod tests {
    use hama_hdfs::{ElementType, Extent, LocationSource, Replica, ShardLocation};

    use super::*;
    use crate::placement::{Node, nodes};

    fn sites() -> Sites {
        let spec = TableSpec::new(Extent::new(4000, 10), ElementType::F64).unwrap();
        let spec = spec.with_shard(Extent::new(1, 1)).unwrap();
        let location = |(shard, name): (_, Option<&str>)| ShardLocation {
            shard,
            bytes: 8,
            replicas: name
                .map(|name| Replica { host: Host::new(name), rack: None, bytes: 8 })
                .into_iter()
                .collect(),
            source: LocationSource::Store,
        };
        let holders = [Some("dn1"), Some("dn2"), Some("dn3"), None];
        let locations: Vec<_> = spec.shards().zip(holders).map(location).collect();
        let hosts: Vec<Node> = ["/r/dn1", "/r/dn2", "/s/dn3"].map(|text| text.parse().unwrap()).into();
        let nodes = nodes(&hosts, &[&locations]).unwrap();
        let lying = Lying::table(&spec, &locations, &nodes);
        Sites { places: vec![0, 1, 1, 2], ..Sites::of(&nodes, vec![lying]) }
    }

    #[test]
    fn what_is_read_comes_from_where_the_shard_lies() {
        let sites = sites();
        let from = |row, host: &str| sites.locality(0, (row, 0), &Host::new(host));
        assert_eq!((from(0, "dn1"), from(999, "dn1")), (Locality::Local, Locality::Local));
        assert_eq!((from(1000, "dn1"), from(2000, "dn1")), (Locality::Rack, Locality::Remote));
        assert_eq!(
            (from(1999, "dn2"), from(0, "dn3"), from(0, "dn9")),
            (Locality::Local, Locality::Remote, Locality::Remote)
        );
        // Nobody knows where the last shard is, nor what lies beside the matrix, nor another matrix.
        assert_eq!([from(3000, "dn1"), from(4000, "dn1"), from(u64::MAX, "dn1")], [Locality::Unknown; 3]);
        assert_eq!(sites.locality(1, (0, 0), &Host::new("dn1")), Locality::Unknown);
    }

    #[test]
    fn the_near_ones_read_in_turns() {
        let sites = sites();
        // On the hosts dn1, dn2 and dn3 are peer 0, peers 1 and 2, and peer 3.
        assert_eq!(sites.near(&[1], &[0, 1, 2, 3]), [vec![1, 2]]);
        assert_eq!(sites.near(&[1], &[0, 3]), [vec![0]], "which is in its rack");
        assert_eq!(sites.near(&[0, 2], &[0, 3]), [vec![0], vec![3]]);
        // Of hosts that are as far from data whose place nobody knows the one with most of those who need it.
        assert_eq!(sites.near(&[], &[0, 1, 2, 3]), [vec![1, 2]]);
        assert!(sites.near(&[0], &[7]).is_empty(), "there is no such peer");
    }
}
