//! `hama matrix multiply`: the product of two matrices, planned, run, and verified.

use std::fmt;
use std::path::{Path, PathBuf};

use hama::files::{self, ExportOptions, Format, NewFile, NewFileOptions};
use hama::placement::{Advice, HostPlan, Node, Placement};
use hama::plan::Sharing;
use hama::{
    AnyMatrix, Copied, DenseMatrix, Error, ErrorKind, Finished, Grid, Operand, Plan, Product, Scalar,
    Verification,
};
use serde::Serialize;

use super::Global;
use super::analysis::{Analysis, MemoryPeak};
use super::cluster;
use super::count::count;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::progress::{Task, Unit};
use super::rates::Known;
use super::resident;
use super::saved_plan;
use super::session::{Session, taken, target};
use super::settings::Origin;
use super::size::Size;

const EXAMPLES: &str = "\
Examples:
  hama matrix multiply a b --output c --verify
  hama matrix multiply a a --transpose-a --output gram --peers 2 --memory 1GiB
  hama matrix multiply ./a.npy ./b.npy --output ./c.npy     files, without a store
  hama matrix multiply a b --explain                         only say how, write nothing
  hama matrix multiply a b --explain --hosts dn1,dn2,dn3     how several hosts would do it
  hama matrix multiply a b --output c --peers 12 --share-slots     on a cluster of fewer slots
  hama matrix multiply a b --explain --json > plan.json      save the plan
  hama matrix multiply a b --output c --plan plan.json       and run just that one

What has a / or ends with .npy, .npz, .mtx, .csv, .tsv or .zarr is a file. Operands that are .npy files and
Zarr arrays are read in place, in HDFS too (hdfs://HOST:PORT/PATH); others, and results that are files but .npy, take a
table in --spill-dir meanwhile.

A saved plan runs where the product and the kernel are the same and there is memory enough. Then it
gives the same bits.";

/// Multiply two matrices
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Multiply {
    /// The left matrix, or a file
    a: String,
    /// The right matrix, or a file
    b: String,
    /// The name of the product, or the file that it becomes
    #[arg(short, long, value_name = "NAME", required_unless_present = "explain")]
    output: Option<String>,
    /// Take the left matrix transposed
    #[arg(long)]
    transpose_a: bool,
    /// Take the right matrix transposed
    #[arg(long)]
    transpose_b: bool,
    /// How many peers may work on it [default: one a core]
    #[arg(long, value_name = "P", allow_hyphen_values = true, value_parser = count::<usize>)]
    peers: Option<usize>,
    /// The grid of peers along the product's rows, its columns and the inner dimension [default: the best one]
    #[arg(long, value_name = "MxNxK")]
    grid: Option<Grid>,
    /// Run the plan in this file, which `--explain --json` printed, instead of the best one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grid", "peers"])]
    plan: Option<PathBuf>,
    /// Print the plan and write nothing; with -v every step of it
    #[arg(long, conflicts_with_all = ["analyze", "verify", "replace"])]
    explain: bool,
    /// Plan for these hosts, as the store names them, or with their racks (/rack1/dn1); each has --memory
    #[arg(
        long,
        value_name = "HOST,..",
        value_delimiter = ',',
        requires = "explain",
        conflicts_with = "plan"
    )]
    hosts: Vec<Node>,
    /// Run the plan and print what was measured beside what was planned
    #[arg(long)]
    analyze: bool,
    /// Verify the product (Freivalds' test) when it is done
    #[arg(long)]
    verify: bool,
    /// Replace the matrix or the file that has the product's name
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    slots: cluster::Slots,
}

/// A product that is there, and how it was made.
#[derive(Serialize)]
pub(crate) struct MultiplyReport {
    pub(crate) output: Summary,
    pub(crate) seconds: f64,
    pub(crate) gflop_per_s: f64,
    pub(crate) memory_bytes_peak: Option<u64>,
    /// What bringing the placed copies of A and B up to date took.
    copied: [Copied; 2],
    pub(crate) verification: Option<Verification>,
    pub(crate) plan: Plan,
    pub(crate) analysis: Option<Analysis>,
}

/// What a multiplication runs with.
struct Run<'a> {
    session: &'a Session<'a>,
    known: Known,
    /// That of `--plan`.
    saved: Option<Plan>,
    global: &'a Global,
}

#[derive(Serialize)]
struct ExplainReport {
    plan: Plan,
    rates: Known,
    /// With `--hosts`, and on a cluster.
    placement: Option<Placement>,
    /// Of more peers than a cluster has slots.
    sharing: Option<Sharing>,
    advice: Vec<Advice>,
    #[serde(skip)]
    steps: bool,
}

