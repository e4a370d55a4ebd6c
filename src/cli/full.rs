//! `hama matrix full` and `hama matrix ones`: matrices whose elements are all the same.

use hama::{AnyMatrix, DenseMatrix, Error};

use super::Global;
use super::failure::Failure;
use super::made::{Dtype, Making};
use super::output::Output;
use super::session::{taken, target};

const EXAMPLES: &str = "\
Examples:
  hama matrix full f --rows 4000 --cols 2000 --value 0.5
  hama matrix full f --rows 4000 --cols 2000 --value nan --replace";

const EXAMPLES_OF_ONES: &str = "\
Example:
  hama matrix ones e --rows 2000 --cols 1        a vector that sums rows: multiply a e";

/// Make a matrix whose elements are all the same
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Full {
    #[command(flatten)]
    making: Making,
    /// What they are: a number, nan, inf or -inf
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    value: f64,
}

/// Make a matrix of ones
#[derive(clap::Args)]
#[command(after_help = EXAMPLES_OF_ONES)]
pub(crate) struct Ones {
    #[command(flatten)]
    making: Making,
}

impl Full {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        full(&self.making, self.value, global, output)
    }
}

impl Ones {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        full(&self.making, 1.0, global, output)
    }
}

/// A number as f32, for the matrix `name`.
pub(crate) fn single(name: &str, value: f64) -> hama::Result<f32> {
    let single = value as f32;
    if value.is_finite() && !single.is_finite() {
        return Err(Error::invalid(format!(
            "cannot make {name} of {value:e}: f32 has no number of that size"
        )));
    }
    Ok(single)
}

fn full(making: &Making, value: f64, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let Making { name, dtype, replace, .. } = making;
    let single = if *dtype == Dtype::F32 { single(name, value)? } else { 0.0 };
    making.run(global, output, |session, shape| {
        let (hama, target) = (&session.hama, target(name, *replace));
        let made = match dtype {
            Dtype::F64 => DenseMatrix::full(hama, target, shape, value).map(AnyMatrix::F64),
            Dtype::F32 => DenseMatrix::full(hama, target, shape, single).map(AnyMatrix::F32),
        };
        made.map_err(taken)
    })
}
