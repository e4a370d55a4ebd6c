//! `hama matrix diff`: whether two matrices are the same, and where not.

use std::fmt;

use hama::{AnyMatrix, Apart, DenseMatrix, Difference, Error, ErrorKind, Scalar, Tolerance, diff};
use serde::Serialize;

use super::Global;
use super::count::counted;
use super::failure::Failure;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::Session;
use super::show::Number;

const EXAMPLES: &str = "\
Examples:
  hama matrix diff c d && echo the same
  hama matrix diff c d --rtol 1e-12 --atol 1e-9
  hama matrix diff c ./c.npy                         with a file

Elements are the same where |a - b| <= atol + rtol |b|, and NaN is the same as NaN. Ends with 0
where all are the same, and with 5 where some are not; the answer says how many, how far apart, and
where.";

/// Compare two matrices of one shape
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Diff {
    /// The one matrix
    a: String,
    /// The other one, which relative differences are a share of
    b: String,
    /// How far apart elements may be, as a share of the second one
    #[arg(long, value_name = "R", allow_hyphen_values = true, default_value_t = 0.0)]
    rtol: f64,
    /// How far apart elements may be
    #[arg(long, value_name = "T", allow_hyphen_values = true, default_value_t = 0.0)]
    atol: f64,
}

#[derive(Serialize)]
struct DiffReport {
    a: String,
    b: String,
    same: bool,
    rtol: f64,
    atol: f64,
    compared: u64,
    different: u64,
    absolute: Option<Largest>,
    relative: Option<Largest>,
}

/// The element where the two are furthest apart.
#[derive(Serialize)]
struct Largest {
    by: Number,
    row: u64,
    col: u64,
    a: Number,
    b: Number,
}

impl Diff {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open_for(global, [self.a.as_str(), &self.b], None, |builder| builder)?;
        let (a, b) = (session.matrix(&self.a)?, session.matrix(&self.b)?);
        let total = a.stored_bytes().saturating_add(b.stored_bytes());
        let label = format!("comparing {} and {}", self.a, self.b);
        let shown = session.show(Task { label, total, unit: Unit::Bytes });
        let tolerance = Tolerance { absolute: self.atol, relative: self.rtol };
        let found = match &a {
            AnyMatrix::F64(a) => with(a, &b, tolerance),
            AnyMatrix::F32(a) => with(a, &b, tolerance),
        }?;
        drop(shown);
        let report = DiffReport {
            same: found.different == 0,
            rtol: self.rtol,
            atol: self.atol,
            compared: found.compared,
            different: found.different,
            absolute: found.absolute.map(Largest::from),
            relative: found.relative.map(Largest::from),
            a: self.a,
            b: self.b,
        };
        output.report(&report)?;
        if report.same {
            return Ok(());
        }
        let message = format!("{} and {} differ", report.a, report.b);
        Err(Failure::from(Error::new(ErrorKind::Data, message)).after_report())
    }
}

fn with<A: Scalar>(a: &DenseMatrix<A>, b: &AnyMatrix, tolerance: Tolerance) -> hama::Result<Difference> {
    match b {
        AnyMatrix::F64(b) => diff(a, b, tolerance),
        AnyMatrix::F32(b) => diff(a, b, tolerance),
    }
}

impl From<Apart> for Largest {
    fn from(Apart { by, row, col, a, b }: Apart) -> Largest {
        Largest { by: by.into(), row, col, a: a.into(), b: b.into() }
    }
}

impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DiffReport { a, b, compared, different, .. } = self;
        let all = counted(*compared, "element");
        match (self.same, &self.absolute) {
            (true, None) => writeln!(f, "{a} and {b} are equal: {all} compared"),
            (true, Some(_)) => writeln!(f, "{a} and {b} are the same within the tolerance: {all} compared"),
            (false, _) => writeln!(f, "{a} and {b} differ in {different} of {all}"),
        }?;
        for (name, largest) in [("absolute", &self.absolute), ("relative", &self.relative)] {
            if let Some(Largest { by, row, col, a, b }) = largest {
                let (by, a, b) = (by.value(), a.value(), b.value());
                writeln!(f, "largest {name} difference {by:.3e} at ({row}, {col}): {a:?} and {b:?}")?;
            }
        }
        Ok(())
    }
}
