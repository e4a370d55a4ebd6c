//! What a multiplication cost, measured beside planned: in all, by peer, and in its slowest supersteps.

use std::fmt;
use std::time::Duration;

use hama::{Moved, Plan, SuperstepRecord};
use serde::Serialize;

use super::size::Size;

/// How many of the slowest supersteps people are shown.
const SLOWEST: usize = 5;

/// The measured cost of a run of a plan. In JSON it has every record.
#[derive(Serialize)]
pub(crate) struct Analysis {
    quantities: Vec<Quantity>,
    /// What was read from where, and what the wire carried: of a job on a cluster.
    moved: Moved,
    peers: Vec<SuperstepRecord>,
    supersteps: Vec<SuperstepRecord>,
}

/// One quantity, planned and measured.
#[derive(Serialize)]
struct Quantity {
    name: &'static str,
    unit: Unit,
    planned: Option<f64>,
    measured: Option<f64>,
}

/// The most memory that there was, in bytes.
pub(crate) struct MemoryPeak {
    /// Of the pool's buffers, while the plan ran.
    pub(crate) buffers: u64,
    /// Of the whole process so far, where the system tells it.
    pub(crate) process: Option<u64>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    Seconds,
    Bytes,
    Count,
}

impl Analysis {
    pub(crate) fn of(
        plan: &Plan,
        (supersteps, moved): (Vec<SuperstepRecord>, Moved),
        seconds: f64,
        memory: &MemoryPeak,
    ) -> Analysis {
        let peers = by_peer(&supersteps);
        let mut quantities = quantities(plan, &peers, seconds);
        quantities.extend(memory_quantities(plan, memory));
        Analysis { quantities, moved, peers, supersteps }
    }

    /// The supersteps whose slowest peer took longest, that peer's record each, slowest first.
    fn slowest(&self) -> Vec<&SuperstepRecord> {
        let mut slowest: Vec<&SuperstepRecord> = self.supersteps.iter().collect();
        slowest.sort_by_key(|record| (std::cmp::Reverse(busy(record)), record.superstep, record.peer));
        let mut seen = std::collections::BTreeSet::new();
        slowest.retain(|record| seen.insert(record.superstep));
        slowest.truncate(SLOWEST);
        slowest
    }
}

/// What the plan estimated, beside what the sums of every peer's records say.
fn quantities(plan: &Plan, peers: &[SuperstepRecord], seconds: f64) -> Vec<Quantity> {
    let most = |of: fn(&SuperstepRecord) -> f64| peers.iter().map(of).fold(0.0, f64::max);
    let sum = |of: fn(&SuperstepRecord) -> f64| peers.iter().map(of).sum::<f64>();
    let estimate = &plan.estimate;
    let row = |name, unit, planned, measured| Quantity {
        name,
        unit,
        planned: Some(planned),
        measured: Some(measured),
    };
    vec![
        row("time", Unit::Seconds, estimate.total_s, seconds),
        // A peer's last record is of what it did after the last superstep.
        row("supersteps", Unit::Count, estimate.supersteps as f64, most(|r| r.superstep as f64)),
        row("computing, busiest peer", Unit::Seconds, estimate.compute_s, most(|r| r.compute.as_secs_f64())),
        row("read from the store", Unit::Bytes, estimate.read_bytes, sum(|r| r.bytes_read as f64)),
        row("written to the store", Unit::Bytes, estimate.written_bytes, sum(|r| r.bytes_written as f64)),
        row(
            "received, busiest peer",
            Unit::Bytes,
            estimate.received_bytes,
            most(|r| r.bytes_received as f64),
        ),
    ]
}

/// Buffers as planned; the process, which has more than buffers, for itself.
fn memory_quantities(plan: &Plan, memory: &MemoryPeak) -> [Quantity; 2] {
    // What the kernel packs into lies beside the pool.
    let buffers = plan.memory.total_bytes() - plan.memory.packing_bytes;
    let planned = buffers.saturating_mul(plan.grid.peer_count());
    let row = |name, planned: Option<u64>, measured: Option<u64>| Quantity {
        name,
        unit: Unit::Bytes,
        planned: planned.map(|bytes| bytes as f64),
        measured: measured.map(|bytes| bytes as f64),
    };
    [
        row("memory, buffers of all peers", Some(planned), Some(memory.buffers)),
        row("memory, whole process", None, memory.process),
    ]
}

