//! A product of two matrices: planned, explained, run.

use std::time::Instant;

use hama_core::{Cancel, Error, Host, PEERS_MAX, Result, SuperstepRecord, Supersteps};
use hama_hdfs::{Extent, ShardRecord, Table, TableSpec};

use crate::dense::DenseMatrix;
use crate::files::NewFile;
use crate::grid::Grid;
use crate::hama::Hama;
use crate::moved::Moved;
use crate::multiply::Multiply;
use crate::npy::NpyTarget;
use crate::placed::{Copied, replicas};
use crate::placement::{
    Copyable, HostPlan, Lying, Node, Nodes, Operands, Sites, advice, nodes, place_bricks,
};
use crate::plan::{MemoryOf, Plan, Resources, plan_named, plan_on_hosts};
use crate::problem::{Operand, Problem};
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
    /// What its peers read from where, and sent each other; nothing where they are threads of this process.
    pub moved: Moved,
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

    /// How it would be computed: on a cluster by [`plan_on`](Self::plan_on) its hosts. Nothing is run, but that a cluster is
    /// asked once which [kernel](Hama::kernel) its hosts have in common.
    ///
    /// # Errors
    /// `OutOfMemory` where no plan fits into the memory given: the message says how much is needed.
    /// `Invalid` for a grid that cannot be filled.
    pub fn plan(&self) -> Result<Plan> {
        let hosts = self.hama().hosts()?;
        if !hosts.is_empty() {
            return Ok(self.plan_on(&hosts)?.plan);
        }
        plan_named(self.problem, &self.resources()?, [self.a.name(), self.b.name()])
    }

    /// How it would be computed on several hosts, by peers that are spread over them, each host with the memory of this
    /// [`Hama`](crate::Hama), or of a cluster each peer with its part of that: which of them computes what, so that it reads
    /// most of it locally. Nothing is run.
    ///
    /// # Cost
    /// The store is asked where each shard of the operands lies, once.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); `Invalid` where no hosts are named or one twice; `Data` where a shard is missing;
    /// `Cancelled`.
    pub fn plan_on(&self, hosts: &[Node]) -> Result<HostPlan> {
        let (hama, cancel) = (self.hama(), self.hama().cancel());
        let tables = [self.a.as_read()?, self.b.as_read()?];
        let (nodes, operands) =
            lying([(&self.a, tables[0].as_ref()), (&self.b, tables[1].as_ref())], hosts, cancel)?;
        let memory_of = match hama.has_hosts() {
            true => MemoryOf::Peer { of: hama.peers() as u64, shared_slots: hama.shared_slots() },
            false => MemoryOf::Host,
        };
        let resources =
            Resources { by_reference: false, memory_bytes: hama.peer_memory(), ..self.resources()? };
        let names = [self.a.name(), self.b.name()];
        let (plan, placement, sharing) =
            plan_on_hosts((self.problem, names), (&resources, memory_of), &nodes, &operands)?;
        let both = self.a.has_elements_of(&self.b);
        let mut advised = Vec::new();
        for (operand, matrix, read) in [(Operand::A, &self.a, &tables[0]), (Operand::B, &self.b, &tables[1])]
        {
            let (Ok(table), Some(read)) = (matrix.table(), read) else { continue };
            if (both && operand == Operand::B) || matches!(table.stale_copy_shards()?, Some((0, _))) {
                continue;
            }
            let copy = |blocking| table.copy_spec(blocking).ok();
            let replicas = replicas(table, read.locations(cancel)?);
            let (name, bytes) = (matrix.name(), table.bytes());
            let of = Copyable { operand, name, both, bytes, replicas, copy: &copy };
            advised.extend(advice(&plan, &nodes, &operands, &placement.reads, &of));
        }
        Ok(HostPlan { plan, placement, sharing, advice: advised })
    }

    /// A plan that was made before, with what it costs here and now. Nothing is run.
    ///
    /// # Errors
    /// `Invalid` where it is no plan of this product or not for this host, `OutOfMemory` where it needs more memory than is
    /// given.
    pub fn plan_again(&self, saved: &Plan) -> Result<Plan> {
        let hama = self.hama();
        let hosts = (hama.hosts()?.len() as u64).max(1);
        let memory_bytes = hama.memory_of(saved.grid.peer_count());
        saved.again(&self.problem, &Resources { hosts, memory_bytes, ..self.resources()? })
    }

    /// What there is to plan with, of one host.
    fn resources(&self) -> Result<Resources> {
        let hama = self.hama();
        Ok(Resources {
            peers: self.peers.min(PEERS_MAX) as u64,
            hosts: 1,
            memory_bytes: hama.memory(),
            by_reference: hama.hands_over_by_reference(),
            rates: *hama.rates(),
            kernel: hama.kernel()?,
            grid: self.grid,
        })
    }

    /// The host that each peer of a plan would best be on, for operands as they are read, and what they take along about
    /// that; nothing where peers are threads.
    fn placed(
        &self,
        plan: &Plan,
        operands: [&DenseMatrix<T>; 2],
    ) -> Result<(Vec<Option<Host>>, Option<Sites>)> {
        let hama = self.hama();
        let hosts = hama.hosts()?;
        if hosts.is_empty() {
            return Ok((Vec::new(), None));
        }
        let operands = operands.map(|matrix| (matrix, matrix.table().ok()));
        let (nodes, operands) = lying(operands, &hosts, hama.cancel())?;
        let placement = place_bricks(plan, &nodes, &operands);
        let sites = Sites::placed(&nodes, vec![operands.a, operands.b], &placement);
        Ok((placement.hosts_of_peers(), Some(sites)))
    }

    /// Whether the memory given suffices to [`verify`](crate::verify) it, which is known before it is computed.
    ///
    /// # Errors
    /// `OutOfMemory`, with the memory that is needed.
    pub fn check_verifiable(&self) -> Result<()> {
        let scratch = [&self.a, &self.b].map(|matrix| matrix.source().scratch_bytes()).into_iter().sum();
        fitting_peers::<T>(&self.problem, self.hama(), scratch).map(drop)
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
    /// it, before anything is computed; `Invalid` on a cluster, whose peers do not reach a file of this process.
    pub fn run_plan_to_npy(&self, plan: Plan, new: &NewFile) -> Result<Finished<T>> {
        if self.hama().has_hosts() {
            let shown = new.shown().display();
            let why = "peers on a cluster cannot write a file of this machine";
            return Err(Error::invalid(format!(
                "cannot multiply into {shown}: {why}; save a matrix, and export that"
            )));
        }
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
        let (memory, by_reference) = (hama.memory_of(plan.grid.peer_count()), hama.hands_over_by_reference());
        plan.check_for(&self.problem, memory, by_reference, hama.kernel()?)?;
        tracing::info!(a = self.a.name(), b = self.b.name(), grid = %plan.grid, "multiplying");
        let mut spec = TableSpec::new(self.problem.shape(), T::TYPE)?.with_shard(plan.shard)?;
        if let (Some((rows, _)), Some((_, cols))) = (self.a.blocks(), self.b.blocks()) {
            spec = spec.with_blocking(Some(Extent { rows, cols }))?;
        }
        let ((a, copied_a), (b, copied_b)) = (self.a.in_use()?, self.b.in_use()?);
        let (preferred, sites) = self.placed(&plan, [&a, &b])?;
        let (mut records, mut moved) = (Vec::new(), Moved::default());
        let matrix = write(hama, spec.clone(), &mut |target| {
            let (a, b) = (a.source(), b.source());
            let program = Multiply::<T>::new(plan.clone(), (a.to_ref(), b.to_ref()), target, sites.clone());
            let _turn = hama.turn()?;
            let job = Supersteps(program);
            let outcome = hama.run(&job).preferred(preferred.clone()).peers(plan.peer_count())?;
            (records, moved) = (outcome.records, Moved::of(&outcome.counters));
            a.check_unchanged()?;
            b.check_unchanged()?;
            Written::all(outcome.outputs, &spec)
        })?;
        let copied = [copied_a, copied_b];
        Ok(Finished { matrix, plan, records, moved, copied, seconds: start.elapsed().as_secs_f64() })
    }
}

/// Where the operands of a product lie, for hosts that compute: those that are in tables.
fn lying<T: Scalar>(
    operands: [(&DenseMatrix<T>, Option<&Table>); 2],
    hosts: &[Node],
    cancel: &Cancel,
) -> Result<(Nodes, Operands)> {
    let mut locations = [&[][..], &[]];
    for (locations, (_, table)) in locations.iter_mut().zip(operands) {
        *locations = table.map_or(Ok(&[][..]), |table| table.locations(cancel))?;
    }
    let nodes = nodes(hosts, &locations)?;
    let lying = |operand: Operand| match operands[operand as usize] {
        (_, Some(table)) => Lying::table(table.spec(), locations[operand as usize], &nodes),
        (matrix, None) => Lying::unknown(matrix.spec()),
    };
    let operands = Operands { a: lying(Operand::A), b: lying(Operand::B) };
    Ok((nodes, operands))
}
