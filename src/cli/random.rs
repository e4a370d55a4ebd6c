//! `hama matrix random`: a matrix of random elements.

use hama::{AnyMatrix, DenseMatrix, Seed};

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::made::{Dtype, Made};
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, taken, target};

const EXAMPLES: &str = "\
Examples:
  hama matrix random a --rows 4000 --cols 2000
  hama matrix random b --rows 2000 --cols 3000 --seed 2 --dtype f32 --replace

An element depends on seed, row, column and type only: a seed gives the same matrix everywhere.";

/// Make a matrix of random elements, uniform from 0 to 1
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Random {
    /// Its name: letters, digits, - and _
    name: String,
    /// How many rows
    #[arg(long, value_name = "R", allow_hyphen_values = true, value_parser = count::<u64>)]
    rows: u64,
    /// How many columns
    #[arg(long, value_name = "C", allow_hyphen_values = true, value_parser = count::<u64>)]
    cols: u64,
    /// What the elements follow from
    #[arg(long, value_name = "S", allow_hyphen_values = true, value_parser = count::<u64>, default_value_t = 0)]
    seed: u64,
    /// The type of its elements
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Dtype::F64)]
    dtype: Dtype,
    /// Replace the matrix of this name
    #[arg(long)]
    replace: bool,
}

impl Random {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let shape = (self.rows, self.cols);
        // Before a store is made for it.
        let bytes = self.dtype.check(&self.name, shape)?;
        let session = Session::open(global, Access::Create)?;
        let task = Task { label: format!("making {}", self.name), total: bytes, unit: Unit::Bytes };
        let shown = session.show(task);
        let matrix = make(&session, &self.name, shape, Seed(self.seed), self.dtype, self.replace)?;
        drop(shown);
        output.report(&Made::of(&session, &matrix))
    }
}

/// The random matrix of this shape, seed and type.
pub(crate) fn make(
    session: &Session,
    name: &str,
    shape: (u64, u64),
    seed: Seed,
    dtype: Dtype,
    replace: bool,
) -> Result<AnyMatrix, Failure> {
    let target = target(name, replace);
    let made = match dtype {
        Dtype::F64 => DenseMatrix::<f64>::random(&session.hama, target, shape, seed).map(AnyMatrix::F64),
        Dtype::F32 => DenseMatrix::<f32>::random(&session.hama, target, shape, seed).map(AnyMatrix::F32),
    };
    made.map_err(taken)
}
