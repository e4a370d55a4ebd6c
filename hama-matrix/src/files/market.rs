//! Matrix Market files: a header of words, then all elements column by column, or those that are not 0 with their
//! places.
//!
//! R. Boisvert, R. Pozo, K. Remington, "The Matrix Market exchange formats: initial design", NISTIR 5935, 1996.

use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

use hama_core::{Error, Result};
use hama_hdfs::Extent;

use super::csv::e_in;
use super::lines::Lines;
use super::publish::{NewFileOptions, failed, publish};
use super::rows::each_row;
use super::stream::{Input, Meter, Order};
use super::text::{least_text_bytes, number, shown};
use crate::dense::DenseMatrix;
use crate::scalar::Scalar;

/// A Matrix Market file.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) input: Input,
    header: Header,
}

/// What the first lines say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    coordinate: bool,
    field: Field,
    symmetry: Symmetry,
    shape: Extent,
    /// How many lines of elements follow.
    entries: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Real,
    Integer,
    Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

impl Market {
    /// Reads the header.
    pub(super) fn open(input: Input, meter: &Meter<'_>) -> Result<Market> {
        let mut lines = Lines::new(input.open(*meter)?);
        let header = Header::read(&mut lines).map_err(|e| e_in(&input.what, e))?;
        Ok(Market { input, header })
    }

    pub(super) fn shape(&self) -> Extent {
        self.header.shape
    }

    /// Elements that are stored, where the others are 0.
    pub(super) fn sparse_entries(&self) -> Option<u64> {
        self.header.coordinate.then_some(self.header.entries)
    }

    pub(super) fn order(&self) -> Order {
        if self.header.coordinate || self.header.symmetry != Symmetry::General {
            Order::Any
        } else {
            Order::ByCols
        }
    }

    pub(super) fn each(
        &self,
        meter: &Meter<'_>,
        take: &mut dyn FnMut(u64, u64, f64) -> Result<()>,
    ) -> Result<()> {
        let mut lines = Lines::new(self.input.open(*meter)?);
        let header = Header::read(&mut lines).map_err(|e| e_in(&self.input.what, e))?;
        if header != self.header {
            return Err(self.input.changed());
        }
        header.elements(&mut lines, take).map_err(|e| e_in(&self.input.what, e))
    }
}

impl Header {
    fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Header> {
        let bad = |why: &str| Error::data(format!("line 1 {why}"));
        if !lines.next_line(false)? {
            return Err(bad("is missing: it is empty"));
        }
        let banner = String::from_utf8_lossy(lines.text()).to_lowercase();
        let words: Vec<&str> = banner.split_whitespace().collect();
        let [banner, "matrix", layout, field, symmetry] = words[..] else {
            return Err(bad("is not of the form: %%MatrixMarket matrix coordinate real general"));
        };
        if banner != "%%matrixmarket" {
            return Err(bad("does not begin with %%MatrixMarket"));
        }
        let unsupported =
            |word: &str, instead: &str| Error::invalid(format!("it is {word}, and {instead} files are read"));
        let coordinate = match layout {
            "coordinate" => true,
            "array" => false,
            other => return Err(bad(&format!("says {other:?}, neither coordinate nor array"))),
        };
        let field = match field {
            "real" | "double" => Field::Real,
            "integer" => Field::Integer,
            "pattern" if coordinate => Field::Pattern,
            other => return Err(unsupported(other, "real, integer and (coordinate) pattern")),
        };
        let symmetry = match symmetry {
            "general" => Symmetry::General,
            "symmetric" => Symmetry::Symmetric,
            "skew-symmetric" if field != Field::Pattern => Symmetry::Skew,
            other => return Err(unsupported(other, "general, symmetric and skew-symmetric")),
        };
        Header::sized(lines, coordinate, field, symmetry)
    }

    fn sized<R: BufRead>(
        lines: &mut Lines<R>,
        coordinate: bool,
        field: Field,
        symmetry: Symmetry,
    ) -> Result<Header> {
        let wanted = if coordinate { "rows, columns and entries" } else { "rows and columns" };
        if !lines.next_line(true)? {
            return Err(Error::data(format!("the line with {wanted} is missing")));
        }
        let numbers: Option<Vec<u64>> =
            lines.words().map(|word| std::str::from_utf8(word).ok()?.parse().ok()).collect();
        let (rows, cols, entries) = match (numbers.as_deref(), coordinate) {
            (Some([rows, cols, entries]), true) => (*rows, *cols, *entries),
            (Some([rows, cols]), false) => (*rows, *cols, 0),
            _ => return Err(lines.bad(&format!("has not {wanted}"))),
        };
        if symmetry != Symmetry::General && rows != cols {
            return Err(lines.bad(&format!("says {rows} x {cols}, and a symmetric matrix is square")));
        }
        let all = match symmetry {
            Symmetry::General => rows.checked_mul(cols),
            Symmetry::Symmetric => rows.checked_add(1).and_then(|more| rows.checked_mul(more)).map(|n| n / 2),
            Symmetry::Skew => rows.checked_mul(rows.saturating_sub(1)).map(|n| n / 2),
        };
        let all = all.ok_or_else(|| lines.bad(&format!("says {rows} x {cols}, which is too large")))?;
        let entries = if coordinate { entries } else { all };
        Ok(Header { coordinate, field, symmetry, shape: Extent { rows, cols }, entries })
    }

