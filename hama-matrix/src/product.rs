//! A product of two matrices: planned, explained, run.

use std::time::Instant;

use hama_core::{Error, PEERS_MAX, Result, SuperstepRecord, Supersteps};
use hama_hdfs::{Extent, ShardRecord, TableSpec};

use crate::dense::DenseMatrix;
use crate::files::NewFile;
use crate::grid::Grid;
use crate::hama::Hama;
use crate::kernel::KernelId;
use crate::multiply::Multiply;
use crate::npy::NpyTarget;
use crate::placed::Copied;
use crate::plan::{Plan, Resources, plan_named};
use crate::problem::Problem;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::target::{Target, Written};
use crate::verify::fitting_peers;

/// C (m x n) = A (m x k) B (k x n), not computed yet.
#[derive(Clone, Debug)]
pub struct Product<T> {
    a: DenseMatrix<T>,
    b: DenseMatrix<T>,
    problem: Problem,
    peers: usize,
    grid: Option<Grid>,
}

/// A product that has been computed and saved.
#[derive(Clone, Debug)]
pub struct Finished<T> {
    /// The result.
    pub matrix: DenseMatrix<T>,
    /// The plan that made it.
    pub plan: Plan,
    /// What each peer did in each superstep.
    pub records: Vec<SuperstepRecord>,
    /// What bringing the placed copies of the operands up to date took.
    pub copied: [Copied; 2],
    /// Seconds from the plan to the durable result.
    pub seconds: f64,
}

impl<T: Scalar> Product<T> {
    pub(crate) fn new(a: &DenseMatrix<T>, b: &DenseMatrix<T>) -> Result<Product<T>> {
        let problem = Problem::of(a, b)?;
        Ok(Product { a: a.clone(), b: b.clone(), problem, peers: a.hama().peers(), grid: None })
    }

    /// What it is computed in.
    pub fn hama(&self) -> &Hama {
        self.a.hama()
    }

    /// Computes with at most `count` peers instead of those of the [`Hama`](crate::Hama).
    ///
    /// # Errors
    /// `Invalid` for 0.
    pub fn peers(mut self, count: usize) -> Result<Self> {
        if count == 0 {
            return Err(Error::invalid("cannot multiply with 0 peers: at least 1 is needed"));
        }
        self.peers = count;
        Ok(self)
    }

    /// Computes on this grid of peers instead of the fastest one.
    #[must_use]
    pub fn grid(mut self, grid: Grid) -> Self {
        self.grid = Some(grid);
        self
    }

    /// How it would be computed. Nothing is run.
    ///
    /// # Errors
    /// `OutOfMemory` where no plan fits into the memory given: the message says how much is needed.
    /// `Invalid` for a grid that cannot be filled.
    pub fn plan(&self) -> Result<Plan> {
        plan_named(self.problem, &self.resources(), [self.a.name(), self.b.name()])
    }

    /// A plan that was made before, with what it costs here and now. Nothing is run.
    ///
    /// # Errors
    /// `Invalid` where it is no plan of this product or not for this host, `OutOfMemory` where it needs more memory than is
    /// given.
    pub fn plan_again(&self, saved: &Plan) -> Result<Plan> {
        saved.again(&self.problem, &self.resources())
    }

    fn resources(&self) -> Resources {
        let hama = self.a.hama();
        Resources {
            peers: self.peers.min(PEERS_MAX) as u64,
            hosts: 1,
            memory_bytes: hama.memory(),
            by_reference: hama.hands_over_by_reference(),
            rates: *hama.rates(),
            kernel: KernelId::of_this_host(),
            grid: self.grid,
        }
    }

    /// Whether the memory given suffices to [`verify`](crate::verify) it, which is known before it is computed.
    ///
    /// # Errors
    /// `OutOfMemory`, with the memory that is needed.
    pub fn check_verifiable(&self) -> Result<()> {
        let scratch = [&self.a, &self.b].map(|matrix| matrix.source().scratch_bytes()).into_iter().sum();
        fitting_peers::<T>(&self.problem, self.a.hama().memory(), scratch).map(drop)
    }

    /// Computes it into a table.
    ///
    /// # Cost
    /// What [`plan`](Self::plan) says.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); `Exists` where the name is taken and nothing says to replace it; `Data`
    /// where an operand is damaged; those of the store. In each case there is no new table.
    pub fn save(&self, name: impl Into<SaveAs>) -> Result<DenseMatrix<T>> {
        Ok(self.run(name)?.matrix)
    }

    /// Computes it into a table, and says how.
    ///
    /// # Errors
    /// Those of [`save`](Self::save).
    pub fn run(&self, name: impl Into<SaveAs>) -> Result<Finished<T>> {
        self.run_plan(self.plan()?, name)
    }

    /// Computes it by a plan that was made, perhaps saved, before.
    ///
    /// # Errors
    /// Those of [`Plan::check`] and of [`save`](Self::save).
    pub fn run_plan(&self, plan: Plan, name: impl Into<SaveAs>) -> Result<Finished<T>> {
        self.run_to(plan, |hama, spec, multiply| {
            DenseMatrix::written(hama, name.into(), spec, |target| multiply(Target::Table(target.clone())))
        })
    }

    /// Computes it by a plan into a new `.npy` file, whose rows its tiles are written into as they are done. The matrix
    /// that it gives can be read until the file gets its name.
    ///
    /// # Errors
    /// Those of [`Plan::check`] and of [`save`](Self::save), and `OutOfSpace` where the file system has no room for all of
    /// it, before anything is computed.
    pub fn run_plan_to_npy(&self, plan: Plan, new: &NewFile) -> Result<Finished<T>> {
        self.run_to(plan, |hama, spec, multiply| {
            let target = NpyTarget::begin(new, spec)?;
            multiply(Target::Npy(target.clone()))?;
            hama.cancel().check()?;
            DenseMatrix::of_source(hama, target.finished()?, false)
        })
    }

    /// Computes it by a plan to where `write` says, with what computes it.
    fn run_to(
        &self,
        plan: Plan,
        write: impl FnOnce(
            &Hama,
            TableSpec,
            &mut dyn FnMut(Target) -> Result<Vec<ShardRecord>>,
        ) -> Result<DenseMatrix<T>>,
    ) -> Result<Finished<T>> {
        let start = Instant::now();
        let hama = self.a.hama();
        plan.check(&self.problem, hama.memory(), hama.hands_over_by_reference())?;
        tracing::info!(a = self.a.name(), b = self.b.name(), grid = %plan.grid, "multiplying");
        let mut spec = TableSpec::new(self.problem.shape(), T::TYPE)?.with_shard(plan.shard)?;
        if let (Some((rows, _)), Some((_, cols))) = (self.a.blocks(), self.b.blocks()) {
            spec = spec.with_blocking(Some(Extent { rows, cols }))?;
        }
        let ((a, copied_a), (b, copied_b)) = (self.a.in_use()?, self.b.in_use()?);
        let mut records = Vec::new();
        let matrix = write(hama, spec.clone(), &mut |target| {
            let (a, b) = (a.source(), b.source());
            let program = Multiply::<T>::new(plan.clone(), a.to_ref(), b.to_ref(), target);
            let _turn = hama.turn()?;
            let outcome = hama.run(&Supersteps(program)).peers(plan.peer_count())?;
            records = outcome.records;
            a.check_unchanged()?;
            b.check_unchanged()?;
            Written::all(outcome.outputs, &spec)
        })?;
        let copied = [copied_a, copied_b];
        Ok(Finished { matrix, plan, records, copied, seconds: start.elapsed().as_secs_f64() })
    }
}
