//! A matrix whose element type is known only when it is opened.

use hama_core::Result;
use hama_hdfs::{ElementType, Table};

use crate::dense::DenseMatrix;
use crate::hama::Hama;

/// A matrix of either element type.
#[derive(Clone, Debug)]
pub enum AnyMatrix {
    /// Of f64.
    F64(DenseMatrix<f64>),
    /// Of f32.
    F32(DenseMatrix<f32>),
}

/// Opens the matrix of that name, or an older version of it (`a@3`), whatever its elements are.
///
/// # Errors
/// `NotFound` where there is none, `Data` where its files are damaged.
pub fn open_any(hama: &Hama, name: &str) -> Result<AnyMatrix> {
    AnyMatrix::of_table(hama, Table::open_named(hama.store(), &name.parse()?)?)
}

impl AnyMatrix {
    /// The matrix in a table.
    pub(crate) fn of_table(hama: &Hama, table: Table) -> Result<AnyMatrix> {
        Ok(match table.spec().element {
            ElementType::F64 => AnyMatrix::F64(DenseMatrix::of_table(hama, table)?),
            ElementType::F32 => AnyMatrix::F32(DenseMatrix::of_table(hama, table)?),
        })
    }

    /// The table that it is in.
    pub fn table(&self) -> &Table {
        match self {
            AnyMatrix::F64(matrix) => matrix.table(),
            AnyMatrix::F32(matrix) => matrix.table(),
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (u64, u64) {
        match self {
            AnyMatrix::F64(matrix) => matrix.shape(),
            AnyMatrix::F32(matrix) => matrix.shape(),
        }
    }
}
