//! Numbers as text: a line a row, separated by commas or something else.
//!
//! Read by hand, a field at a time, so that no line is too long: a number has no quotes around a comma, which is what a
//! library would be for.

use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::Extent;

use super::publish::{NewFileOptions, failed, publish};
use super::rows::each_row;
use super::stream::{Input, Meter};
use super::text::{NUMBER_BYTES_MAX, least_text_bytes, number, shown};
use crate::dense::DenseMatrix;
use crate::scalar::Scalar;

/// A file of numbers as text.
#[derive(Debug)]
pub(super) struct Csv {
    pub(super) input: Input,
    pub(super) delimiter: u8,
    pub(super) header: bool,
}

/// A field, and where it is.
pub(crate) struct Field<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) row: u64,
    pub(crate) col: u64,
    /// Counted from 1, as editors do.
    pub(crate) line: u64,
}

impl Csv {
    /// Its rows and columns: every line is looked at.
    pub(super) fn shape(&self, meter: &Meter<'_>) -> Result<Extent> {
        self.scan(meter, &mut |_| Ok(()))
    }

    /// Hands each element to `take`, with its row and column.
    ///
    /// # Errors
    /// `Data` where its shape is another than was found before.
    pub(super) fn each(
        &self,
        meter: &Meter<'_>,
        shape: Extent,
        take: &mut dyn FnMut(u64, u64, f64) -> Result<()>,
    ) -> Result<()> {
        let found = self.scan(meter, &mut |field| {
            let value = number(unquoted(field.bytes)).ok_or_else(|| self.no_number(&field))?;
            take(field.row, field.col, value)
        });
        if found? == shape { Ok(()) } else { Err(self.input.changed()) }
    }

    fn scan(&self, meter: &Meter<'_>, take: &mut dyn FnMut(Field<'_>) -> Result<()>) -> Result<Extent> {
        scan(self.input.open(*meter)?, self.delimiter, self.header, take)
            .map_err(|e| e_in(&self.input.what, e))
    }

    fn no_number(&self, field: &Field<'_>) -> Error {
        let (line, col) = (field.line, field.col + 1);
        if field.bytes.iter().all(u8::is_ascii_whitespace) {
            return Error::data(format!("line {line}, column {col} is empty"));
        }
        let hint = if self.header || line > 1 { "" } else { "; is it a line of names? try --header" };
        Error::data(format!(
            "line {line}, column {col} is {}, no number that f64 can hold{hint}",
            shown(field.bytes)
        ))
    }
}

/// An error of reading the file `what`, unless somebody else has said what could not be done.
pub(super) fn e_in(what: &str, error: Error) -> Error {
    let said = error.message().starts_with("cannot ") || error.kind() == ErrorKind::Cancelled;
    if said { error } else { Error::new(error.kind(), format!("cannot read {what}: {error}")) }
}

/// A field without the spaces and the quotes around it.
fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(field)
}

/// Hands each field to `take`, row by row, and returns how many rows and columns there are. Lines without anything are
/// passed over.
///
/// # Errors
/// `Data` where lines have different numbers of fields, a field is too long, or there is none.
fn scan(
    from: impl BufRead,
    delimiter: u8,
    header: bool,
    take: &mut dyn FnMut(Field<'_>) -> Result<()>,
) -> Result<Extent> {
    let mut lines = Fields { take, field: Vec::new(), row: 0, col: 0, line: 1, cols: None, skipping: header };
    let mut from = without_mark(from)?;
    loop {
        let bytes = from.fill_buf().map_err(|e| Error::io(format!("line {}", lines.line), e))?;
        if bytes.is_empty() {
            break;
        }
        for &byte in bytes {
            if byte == b'\n' {
                lines.end_line()?;
            } else if lines.skipping {
                // The names are nobody's.
            } else if byte == delimiter {
                lines.end_field()?;
            } else {
                lines.push(byte)?;
            }
        }
        let count = bytes.len();
        from.consume(count);
    }
    lines.end_line()?;
    match lines.cols {
        Some(cols) => Ok(Extent { rows: lines.row, cols }),
        None => Err(Error::data("there are no numbers in it")),
    }
}

/// The text without the mark that some programs begin it with.
fn without_mark<R: BufRead>(mut from: R) -> Result<R> {
    let start = from.fill_buf().map_err(|e| Error::io("line 1", e))?;
    if start.starts_with(b"\xef\xbb\xbf") {
        from.consume(3);
    }
    Ok(from)
}

/// The fields of the line at hand.
struct Fields<'a> {
    take: &'a mut dyn FnMut(Field<'_>) -> Result<()>,
    field: Vec<u8>,
    row: u64,
    col: u64,
    line: u64,
    cols: Option<u64>,
    /// Whether the line is one of names.
    skipping: bool,
}

