//! `hama matrix blocking`: a matrix cut into blocks, without moving a byte, or with a placed copy of them.

use std::fmt;

use hama::placement::{Node, Owners, Payoff};
use hama::table::Extent;
use hama::{AnyMatrix, Copied, DenseMatrix, Error, Scalar};
use serde::Serialize;

use super::Global;
use super::cluster;
use super::count::{count, counted};
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, not_a_file};
use super::size::Size;

const EXAMPLES: &str = "\
Examples:
  hama matrix blocking a 4         4 x 4 blocks, nearly equal
  hama matrix blocking a 4 --copy  and a copy whose files follow them
  hama matrix blocking a 3 --copy --hosts dn1,dn2,dn3  each of these hosts owns three of the nine blocks
  hama matrix blocking a 3 --uses 20 --hosts dn1,dn2,dn3  the same, where 20 uses pay for it

Blocks are a grid in the table's manifest: the elements stay where they are. A placed copy has files of its own, so that
whoever owns a block has it near; products read it. After an update of the matrix the same command, or the next product,
copies only what the update touched. With --hosts each host owns as many blocks as any other, or one more, and those of
which it holds most. A copy pays where the uses that are expected would read more bytes remotely than making it moves:
--uses says how many, and then it is made just where it pays. A use is that each host reads its blocks once; what a
certain product would read says `hama matrix multiply a b --explain --hosts dn1,dn2,dn3`.";

/// Cut a matrix into N x N blocks, and place a copy of them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("copies").args(["copy", "uses"]).multiple(true))]
pub(crate) struct Blocking {
    /// The matrix
    name: String,
    /// How many blocks along each dimension
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = count::<u64>)]
    blocks: u64,
    /// Make a placed copy of the blocks, or bring it up to date
    #[arg(long)]
    copy: bool,
    /// Who owns the blocks of the copy: hosts as the store names them, or with their racks (/rack1/dn1)
    #[arg(long, value_name = "HOST,..", value_delimiter = ',', requires = "copies")]
    hosts: Vec<Node>,
    /// Make the copy where it pays for so many uses, and say what it saves and costs; with --copy make it in any case
    #[arg(long, value_name = "K", allow_negative_numbers = true, requires = "hosts", value_parser = count::<u64>)]
    uses: Option<u64>,
    #[command(flatten)]
    slots: cluster::Slots,
}

/// What a copy took, who owns it, and whether it pays.
#[derive(Default)]
struct Outcome {
    copied: Option<Copied>,
    owners: Option<Owners>,
    payoff: Option<Verdict>,
}

#[derive(Serialize)]
struct BlockingReport {
    #[serde(flatten)]
    table: Summary,
    blocks: Extent,
    copied: Option<Copied>,
    owners: Option<Owners>,
    /// With `--uses`.
    payoff: Option<Verdict>,
}

/// Whether a copy pays for the uses that are expected.
#[derive(Clone, Copy, Serialize)]
struct Verdict {
    #[serde(flatten)]
    payoff: Payoff,
    rewrite_bytes: u64,
    uses: u64,
    pays: bool,
}

impl Blocking {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        not_a_file(&self.name)?;
        let set = |builder| cluster::with_master(global, builder, self.slots);
        let session = Session::open_with(global, Access::Existing, set)?;
        let (blocked, outcome) = match session.matrix(&self.name)? {
            AnyMatrix::F64(matrix) => {
                let (matrix, outcome) = self.cut(&session, &matrix)?;
                (AnyMatrix::F64(matrix), outcome)
            }
            AnyMatrix::F32(matrix) => {
                let (matrix, outcome) = self.cut(&session, &matrix)?;
                (AnyMatrix::F32(matrix), outcome)
            }
        };
        let table = blocked.table()?;
        let blocks = table.spec().blocking.ok_or_else(|| {
            Error::internal(format!("cannot tell the blocks of {}: it has none", self.name))
        })?;
        tracing::info!(table = self.name, %blocks, "cut into blocks");
        let Outcome { copied, owners, payoff } = outcome;
        output.report(&BlockingReport { table: Summary::of(&session, table), blocks, copied, owners, payoff })
    }

    /// What a copy saves and costs, where somebody says how often it will be used.
    fn verdict<T: Scalar>(&self, matrix: &DenseMatrix<T>) -> Result<Option<Verdict>, Failure> {
        let Some(uses) = self.uses else { return Ok(None) };
        let payoff = matrix.payoff_of_copy_on(self.blocks, &self.hosts)?;
        let (pays, rewrite_bytes) = (payoff.pays(uses), payoff.rewrite_bytes());
        Ok(Some(Verdict { payoff, rewrite_bytes, uses, pays }))
    }

    fn cut<T: Scalar>(
        &self,
        session: &Session,
        matrix: &DenseMatrix<T>,
    ) -> Result<(DenseMatrix<T>, Outcome), Failure> {
        let payoff = self.verdict(matrix)?;
        if !self.copy && !payoff.is_some_and(|verdict| verdict.pays) {
            return Ok((matrix.blocking(self.blocks)?, Outcome { payoff, ..Outcome::default() }));
        }
        let total = match matrix.table()?.stale_copy_shards()? {
            Some((stale, of)) if matrix.blocks() == Some((self.blocks, self.blocks)) => {
                matrix.table()?.bytes() / of.max(1) * stale
            }
            _ => matrix.table()?.bytes(),
        };
        let shown = session.show(Task { label: format!("copying {}", self.name), total, unit: Unit::Bytes });
        let (matrix, copied, owners) = if self.hosts.is_empty() {
            let (matrix, copied) = matrix.blocking_with_copy(self.blocks)?;
            (matrix, copied, None)
        } else {
            let (matrix, copied, owners) = matrix.blocking_with_copy_on(self.blocks, &self.hosts)?;
            (matrix, copied, Some(owners))
        };
        drop(shown);
        Ok((matrix, Outcome { copied: Some(copied), owners, payoff }))
    }
}

impl fmt::Display for BlockingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { name, rows, cols, .. } = &self.table;
        let block = Extent::new(*rows, *cols).div_ceil(self.blocks);
        writeln!(f, "{name}: {} blocks of at most {block}", self.blocks)?;
        if let Some(Verdict { payoff, uses, pays, .. }) = self.payoff {
            let verdict = if pays { "pays" } else { "does not pay" };
            writeln!(f, "a placed copy {verdict} for {}: {payoff}", counted(uses, "use"))?;
        }
        let Some(Copied { shards, of, bytes }) = self.copied else { return Ok(()) };
        write!(f, "placed copy: {shards} of {of} shards copied")?;
        match bytes {
            0 => writeln!(f)?,
            bytes => writeln!(f, ", {} read and as much written", Size(bytes))?,
        }
        let Some(Owners { hosts, .. }) = &self.owners else { return Ok(()) };
        let owned: Vec<String> =
            hosts.iter().map(|(host, blocks)| format!("{host} {}", counted(*blocks, "block"))).collect();
        writeln!(f, "owners: {}", owned.join(", "))
    }
}
