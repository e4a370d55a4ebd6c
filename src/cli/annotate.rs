//! `hama matrix annotate` and `hama matrix label`: what is known of a matrix, its rows and its columns.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hama::table::{Attributes, Changes, Dimension, Labels, TableWriter};
use hama::{AnyMatrix, Error};
use serde::Serialize;
use serde_json::Value;

use super::Global;
use super::failure::Failure;
use super::info::Summary;
use super::output::Output;
use super::session::{Access, Session};

const EXAMPLES: &str = "\
Examples:
  hama matrix annotate a unit=m title=\"heights of 2026\" levels='[1, 2, 3]'
  hama matrix annotate a --remove title

A value that reads as JSON is kept as that, any other as text. zarr and xarray show them as attributes of `values`.";

const LABEL_EXAMPLES: &str = "\
Examples:
  hama matrix label a --rows cities.txt --columns years.txt
  hama matrix label a --no-rows

A file has one label a line, as many as the matrix has rows or columns: whole numbers where all are, else numbers where
all are, else words. xarray shows them as the coordinates `row` and `column`.";

/// The most bytes of a file of labels.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Note what is known of a matrix, as KEY=VALUE
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Annotate {
    /// The matrix
    name: String,
    /// What is known
    #[arg(value_name = "KEY=VALUE", value_parser = pair, required_unless_present = "remove")]
    pairs: Vec<(String, Value)>,
    /// Forget what is known under this key
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
}

/// Give each row or column of a matrix a label
#[derive(clap::Args)]
#[command(after_help = LABEL_EXAMPLES)]
pub(crate) struct Label {
    /// The matrix
    name: String,
    /// A file with a label for each row
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "no_rows",
        required_unless_present_any = ["columns", "no_rows", "no_columns"]
    )]
    rows: Option<PathBuf>,
    /// A file with a label for each column
    #[arg(long, value_name = "FILE", conflicts_with = "no_columns")]
    columns: Option<PathBuf>,
    /// Take the labels of the rows away
    #[arg(long)]
    no_rows: bool,
    /// Take the labels of the columns away
    #[arg(long)]
    no_columns: bool,
}

#[derive(Serialize)]
struct AnnotateReport {
    #[serde(flatten)]
    table: Summary,
    attributes: Attributes,
}

#[derive(Serialize)]
struct LabelReport {
    #[serde(flatten)]
    table: Summary,
    row_labels: bool,
    column_labels: bool,
}

fn pair(text: &str) -> hama::Result<(String, Value)> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()).ok_or_else(|| {
        Error::invalid(format!("cannot read {text:?}: a key and a value such as unit=m are wanted"))
    })?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.trim().to_owned(), value))
}

impl Annotate {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open(global, Access::Existing)?;
        let matrix = session.matrix(&self.name)?;
        let mut attributes = matrix.table()?.spec().attributes.clone();
        for key in &self.remove {
            attributes.remove(key).ok_or_else(|| {
                Error::invalid(format!("cannot forget {key} of {}: it is not known", self.name))
            })?;
        }
        attributes.extend(self.pairs);
        let annotated = match matrix {
            AnyMatrix::F64(matrix) => AnyMatrix::F64(matrix.annotate(attributes)?),
            AnyMatrix::F32(matrix) => AnyMatrix::F32(matrix.annotate(attributes)?),
        };
        let table = annotated.table()?;
        tracing::info!(table = self.name, "annotated");
        let attributes = table.spec().attributes.clone();
        output.report(&AnnotateReport { table: Summary::of(&session, table), attributes })
    }
}

impl fmt::Display for AnnotateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)?;
        self.attributes.iter().try_for_each(|(key, value)| writeln!(f, "  {key} = {value}"))
    }
}

impl Label {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let session = Session::open(global, Access::Existing)?;
        let rows = self.rows.as_deref().map(read).transpose()?;
        let columns = self.columns.as_deref().map(read).transpose()?;
        let changed = |labels: Option<Labels>, none: bool| (labels.is_some() || none).then_some(labels);
        let changes = Changes {
            row_labels: changed(rows, self.no_rows),
            column_labels: changed(columns, self.no_columns),
            durability: session.hama.durability(),
            ..Changes::default()
        };
        let table = &TableWriter::update(&session.table(&self.name)?, changes)?.commit(Vec::new())?;
        tracing::info!(table = self.name, "labelled");
        output.report(&LabelReport {
            table: Summary::of(&session, table),
            row_labels: table.has_labels(Dimension::Rows),
            column_labels: table.has_labels(Dimension::Columns),
        })
    }
}

/// The labels in the lines of a file.
fn read(path: &Path) -> Result<Labels, Failure> {
    let doing = || format!("cannot read the labels in {}", path.display());
    let file = File::open(path).map_err(|error| Error::io(doing(), error))?;
    let mut text = Vec::new();
    // What is no plain file may have no end.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| Error::io(doing(), error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::invalid(format!("{}: more than {FILE_BYTES_MAX} bytes", doing())).into());
    }
    let text = String::from_utf8(text).map_err(|error| {
        Error::invalid(format!("{}: byte {} is no UTF-8", doing(), error.utf8_error().valid_up_to()))
    })?;
    Ok(Labels::of_lines(text.lines()))
}

impl fmt::Display for LabelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |there: bool| if there { "labelled" } else { "not labelled" };
        writeln!(f, "{}", self.table)?;
        writeln!(f, "rows {}, columns {}", said(self.row_labels), said(self.column_labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_text() {
        let value = |text: &str| pair(text).unwrap().1;
        assert_eq!(value("a=1.5"), serde_json::json!(1.5));
        assert_eq!(value("a=[1, 2]"), serde_json::json!([1, 2]));
        assert_eq!(value("a=m/s"), "m/s");
        assert_eq!(value("a=x=y"), "x=y");
        assert_eq!(value("a="), "");
        assert!(pair("a").is_err() && pair("=1").is_err() && pair(" =1").is_err());
    }
}