impl Multiply {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let (slots, known) = (self.slots, Known::load(&global.settings));
        let saved = self.plan.as_deref().map(saved_plan::read).transpose()?;
        // On a cluster all peers of a job have an equal part of its memory: as many as the plan has.
        let of_plan = saved
            .as_ref()
            .filter(|_| global.settings.master.value.is_some())
            .map(|plan| plan.grid.peer_count() as usize);
        let peers = self.peers.or(of_plan);
        let result = self.output.as_deref().filter(|_| !self.explain);
        if let Some(file) = result.filter(|name| files::is_path(name)) {
            self.export_options().check(Path::new(file)).map_err(taken)?;
        }
        let operands = [self.a.as_str(), &self.b];
        cluster::check_names(global, operands.into_iter().chain(result))?;
        let session = Session::open_for(global, operands, result, |builder| {
            let builder = cluster::with_master(global, builder, slots).rates(known.rates);
            match peers {
                Some(peers) => builder.peers(peers),
                None => builder,
            }
        })?;
        let run = Run { session: &session, known, saved, global };
        match (session.matrix(&self.a)?, session.matrix(&self.b)?) {
            (AnyMatrix::F64(a), AnyMatrix::F64(b)) => self.multiply(run, a, b, output),
            (AnyMatrix::F32(a), AnyMatrix::F32(b)) => self.multiply(run, a, b, output),
            (a, b) => Err(Error::invalid(format!(
                "cannot multiply {} ({}) by {} ({}): their elements differ in type",
                self.a,
                a.element(),
                self.b,
                b.element()
            ))
            .into()),
        }
    }

    fn multiply<T: Scalar>(
        &self,
        Run { session, known, saved, global }: Run<'_>,
        a: DenseMatrix<T>,
        b: DenseMatrix<T>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let file = self.output.as_deref().filter(|name| files::is_path(name) && !self.explain);
        let npy = file.filter(|file| Format::of(Path::new(file)).is_ok_and(|format| format == Format::Npy));
        // A result that is another file is a table first.
        let (a, b) = match file {
            Some(_) if npy.is_none() => {
                let spill = session.spill_hama()?;
                (a.in_hama(&spill), b.in_hama(&spill))
            }
            _ => (a, b),
        };
        let a = if self.transpose_a { a.t() } else { a };
        let b = if self.transpose_b { b.t() } else { b };
        let mut product = a.mult(&b)?;
        if let Some(grid) = self.grid {
            product = product.grid(grid);
        }
        if !self.hosts.is_empty() {
            let product = product.peers(self.peers_on_hosts(global))?;
            return self.explain_on((product, &self.hosts), (known, global), output);
        }
        let hosts = session.hama.hosts()?;
        if self.explain && self.plan.is_none() && !hosts.is_empty() {
            return self.explain_on((product, &hosts), (known, global), output);
        }
        let plan = match &saved {
            Some(saved) => product.plan_again(saved)?,
            None => product.plan()?,
        };
        let Some(name) = self.output.as_ref().filter(|_| !self.explain) else {
            let (placement, sharing, advice) = (None, None, Vec::new());
            let steps = global.verbose > 0;
            return output.report(&ExplainReport { plan, rates: known, placement, sharing, advice, steps });
        };
        if self.verify {
            product.check_verifiable()?;
        }
        // Made before anything is computed, so that it can be.
        let options = NewFileOptions::export(self.replace, session.hama.durability());
        let new = npy.map(|file| NewFile::beside(Path::new(file), options)).transpose().map_err(taken)?;
        let finished = match (&new, file) {
            (Some(new), _) => run(session, plan, |plan| product.run_plan_to_npy(plan, new))?,
            (None, Some(file)) => {
                let finished = run(session, plan, |plan| product.run_plan(plan, "product"))?;
                Finished { matrix: finished.matrix.shown_as(file), ..finished }
            }
            (None, None) => run(session, plan, |plan| product.run_plan(plan, target(name, self.replace)))?,
        };
        // Before the verification takes buffers of its own.
        let memory = MemoryPeak {
            buffers: session.hama.pool().usage().used_bytes_peak as u64,
            process: resident::bytes_peak(),
        };
        let verification = if self.verify { Some(verify(session, &a, &b, &finished)?) } else { None };
        let summary = match (new, file) {
            (Some(new), _) => {
                session.cancel.check()?;
                new.publish().map_err(taken)?;
                Summary::of_file(name, &finished.matrix.any()?)
            }
            (None, Some(file)) => self.export(session, &finished.matrix, file)?,
            (None, None) => Summary::of(session, finished.matrix.table()?),
        };
        output.report(&MultiplyReport::of(summary, finished, verification, self.analyze.then_some(memory)))
    }

    /// So many peers on all hosts that are named, or one a core of this machine on each of them.
    fn peers_on_hosts(&self, global: &Global) -> usize {
        let peers = &global.settings.peers;
        match (self.peers, &peers.origin) {
            (Some(count), _) => count,
            (None, Origin::Default) => peers.value.saturating_mul(self.hosts.len()),
            (None, _) => peers.value,
        }
    }

    /// Says how several hosts would do it.
    fn explain_on<T: Scalar>(
        &self,
        (product, hosts): (Product<T>, &[Node]),
        (known, global): (Known, &Global),
        output: &mut Output,
    ) -> Result<(), Failure> {
        let HostPlan { plan, placement, sharing, mut advice } = product.plan_on(hosts)?;
        // Blocks are those of the latest version.
        let name = |operand| if operand == Operand::A { &self.a } else { &self.b };
        advice.retain(|advice| !name(advice.operand).contains('@'));
        let (placement, steps) = (Some(placement), global.verbose > 0);
        output.report(&ExplainReport { plan, rates: known, placement, sharing, advice, steps })
    }

    fn export_options(&self) -> ExportOptions {
        ExportOptions { replace: self.replace, ..ExportOptions::default() }
    }

    /// Writes the product into a file.
    fn export<T: Scalar>(
        &self,
        session: &Session,
        product: &DenseMatrix<T>,
        file: &str,
    ) -> Result<Summary, Failure> {
        let product = &product.any()?;
        let (rows, cols) = product.shape();
        let total = rows * cols * product.element().size_bytes() as u64;
        let shown = session.show(Task { label: format!("writing {file}"), total, unit: Unit::Bytes });
        let bytes = files::export(product, Path::new(file), &self.export_options()).map_err(taken)?;
        drop(shown);
        Ok(Summary { bytes, ..Summary::of_file(file, product) })
    }
}