/// The sums of every peer's records; its superstep is the last one.
fn by_peer(records: &[SuperstepRecord]) -> Vec<SuperstepRecord> {
    let count = records.iter().map(|record| record.peer + 1).max().unwrap_or_default();
    let mut peers: Vec<SuperstepRecord> =
        (0..count).map(|peer| SuperstepRecord { peer, ..SuperstepRecord::default() }).collect();
    for record in records {
        peers[record.peer].add(record);
        peers[record.peer].superstep = peers[record.peer].superstep.max(record.superstep);
    }
    peers
}

/// The time in which a peer did something else than waiting for others.
fn busy(record: &SuperstepRecord) -> Duration {
    record.compute + record.read + record.send + record.receive + record.write
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Unit::Seconds => format!("{value:.3} s"),
            Unit::Bytes => Size(value as u64).to_string(),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

const HEADER: &str = "compute s   read s   send s   wait s  receive s  write s        read       sent   received    written  GFLOP/s";

fn write_record(f: &mut fmt::Formatter<'_>, record: &SuperstepRecord) -> fmt::Result {
    let seconds = |time: Duration| time.as_secs_f64();
    let bytes = |bytes: u64| Size(bytes).to_string();
    write!(
        f,
        "{:9.3}{:9.3}{:9.3}{:9.3}{:11.3}{:9.3}{:>12}{:>11}{:>11}{:>11}",
        seconds(record.compute),
        seconds(record.read),
        seconds(record.send),
        seconds(record.wait),
        seconds(record.receive),
        seconds(record.write),
        bytes(record.bytes_read),
        bytes(record.bytes_sent),
        bytes(record.bytes_received),
        bytes(record.bytes_written)
    )?;
    match seconds(record.compute) {
        0.0 => writeln!(f, "{:>9}", "-"),
        seconds => writeln!(f, "{:9.1}", record.work as f64 / seconds / 1e9),
    }
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:42}{:>12}{:>12}", "", "planned", "measured")?;
        for Quantity { name, unit, planned, measured } in &self.quantities {
            let write = |value: &Option<f64>| value.map_or("-".to_owned(), |value| unit.write(value));
            writeln!(f, "{name:42}{:>12}{:>12}", write(planned), write(measured))?;
        }
        if !self.moved.is_empty() {
            write!(f, "\n{}", self.moved)?;
        }
        writeln!(f, "\n     peer  {HEADER}")?;
        for record in &self.peers {
            write!(f, "{:9}  ", record.peer)?;
            write_record(f, record)?;
        }
        writeln!(f, "\nslowest supersteps, by the peer that was busiest in each")?;
        writeln!(f, "step peer  {HEADER}")?;
        for record in self.slowest() {
            write!(f, "{:4}{:5}  ", record.superstep, record.peer)?;
            write_record(f, record)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(peer: usize, superstep: u64, compute_ms: u64, wait_ms: u64) -> SuperstepRecord {
        SuperstepRecord {
            peer,
            superstep,
            compute: Duration::from_millis(compute_ms),
            wait: Duration::from_millis(wait_ms),
            bytes_read: 10,
            work: 1000,
            ..SuperstepRecord::default()
        }
    }

    fn analysis() -> Analysis {
        let supersteps =
            vec![record(0, 0, 5, 9), record(1, 0, 7, 0), record(0, 1, 30, 0), record(1, 1, 1, 90)];
        Analysis { quantities: Vec::new(), moved: Moved::default(), peers: by_peer(&supersteps), supersteps }
    }

    #[test]
    fn peers_are_summed_up() {
        let analysis = analysis();
        assert_eq!(analysis.peers.len(), 2);
        assert_eq!(analysis.peers[0].compute, Duration::from_millis(35));
        assert_eq!((analysis.peers[1].bytes_read, analysis.peers[1].work), (20, 2000));
    }

    #[test]
    fn waiting_makes_no_superstep_slow() {
        let analysis = analysis();
        let slowest: Vec<_> =
            analysis.slowest().iter().map(|record| (record.superstep, record.peer)).collect();
        assert_eq!(slowest, [(1, 0), (0, 1)]);
    }

    #[test]
    fn lines_are_as_long_as_their_header() {
        let text = analysis().to_string();
        let lines: Vec<&str> = text.lines().collect();
        let header = lines.iter().position(|line| line.contains("peer  compute s")).unwrap();
        assert_eq!(lines[header].len(), lines[header + 1].len());
    }

    #[test]
    fn no_records_are_no_analysis() {
        let nothing = Analysis {
            quantities: Vec::new(),
            moved: Moved::default(),
            peers: by_peer(&[]),
            supersteps: Vec::new(),
        };
        assert!(nothing.to_string().contains("slowest"));
    }
}
