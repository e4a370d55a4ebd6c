//! `hama matrix blocking`: a matrix cut into blocks, without moving a byte.

use std::fmt;

use hama::table::Extent;
use hama::{AnyMatrix, Error};
use serde::Serialize;

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::session::{Access, Session, not_a_file};

const EXAMPLES: &str = "\
Example:
  hama matrix blocking a 4         4 x 4 blocks, nearly equal

Blocks are a grid in the table's manifest: the elements stay where they are.";

/// Cut a matrix into N x N blocks
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Blocking {
    /// The matrix
    name: String,
    /// How many blocks along each dimension
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = count::<u64>)]
    blocks: u64,
}

#[derive(Serialize)]
struct BlockingReport {
    #[serde(flatten)]
    table: Summary,
    blocks: Extent,
}

impl Blocking {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        not_a_file(&self.name)?;
        let session = Session::open(global, Access::Existing)?;
        let blocked = match session.matrix(&self.name)? {
            AnyMatrix::F64(matrix) => AnyMatrix::F64(matrix.blocking(self.blocks)?),
            AnyMatrix::F32(matrix) => AnyMatrix::F32(matrix.blocking(self.blocks)?),
        };
        let table = blocked.table()?;
        let blocks = table.spec().blocking.ok_or_else(|| {
            Error::internal(format!("cannot tell the blocks of {}: it has none", self.name))
        })?;
        tracing::info!(table = self.name, %blocks, "cut into blocks");
        output.report(&BlockingReport { table: Summary::of(&session, table), blocks })
    }
}

impl fmt::Display for BlockingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { name, rows, cols, .. } = &self.table;
        let block = Extent::new(*rows, *cols).div_ceil(self.blocks);
        writeln!(f, "{name}: {} blocks of at most {block}", self.blocks)
    }
}
