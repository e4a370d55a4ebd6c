//! `hama matrix blocking`: a matrix cut into blocks, without moving a byte, or with a placed copy of them.

use std::fmt;

use hama::table::Extent;
use hama::{AnyMatrix, Copied, DenseMatrix, Error, Scalar};
use serde::Serialize;

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, not_a_file};

const EXAMPLES: &str = "\
Examples:
  hama matrix blocking a 4         4 x 4 blocks, nearly equal
  hama matrix blocking a 4 --copy  and a copy whose files follow them

Blocks are a grid in the table's manifest: the elements stay where they are. A placed copy has files of its own, so that
whoever owns a block has it near; products read it. After an update of the matrix the same command, or the next product,
copies only what the update touched.";

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
}

#[derive(Serialize)]
struct BlockingReport {
    #[serde(flatten)]
    table: Summary,
    blocks: Extent,
    copied: Option<Copied>,
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
        output.report(&BlockingReport { table: Summary::of(&session, table), blocks, copied })
    }

    fn cut<T: Scalar>(
        &self,
        session: &Session,
        matrix: &DenseMatrix<T>,
    ) -> Result<(DenseMatrix<T>, Option<Copied>), Failure> {
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
        let (matrix, copied) = matrix.blocking_with_copy(self.blocks)?;
        drop(shown);
        Ok((matrix, Some(copied)))
    }
}

impl fmt::Display for BlockingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { name, rows, cols, .. } = &self.table;
        let block = Extent::new(*rows, *cols).div_ceil(self.blocks);
        writeln!(f, "{name}: {} blocks of at most {block}", self.blocks)?;
        match self.copied {
            Some(Copied { shards, of }) => writeln!(f, "placed copy: {shards} of {of} shards copied"),
            None => Ok(()),
        }
    }
}
