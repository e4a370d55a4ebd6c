//! `hama matrix import`: a matrix out of a file.

use std::path::PathBuf;

use hama::files::{Format, ImportOptions, Incoming};
use hama::table::TableName;

use super::Global;
use super::cluster;
use super::failure::Failure;
use super::made::{Dtype, Made};
use super::output::Output;
use super::progress::{Task, Unit};
use super::session::{Access, Session, taken, target};
use super::size::Size;

const EXAMPLES: &str = "\
Examples:
  python3 -c \"import numpy; numpy.save('mine.npy', numpy.random.rand(500, 300))\"
  hama matrix import mine.npy mine
  hama matrix import weights.npz#layer1 w                 one array of an archive
  hama matrix import sparse.mtx dense                     Matrix Market; sparse becomes dense
  hama matrix import table.csv t --header --dtype f32     a line of names, then numbers
  hama matrix import data.txt d --format csv --delimiter ';'
  hama matrix import other.zarr z                         a Zarr array, version 3 or 2
  hama matrix import hdfs://namenode/data/other.zarr z    the same in HDFS

Numbers stay as they are: f32 is f32, everything else f64, where integers have to be exact. All of it runs within
--memory; text that does not fit is read more than once. With --master a Zarr array in HDFS is imported by the
cluster; a file of this host is read here.";

/// Make a matrix out of a file: .npy, .npz, .mtx, .csv, .tsv or Zarr
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// The file; FILE.npz#NAME is an array of an archive, hdfs://HOST:PORT/PATH a Zarr array in HDFS
    file: PathBuf,
    /// The name of the matrix: letters, digits, - and _
    name: String,
    /// Replace the matrix of this name
    #[arg(long)]
    replace: bool,
    /// The type of its elements; f32 rounds those of f64 [default: that of the file]
    #[arg(long, value_name = "TYPE", value_enum)]
    dtype: Option<Dtype>,
    #[command(flatten)]
    form: Form,
    /// The array of an archive that is meant (.npz)
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// The first line holds names (.csv, .tsv)
    #[arg(long)]
    header: bool,
}

/// What a file looks like, where its name does not tell.
#[derive(clap::Args)]
pub(crate) struct Form {
    /// The format: npy, npz, mtx, csv, tsv or zarr [default: by the suffix]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// What separates numbers in text, such as ';' or tab [default: a comma, in .tsv a tab]
    #[arg(long, value_name = "CHAR", allow_hyphen_values = true, value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
}

impl Import {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        // Before a store is made for it.
        TableName::new(&self.name)?;
        let options = ImportOptions {
            format: self.form.format,
            element: self.dtype.map(Dtype::element),
            array: self.array,
            header: self.header,
            delimiter: self.form.delimiter,
            ..ImportOptions::default()
        };
        let incoming = Incoming::open(&self.file, &options)?;
        // Peers read what lies in a store; a file of this host is written there by this process.
        let by_peers = incoming.is_in_a_store();
        let session = Session::open_with(global, Access::Create, |builder| match by_peers {
            true => cluster::with_master(global, builder, cluster::Slots::default()),
            false => builder,
        })?;
        if !by_peers {
            let done = format!("{} is imported", self.file.display());
            cluster::say_here(global, &session, &done, "its peers do not reach files of this host");
        }
        if incoming.rounds() {
            session.say(&format!("{}: f64 is rounded to f32", self.name));
        }
        if let Some((entries, bytes)) = incoming.sparse() {
            let dense = Size(bytes);
            session.say(&format!(
                "{}: {entries} elements are given, the rest is 0; dense it is {dense}",
                self.name
            ));
        }
        let total = incoming.work_bytes(&session.hama);
        let shown =
            session.show(Task { label: format!("importing {}", self.name), total, unit: Unit::Bytes });
        let matrix = incoming.save(&session.hama, target(&self.name, self.replace)).map_err(taken)?;
        drop(shown);
        tracing::info!(file = %self.file.display(), table = self.name, "imported");
        output.report(&Made::of(&session, &matrix)?)
    }
}

/// A delimiter as it is typed: a character, `tab` or `\t`.
fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        ("space", _) => Ok(b' '),
        (_, [byte]) if byte.is_ascii() => Ok(*byte),
        _ => Err("a single character is wanted, such as ; or tab".into()),
    }
}