impl Fields<'_> {
    fn push(&mut self, byte: u8) -> Result<()> {
        if self.field.len() == NUMBER_BYTES_MAX {
            let (line, col) = (self.line, self.col + 1);
            return Err(Error::data(format!(
                "line {line}, column {col} has more than {NUMBER_BYTES_MAX} bytes, no number; is the delimiter right?"
            )));
        }
        self.field.push(byte);
        Ok(())
    }

    fn end_field(&mut self) -> Result<()> {
        (self.take)(Field { bytes: &self.field, row: self.row, col: self.col, line: self.line })?;
        self.field.clear();
        self.col += 1;
        Ok(())
    }

    fn end_line(&mut self) -> Result<()> {
        if self.field.last() == Some(&b'\r') {
            self.field.pop();
        }
        let empty = self.col == 0 && self.field.is_empty();
        if !self.skipping && !empty {
            self.end_field()?;
            let (line, found) = (self.line, self.col);
            let cols = *self.cols.get_or_insert(found);
            if found != cols {
                return Err(Error::data(format!(
                    "line {line} has {found} numbers, and those before it have {cols}"
                )));
            }
            self.row += 1;
        }
        self.skipping = false;
        self.col = 0;
        self.line += 1;
        Ok(())
    }
}

/// Exports a matrix as text: the shortest digits that are read as the same number.
pub(super) fn export<T: Scalar>(
    matrix: &DenseMatrix<T>,
    path: &Path,
    new: NewFileOptions,
    (delimiter, header): (u8, bool),
) -> Result<u64> {
    publish(path, new, least_text_bytes(matrix.shape()), |file| {
        write(matrix, file, (delimiter, header), &|e| failed(path, e))?;
        matrix.source().check_unchanged()
    })
}

fn write<T: Scalar>(
    matrix: &DenseMatrix<T>,
    file: &File,
    (delimiter, header): (u8, bool),
    failed: &dyn Fn(std::io::Error) -> Error,
) -> Result<()> {
    let mut to = BufWriter::with_capacity(1 << 20, file);
    let delimiter = char::from(delimiter);
    if header {
        for col in 0..matrix.shape().1 {
            let before = if col == 0 { String::new() } else { delimiter.to_string() };
            write!(to, "{before}c{col}").map_err(failed)?;
        }
        writeln!(to).map_err(failed)?;
    }
    each_row(matrix, |_, elements| {
        for (col, element) in elements.iter().enumerate() {
            let written =
                if col == 0 { write!(to, "{element:?}") } else { write!(to, "{delimiter}{element:?}") };
            written.map_err(failed)?;
        }
        writeln!(to).map_err(failed)
    })?;
    to.flush().map_err(failed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str, header: bool) -> Result<(Extent, Vec<String>), String> {
        let mut found = Vec::new();
        let extent = scan(text.as_bytes(), b',', header, &mut |field| {
            found.push(String::from_utf8_lossy(unquoted(field.bytes)).into_owned());
            Ok(())
        });
        extent.map(|extent| (extent, found)).map_err(|e| e.to_string())
    }

    #[test]
    fn lines_are_rows() {
        let same = ["1,2\n3,4\n", "1,2\n3,4", "1 , 2\r\n\r\n3,\"4\"\r\n\n\n", "\u{feff}1,2\n3,4\n"];
        for text in same {
            let (extent, found) = fields(text, false).unwrap();
            assert_eq!(
                (extent, found.join(" ")),
                (Extent { rows: 2, cols: 2 }, "1 2 3 4".into()),
                "{text:?}"
            );
        }
        let names = format!("a,b,c,{}\n1,2\n", "x".repeat(5000));
        assert_eq!(fields(&names, true).unwrap().0, Extent { rows: 1, cols: 2 });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert!(fields("1,2\n3\n", false).unwrap_err().contains("line 2 has 1 numbers"));
        assert!(fields("1\n\n2,3\n", false).unwrap_err().contains("line 3 has 2 numbers"));
        assert!(fields("", false).unwrap_err().contains("no numbers"));
        assert!(fields("a,b\n", true).unwrap_err().contains("no numbers"));
        let long = format!("1,{}", "1".repeat(600));
        assert!(fields(&long, false).unwrap_err().contains("line 1, column 2 has more than 512"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), header: bool) {
            let _ = scan(&bytes[..], b',', header, &mut |field| { number(field.bytes); Ok(()) });
        }
    }
}
