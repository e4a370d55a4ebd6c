//! What a command says of a matrix that it has made.

use std::fmt;

use hama::table::{ElementType, Extent, TableName, TableSpec};
use hama::{AnyMatrix, Result};
use serde::Serialize;

use super::info::Summary;
use super::session::Session;

/// A matrix that is there now.
#[derive(Serialize)]
pub(crate) struct Made {
    #[serde(flatten)]
    table: Summary,
}

impl Made {
    pub(crate) fn of(session: &Session, matrix: &AnyMatrix) -> Made {
        Made { table: Summary::of(session, matrix.table()) }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)
    }
}

/// The type of elements, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dtype {
    F64,
    F32,
}

impl Dtype {
    /// The bytes of a matrix of this shape, where that and its name are possible at all.
    pub(crate) fn check(self, name: &str, (rows, cols): (u64, u64)) -> Result<u64> {
        let element = match self {
            Dtype::F64 => ElementType::F64,
            Dtype::F32 => ElementType::F32,
        };
        TableName::new(name)?;
        TableSpec::new(Extent { rows, cols }, element)?;
        Ok(rows.saturating_mul(cols).saturating_mul(element.size_bytes() as u64))
    }
}
