//! `hama bench probe`: what this machine does in a second, measured and stored for the planner.

use std::fmt;
use std::time::{Duration, Instant};

use hama::measure::{self, Machine, MemoryRates, StoreRates};
use hama::plan::Rates;
use hama::table::ElementType;
use hama::{Error, Hama, Result, Scalar, TransportKind};
use serde::Serialize;

use super::cluster;
use super::scratch::Scratch;
use super::{fits_memory, is_steady, note, peak};
use crate::cli::Global;
use crate::cli::date::{date, unix_now};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::rates::{Probed, SCHEMA, Writing};
use crate::cli::session::{Access, Session};
use crate::cli::size::Size;

/// More than most caches hold.
const MEMORY_BYTES: u64 = 384 << 20;
const STORE_BYTES: u64 = 256 << 20;
/// The rows of a tile of the matrices whose product measures the kernel.
const KERNEL_TILE: usize = 1000;
/// The share of their time that the threads of that product have a tile to compute, at least, where memory allows.
const BUSY: f64 = 0.9;
/// How long the kernel is measured for a figure: products until then, one at least.
const KERNEL_TIME: Duration = Duration::from_millis(700);
/// What a peer copies and checksums while a kernel runs on its core, as a share of what it does alone: both want the
/// same caches and the same memory.
const BESIDE_A_KERNEL: f64 = 0.4;

const ABOUT: &str = "\
Examples:
  hama bench probe
  hama bench probe --json --store /data/hama             the disk of that store
  hama bench probe --master localhost:7070 --store hdfs://namenode/hama-data     a cluster

It takes some 10 seconds on all cores: let nothing else run. It measures
  r   what a peer's kernel computes, while all peers do, beside the peak of multiply-adds in registers
  g   what a byte from one peer to another costs
  l   what a superstep costs
and memory, store and a product of one element, file to file. The figures are stored in the file that the
setting `probe` names (`hama config show`), else in $XDG_STATE_HOME/hama/probe.json, else in
~/.local/state/hama/probe.json. While processor, cores and kernel are those of this machine, `matrix
multiply`, `demo` and `bench multiply` plan by them; remove the file to plan by defaults.

With a master named it measures that cluster and its store instead, by jobs that have a peer in each free slot: let no
other job run. Its figures are stored beside those of this machine, in probe-MASTER.json, for that master and the hosts
that it has now: where hosts or slots are others, plans go by what is assumed of clusters, and say so.

--memory does not bound the kernel's products: they lie in memory beside it, in half of the machine's at most.";

/// Measure this machine, or a cluster: kernel, memory, disk, supersteps; store it for the planner
#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Probe {}

/// What is stored, but for its schema: the document that this is printed in has one of its own.
#[derive(Serialize)]
struct ProbeReport {
    path: String,
    measured_unix: u64,
    machine: Machine,
    rates: Rates,
    measured: Measured,
}

/// What is stored.
#[derive(Serialize)]
struct Stored<'a> {
    #[serde(flatten)]
    probed: &'a Probed,
    measured: &'a Measured,
}

#[derive(Serialize)]
struct Measured {
    /// Multiply-adds in registers.
    peak: Vec<Computed>,
    /// The kernel on tiles in memory.
    kernel: Vec<Computed>,
    memory: MemoryRates,
    store: StoreRates,
    supersteps: Vec<Superstep>,
    /// Between two threads where bytes are framed; references that are handed over cost nothing a byte.
    framed_seconds_per_byte: f64,
    product_s: f64,
    /// Whether the peak was the same at the end as at the start.
    steady: bool,
}

/// Floating-point operations a second.
#[derive(Serialize)]
struct Computed {
    dtype: &'static str,
    threads: usize,
    flop_per_s: f64,
}

#[derive(Serialize)]
struct Superstep {
    transport: &'static str,
    peers: usize,
    seconds: f64,
}

impl Probe {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> std::result::Result<(), Failure> {
        // Before seconds of work whose figures could not be stored.
        let writing = Writing::begin(&global.settings).map_err(|error| {
            Failure::from(error).or_try("HAMA_PROBE=FILE, which names another file to store them in")
        })?;
        if global.settings.master.value.is_some() {
            return cluster::probe(global, writing, output);
        }
        let scratch = Scratch::make(global)?;
        let session = Session::open_at(global, scratch.store()?, Access::Create, |builder| builder)?;
        let machine = Machine::this();
        note(global, &format!("measuring {machine}"));
        let measured = Measured::of(&session.hama, &machine, |what| note(global, what))?;
        let rates = measured.rates(&machine);
        rates.check().map_err(|error| Error::internal("the figures make no sense").with_source(error))?;
        let probed = Probed { schema: SCHEMA, measured_unix: unix_now(), machine, rates };
        let path = writing.path().display().to_string();
        writing.finish(&Stored { probed: &probed, measured: &measured })?;
        tracing::info!(path, "stored");
        let Probed { measured_unix, machine, rates, .. } = probed;
        output.report(&ProbeReport { path, measured_unix, machine, rates, measured })
    }
}

