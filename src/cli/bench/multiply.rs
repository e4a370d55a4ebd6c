//! `hama bench multiply`: products from file to file beside the same kernel's product in memory, in turns, so that a
//! machine whose speed changes does not decide.

use std::fmt;

use hama::measure::{self, Machine};
use hama::table::{ElementType, Extent, TableName, TableSpec};
use hama::{DenseMatrix, Error, ErrorKind, Hama, Product, Result, Scalar, Seed, replace};
use serde::Serialize;

use super::scratch::Scratch;
use super::{fits_memory, is_steady, note, peak};
use crate::cli::Global;
use crate::cli::count::count;
use crate::cli::date::{date, unix_now};
use crate::cli::failure::Failure;
use crate::cli::made::Dtype;
use crate::cli::output::Output;
use crate::cli::rates::Known;
use crate::cli::resident;
use crate::cli::session::{Access, Session};
use crate::cli::size::Size;

const ABOUT: &str = "\
Examples:
  hama bench multiply
  hama bench multiply --sizes 1000,2000,4000,8000 --dtype f32 --json
  hama bench multiply --sizes 8000 --memory 256MiB --rounds 3 --store /data/hama

For each N: two random N x N matrices are multiplied from their files into a file that is synced, checksums
on, and in memory by the same kernel on as many threads, in turns. The last product is verified. Compare
ratios: the peak of multiply-adds before and after tells whether the machine was as fast at the end as at
the start. --memory bounds the products from file to file only: those in memory take five matrices beside
it, and are left out where that is more than half of the machine's memory.";

/// Measure products from file to file, beside the same kernel's in memory
#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Multiply {
    /// The rows and columns of the matrices, one measurement each
    #[arg(
        long,
        value_name = "N,..",
        allow_hyphen_values = true,
        value_delimiter = ',',
        value_parser = count::<u64>,
        default_values_t = [1000, 2000, 4000]
    )]
    sizes: Vec<u64>,
    /// The type of their elements
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Dtype::F64)]
    dtype: Dtype,
    /// How often each product is computed
    #[arg(long, value_name = "R", allow_hyphen_values = true, value_parser = count::<u32>, default_value_t = 5)]
    rounds: u32,
    /// How many peers work on it [default: one a core]
    #[arg(long, value_name = "P", allow_hyphen_values = true, value_parser = count::<usize>)]
    peers: Option<usize>,
}

#[derive(Serialize)]
struct BenchReport {
    measured_unix: u64,
    machine: Machine,
    dtype: &'static str,
    peers: usize,
    memory_bytes: u64,
    store: String,
    rates: Known,
    sizes: Vec<Measured>,
}

/// The products of one size. Times are seconds; the medians are those of the rounds.
#[derive(Serialize)]
struct Measured {
    n: u64,
    flop: f64,
    seconds_min: f64,
    seconds_median: f64,
    gflop_per_s: f64,
    /// Of the larger of the two peaks.
    share_of_peak: f64,
    in_memory_seconds_median: Option<f64>,
    /// From file to file over in memory, of one round.
    ratio_median: Option<f64>,
    /// Of the process, while it multiplied from file to file.
    memory_bytes_peak: Option<u64>,
    peak_gflop_per_s_before: f64,
    peak_gflop_per_s_after: f64,
    rounds: Vec<Round>,
}

#[derive(Serialize)]
struct Round {
    seconds: f64,
    in_memory_seconds: Option<f64>,
    memory_bytes_peak: Option<u64>,
}

impl Multiply {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> std::result::Result<(), Failure> {
        match self.dtype {
            Dtype::F64 => self.measure::<f64>(global, output),
            Dtype::F32 => self.measure::<f32>(global, output),
        }
    }

    fn measure<T: Scalar>(&self, global: &Global, output: &mut Output) -> std::result::Result<(), Failure> {
        if self.rounds == 0 {
            return Err(Error::invalid("cannot measure 0 rounds: at least 1 is needed").into());
        }
        for &n in &self.sizes {
            self.dtype.check("c", (n, n))?;
        }
        let known = Known::load(&global.settings);
        let scratch = Scratch::make(global)?;
        let session = Session::open_at(global, scratch.store()?, Access::Create, |builder| {
            builder.rates(known.rates).peers(self.peers.unwrap_or(global.settings.peers.value))
        })?;
        let hama = &session.hama;
        for &n in &self.sizes {
            check_room(hama, n, T::TYPE)?;
        }
        let machine = Machine::this();
        note(global, &format!("{machine}, {}", T::TYPE));
        let (measured_unix, mut sizes) = (unix_now(), Vec::new());
        for &n in &self.sizes {
            sizes.push(measured::<T>(hama, n, self.rounds, |what| note(global, what))?);
        }
        output.report(&BenchReport {
            measured_unix,
            machine,
            dtype: T::TYPE.name(),
            peers: hama.peers(),
            memory_bytes: hama.memory(),
            store: crate::cli::session::store_url(global),
            rates: known,
            sizes,
        })
    }
}

