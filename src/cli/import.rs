//! `hama matrix import`: a matrix out of a NumPy file.

use std::path::PathBuf;

use hama::{Error, npy, table::TableName};

use super::Global;
use super::failure::Failure;
use super::made::Made;
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, taken, target};

const EXAMPLES: &str = "\
Examples:
  python3 -c \"import numpy; numpy.save('mine.npy', numpy.random.rand(500, 300))\"
  hama matrix import mine.npy mine

Reads arrays of two dimensions in C and Fortran order: f64 and f32 of either byte order, and
integers that are exact in f64.";

/// Make a matrix out of a NumPy .npy file
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// The .npy file
    file: PathBuf,
    /// The name of the matrix: letters, digits, - and _
    name: String,
    /// Replace the matrix of this name
    #[arg(long)]
    replace: bool,
}

impl Import {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        // Before a store is made for it.
        TableName::new(&self.name)?;
        npy::check(&self.file)?;
        let bytes = std::fs::metadata(&self.file)
            .map_err(|error| Error::io(format!("cannot read {}", self.file.display()), error))?
            .len();
        let session = Session::open(global, Access::Create)?;
        let shown =
            session.show(Task { label: format!("importing {}", self.name), total: bytes, unit: Unit::Bytes });
        let matrix =
            npy::import(&session.hama, &self.file, target(&self.name, self.replace)).map_err(taken)?;
        drop(shown);
        tracing::info!(file = %self.file.display(), table = self.name, bytes, "imported");
        output.report(&Made::of(&session, &matrix))
    }
}
