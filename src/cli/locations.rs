//! Where a matrix lies, host by host: what `info --locations` says.

use std::collections::BTreeMap;
use std::fmt;

use hama::table::{LocationSource, ShardLocation, Table};
use hama::{Cancel, Host};
use serde::Serialize;

use super::count::counted;
use super::size::Size;

/// Where the shards of a table lie.
#[derive(Serialize)]
pub(crate) struct Locations {
    /// The host that this is.
    host: Host,
    bytes: u64,
    /// Of which this host holds a replica.
    local_bytes: u64,
    /// Of which nobody knows where they are.
    unknown_bytes: u64,
    /// The fewest and the most that a shard has.
    replicas: (usize, usize),
    hosts: Vec<Holding>,
    shards: Vec<ShardLocation>,
    #[serde(skip)]
    every_shard: bool,
}

/// What a host holds.
#[derive(Serialize)]
struct Holding {
    host: Host,
    rack: Option<String>,
    /// Shards of which it holds all or a part.
    shards: u64,
    bytes: u64,
}

impl Locations {
    /// Of a table, seen from `host`; `every_shard` is for people who want to see each.
    pub(crate) fn of(
        table: &Table,
        host: &Host,
        cancel: &Cancel,
        every_shard: bool,
    ) -> hama::Result<Locations> {
        Ok(Locations::new(table.locations(cancel)?, host, every_shard))
    }

    fn new(shards: &[ShardLocation], host: &Host, every_shard: bool) -> Locations {
        let mut holdings: BTreeMap<&Host, Holding> = BTreeMap::new();
        for replica in shards.iter().flat_map(|shard| &shard.replicas) {
            let none =
                || Holding { host: replica.host.clone(), rack: replica.rack.clone(), shards: 0, bytes: 0 };
            let holding = holdings.entry(&replica.host).or_insert_with(none);
            holding.shards += 1;
            holding.bytes += replica.bytes;
        }
        let counts = || shards.iter().map(|shard| shard.replicas.len());
        let unknown = shards.iter().filter(|shard| shard.replicas.is_empty());
        Locations {
            host: host.clone(),
            bytes: shards.iter().map(|shard| shard.bytes).sum(),
            local_bytes: holdings.get(host).map_or(0, |holding| holding.bytes),
            unknown_bytes: unknown.map(|shard| shard.bytes).sum(),
            replicas: (counts().min().unwrap_or(0), counts().max().unwrap_or(0)),
            hosts: holdings.into_values().collect(),
            shards: shards.to_vec(),
            every_shard,
        }
    }

    fn share(&self, bytes: u64) -> String {
        format!("{} ({:.0} %)", Size(bytes), bytes as f64 * 100.0 / self.bytes.max(1) as f64)
    }
}

/// Who says where a shard lies, in words.
fn said_by(source: LocationSource) -> &'static str {
    match source {
        LocationSource::Store => "as the store says",
        LocationSource::Writer => "by who wrote them",
        LocationSource::Unknown => "nobody knows where",
    }
}

impl fmt::Display for Locations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sources: BTreeMap<LocationSource, u64> = BTreeMap::new();
        self.shards.iter().for_each(|shard| *sources.entry(shard.source).or_default() += 1);
        let sources: Vec<String> =
            sources.into_iter().map(|(source, count)| format!("{count} {}", said_by(source))).collect();
        let replicas = match self.replicas {
            (least, most) if least == most => counted(most as u64, "replica"),
            (least, most) => format!("{least} to {most} replicas"),
        };
        let shards = counted(self.shards.len() as u64, "shard");
        writeln!(f, "locations   {shards} of {replicas} each: {}", sources.join(", "))?;
        for Holding { host, rack, shards, bytes } in &self.hosts {
            let rack = rack.as_ref().map(|rack| format!(", rack {rack}")).unwrap_or_default();
            let here = if *host == self.host { ", this host" } else { "" };
            writeln!(
                f,
                "host        {host}: {} in {}{rack}{here}",
                self.share(*bytes),
                counted(*shards, "shard")
            )?;
        }
        if self.every_shard {
            for ShardLocation { shard, bytes, replicas, source } in &self.shards {
                let hosts: Vec<&str> = replicas.iter().map(|replica| replica.host.name()).collect();
                writeln!(f, "shard       {shard}: {} on {} ({source:?})", Size(*bytes), hosts.join(", "))?;
            }
        }
        writeln!(f, "local       {} on {}", self.share(self.local_bytes), self.host)
    }
}

#[cfg(test)]
mod tests {
    use hama::table::{Replica, ShardIndex};

    use super::*;

    fn shard(col: u64, bytes: u64, hosts: &[&str]) -> ShardLocation {
        let replica = |name: &&str| Replica { host: Host::new(*name), rack: None, bytes };
        let source = if hosts.is_empty() { LocationSource::Unknown } else { LocationSource::Store };
        let replicas = hosts.iter().map(replica).collect();
        ShardLocation { shard: ShardIndex::new(0, col), bytes, replicas, source }
    }

    #[test]
    fn bytes_are_counted_by_host() {
        let shards = [shard(0, 100, &["b", "a"]), shard(1, 300, &["b"]), shard(2, 0, &[])];
        let found = Locations::new(&shards, &Host::new("a"), true);
        assert_eq!(
            (found.bytes, found.local_bytes, found.unknown_bytes, found.replicas),
            (400, 100, 0, (0, 2))
        );
        let held: Vec<_> = found.hosts.iter().map(|h| (h.host.name(), h.shards, h.bytes)).collect();
        assert_eq!(held, [("a", 1, 100), ("b", 2, 400)]);
        let text = found.to_string();
        for line in [
            "locations   3 shards of 0 to 2 replicas each: 2 as the store says, 1 nobody knows where\n",
            "host        a: 100B (25 %) in 1 shard, this host\n",
            "host        b: 400B (100 %) in 2 shards\n",
            "shard       c.0.0: 100B on b, a (Store)\n",
            "local       100B (25 %) on a\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_matrix_without_shards_lies_nowhere() {
        let text = Locations::new(&[], &Host::local(), false).to_string();
        assert!(text.contains("0 shards of 0 replicas each") && text.contains("0B (0 %)"), "{text}");
    }
}
