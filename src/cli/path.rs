//! `hama matrix path`: where the Zarr array of a matrix lies, for other programs.

use std::fmt;

use hama::Error;
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::session::{Access, Session, not_a_file};

const EXAMPLES: &str = "\
Example:
  python3 -c \"import zarr; print(zarr.open('$(hama matrix path a)', mode='r')[:2, :2])\"

It is the path of the version of now: writing the matrix again makes another.";

/// Print the path of a matrix as a Zarr v3 array
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Path {
    /// The matrix
    name: String,
}

#[derive(Serialize)]
struct PathReport {
    path: String,
}

impl Path {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        not_a_file(&self.name)?;
        let session = Session::open(global, Access::Existing)?;
        let table = session.table(&self.name)?;
        let store = session.hama.store();
        let path = store.local_path(&table.values_path()).ok_or_else(|| {
            Error::invalid(format!(
                "cannot give the path of {}: {} is not in a local directory",
                self.name,
                store.url()
            ))
        })?;
        output.report(&PathReport { path: path.display().to_string() })
    }
}

impl fmt::Display for PathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path)
    }
}