    /// Hands each element to `take`, and those that mirror them.
    fn elements<R: BufRead>(
        &self,
        lines: &mut Lines<R>,
        take: &mut dyn FnMut(u64, u64, f64) -> Result<()>,
    ) -> Result<()> {
        let first = |col: u64| match self.symmetry {
            Symmetry::General => 0,
            Symmetry::Symmetric => col,
            Symmetry::Skew => col + 1,
        };
        let (mut row, mut col) = (first(0), 0);
        for index in 0..self.entries {
            if !lines.next_line(true)? {
                return Err(Error::data(format!("it ends after {index} of {} elements", self.entries)));
            }
            let value = if self.coordinate {
                let (at, value) = self.entry(lines)?;
                (row, col) = at;
                value
            } else {
                while row >= self.shape.rows {
                    col += 1;
                    row = first(col);
                }
                self.value(lines, lines.words())?
            };
            take(row, col, value)?;
            if row != col {
                match self.symmetry {
                    Symmetry::General => {}
                    Symmetry::Symmetric => take(col, row, value)?,
                    Symmetry::Skew => take(col, row, -value)?,
                }
            }
            row += 1;
        }
        if lines.next_line(true)? {
            return Err(lines.bad(&format!("follows the last of {} elements", self.entries)));
        }
        Ok(())
    }

    /// The place and the value of a line of a coordinate file.
    fn entry<R>(&self, lines: &Lines<R>) -> Result<((u64, u64), f64)> {
        let mut words = lines.words();
        let mut index = |extent: u64, what: &str| {
            let word = words.next().unwrap_or_default();
            let index: Option<u64> = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
            match index {
                Some(index) if (1..=extent).contains(&index) => Ok(index - 1),
                _ => Err(lines.bad(&format!("has the {what} {}, and there are 1 to {extent}", shown(word)))),
            }
        };
        let (row, col) = (index(self.shape.rows, "row")?, index(self.shape.cols, "column")?);
        let outside = match self.symmetry {
            Symmetry::General => false,
            Symmetry::Symmetric => row < col,
            Symmetry::Skew => row <= col,
        };
        if outside {
            return Err(lines.bad("is not below the diagonal, where a symmetric file has its elements"));
        }
        Ok(((row, col), self.value(lines, words)?))
    }

    /// The value in what is left of a line.
    fn value<'a, R>(&self, lines: &Lines<R>, mut words: impl Iterator<Item = &'a [u8]>) -> Result<f64> {
        let (word, rest) = match self.field {
            Field::Pattern => (None, words.next()),
            Field::Real | Field::Integer => (words.next(), words.next()),
        };
        if let Some(rest) = rest {
            return Err(lines.bad(&format!("has {} too many", shown(rest))));
        }
        let Some(word) = word else {
            return if self.field == Field::Pattern { Ok(1.0) } else { Err(lines.bad("lacks a number")) };
        };
        match self.field {
            Field::Integer => {
                let integer: Option<i128> = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
                let exact = integer
                    .filter(|integer| *integer as f64 as i128 == *integer)
                    .map(|integer| integer as f64);
                exact.ok_or_else(|| lines.bad(&format!("has {}, no integer that f64 can hold", shown(word))))
            }
            _ => number(word)
                .ok_or_else(|| lines.bad(&format!("has {}, no number that f64 can hold", shown(word)))),
        }
    }
}

/// Exports a matrix as an array file: the shortest digits that are read as the same number.
pub(super) fn export<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, new: NewFileOptions) -> Result<u64> {
    publish(path, new, least_text_bytes(matrix.shape()), |file| {
        write(matrix, file, &|e| failed(path, e))?;
        matrix.source().check_unchanged()
    })
}

fn write<T: Scalar>(
    matrix: &DenseMatrix<T>,
    file: &File,
    failed: &dyn Fn(std::io::Error) -> Error,
) -> Result<()> {
    let mut to = BufWriter::with_capacity(1 << 20, file);
    let (rows, cols) = matrix.shape();
    writeln!(to, "%%MatrixMarket matrix array real general\n{rows} {cols}").map_err(failed)?;
    // Column by column.
    each_row(&matrix.t(), |_, elements| {
        elements.iter().try_for_each(|element| writeln!(to, "{element:?}")).map_err(failed)
    })?;
    to.flush().map_err(failed)
}

#[cfg(test)]
mod tests {
    use hama_core::ErrorKind;
    use proptest::prelude::*;

    use super::*;

