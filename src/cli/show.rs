//! `hama matrix show`: some elements of a matrix, or a picture of all.

use std::fmt;
use std::ops::Range;

use hama::{AnyMatrix, DenseMatrix, Error, Scalar};
use serde::{Serialize, Serializer};

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::picture::PictureReport;
use super::session::Session;
use super::span::Span;

/// More is for a file, not for eyes.
const ELEMENTS_MAX: u64 = 10_000;
/// Rows and columns where nothing is said.
const CORNER: u64 = 8;
/// Beyond 2^53 not every whole number is one of f64.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

const EXAMPLES: &str = "\
Examples:
  hama matrix show c                                the upper left corner
  hama matrix show c --rows 0..5 --cols 100..110
  hama matrix show c --rows 7 --cols ..3
  hama matrix show ./c.npy                          that of a file
  hama matrix show c --picture                      all of it, small: what is large is light

A picture shows the largest |x| of the elements that each point stands for, on a scale from 0 to the
largest of all. It fits the terminal, in 256 colours where that has them (not with NO_COLOR), else
in characters.";

/// Show some elements of a matrix, or a picture of all of it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// The matrix
    name: String,
    /// Which rows, such as 0..5, 10.., ..5 or 7 [default: the first 8]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    rows: Option<Span>,
    /// Which columns [default: the first 8]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    cols: Option<Span>,
    /// Show all of it as a picture: where it is large
    #[arg(long, conflicts_with_all = ["rows", "cols"])]
    picture: bool,
}

/// An element, in JSON a number, else one of the strings `NaN`, `Infinity` and `-Infinity`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    F64(f64),
    F32(f32),
}

#[derive(Serialize)]
struct ShowReport {
    name: String,
    rows: u64,
    cols: u64,
    dtype: &'static str,
    row_range: [u64; 2],
    col_range: [u64; 2],
    values: Vec<Vec<Number>>,
}

impl Show {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open_for(global, [self.name.as_str()], None, |builder| builder)?;
        let matrix = session.matrix(&self.name)?;
        if self.picture {
            return output.report(&PictureReport::of(&session, &matrix)?);
        }
        let report = match &matrix {
            AnyMatrix::F64(matrix) => self.report(matrix)?,
            AnyMatrix::F32(matrix) => self.report(matrix)?,
        };
        output.report(&report)
    }

    fn report<T: Scalar + Into<Number>>(&self, matrix: &DenseMatrix<T>) -> hama::Result<ShowReport> {
        let (rows, cols) = matrix.shape();
        let range = |span: Option<Span>, extent: u64, of| match span {
            Some(span) => span.within(extent, &format!("{of} of {}", self.name)),
            None => Ok(0..extent.min(CORNER)),
        };
        let row_range = range(self.rows, rows, "rows")?;
        let col_range = range(self.cols, cols, "columns")?;
        let (height, width) = (length(&row_range), length(&col_range));
        if height.saturating_mul(width) > ELEMENTS_MAX {
            return Err(Error::invalid(format!(
                "cannot show {height} x {width} elements of {}: {ELEMENTS_MAX} are the most; \
                 `hama matrix export` writes all to a file",
                self.name
            )));
        }
        let values = matrix.read(row_range.clone(), col_range.clone())?;
        Ok(ShowReport {
            name: self.name.clone(),
            rows,
            cols,
            dtype: T::TYPE.name(),
            row_range: [row_range.start, row_range.end],
            col_range: [col_range.start, col_range.end],
            values: values.rows().into_iter().map(|row| row.iter().map(|&x| x.into()).collect()).collect(),
        })
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number::F64(value)
    }
}

impl From<f32> for Number {
    fn from(value: f32) -> Number {
        Number::F32(value)
    }
}

impl Number {
    pub(crate) fn value(self) -> f64 {
        match self {
            Number::F64(value) => value,
            Number::F32(value) => value.into(),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Number::F64(value) if value.is_finite() => serializer.serialize_f64(value),
            Number::F32(value) if value.is_finite() => serializer.serialize_f32(value),
            other if other.value().is_nan() => serializer.serialize_str("NaN"),
            other if other.value() > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

/// How all numbers of one answer are written, so that they can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Whole,
    Fixed,
    Scientific,
}

impl Notation {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Notation {
        let finite = values.filter(|value| value.is_finite());
        let largest = finite.clone().fold(0.0f64, |largest, value| largest.max(value.abs()));
        if largest <= WHOLE_MAX && finite.clone().all(|value| value.fract() == 0.0) {
            Notation::Whole
        } else if (1e-2..1e6).contains(&largest) {
            Notation::Fixed
        } else {
            Notation::Scientific
        }
    }

    fn write(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => value.to_string(),
            Notation::Whole => format!("{value:.0}"),
            Notation::Fixed => format!("{value:.6}"),
            Notation::Scientific => format!("{value:.6e}"),
        }
    }
}

impl fmt::Display for ShowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notation = Notation::of(self.values.iter().flatten().map(|number| number.value()));
        let cells: Vec<Vec<String>> = self
            .values
            .iter()
            .map(|row| row.iter().map(|number| notation.write(number.value())).collect())
            .collect();
        let columns = self.col_range[0]..self.col_range[1];
        let digits = self.col_range[1].to_string().len();
        let width = cells.iter().flatten().map(String::len).max().unwrap_or_default().max(digits);
        let margin = self.row_range[1].to_string().len();
        let ([row, row_end], [col, col_end]) = (self.row_range, self.col_range);
        writeln!(f, "{}: {} x {} {}", self.name, self.rows, self.cols, self.dtype)?;
        writeln!(f, "rows {row}..{row_end}, columns {col}..{col_end}\n")?;
        write!(f, "{:margin$}", "")?;
        columns.clone().try_for_each(|column| write!(f, "  {column:>width$}"))?;
        writeln!(f)?;
        for (index, cells) in (self.row_range[0]..).zip(&cells) {
            write!(f, "{index:>margin$}")?;
            cells.iter().try_for_each(|cell| write!(f, "  {cell:>width$}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(values: Vec<Vec<Number>>) -> ShowReport {
        ShowReport {
            name: "a".into(),
            rows: 100,
            cols: 100,
            dtype: "f64",
            row_range: [9, 9 + values.len() as u64],
            col_range: [0, values[0].len() as u64],
            values,
        }
    }

    #[test]
    fn numbers_stand_below_each_other() {
        let text =
            report(vec![vec![0.5.into(), 100.25.into()], vec![(-1.0).into(), f64::NAN.into()]]).to_string();
        let expected = "\
a: 100 x 100 f64
rows 9..11, columns 0..2

             0           1
 9    0.500000  100.250000
10   -1.000000         NaN
";
        assert_eq!(text, expected);
    }

    #[test]
    fn one_notation_fits_all() {
        let of = |values: &[f64]| Notation::of(values.iter().copied());
        assert_eq!(of(&[1.0, -7.0, 0.0, f64::INFINITY]), Notation::Whole);
        assert_eq!(of(&[1.5, 2.0]), Notation::Fixed);
        assert_eq!(of(&[1e-9, 1e-8]), Notation::Scientific);
        assert_eq!(of(&[1e20]), Notation::Scientific);
        assert_eq!(Notation::Scientific.write(-1.25e20), "-1.250000e20");
    }

    #[test]
    fn what_json_has_no_number_for_is_a_string() {
        let values: Vec<Number> = vec![0.1f32.into(), 0.1.into(), f64::NAN.into(), f32::NEG_INFINITY.into()];
        assert_eq!(serde_json::to_string(&values).unwrap(), r#"[0.1,0.1,"NaN","-Infinity"]"#);
    }
}
