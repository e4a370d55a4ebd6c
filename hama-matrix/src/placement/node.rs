//! Hosts and the racks they stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use hama_core::{Error, Host, Result};
use hama_hdfs::ShardLocation;

/// What HDFS says of hosts of which nobody has told it the rack.
const DEFAULT_RACK: &str = "/default-rack";
/// The longest path of a rack.
const RACK_BYTES_MAX: usize = 255;

/// A host, and the rack it stands in where that is known: `dn1`, or as a path of HDFS's topology `/rack1/dn1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// The host.
    pub host: Host,
    /// The path of its rack, such as `/rack1`.
    pub rack: Option<String>,
}

impl FromStr for Node {
    type Err = Error;

    fn from_str(text: &str) -> Result<Node> {
        let Some((rack, name)) = text.rsplit_once('/') else {
            return Ok(Node { host: text.parse()?, rack: None });
        };
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
        let fits =
            rack.len() <= RACK_BYTES_MAX && rack.strip_prefix('/').is_some_and(|r| r.split('/').all(part));
        if !fits {
            return Err(Error::invalid(format!(
                "cannot read {text:.600?} as a host: it is a name such as dn1, or its rack and its name such as /rack1/dn1"
            )));
        }
        Ok(Node { host: name.parse()?, rack: known(Some(rack)) })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rack {
            Some(rack) => write!(f, "{rack}/{}", self.host),
            None => self.host.fmt(f),
        }
    }
}

fn known(rack: Option<&str>) -> Option<String> {
    rack.filter(|rack| *rack != DEFAULT_RACK).map(str::to_owned)
}

/// The hosts of a placement by number: first those that compute, by name, then those that only hold shards, by name.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    all: Vec<Node>,
    computing: usize,
    numbers: BTreeMap<Host, usize>,
}

impl Nodes {
    pub(super) fn new<'a>(
        computing: &[Node],
        locations: impl IntoIterator<Item = &'a ShardLocation>,
    ) -> Result<Nodes> {
        let mut racks: BTreeMap<&Host, Option<String>> = BTreeMap::new();
        for replica in locations.into_iter().flat_map(|location| &location.replicas) {
            racks.entry(&replica.host).or_insert_with(|| known(replica.rack.as_deref()));
        }
        let mut all = computing.to_vec();
        all.sort();
        if all.is_empty() {
            return Err(Error::invalid("cannot place anything on no hosts: at least 1 is needed"));
        }
        for node in &mut all {
            // What was typed is for those hosts of which the store knows nothing, and where it knows less.
            let stored = racks.remove(&node.host).flatten();
            node.rack = node.rack.take().or(stored);
        }
        let computing = all.len();
        all.extend(racks.into_iter().map(|(host, rack)| Node { host: host.clone(), rack }));
        let mut twice = BTreeSet::new();
        if let Some(node) = all.iter().find(|node| !twice.insert(&node.host)) {
            return Err(Error::invalid(format!("cannot place anything on {}: it is named twice", node.host)));
        }
        let numbers = all.iter().zip(0..).map(|(node, number)| (node.host.clone(), number)).collect();
        Ok(Nodes { all, computing, numbers })
    }

    pub(crate) fn all(&self) -> &[Node] {
        &self.all
    }

    /// Those that compute.
    pub(crate) fn computing(&self) -> &[Node] {
        &self.all[..self.computing]
    }

    pub(crate) fn have_racks(&self) -> bool {
        self.all.iter().any(|node| node.rack.is_some())
    }

    /// The numbers of the hosts that hold a shard, ascending.
    pub(crate) fn holders(&self, location: &ShardLocation) -> Vec<usize> {
        let known = location.holders().filter_map(|replica| self.numbers.get(&replica.host).copied());
        known.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Racks by number, those of hosts by theirs.
    pub(super) fn racks(&self) -> Vec<Option<usize>> {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut racks = Vec::with_capacity(self.all.len());
        for node in &self.all {
            let next = numbers.len();
            racks.push(node.rack.as_deref().map(|name| *numbers.entry(name).or_insert(next)));
        }
        racks
    }
}
