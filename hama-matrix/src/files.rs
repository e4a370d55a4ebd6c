//! Matrices as files: what is imported, what is exported, and what counts as a path.
//!
//! | format | suffix | in | out |
//! |---|---|---|---|
//! | NumPy | `.npy` | in place; f64, f32, integers, booleans, either order | f64 or f32 |
//! | NumPy archive | `.npz` | in place where it is stored, else unpacked | one array, stored |
//! | Matrix Market | `.mtx`, `.mtx.gz` | array and coordinate, which becomes dense | array, general |
//! | numbers as text | `.csv`, `.tsv` | with or without a line of names | the same |
//! | Zarr | `.zarr`, a folder | in place; versions 3 and 2, chunks by gzip, zstd or as they are | version 3 |
//!
//! A Zarr array in HDFS is read where it lies too: its path is a URL then, `hdfs://HOST:PORT/PATH`.

mod copy;
mod csv;
mod export;
mod import;
pub(crate) mod inflate;
mod lines;
mod market;
mod npz;
pub(crate) mod numbers;
mod partial;
pub(crate) mod publish;
pub(crate) mod remote;
mod room;
mod rows;
mod scatter;
pub(crate) mod stamp;
mod stream;
mod text;
mod zarr_export;
mod zip_end;

use std::path::Path;
use std::str::FromStr;

use hama_core::{Cancel, Error, Result};
use hama_hdfs::ElementType;

#[cfg(feature = "cluster")]
pub(crate) use copy::CopyIn;
pub use export::export;
pub use import::{Incoming, import};
pub use publish::{NewFile, NewFileOptions};

/// A format of files that matrices come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// NumPy's `.npy`: one array.
    Npy,
    /// NumPy's `.npz`: arrays in a zip archive.
    Npz,
    /// Matrix Market, `.mtx`, perhaps packed by gzip.
    MatrixMarket,
    /// Numbers as text, separated by commas.
    Csv,
    /// Numbers as text, separated by tabs.
    Tsv,
    /// A Zarr array, which is a folder.
    Zarr,
}

/// Suffixes, and the names of their formats without the dot.
const SUFFIXES: [(&str, Format); 7] = [
    (".npy", Format::Npy),
    (".npz", Format::Npz),
    (".mtx", Format::MatrixMarket),
    (".mtx.gz", Format::MatrixMarket),
    (".csv", Format::Csv),
    (".tsv", Format::Tsv),
    (".zarr", Format::Zarr),
];

/// Whether `text` is a path where the name of a matrix may stand as well: it has a `/` or the suffix of a format.
/// What follows a `#` names an array in an archive.
pub fn is_path(text: &str) -> bool {
    text.contains('/') || by_suffix(without_array(text).0).is_some()
}

fn by_suffix(text: &str) -> Option<Format> {
    // A folder may be named with a / behind it.
    let lower = text.trim_end_matches('/').to_lowercase();
    let found = SUFFIXES.iter().find(|(suffix, _)| lower.ends_with(suffix));
    found.map(|(_, format)| *format)
}

/// A path, and the array that it names in an archive: `FILE.npz#NAME`.
fn without_array(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('#') {
        Some((path, array)) if by_suffix(path) == Some(Format::Npz) => (path, Some(array)),
        _ => (text, None),
    }
}

/// The name of the array that a matrix of this name, or in a file of this path, becomes.
fn array_of(name: &str) -> &str {
    let (path, array) = without_array(name);
    let named = array.unwrap_or(path).trim_end_matches('/');
    let last = named.rsplit('/').next().unwrap_or(named);
    let lower = last.to_lowercase();
    let suffix = SUFFIXES.iter().map(|(suffix, _)| *suffix).find(|suffix| lower.ends_with(suffix));
    // Lower case has as many bytes where the end is one of these; where it has not, nothing is cut off.
    let stem = suffix.and_then(|suffix| last.get(..last.len().saturating_sub(suffix.len()))).unwrap_or(last);
    if stem.is_empty() { "a" } else { stem }
}

impl Format {
    /// The format of a file by its suffix; a folder is a Zarr array, and so is what a URL names.
    ///
    /// # Errors
    /// `Invalid` where the suffix is of no format.
    pub fn of(path: &Path) -> Result<Format> {
        match path.to_str().and_then(|text| by_suffix(without_array(text).0)) {
            Some(format) => Ok(format),
            None if path.is_dir() || remote::array(path, None)?.is_some() => Ok(Format::Zarr),
            None => Err(Error::invalid(format!(
                "cannot tell the format of {}: its name ends with none of .npy, .npz, .mtx, .mtx.gz, .csv, .tsv, .zarr; \
                 try --format",
                path.display()
            ))),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Format> {
        by_suffix(&format!(".{text}")).filter(|_| !text.contains('.')).ok_or_else(|| {
            Error::invalid(format!("no format {text:?}: there are npy, npz, mtx, csv, tsv and zarr"))
        })
    }
}

/// How a file is imported.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The format, where the suffix does not tell.
    pub format: Option<Format>,
    /// The type of the elements; that of the file where none is given.
    pub element: Option<ElementType>,
    /// The array of an archive.
    pub array: Option<String>,
    /// Whether the first line of text holds names.
    pub header: bool,
    /// What separates numbers in text.
    pub delimiter: Option<u8>,
    /// A request to end that opening listens to.
    pub cancel: Cancel,
}

/// How a file is exported.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// The format, where the suffix does not tell.
    pub format: Option<Format>,
    /// Whether a file that is there is replaced.
    pub replace: bool,
    /// The name of the array in an archive, which `FILE.npz#NAME` gives too; that of the matrix where none is given.
    pub array: Option<String>,
    /// Whether text begins with a line of names: `c0`, `c1` and so on.
    pub header: bool,
    /// What separates numbers in text.
    pub delimiter: Option<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_names() {
        for path in
            ["./a", "/a", "a/b", "a.npy", "a.NPY", "a.npz#w", "b.mtx.gz", "x.csv", "x.tsv", "x.zarr", "."]
        {
            assert_eq!(is_path(path), path != ".", "{path}");
        }
        for name in ["a", "a@3", "npy", "a-csv", "a.npyx", "a#b"] {
            assert!(!is_path(name), "{name}");
        }
    }

    #[test]
    fn arrays_are_named_as_what_they_come_from() {
        let expected = [
            ("a", "a"),
            ("./x/b.csv", "b"),
            ("b.MTX.gz", "b"),
            ("c.npz#w", "w"),
            ("c.npz#u/v", "v"),
            ("d.npz", "d"),
        ];
        for (name, array) in
            expected.into_iter().chain([("e.zarr/", "e"), (".npy", "a"), ("a.b", "a.b"), ("", "a")])
        {
            assert_eq!(array_of(name), array, "{name}");
        }
    }

    #[test]
    fn formats_by_suffix_and_by_name() {
        let of = |path: &str| Format::of(Path::new(path));
        assert_eq!(of("a.npz#x.y").unwrap(), Format::Npz);
        assert_eq!(of("a.mtx.gz").unwrap(), Format::MatrixMarket);
        assert!(of("a.txt").unwrap_err().message().contains("--format"));
        assert_eq!("csv".parse::<Format>().unwrap(), Format::Csv);
        for wrong in ["", "txt", ".npy", "a.npy", "mtx.gz"] {
            assert!(wrong.parse::<Format>().is_err(), "{wrong}");
        }
    }
}