/// Runs a plan of a product, as `run` does, with progress.
pub(crate) fn run<T: Scalar>(
    session: &Session,
    plan: Plan,
    run: impl FnOnce(Plan) -> hama::Result<Finished<T>>,
) -> Result<Finished<T>, Failure> {
    let task = Task { label: "multiplying".into(), total: plan.flop(), unit: Unit::Flop };
    let shown = session.show(task);
    let finished = run(plan).map_err(taken);
    drop(shown);
    finished
}

/// Verifies a product with progress.
///
/// # Errors
/// `Data` where it is not a times b. A table stays for whoever wants to know why.
pub(crate) fn verify<T: Scalar>(
    session: &Session,
    a: &DenseMatrix<T>,
    b: &DenseMatrix<T>,
    finished: &Finished<T>,
) -> Result<Verification, Failure> {
    let c = &finished.matrix;
    let total = [a, b, c].map(|matrix| matrix.stored_bytes()).iter().sum();
    let shown = session.show(Task { label: "verifying".into(), total, unit: Unit::Bytes });
    let verification = hama::verify(a, b, c)?;
    drop(shown);
    if verification.passed {
        tracing::info!(table = c.name(), sums = verification.compared, "verified");
        return Ok(verification);
    }
    let message = format!("{} is not {} times {}: {verification}", c.name(), a.name(), b.name());
    let failure = Failure::from(Error::new(ErrorKind::Data, message));
    Err(match files::is_path(c.name()) {
        true => failure,
        false => failure.or_try(format!("hama matrix check {}", c.name())),
    })
}

impl MultiplyReport {
    pub(crate) fn of<T: Scalar>(
        output: Summary,
        finished: Finished<T>,
        verification: Option<Verification>,
        analyze: Option<MemoryPeak>,
    ) -> MultiplyReport {
        MultiplyReport {
            output,
            seconds: finished.seconds,
            gflop_per_s: finished.plan.flop() as f64 / finished.seconds.max(1e-9) / 1e9,
            memory_bytes_peak: resident::bytes_peak(),
            copied: finished.copied,
            verification,
            analysis: analyze.map(|memory| {
                let measured = (finished.records, finished.moved);
                Analysis::of(&finished.plan, measured, finished.seconds, &memory)
            }),
            plan: finished.plan,
        }
    }
}

impl fmt::Display for MultiplyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.output)?;
        write!(f, "{:.3} s, {:.1} GFLOP/s", self.seconds, self.gflop_per_s)?;
        if let Some(bytes) = self.memory_bytes_peak {
            write!(f, ", {} of memory at most", Size(bytes))?;
        }
        writeln!(f)?;
        for (copied, operand) in self.copied.iter().zip(["A", "B"]).filter(|(copied, _)| copied.shards > 0) {
            let Copied { shards, of, .. } = copied;
            writeln!(f, "brought the placed copy of {operand} up to date: {shards} of {of} shards copied")?;
        }
        if let Some(verification) = &self.verification {
            writeln!(f, "{verification}")?;
        }
        match &self.analysis {
            Some(analysis) => write!(f, "\n{}\n\n{analysis}", self.plan),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ExplainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\nrates     {}", self.plan, self.rates)?;
        if let Some(sharing) = &self.sharing {
            writeln!(f, "sharing   {sharing}")?;
        }
        if let Some(placement) = &self.placement {
            writeln!(f, "{placement}")?;
        }
        for advice in &self.advice {
            writeln!(f, "advice    {advice}")?;
        }
        if !self.steps {
            return Ok(());
        }
        if self.placement.is_some() {
            writeln!(
                f,
                "\nin turns, as below, where all who need a tile are as near to it; else one that is nearest reads it"
            )?;
        }
        write!(f, "\n{}", self.plan.walk())
    }
}
