//! What a command says of a matrix that it has made.

use std::fmt;

use hama::AnyMatrix;
use hama::table::{ElementType, Extent, TableName, TableSpec};
use serde::Serialize;

use super::Global;
use super::cluster;
use super::count::count;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session};

/// A matrix that is there now.
#[derive(Serialize)]
pub(crate) struct Made {
    #[serde(flatten)]
    table: Summary,
}

impl Made {
    pub(crate) fn of(session: &Session, matrix: &AnyMatrix) -> hama::Result<Made> {
        Ok(Made { table: Summary::of(session, matrix.table()?) })
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)
    }
}

/// What every matrix that is made has to be told.
#[derive(clap::Args)]
pub(crate) struct Making {
    /// Its name: letters, digits, - and _
    pub(crate) name: String,
    /// How many rows
    #[arg(long, value_name = "R", allow_hyphen_values = true, value_parser = count::<u64>)]
    pub(crate) rows: u64,
    /// How many columns
    #[arg(long, value_name = "C", allow_hyphen_values = true, value_parser = count::<u64>)]
    pub(crate) cols: u64,
    /// The type of its elements
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Dtype::F64)]
    pub(crate) dtype: Dtype,
    /// Replace the matrix of this name
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) slots: cluster::Slots,
}

impl Making {
    /// Makes the matrix as `make` does in an open store, and says what it is.
    pub(crate) fn run(
        &self,
        global: &Global,
        output: &mut Output,
        make: impl FnOnce(&Session, (u64, u64)) -> Result<AnyMatrix, Failure>,
    ) -> Result<(), Failure> {
        let shape = (self.rows, self.cols);
        // Before a store is made for it.
        let bytes = self.dtype.check(&self.name, shape)?;
        let set = |builder| cluster::with_master(global, builder, self.slots);
        let session = Session::open_with(global, Access::Create, set)?;
        let task = Task { label: format!("making {}", self.name), total: bytes, unit: Unit::Bytes };
        let shown = session.show(task);
        let matrix = make(&session, shape)?;
        drop(shown);
        output.report(&Made::of(&session, &matrix)?)
    }
}

/// The type of elements, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dtype {
    F64,
    F32,
}

impl Dtype {
    /// The same for the library.
    pub(crate) fn element(self) -> ElementType {
        match self {
            Dtype::F64 => ElementType::F64,
            Dtype::F32 => ElementType::F32,
        }
    }

    /// The bytes of a matrix of this shape, where that and its name are possible at all.
    pub(crate) fn check(self, name: &str, (rows, cols): (u64, u64)) -> hama::Result<u64> {
        let element = self.element();
        TableName::new(name)?;
        TableSpec::new(Extent { rows, cols }, element)?;
        Ok(rows.saturating_mul(cols).saturating_mul(element.size_bytes() as u64))
    }
}
