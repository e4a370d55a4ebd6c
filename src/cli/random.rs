//! `hama matrix random`: a matrix of random elements.

use hama::{AnyMatrix, DenseMatrix, Seed};

use super::Global;
use super::count::count;
use super::failure::Failure;
use super::made::{Dtype, Making};
use super::output::Output;
use super::session::{taken, target};

const EXAMPLES: &str = "\
Examples:
  hama matrix random a --rows 4000 --cols 2000
  hama matrix random b --rows 2000 --cols 3000 --seed 2 --dtype f32 --replace
  hama matrix random g --rows 2000 --cols 3000 --distribution normal

An element depends on distribution, seed, row, column and type only: a seed gives the same matrix
everywhere.";

/// Make a matrix of random elements
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Random {
    #[command(flatten)]
    making: Making,
    /// What the elements follow from
    #[arg(long, value_name = "S", allow_hyphen_values = true, value_parser = count::<u64>, default_value_t = 0)]
    seed: u64,
    /// How the elements are distributed: uniform from 0 to 1, or normal with mean 0 and variance 1
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Distribution::Uniform)]
    distribution: Distribution,
}

/// How elements are distributed, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Distribution {
    Uniform,
    Normal,
}

impl Random {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let Making { name, dtype, replace, .. } = &self.making;
        self.making.run(global, output, |session, shape| {
            let (hama, target, seed) = (&session.hama, target(name, *replace), Seed(self.seed));
            let made = match (self.distribution, dtype) {
                (Distribution::Uniform, Dtype::F64) => {
                    DenseMatrix::random(hama, target, shape, seed).map(AnyMatrix::F64)
                }
                (Distribution::Uniform, Dtype::F32) => {
                    DenseMatrix::random(hama, target, shape, seed).map(AnyMatrix::F32)
                }
                (Distribution::Normal, Dtype::F64) => {
                    DenseMatrix::random_normal(hama, target, shape, seed).map(AnyMatrix::F64)
                }
                (Distribution::Normal, Dtype::F32) => {
                    DenseMatrix::random_normal(hama, target, shape, seed).map(AnyMatrix::F32)
                }
            };
            made.map_err(taken)
        })
    }
}
