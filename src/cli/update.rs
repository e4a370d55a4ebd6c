//! `hama matrix update`: other elements in a part of a matrix, as a new version of it.

use std::fmt;
use std::str::FromStr;

use hama::{AnyMatrix, DenseMatrix, Error, Scalar};
use serde::Serialize;

use super::Global;
use super::cluster;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, not_a_file};

const EXAMPLES: &str = "\
Examples:
  hama matrix update a --at 100,200 b            put the elements of b into a, from row 100 and column 200 on
  hama matrix update a --at 0,0 ./part.npy       a file may hold them as well
  hama matrix update a --at 3,4 --value 1.5      set one element
  hama matrix history a                          every update is a version; read the first as a@1

Only the shards that it touches are written. A placed copy (hama matrix blocking a 4 --copy) knows which of its
own are out of date, and they alone are copied again before it is used. With --master the hosts that hold those
shards write them, where the new elements are a matrix of the store.";

/// Change some elements of a matrix
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Update {
    /// The matrix
    name: String,
    /// The matrix, or the file, that holds the new elements
    #[arg(required_unless_present = "value", conflicts_with = "value")]
    source: Option<String>,
    /// Row and column of the first element that changes, counted from 0
    #[arg(long, value_name = "ROW,COLUMN")]
    at: Place,
    /// The new value of that one element: a number, nan, inf or -inf
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    value: Option<f64>,
}

/// A row and a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    row: u64,
    col: u64,
}

#[derive(Serialize)]
struct UpdateReport {
    #[serde(flatten)]
    table: Summary,
    at: [u64; 2],
    updated_rows: u64,
    updated_cols: u64,
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> hama::Result<Place> {
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let place = text.split_once(',').and_then(|(row, col)| Some((number(row)?, number(col)?)));
        let (row, col) = place.ok_or_else(|| {
            Error::invalid(format!("cannot read the place {text:?}: one such as 100,200 is wanted"))
        })?;
        Ok(Place { row, col })
    }
}

impl Update {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        not_a_file(&self.name)?;
        let session = self.session(global)?;
        let matrix = session.matrix(&self.name)?;
        let source = self.source.as_ref().map(|name| session.matrix(name)).transpose()?;
        let (updated, shape) = match (&matrix, &source) {
            (AnyMatrix::F64(matrix), Some(AnyMatrix::F64(source))) => {
                let updated = self.put(&session, matrix, source)?;
                (AnyMatrix::F64(updated), source.shape())
            }
            (AnyMatrix::F32(matrix), Some(AnyMatrix::F32(source))) => {
                let updated = self.put(&session, matrix, source)?;
                (AnyMatrix::F32(updated), source.shape())
            }
            (matrix, Some(source)) => return Err(self.differ(matrix, source).into()),
            (AnyMatrix::F64(matrix), None) => {
                let value = self.value.unwrap_or_default();
                (AnyMatrix::F64(matrix.set(self.at.row, self.at.col, value)?), (1, 1))
            }
            (AnyMatrix::F32(matrix), None) => {
                let value = super::full::single(&self.name, self.value.unwrap_or_default())?;
                (AnyMatrix::F32(matrix.set(self.at.row, self.at.col, value)?), (1, 1))
            }
        };
        tracing::info!(table = self.name, rows = shape.0, cols = shape.1, "updated");
        output.report(&UpdateReport {
            table: Summary::of(&session, updated.table()?),
            at: [self.at.row, self.at.col],
            updated_rows: shape.0,
            updated_cols: shape.1,
        })
    }

    /// The store, and the cluster where a job is of use and possible.
    fn session<'g>(&self, global: &'g Global) -> Result<Session<'g>, Failure> {
        let why = match &self.source {
            None => "one element is no job",
            Some(source) if cluster::is_of_this_host(source) => "its peers do not reach files of this host",
            Some(_) => {
                let set = |builder| cluster::with_master(global, builder, cluster::Slots::default());
                return Session::open_with(global, Access::Existing, set);
            }
        };
        let session = Session::open(global, Access::Existing)?;
        cluster::say_here(global, &session, &format!("{} is updated", self.name), why);
        Ok(session)
    }

    fn put<T: Scalar>(
        &self,
        session: &Session,
        matrix: &DenseMatrix<T>,
        source: &DenseMatrix<T>,
    ) -> Result<DenseMatrix<T>, Failure> {
        let (rows, cols) = source.shape();
        let total = rows.saturating_mul(cols).saturating_mul(T::TYPE.size_bytes() as u64);
        let shown = session.show(Task { label: format!("updating {}", self.name), total, unit: Unit::Bytes });
        let updated = matrix.update_from((self.at.row, self.at.col), source)?;
        drop(shown);
        Ok(updated)
    }

    fn differ(&self, matrix: &AnyMatrix, source: &AnyMatrix) -> Error {
        Error::invalid(format!(
            "cannot update {} ({}) with {} ({}): their elements differ in type",
            self.name,
            matrix.element(),
            self.source.as_deref().unwrap_or_default(),
            source.element()
        ))
    }
}

impl fmt::Display for UpdateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [row, col] = self.at;
        let (rows, cols) = (row + self.updated_rows, col + self.updated_cols);
        writeln!(f, "{}", self.table)?;
        let version = self.table.version.unwrap_or_default();
        writeln!(f, "version {version}: rows {row}..{rows}, columns {col}..{cols} are new")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_a_row_and_a_column() {
        assert_eq!("100,200".parse::<Place>().unwrap(), Place { row: 100, col: 200 });
        for text in ["", "1", "1,", ",1", "1,2,3", "-1,2", "1, 2", "+1,2", "a,b", "99999999999999999999,0"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
