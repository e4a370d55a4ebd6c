//! `hama matrix export`: a matrix as a file.

use std::fmt;
use std::path::PathBuf;

use hama::files::{self, ExportOptions};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::import::Form;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Session, taken};
use super::size::Size;

const EXAMPLES: &str = "\
Examples:
  hama matrix export c c.npy
  python3 -c \"import numpy; print(numpy.load('c.npy', mmap_mode='r')[:2, :2])\"
  hama matrix export c c.csv --header             numbers as text, below names c0, c1 ..
  hama matrix export c c.mtx                      Matrix Market
  hama matrix export c c.npz#weights              an archive with one array; or --array weights
  hama matrix export c c.zarr                     a Zarr array, a folder
  hama matrix export ./c.npy c.zarr               a file to another";

/// Write a matrix as a file: .npy, .npz, .mtx, .csv, .tsv or Zarr
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// The matrix, or a file
    name: String,
    /// The file
    file: PathBuf,
    /// Replace the file
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    form: Form,
    /// The name of the array in an archive (.npz) [default: that of the matrix]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Begin with a line of names (.csv, .tsv)
    #[arg(long)]
    header: bool,
}

#[derive(Serialize)]
struct ExportReport {
    file: String,
    bytes: u64,
}

impl Export {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let options = ExportOptions {
            format: self.form.format,
            replace: self.replace,
            array: self.array,
            header: self.header,
            delimiter: self.form.delimiter,
        };
        if self.file.as_os_str() == "-" {
            let why = "standard output is no file that can be written twice, name one";
            return Err(hama::Error::invalid(format!("cannot export {} to -: {why}", self.name)).into());
        }
        options.check(&self.file).map_err(taken)?;
        let session = Session::open_for(global, [self.name.as_str()], None, |builder| builder)?;
        let matrix = session.matrix(&self.name)?;
        let bytes = matrix.stored_bytes();
        let shown =
            session.show(Task { label: format!("exporting {}", self.name), total: bytes, unit: Unit::Bytes });
        let bytes = files::export(&matrix, &self.file, &options).map_err(taken)?;
        drop(shown);
        tracing::info!(table = self.name, file = %self.file.display(), bytes, "exported");
        output.report(&ExportReport { file: self.file.display().to_string(), bytes })
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.file, Size(self.bytes))
    }
}
