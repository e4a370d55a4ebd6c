//! `hama matrix random`: a matrix of random elements.

use hama::{AnyMatrix, DenseMatrix, Seed};

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::made::{Dtype, Making};
use super::output::Output;
use super::session::{Session, taken, target};

const EXAMPLES: &str = "\
Examples:
  hama matrix random a --rows 4000 --cols 2000
  hama matrix random b --rows 2000 --cols 3000 --seed 2 --dtype f32 --replace

An element depends on seed, row, column and type only: a seed gives the same matrix everywhere.";

/// Make a matrix of random elements, uniform from 0 to 1
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Random {
    #[command(flatten)]
    making: Making,
    /// What the elements follow from
    #[arg(long, value_name = "S", allow_hyphen_values = true, value_parser = count::<u64>, default_value_t = 0)]
    seed: u64,
}

impl Random {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let Making { name, dtype, replace, .. } = &self.making;
        self.making.run(global, output, |session, shape| {
            make(session, name, shape, Seed(self.seed), *dtype, *replace)
        })
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