    type Elements = Vec<(u64, u64, f64)>;

    fn scanned(text: &str) -> Result<(Header, Elements)> {
        let mut found = Vec::new();
        let mut lines = Lines::new(text.as_bytes());
        let header = Header::read(&mut lines)?;
        header.elements(&mut lines, &mut |row, col, value| {
            found.push((row, col, value));
            Ok(())
        })?;
        Ok((header, found))
    }

    fn elements(text: &str) -> Elements {
        scanned(text).unwrap().1
    }

    fn refused(text: &str) -> (ErrorKind, String) {
        let error = scanned(text).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn coordinates() {
        let text = "%%MatrixMarket matrix coordinate real general\n% why\n\n 2 3 2\n1 3 -1.5e1\n2 1 0.25\n\n";
        assert_eq!(elements(text), [(0, 2, -15.0), (1, 0, 0.25)]);
        let text = "%%MatrixMarket MATRIX Coordinate Pattern Symmetric\r\n2 2 2\r\n1 1\r\n2 1\r\n";
        assert_eq!(elements(text), [(0, 0, 1.0), (1, 0, 1.0), (0, 1, 1.0)]);
        let text = "%%MatrixMarket matrix coordinate integer skew-symmetric\n2 2 1\n2 1 7";
        assert_eq!(elements(text), [(1, 0, 7.0), (0, 1, -7.0)]);
    }

    #[test]
    fn arrays() {
        let text = "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\nnan\n";
        let found = elements(text);
        assert_eq!(found[..3], [(0, 0, 1.0), (1, 0, 2.0), (0, 1, 3.0)]);
        assert!(found[3].2.is_nan());
        let text = "%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n";
        assert_eq!(elements(text), [(0, 0, 1.0), (1, 0, 2.0), (0, 1, 2.0), (1, 1, 3.0)]);
        let text = "%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n";
        let lower = [(1, 0, 1.0), (0, 1, -1.0), (2, 0, 2.0), (0, 2, -2.0), (2, 1, 3.0), (1, 2, -3.0)];
        assert_eq!(elements(text), lower);
        assert!(elements("%%MatrixMarket matrix array real skew-symmetric\n1 1\n").is_empty());
    }

    #[test]
    fn what_is_not_read_says_why() {
        for (words, part) in [
            ("coordinate complex general", "complex"),
            ("coordinate real hermitian", "hermitian"),
            ("array pattern general", "pattern"),
            ("coordinate pattern skew-symmetric", "skew-symmetric"),
        ] {
            let (kind, why) = refused(&format!("%%MatrixMarket matrix {words}\n1 1 1\n1 1 1\n"));
            assert!(kind == ErrorKind::Invalid && why.contains(part), "{words}: {why}");
        }
    }

    #[test]
    fn what_is_damaged_says_where() {
        let real = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1\n";
        let with = |line: &str| refused(&format!("{real}{line}\n"));
        for (line, part) in [
            ("", "ends after 1 of 2"),
            ("0 1 1", "line 4 has the row \"0\""),
            ("1 3 1", "column \"3\""),
            ("1 -1 1", "column \"-1\""),
            ("1 1", "lacks a number"),
            ("1 1 x", "no number"),
            ("1 1 1 1", "too many"),
            ("1 1 1\n2 2 2", "line 5 follows the last"),
            ("99999999999999999999 1 1", "row"),
        ] {
            let (kind, why) = with(line);
            assert!(kind == ErrorKind::Data && why.contains(part), "{line}: {why}");
        }
        let symmetric = "%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1\n";
        assert!(refused(symmetric).1.contains("not below the diagonal"));
        assert!(refused(&symmetric.replace("2 2 1", "2 3 1")).1.contains("square"));
        assert!(
            refused("%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1.5").1.contains("integer")
        );
        assert!(refused("").1.contains("empty"));
        assert!(refused("1 2 3\n").1.contains("line 1"));
        assert!(refused("%%MatrixMarket matrix array real general\n").1.contains("missing"));
        assert!(refused("%%MatrixMarket matrix array real general\n2\n").1.contains("rows and columns"));
        let huge = "%%MatrixMarket matrix array real general\n4294967297 4294967297\n";
        assert!(refused(huge).1.contains("too large"));
        let long = format!("%%MatrixMarket matrix array real general\n1 1\n{}\n", "1".repeat(2000));
        assert!(refused(&long).1.contains("more than 1024"));
    }

    #[test]
    fn comments_may_be_long() {
        let text = format!("%%MatrixMarket matrix array real general\n%{}\n1 1\n5\n", "x".repeat(5000));
        assert_eq!(elements(&text), [(0, 0, 5.0)]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(words in "(coordinate|array) (real|integer|pattern) (general|symmetric|skew-symmetric)",
                          rest in "[0-9 .\\-\ne%]{0,200}") {
            let _ = scanned(&format!("%%MatrixMarket matrix {words}\n{rest}"));
        }
    }
}
