//! `hama matrix export`: a matrix as a NumPy file.

use std::fmt;
use std::path::PathBuf;

use hama::{Error, npy};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, taken};
use super::size::Size;

const EXAMPLES: &str = "\
Example:
  hama matrix export c c.npy
  python3 -c \"import numpy; print(numpy.load('c.npy', mmap_mode='r')[:2, :2])\"";

/// Write a matrix as a NumPy .npy file
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// The matrix
    name: String,
    /// The .npy file
    file: PathBuf,
    /// Replace the file
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct ExportReport {
    file: String,
    bytes: u64,
}

impl Export {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        if self.file.as_os_str() == "-" {
            let why = "standard output is no file that can be written twice, name one";
            return Err(Error::invalid(format!("cannot export {} to -: {why}", self.name)).into());
        }
        let session = Session::open(global, Access::Existing)?;
        let matrix = session.matrix(&self.name)?;
        let bytes = matrix.table().bytes();
        let shown =
            session.show(Task { label: format!("exporting {}", self.name), total: bytes, unit: Unit::Bytes });
        npy::export(&matrix, &self.file, self.replace).map_err(taken)?;
        drop(shown);
        let bytes = std::fs::metadata(&self.file).map_or(bytes, |file| file.len());
        tracing::info!(table = self.name, file = %self.file.display(), bytes, "exported");
        output.report(&ExportReport { file: self.file.display().to_string(), bytes })
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.file, Size(self.bytes))
    }
}
