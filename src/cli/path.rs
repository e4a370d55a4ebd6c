//! `hama matrix path`: where the Zarr array of a matrix lies, for other programs.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use hama::files::NewFile;
use hama::table::{Reference, StorePath, Table};
use hama::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::session::{Access, Session, new_file, not_a_file, taken};

const EXAMPLES: &str = "\
Examples:
  python3 -c \"import zarr; print(zarr.open('$(hama matrix path a)', mode='r')[:2, :2])\"
  hama matrix path a --reference a.json        # the files of a as fsspec's reference file system takes them

It is the path of the version of now: writing the matrix again makes another. In HDFS a version may use files of
older ones; then the path alone is no whole array, and --reference says where each file lies.";

/// Print the path of a matrix as a Zarr v3 array
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Path {
    /// The matrix
    name: String,
    /// Write where each file of the matrix lies, as JSON for fsspec's reference file system (version 1): a Zarr group with
    /// the array `values`
    #[arg(long, value_name = "FILE.json")]
    reference: Option<PathBuf>,
    /// Replace that file
    #[arg(long, requires = "reference")]
    replace: bool,
}

#[derive(Serialize)]
struct PathReport {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

impl Path {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> std::result::Result<(), Failure> {
        not_a_file(&self.name)?;
        let session = Session::open(global, Access::Existing)?;
        let table = session.table(&self.name)?;
        let path = file_url(&table, &table.values_path())?;
        let Some(file) = self.reference else {
            if table.borrows() {
                session.say(&format!(
                    "version {} of {} uses files of older ones: --reference FILE.json says which",
                    table.version(),
                    table.name()
                ));
            }
            return output.report(&PathReport { path, reference: None });
        };
        let new = NewFile::beside(&file, new_file(global, self.replace)).map_err(taken)?;
        let mut bytes = serde_json::to_vec_pretty(&references(&table)?)
            .map_err(|e| Error::internal("cannot write the reference as JSON").with_source(e))?;
        bytes.push(b'\n');
        let written = new.file().write_all(&bytes);
        written.map_err(|e| Error::io(format!("cannot write {}", file.display()), e))?;
        new.publish().map_err(taken)?;
        output.report(&PathReport { path, reference: Some(file.display().to_string()) })
    }
}

/// What fsspec's reference file system wants to know of a table.
fn references(table: &Table) -> Result<Value> {
    let entry = |(key, reference)| {
        let value = match reference {
            Reference::Text(text) => Value::String(text),
            Reference::File(path) => json!([file_url(table, &path)?]),
        };
        Ok((key, value))
    };
    let refs: Map<String, Value> = table.references()?.into_iter().map(entry).collect::<Result<_>>()?;
    Ok(json!({ "version": 1, "refs": refs }))
}

/// Where other programs find a file or folder of the table's store.
fn file_url(table: &Table, path: &StorePath) -> Result<String> {
    let store = table.store();
    if let Some(local) = store.local_path(path) {
        return Ok(local.display().to_string());
    }
    let url = store.url().to_string();
    if url.starts_with("hdfs:") {
        return Ok(format!("{}/{path}", url.trim_end_matches('/')));
    }
    Err(Error::invalid(format!("cannot give the path of {}: other programs cannot see {url}", table.name())))
}

impl fmt::Display for PathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reference.as_ref().unwrap_or(&self.path))
    }
}
