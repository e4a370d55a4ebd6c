//! `hama bench probe --master`: what a cluster does in a second, measured by jobs on it and stored for the planner.

use std::fmt;

use hama::Error;
use hama::measure::{ClusterRates, cluster_rates};
use hama::plan::Rates;
use serde::Serialize;

use super::note;
use super::probe::row;
use crate::cli::Global;
use crate::cli::cluster::{Slots, connect, with_master};
use crate::cli::count::counted;
use crate::cli::date::{date, unix_now};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::rates::cluster::{Identity, ProbedCluster};
use crate::cli::rates::{SCHEMA, Writing};
use crate::cli::session::{Access, Session};
use crate::cli::size::Size;

/// What is stored, but for its schema: the document that this is printed in has one of its own.
#[derive(Serialize)]
struct ProbeReport {
    path: String,
    measured_unix: u64,
    cluster: Identity,
    rates: Rates,
    measured: ClusterRates,
}

/// What is stored.
#[derive(Serialize)]
struct Stored<'a> {
    #[serde(flatten)]
    probed: &'a ProbedCluster,
    measured: &'a ClusterRates,
}

/// Measures the cluster of the settings, and stores what came of it.
pub(super) fn probe(global: &Global, writing: Writing, output: &mut Output) -> Result<(), Failure> {
    let identity = Identity::of(&connect(global)?)?;
    let session =
        Session::open_with(global, Access::Create, |builder| with_master(global, builder, Slots::default()))?;
    let (master, hosts) = (&identity.master, identity.names());
    note(global, &format!("measuring the cluster of {master}: {hosts}"));
    let measured = cluster_rates(&session.hama, |what| note(global, what))?;
    let rates = measured.rates();
    rates.check().map_err(|error| Error::internal("the figures make no sense").with_source(error))?;
    // A host that came or went meanwhile is in some of the figures only: plans find other hosts then.
    let probed = ProbedCluster { schema: SCHEMA, measured_unix: unix_now(), cluster: identity, rates };
    let path = writing.path().display().to_string();
    writing.finish(&Stored { probed: &probed, measured: &measured })?;
    tracing::info!(path, "stored");
    let ProbedCluster { measured_unix, cluster, rates, .. } = probed;
    output.report(&ProbeReport { path, measured_unix, cluster, rates, measured })
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProbeReport { path, measured_unix, cluster, rates, measured } = self;
        let (peers, hosts) = (counted(measured.peers as u64, "peer"), counted(measured.hosts as u64, "host"));
        writeln!(f, "the cluster of {}: {}", cluster.master, cluster.names())?;
        writeln!(f, "{}: {peers} on {hosts}, {}\n", date(*measured_unix), measured.kernel)?;
        row(f, "r, kernel of the slowest peer", rates.flop_per_s / 1e9, "GFLOP/s")?;
        row(f, "store, the slowest host writes", rates.write_bytes_per_s / 1e9, "GB/s")?;
        row(f, "store, it reads what it has written", rates.read_bytes_per_s / 1e9, "GB/s")?;
        row(f, "a peer's bytes beside its kernel", rates.touch_bytes_per_s / 1e9, "GB/s")?;
        match measured.seconds_per_byte {
            Some(g) if measured.between_hosts => row(f, "g, a byte from host to host", g * 1e9, "ns")?,
            Some(g) => {
                row(f, "a byte between processes of one host", g * 1e9, "ns")?;
                row(f, "g, a byte from host to host, assumed", rates.seconds_per_byte * 1e9, "ns")?;
            }
            None => row(f, "g, a byte from host to host, assumed", rates.seconds_per_byte * 1e9, "ns")?,
        }
        row(f, &format!("l, superstep of {peers}"), rates.superstep_s * 1e3, "ms")?;
        row(f, "product of one element, start to commit", rates.fixed_s * 1e3, "ms")?;
        writeln!(f, "\nthe store was measured with a table of {}", Size(measured.table_bytes))?;
        if !measured.between_hosts {
            writeln!(
                f,
                "no two hosts had a slot free for a peer each: what a byte between hosts costs is assumed"
            )?;
        }
        writeln!(f, "stored in {path}")
    }
}
