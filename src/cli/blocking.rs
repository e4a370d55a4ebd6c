//! `hama matrix blocking`: a matrix cut into blocks, without moving a byte, or with a placed copy of them.

use std::fmt;

use hama::placement::{Node, Owners};
use hama::table::Extent;
use hama::{AnyMatrix, Copied, DenseMatrix, Error, Scalar};
use serde::Serialize;

use super::Global;
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

Blocks are a grid in the table's manifest: the elements stay where they are. A placed copy has files of its own, so that
whoever owns a block has it near; products read it. After an update of the matrix the same command, or the next product,
copies only what the update touched. With --hosts each host owns as many blocks as any other, or one more, and those of
which it holds most; whether a copy pays says `hama matrix multiply a b --explain --hosts dn1,dn2,dn3`.";

/// Cut a matrix into N x N blocks, and place a copy of them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
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
    #[arg(long, value_name = "HOST,..", value_delimiter = ',', requires = "copy")]
    hosts: Vec<Node>,
}

/// What a copy took, and who owns it.
type Placed = (Copied, Option<Owners>);

#[derive(Serialize)]
struct BlockingReport {
    #[serde(flatten)]
    table: Summary,
    blocks: Extent,
    copied: Option<Copied>,
    owners: Option<Owners>,
}

impl Blocking {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        not_a_file(&self.name)?;
        let session = Session::open(global, Access::Existing)?;
        let (blocked, copied) = match session.matrix(&self.name)? {
            AnyMatrix::F64(matrix) => {
                let (matrix, copied) = self.cut(&session, &matrix)?;
                (AnyMatrix::F64(matrix), copied)
            }
            AnyMatrix::F32(matrix) => {
                let (matrix, copied) = self.cut(&session, &matrix)?;
                (AnyMatrix::F32(matrix), copied)
            }
        };
        let table = blocked.table()?;
        let blocks = table.spec().blocking.ok_or_else(|| {
            Error::internal(format!("cannot tell the blocks of {}: it has none", self.name))
        })?;
        tracing::info!(table = self.name, %blocks, "cut into blocks");
        let (copied, owners) = copied.map_or((None, None), |(copied, owners)| (Some(copied), owners));
        output.report(&BlockingReport { table: Summary::of(&session, table), blocks, copied, owners })
    }

    fn cut<T: Scalar>(
        &self,
        session: &Session,
        matrix: &DenseMatrix<T>,
    ) -> Result<(DenseMatrix<T>, Option<Placed>), Failure> {
        if !self.copy {
            return Ok((matrix.blocking(self.blocks)?, None));
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
        Ok((matrix, Some((copied, owners))))
    }
}

impl fmt::Display for BlockingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { name, rows, cols, .. } = &self.table;
        let block = Extent::new(*rows, *cols).div_ceil(self.blocks);
        writeln!(f, "{name}: {} blocks of at most {block}", self.blocks)?;
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