impl Measured {
    fn of(hama: &Hama, machine: &Machine, note: impl Fn(&str)) -> Result<Measured> {
        let cancel = hama.cancel();
        let cores = machine.cores;
        let some = if cores == 1 { vec![1] } else { vec![1, cores] };
        note("the peak of multiply-adds, and the kernel ...");
        let (mut peaks, mut kernels) = (Vec::new(), Vec::new());
        for element in [ElementType::F64, ElementType::F32] {
            for &threads in &some {
                cancel.check()?;
                let computed = |flop_per_s| Computed { dtype: element.name(), threads, flop_per_s };
                peaks.push(computed(peak(element, threads)));
                kernels.push(computed(match element {
                    ElementType::F64 => kernel_flop_per_s::<f64>(hama, threads)?,
                    ElementType::F32 => kernel_flop_per_s::<f32>(hama, threads)?,
                }));
            }
        }
        note("memory ...");
        let memory_bytes = usize::try_from(MEMORY_BYTES.min(hama.memory())).unwrap_or(usize::MAX);
        let memory = measure::memory_rates(memory_bytes, cores, cancel)?;
        note("the store ...");
        let free = hama.store().free_bytes()?.unwrap_or(u64::MAX);
        let store = measure::store_rates(hama, STORE_BYTES.min(free / 4))?;
        let product_s = measure::product_s(hama)?;
        note("supersteps and messages ...");
        let framed = hama.with_transport(TransportKind::Framed);
        let mut supersteps = Vec::new();
        for (transport, hama) in [("memory", hama), ("framed", &framed)] {
            for peers in peer_counts(cores) {
                let seconds = measure::superstep_s(hama, peers)?;
                supersteps.push(Superstep { transport, peers, seconds });
            }
        }
        let framed_seconds_per_byte = measure::seconds_per_byte(&framed, cores.max(2))?;
        // Of f64 on all cores, as the last of f64 is.
        let before = peaks.iter().rfind(|figure| figure.dtype == ElementType::F64.name());
        let after = peak(ElementType::F64, cores);
        let steady = before.is_some_and(|figure| is_steady(figure.flop_per_s, after));
        Ok(Measured {
            peak: peaks,
            kernel: kernels,
            memory,
            store,
            supersteps,
            framed_seconds_per_byte,
            product_s,
            steady,
        })
    }

    /// What plans for peers that are threads of one process go by.
    fn rates(&self, machine: &Machine) -> Rates {
        let cores = machine.cores as f64;
        // Last comes what all cores do.
        let kernel = self.kernel.iter().rfind(|figure| figure.dtype == ElementType::F64.name());
        let l = self.supersteps.iter().rfind(|superstep| superstep.transport == "memory");
        let defaults = Rates::default();
        Rates {
            flop_per_s: kernel.map_or(defaults.flop_per_s, |figure| figure.flop_per_s / cores),
            read_bytes_per_s: self.store.cold_bytes_per_s.unwrap_or(self.store.cached_bytes_per_s),
            write_bytes_per_s: self.store.write_bytes_per_s,
            touch_bytes_per_s: BESIDE_A_KERNEL * self.store.cached_bytes_per_s / cores,
            seconds_per_byte: 0.0,
            superstep_s: l.map_or(defaults.superstep_s, |superstep| superstep.seconds),
            fixed_s: self.product_s,
        }
    }
}

/// 1, 2, 4 and so on, and all.
fn peer_counts(cores: usize) -> Vec<usize> {
    let powers = (0..usize::BITS).map(|power| 1 << power);
    powers.take_while(|&count| count < cores).chain([cores]).collect()
}

/// Tiles along a side of the product that measures the kernel: as few as keep `threads` threads busy, two at least. Where
/// memory does not allow that, those that keep them busiest.
fn kernel_tiles(threads: usize, fits: impl Fn(usize) -> bool) -> usize {
    let mut best = 1;
    // Threads squared tiles are a multiple of threads: the search ends there.
    for count in (2..=threads.max(2)).take_while(|&count| fits(count)) {
        if best == 1 || busy_share(count, threads) > busy_share(best, threads) {
            best = count;
        }
        if busy_share(best, threads) >= BUSY {
            break;
        }
    }
    best
}

/// The share of their time that `threads` threads are busy with `count` x `count` equal tiles.
fn busy_share(count: usize, threads: usize) -> f64 {
    let tiles = count * count;
    tiles as f64 / (threads * tiles.div_ceil(threads)) as f64
}

