//! A matrix whose element type is known only when it is opened.

use std::path::Path;

use hama_core::Result;
use hama_hdfs::{ElementType, Table};

use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::source::Source;

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

/// Opens the matrix in a file or a directory that is read in place: a `.npy` file, a Zarr array, also by its URL in HDFS
/// (`hdfs://HOST:PORT/PATH`). Nothing is imported; within the memory given it is read tile by tile.
///
/// # Cost
/// Reads a header; of a Zarr array it looks at each chunk's file, in HDFS by a listing for each row of chunks. Where those chunks are compressed and larger than
/// tiles, and more lie along a side than a sixteenth of the memory given holds for each peer, they are unpacked again and
/// again: then importing it first is faster.
///
/// # Errors
/// `NotFound` where there is nothing, `Invalid` where it is of a kind that is not read in place, `Data` where it is
/// damaged, `OutOfMemory` where a chunk needs more than the memory given.
pub fn open_file(hama: &Hama, path: &Path) -> Result<AnyMatrix> {
    let (source, transposed) = Source::open_file(path, hama.cancel())?;
    AnyMatrix::of_source(hama, source, transposed)
}

impl AnyMatrix {
    /// The matrix in a table.
    pub(crate) fn of_table(hama: &Hama, table: Table) -> Result<AnyMatrix> {
        AnyMatrix::of_source(hama, Source::Table(table), false)
    }

    /// The matrix in a table or a file, of which it may be the transpose.
    pub(crate) fn of_source(hama: &Hama, source: Source, transposed: bool) -> Result<AnyMatrix> {
        Ok(match source.spec().element {
            ElementType::F64 => AnyMatrix::F64(DenseMatrix::of_source(hama, source, transposed)?),
            ElementType::F32 => AnyMatrix::F32(DenseMatrix::of_source(hama, source, transposed)?),
        })
    }

    /// The table that it is in.
    ///
    /// # Errors
    /// `Invalid` where it is in a file.
    pub fn table(&self) -> Result<&Table> {
        match self {
            AnyMatrix::F64(matrix) => matrix.table(),
            AnyMatrix::F32(matrix) => matrix.table(),
        }
    }

    /// The type of its elements.
    pub fn element(&self) -> ElementType {
        match self {
            AnyMatrix::F64(_) => ElementType::F64,
            AnyMatrix::F32(_) => ElementType::F32,
        }
    }

    /// The name of its table, or the path of its file.
    pub fn name(&self) -> &str {
        match self {
            AnyMatrix::F64(matrix) => matrix.name(),
            AnyMatrix::F32(matrix) => matrix.name(),
        }
    }

    /// The same matrix by [another name](DenseMatrix::shown_as).
    #[must_use]
    pub fn shown_as(&self, name: &str) -> AnyMatrix {
        match self {
            AnyMatrix::F64(matrix) => AnyMatrix::F64(matrix.shown_as(name)),
            AnyMatrix::F32(matrix) => AnyMatrix::F32(matrix.shown_as(name)),
        }
    }

    /// The bytes of its files.
    pub fn stored_bytes(&self) -> u64 {
        match self {
            AnyMatrix::F64(matrix) => matrix.stored_bytes(),
            AnyMatrix::F32(matrix) => matrix.stored_bytes(),
        }
    }

    /// The same matrix, whose products are computed in `hama` and saved there.
    #[must_use]
    pub fn in_hama(&self, hama: &Hama) -> AnyMatrix {
        match self {
            AnyMatrix::F64(matrix) => AnyMatrix::F64(matrix.in_hama(hama)),
            AnyMatrix::F32(matrix) => AnyMatrix::F32(matrix.in_hama(hama)),
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
