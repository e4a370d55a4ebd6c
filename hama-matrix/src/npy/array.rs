//! A `.npy` file that is read in place, as rows and columns of a matrix.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use hama_core::{Error, Result};
use hama_hdfs::{Extent, TableSpec};
use serde::{Deserialize, Serialize};

use super::header::{self, Header};
use crate::files::numbers::Inexact;
use crate::files::stamp::{FilePath, Stamp};

/// An array of two dimensions in a file, as its rows lie there: one in Fortran order is the transpose of what
/// its user means.
#[derive(Debug)]
pub(crate) struct NpyArray {
    file: File,
    header: Header,
    spec: TableSpec,
    what: String,
    reference: NpyRef,
}

/// Names an array for a peer: the file as it was, and the part of it that is the array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NpyRef {
    path: FilePath,
    stamp: Stamp,
    part: Range<u64>,
    what: String,
}

impl NpyArray {
    /// Opens a whole file.
    ///
    /// # Errors
    /// `Data` where it is no `.npy` file, or shorter or longer than its header says; `Invalid` where its elements
    /// or its shape are not those of a matrix.
    pub(crate) fn open(path: &Path) -> Result<NpyArray> {
        let meta = regular(path)?;
        NpyArray::open_part(path, 0..meta.len(), path.display().to_string())
    }

    /// Opens an array that is a part of a file, as that of an archive; `what` names it in errors.
    pub(crate) fn open_part(path: &Path, part: Range<u64>, what: String) -> Result<NpyArray> {
        let stamp = Stamp::of(&regular(path)?);
        NpyArray::open_ref(&NpyRef { path: FilePath::of(path)?, stamp, part, what })
    }

    pub(crate) fn open_ref(reference: &NpyRef) -> Result<NpyArray> {
        let (path, what) = (reference.path.path(), reference.what.clone());
        let failed = |e| Error::io(format!("cannot open {what}"), e);
        let file = File::open(&path).map_err(failed)?;
        if Stamp::of(&file.metadata().map_err(failed)?) != reference.stamp {
            return Err(crate::files::stamp::changed(&path));
        }
        let mut header = header::read(From { file: &file, at: reference.part.start }, &what)?;
        header.check_length(reference.part.end - reference.part.start, &what)?;
        header.data_offset += reference.part.start;
        let spec = TableSpec::new(header.stored_shape(), header.encoding.element())
            .map_err(|e| Error::new(e.kind(), format!("cannot read {what}: {}", e.message())))?;
        Ok(NpyArray { file, header, spec, what, reference: reference.clone() })
    }

    pub(crate) fn to_ref(&self) -> NpyRef {
        self.reference.clone()
    }

    pub(crate) fn name(&self) -> &str {
        &self.what
    }

    pub(crate) fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// Whether its rows are the columns of what its user means.
    pub(crate) fn is_fortran(&self) -> bool {
        self.header.fortran_order
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        self.reference.part.end - self.reference.part.start
    }

    pub(crate) fn check_unchanged(&self) -> Result<()> {
        self.reference.stamp.check(&self.reference.path.path())
    }

    /// Fills `bytes` from `offset` of the file on.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let read = self.file.read_exact_at(bytes, offset);
        read.map_err(|e| {
            Error::io(format!("cannot read {} bytes at {offset} of {}", bytes.len(), self.what), e)
        })
    }

    fn inexact(&self, row: u64, col: u64, integer: i128) -> Error {
        let (row, col) = if self.is_fortran() { (col, row) } else { (row, col) };
        Error::data(format!(
            "cannot read {}: element ({row}, {col}) is {integer}, which f64 cannot hold exactly",
            self.what
        ))
    }
}

/// The metadata of a file that can be read at any place.
///
/// Asked before it is opened: opening a pipe waits for somebody to write into it.
pub(crate) fn regular(path: &Path) -> Result<fs::Metadata> {
    let meta = fs::metadata(path).map_err(|e| Error::io(format!("cannot open {}", path.display()), e))?;
    if meta.is_file() {
        return Ok(meta);
    }
    Err(Error::invalid(format!("cannot read {}: it is no file", path.display())))
}

/// What is in a file from a place on.
struct From<'a> {
    file: &'a File,
    at: u64,
}

impl std::io::Read for From<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads parts of an array.
pub(crate) struct NpyReader {
    array: Arc<NpyArray>,
    // A part of a row, as the file has it, where that is not how elements are.
    line: Vec<u8>,
}

impl NpyReader {
    pub(crate) fn new(array: Arc<NpyArray>) -> NpyReader {
        NpyReader { array, line: Vec::new() }
    }

    pub(crate) fn spec(&self) -> &TableSpec {
        &self.array.spec
    }

    /// Fills `into`, whose rows are `stride` bytes apart, with some rows and columns.
    pub(crate) fn read(
        &mut self,
        rows: Range<u64>,
        cols: Range<u64>,
        into: &mut [u8],
        stride: usize,
    ) -> Result<()> {
        let (array, encoding) = (&*self.array, self.array.header.encoding);
        let Extent { cols: width, .. } = array.spec.shape;
        let offset =
            |row: u64| array.header.data_offset + (row * width + cols.start) * encoding.size_bytes() as u64;
        let row_bytes = (cols.end - cols.start) as usize * array.spec.element.size_bytes();
        if encoding.is_plain() && row_bytes == stride && cols == (0..width) {
            let bytes = (rows.end - rows.start) as usize * stride;
            return array.read_at(&mut into[..bytes], offset(rows.start));
        }
        self.line.resize((cols.end - cols.start) as usize * encoding.size_bytes(), 0);
        for (row, into) in rows.zip(into.chunks_mut(stride)) {
            let into = &mut into[..row_bytes];
            if encoding.is_plain() {
                array.read_at(into, offset(row))?;
                continue;
            }
            array.read_at(&mut self.line, offset(row))?;
            encoding.decode(&self.line, into).map_err(|Inexact { index, integer }| {
                array.inexact(row, cols.start + index as u64, integer)
            })?;
        }
        Ok(())
    }
}
