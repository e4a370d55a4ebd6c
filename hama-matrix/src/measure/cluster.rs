//! What the hosts of a cluster do in a second: measured by jobs on it, with a peer in each free slot.

use std::collections::BTreeMap;
use std::time::Duration;

use hama_core::{Error, Host, JobId, Result};
use hama_hdfs::{ElementType, Extent, OnExists, TableName, TableSpec, TableWriter, tile_extent};
use serde::{Deserialize, Serialize};

use super::exchange::Exchange;
use super::probes::{ComputeProbe, PROBE_TILE, ReadProbe, Took, WriteProbe};
use super::store::product_s_named;
use crate::hama::Hama;
use crate::plan::Rates;

/// Supersteps that are measured, of which each takes milliseconds.
const SUPERSTEPS: u32 = 200;
const ROUNDS: usize = 3;
/// Tiles that a peer writes and reads, at most: 64 MiB.
const TILES: u64 = 8;
/// What a peer copies and checksums while a kernel runs on its core, as a share of what it does alone.
const BESIDE_A_KERNEL: f64 = 0.4;

/// What was measured on a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRates {
    /// The hosts that computed.
    pub hosts: usize,
    /// The peers on all of them together.
    pub peers: usize,
    /// The kernel that all hosts run.
    pub kernel: String,
    /// Floating-point operations of f64 a second of the slowest peer, while all compute.
    pub flop_per_s: f64,
    /// The length of the table that was written and read.
    pub table_bytes: u64,
    /// Bytes a second that the peers of the slowest host together wrote, until they were durable.
    pub write_bytes_per_s: f64,
    /// Bytes a second that they read of what they had just written.
    pub read_bytes_per_s: f64,
    /// The same of the slowest peer.
    pub peer_read_bytes_per_s: f64,
    /// g: seconds for a byte from one peer to the next; `None` where there was one peer.
    pub seconds_per_byte: Option<f64>,
    /// Whether that went from host to host; else between processes of one host.
    pub between_hosts: bool,
    /// l: seconds of a superstep of all peers.
    pub superstep_s: f64,
    /// Seconds from the plan to the durable result of a product of one element.
    pub product_s: f64,
}

impl ClusterRates {
    /// What plans go by. What a byte between hosts costs is [assumed](Rates::of_cluster) where it was not measured.
    pub fn rates(&self) -> Rates {
        let assumed = Rates::of_cluster();
        let network = self.seconds_per_byte.filter(|_| self.between_hosts);
        Rates {
            flop_per_s: self.flop_per_s,
            read_bytes_per_s: self.read_bytes_per_s,
            write_bytes_per_s: self.write_bytes_per_s,
            touch_bytes_per_s: BESIDE_A_KERNEL * self.peer_read_bytes_per_s,
            seconds_per_byte: network.unwrap_or(assumed.seconds_per_byte),
            superstep_s: self.superstep_s,
            fixed_s: self.product_s,
        }
    }
}

/// Measures the cluster and the store of `hama`, and tells `note` what it is about to do. A table of a name that nobody
/// else has is written and removed.
///
/// # Cost
/// Some ten jobs with a peer in each slot that is free, one after the other; 64 MiB of the store a peer, where it has four
/// times that.
///
/// # Errors
/// `Invalid` where peers are threads of this process; `Unavailable` where no groom is alive; `OutOfMemory` where a peer has
/// less than some 16 MiB; those of jobs and of the store, such as `NotFound` where not all hosts reach that.
pub fn cluster_rates(hama: &Hama, note: impl Fn(&str)) -> Result<ClusterRates> {
    let slots = hama.slots()?;
    if slots.is_empty() {
        return Err(Error::invalid("cannot measure a cluster: no master is named"));
    }
    note("the kernel ...");
    let kernel = hama.kernel()?;
    let computed = run(hama, &ComputeProbe { kernel }, &slots)?;
    let flop_per_s = computed.iter().map(Took::per_second).fold(f64::INFINITY, f64::min);
    let hosts = by_host(&computed).len();
    note("the store ...");
    let (table_bytes, wrote, read) = store(hama, &slots)?;
    note("supersteps and messages ...");
    let superstep_s = exchange(hama, &Exchange::empty(SUPERSTEPS), &slots)?.0 / f64::from(SUPERSTEPS);
    // One peer a host, so that every byte goes from host to host.
    let mut apart: Vec<Host> = slots.clone();
    apart.sort();
    apart.dedup();
    let chain = if apart.len() > 1 { apart } else { slots.iter().take(2).cloned().collect() };
    let (seconds_per_byte, between_hosts) = match chain.len() {
        0 | 1 => (None, false),
        _ => {
            let program = Exchange::payloads();
            let (seconds, apart) = exchange(hama, &program, &chain)?;
            (Some(seconds / program.bytes()), apart)
        }
    };
    note("a product of one element ...");
    let product_s = product_s_named(hama, &name()?)?;
    Ok(ClusterRates {
        hosts,
        peers: slots.len(),
        kernel: kernel.to_string(),
        flop_per_s,
        table_bytes,
        write_bytes_per_s: slowest_host(&wrote),
        read_bytes_per_s: slowest_host(&read),
        peer_read_bytes_per_s: read.iter().map(Took::per_second).fold(f64::INFINITY, f64::min),
        seconds_per_byte,
        between_hosts,
        superstep_s,
        product_s,
    })
}

/// Of a table that nobody has.
fn name() -> Result<TableName> {
    let id = JobId::random().to_string();
    TableName::new(&format!("hama-probe-{}", id.get(..8).unwrap_or_default()))
}

