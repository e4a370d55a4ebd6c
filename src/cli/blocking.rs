//! `hama matrix blocking`: a matrix cut into blocks, without moving a byte.

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::made::Made;
use super::output::Output;
use super::session::{Access, Session};

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

impl Blocking {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open(global, Access::Existing)?;
        let blocked = match session.matrix(&self.name)? {
            hama::AnyMatrix::F64(matrix) => hama::AnyMatrix::F64(matrix.blocking(self.blocks)?),
            hama::AnyMatrix::F32(matrix) => hama::AnyMatrix::F32(matrix.blocking(self.blocks)?),
        };
        output.report(&Made::of(&session, &blocked))
    }
}