/// Checks that there is room for the operands, the product, and the one that the next takes the place of.
fn check_room(hama: &Hama, n: u64, element: ElementType) -> Result<()> {
    let needed = TableSpec::new(Extent { rows: n, cols: n }, element)?.stored_bytes().saturating_mul(4);
    match hama.store().free_bytes()? {
        Some(free) if free < needed => {
            let (needed, free) = (Size(needed), Size(free));
            let message = format!(
                "cannot measure {n} x {n} {element}: four tables need {needed}, and {free} are free in {}",
                hama.store().url()
            );
            Err(Error::new(ErrorKind::OutOfSpace, message))
        }
        _ => Ok(()),
    }
}

fn measured<T: Scalar>(hama: &Hama, n: u64, rounds: u32, note: impl Fn(&str)) -> Result<Measured> {
    note(&format!("{n} x {n}: making two matrices"));
    let random = |name, seed| DenseMatrix::<T>::random(hama, replace(name), (n, n), Seed(seed));
    let (a, b) = (random("a", 1)?, random("b", 2)?);
    let product = a.mult(&b)?;
    // Refused here where the memory given does not suffice.
    product.plan()?;
    product.check_verifiable()?;
    let in_memory = fits_memory::<T>(n);
    let before = peak(T::TYPE, hama.peers());
    let mut all = Vec::new();
    for number in 1..=rounds {
        note(&format!("{n} x {n}: round {number} of {rounds}"));
        all.push(round(&product, in_memory)?);
    }
    let after = peak(T::TYPE, hama.peers());
    let c = DenseMatrix::<T>::open(hama, "c")?;
    let verification = hama::verify(&a, &b, &c)?;
    if !verification.passed {
        return Err(Error::data(format!("the product of {n} x {n} is wrong: {verification}")));
    }
    drop((product, a, b, c));
    for name in ["a", "b", "c"] {
        remove(hama, name)?;
    }
    Ok(Measured::of(n, all, before, after))
}

fn remove(hama: &Hama, name: &str) -> Result<()> {
    match hama::table::remove(&**hama.store(), &TableName::new(name)?) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map(drop),
    }
}

fn round<T: Scalar>(product: &Product<T>, in_memory: bool) -> Result<Round> {
    let plan = product.plan()?;
    let (n, hama) = (plan.problem.m as usize, product.hama());
    let in_memory_seconds = if in_memory {
        Some(measure::multiply_in_memory::<T>(n, hama.peers(), hama.cancel())?.as_secs_f64())
    } else {
        None
    };
    // A new table every time: to clear the one before takes the disk, not the product.
    remove(hama, "c")?;
    let begun = resident::begin_anew();
    let seconds = product.run("c")?.seconds;
    let memory_bytes_peak = if begun { resident::bytes_peak() } else { None };
    Ok(Round { seconds, in_memory_seconds, memory_bytes_peak })
}

impl Measured {
    fn of(n: u64, rounds: Vec<Round>, before: f64, after: f64) -> Measured {
        let flop = 2.0 * (n as f64).powi(3);
        let of_all = |of: fn(&Round) -> Option<f64>| {
            let values: Option<Vec<f64>> = rounds.iter().map(of).collect();
            values.map(measure::median)
        };
        let seconds_median = measure::median(rounds.iter().map(|round| round.seconds));
        Measured {
            n,
            flop,
            seconds_min: rounds.iter().map(|round| round.seconds).fold(f64::INFINITY, f64::min),
            seconds_median,
            gflop_per_s: flop / seconds_median / 1e9,
            share_of_peak: flop / seconds_median / before.max(after),
            in_memory_seconds_median: of_all(|round| round.in_memory_seconds),
            ratio_median: of_all(|round| Some(round.seconds / round.in_memory_seconds?)),
            memory_bytes_peak: rounds.iter().filter_map(|round| round.memory_bytes_peak).max(),
            peak_gflop_per_s_before: before / 1e9,
            peak_gflop_per_s_after: after / 1e9,
            rounds,
        }
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.machine, date(self.measured_unix))?;
        let (peers, memory) =
            (crate::cli::count::counted(self.peers as u64, "peer"), Size(self.memory_bytes));
        writeln!(f, "{}, {peers}, {memory} of memory given; rates: {}\n", self.dtype, self.rates)?;
        writeln!(
            f,
            "{:>7}{:>10}{:>10}{:>10}{:>9}{:>13}{:>8}{:>12}",
            "N", "median s", "least s", "GFLOP/s", "of peak", "in memory s", "ratio", "memory"
        )?;
        for size in &self.sizes {
            let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
            let memory = size.memory_bytes_peak.map_or("-".to_owned(), |bytes| Size(bytes).to_string());
            writeln!(
                f,
                "{:7}{:10.3}{:10.3}{:10.1}{:7.1} %{:>13}{:>8}{:>12}",
                size.n,
                size.seconds_median,
                size.seconds_min,
                size.gflop_per_s,
                100.0 * size.share_of_peak,
                number(size.in_memory_seconds_median),
                number(size.ratio_median),
                memory
            )?;
        }
        writeln!(f, "\npeak of multiply-adds before and after, GFLOP/s")?;
        for size in &self.sizes {
            let (before, after) = (size.peak_gflop_per_s_before, size.peak_gflop_per_s_after);
            let changed = if is_steady(before, after) { "" } else { "  it changed: compare ratios only" };
            writeln!(f, "{:7}{before:10.1}{after:10.1}{changed}", size.n)?;
        }
        writeln!(f, "\nevery last product is verified; what was written is removed")
    }
}