fn run<P: hama_core::Bsp>(hama: &Hama, program: &P, hosts: &[Host]) -> Result<Vec<P::Output>> {
    let preferred = hosts.iter().cloned().map(Some).collect();
    Ok(hama.run(program).preferred(preferred).peers(hosts.len())?.outputs)
}

/// Seconds that an exchange takes its slowest peer, the best of some rounds, and whether each peer sent to another host.
fn exchange(hama: &Hama, program: &Exchange, hosts: &[Host]) -> Result<(f64, bool)> {
    let (mut best, mut apart) = (f64::INFINITY, true);
    for _ in 0..ROUNDS {
        let outputs = run(hama, program, hosts)?;
        let slowest = outputs.iter().map(|took| took.time).max().unwrap_or_default();
        best = best.min(slowest.as_secs_f64());
        // Slots may have been taken meanwhile.
        let next = outputs.iter().cycle().skip(1);
        apart &= outputs.iter().zip(next).all(|(one, next)| one.host != next.host);
    }
    Ok((best, apart))
}

/// Has each peer write a shard and read it again: its length in all, and what that took.
fn store(hama: &Hama, slots: &[Host]) -> Result<(u64, Vec<Took>, Vec<Took>)> {
    let name = name()?;
    let measured = written_and_read(hama, slots, &name);
    // What is left of a table that was not committed has gone with its writer.
    let removed = hama_hdfs::remove(&**hama.store(), &name);
    let measured = measured?;
    removed?;
    Ok(measured)
}

fn written_and_read(hama: &Hama, slots: &[Host], name: &TableName) -> Result<(u64, Vec<Took>, Vec<Took>)> {
    let spec = spec(slots.len() as u64, hama.store().free_bytes()?)?;
    let writer = TableWriter::create(hama.store(), name, spec.clone(), OnExists::Fail)?;
    let shards: Vec<_> = spec.shards().collect();
    let program = WriteProbe { target: writer.target().clone(), shards: shards.clone() };
    let (wrote, records): (Vec<Took>, Vec<_>) = run(hama, &program, slots)?.into_iter().unzip();
    let table = writer.commit(records)?;
    let read = run(hama, &ReadProbe { table: table.to_ref(), shards }, slots)?;
    Ok((table.bytes(), wrote, read))
}

/// A table of a shard a peer, of 64 MiB each where a quarter of the free space has room for them.
fn spec(peers: u64, free_bytes: Option<u64>) -> Result<TableSpec> {
    let row_bytes = PROBE_TILE * PROBE_TILE * 8 * peers;
    let tiles = (free_bytes.unwrap_or(u64::MAX) / 4 / row_bytes.max(1)).clamp(1, TILES);
    debug_assert_eq!(tile_extent(PROBE_TILE * peers), PROBE_TILE);
    let shape = Extent { rows: PROBE_TILE * peers, cols: PROBE_TILE * tiles };
    TableSpec::new(shape, ElementType::F64)?.with_shard(Extent { rows: 1, cols: tiles })
}

/// What peers took, by host: all of their bytes, and the longest time.
fn by_host(took: &[Took]) -> BTreeMap<&Host, (f64, Duration)> {
    let mut hosts: BTreeMap<&Host, (f64, Duration)> = BTreeMap::new();
    for Took { host, amount, time } in took {
        let (all, longest) = hosts.entry(host).or_default();
        *all += amount;
        *longest = (*longest).max(*time);
    }
    hosts
}

/// What all peers of the slowest host together did in a second.
fn slowest_host(took: &[Took]) -> f64 {
    by_host(took)
        .into_values()
        .map(|(amount, time)| amount / time.as_secs_f64().max(1e-9))
        .fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_host_counts_with_all_of_its_peers() {
        let took =
            |host: &str, amount, ms| Took { host: Host::new(host), amount, time: Duration::from_millis(ms) };
        let all =
            [took("a", 10.0, 1000), took("b", 10.0, 1500), took("a", 10.0, 2000), took("b", 20.0, 1000)];
        assert_eq!(slowest_host(&all), 10.0);
        assert_eq!(by_host(&all).len(), 2);
    }

    #[test]
    fn a_shard_a_peer_is_as_large_as_the_store_has_room() {
        for peers in [1, 2, 3, 7, 1000] {
            let shards = |free| {
                let spec = spec(peers, free).unwrap();
                (spec.shards().count() as u64, spec.shard.cols)
            };
            assert_eq!(shards(None), (peers, 8));
            assert_eq!(shards(Some(0)), (peers, 1));
            assert_eq!(shards(Some((8 << 20) * peers * 4 * 3)), (peers, 3));
        }
    }

    #[test]
    fn what_went_within_a_host_says_nothing_of_the_network() {
        let measured = ClusterRates {
            hosts: 1,
            peers: 2,
            kernel: String::new(),
            flop_per_s: 1e9,
            table_bytes: 1,
            write_bytes_per_s: 1e8,
            read_bytes_per_s: 2e8,
            peer_read_bytes_per_s: 1e8,
            seconds_per_byte: Some(1e-10),
            between_hosts: false,
            superstep_s: 1e-3,
            product_s: 0.5,
        };
        assert_eq!(measured.rates().seconds_per_byte, Rates::of_cluster().seconds_per_byte);
        let far = ClusterRates { between_hosts: true, ..measured };
        assert_eq!((far.rates().seconds_per_byte, far.rates().fixed_s), (1e-10, 0.5));
        far.rates().check().unwrap();
    }
}