fn kernel_flop_per_s<T: Scalar>(hama: &Hama, threads: usize) -> Result<f64> {
    let n = KERNEL_TILE * kernel_tiles(threads, |count| fits_memory::<T>((KERNEL_TILE * count) as u64));
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while best == Duration::MAX || start.elapsed() < KERNEL_TIME {
        best = best.min(measure::multiply_in_memory::<T>(n, threads, hama.cancel())?);
    }
    Ok(2.0 * (n as f64).powi(3) / best.as_secs_f64())
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProbeReport { path, measured_unix, machine, rates, measured } = self;
        let Measured { peak, kernel, memory, store, supersteps, framed_seconds_per_byte, product_s, steady } =
            measured;
        writeln!(f, "{machine}\n{}\n", date(*measured_unix))?;
        let threads = |count| format!("{count} thread{}", if count == 1 { "" } else { "s" });
        for (name, figures) in [("peak of multiply-adds", peak), ("kernel on tiles", kernel)] {
            for figure in figures {
                let what = format!("{name}, {}, {}", figure.dtype, threads(figure.threads));
                row(f, &what, figure.flop_per_s / 1e9, "GFLOP/s")?;
            }
        }
        row(f, "memory, copy", memory.copy_bytes_per_s / 1e9, "GB/s")?;
        row(f, "memory, triad", memory.triad_bytes_per_s / 1e9, "GB/s")?;
        row(f, "store, written and synced", store.write_bytes_per_s / 1e9, "GB/s")?;
        row(f, "store, read from the page cache", store.cached_bytes_per_s / 1e9, "GB/s")?;
        match store.cold_bytes_per_s {
            Some(rate) => row(f, "store, read from the disk", rate / 1e9, "GB/s")?,
            None => writeln!(f, "{:42}{:>10}", "store, read from the disk", "-")?,
        }
        for Superstep { transport, peers, seconds } in supersteps {
            let peers = format!("{peers} peer{}", if *peers == 1 { "" } else { "s" });
            row(f, &format!("l, superstep, {transport}, {peers}"), seconds * 1e6, "us")?;
        }
        row(f, "g, a byte between peers, framed", framed_seconds_per_byte * 1e9, "ns")?;
        row(f, "product of one element, file to file", product_s * 1e3, "ms")?;
        writeln!(f, "\nplans go by")?;
        row(f, "r, kernel of a peer", rates.flop_per_s / 1e9, "GFLOP/s")?;
        row(f, "store, all peers read", rates.read_bytes_per_s / 1e9, "GB/s")?;
        row(f, "store, all peers write", rates.write_bytes_per_s / 1e9, "GB/s")?;
        row(f, "a peer's bytes beside its kernel", rates.touch_bytes_per_s / 1e9, "GB/s")?;
        row(f, "g, a byte between peers, handed over", rates.seconds_per_byte * 1e9, "ns")?;
        row(f, "l, superstep", rates.superstep_s * 1e6, "us")?;
        row(f, "start and commit", rates.fixed_s * 1e3, "ms")?;
        writeln!(f, "\nthe store was measured with a table of {}", Size(store.table_bytes))?;
        if !steady {
            writeln!(f, "the machine was not as fast at the end as at the start: is it idle? measure again")?;
        }
        writeln!(f, "stored in {path}")
    }
}

pub(super) fn row(f: &mut fmt::Formatter<'_>, what: &str, value: f64, unit: &str) -> fmt::Result {
    writeln!(f, "{what:42}{value:>10.2} {unit}")
}

#[cfg(test)]
mod tests {
    use hama::table::{Extent, TableSpec};

    use super::*;

    #[test]
    fn the_kernel_is_measured_with_all_threads_busy() {
        // Tiles are as large as those of large tables.
        let rows = |count: usize| (KERNEL_TILE * count) as u64;
        let tile = |count| TableSpec::new(Extent { rows: rows(count), cols: rows(count) }, ElementType::F64);
        for threads in 1..=128 {
            let count = kernel_tiles(threads, |_| true);
            assert!(busy_share(count, threads) >= BUSY, "{threads} threads, {count}");
            assert!((2..20).contains(&count), "{threads} threads, {count}");
            assert_eq!(tile(count).unwrap().tile.rows, KERNEL_TILE as u64, "{count}");
            for most in 1..20 {
                let within = kernel_tiles(threads, |count| count <= most);
                assert!(within <= most && within <= count, "{threads} threads, {within} of {most}");
                let busiest = (2..=most.min(count)).map(|count| busy_share(count, threads));
                assert_eq!(busy_share(within, threads), busiest.fold(busy_share(within, threads), f64::max));
            }
        }
        assert_eq!(
            [1, 2, 3, 4, 6, 8, 12, 24].map(|threads| kernel_tiles(threads, |_| true)),
            [2, 2, 3, 2, 6, 4, 6, 12]
        );
    }

    #[test]
    fn peers_are_doubled_up_to_all() {
        assert_eq!(peer_counts(1), [1]);
        assert_eq!(peer_counts(2), [1, 2]);
        assert_eq!(peer_counts(6), [1, 2, 4, 6]);
    }
}
