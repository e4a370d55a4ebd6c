//! Exports a matrix to a file of any format.

use std::path::Path;

use hama_core::{Error, Result};

use super::import::check_delimiter;
use super::publish::NewFileOptions;
use super::{ExportOptions, Format, array_of, csv, market, npz, publish, remote, without_array, zarr_export};
use crate::any::AnyMatrix;
use crate::dense::DenseMatrix;
use crate::npy;
use crate::scalar::Scalar;

/// Exports a matrix, which may be transposed, to a file, and says how many bytes that has. The file appears when it is
/// whole, and survives a power loss from then on where the matrix's [`Hama`](crate::Hama) says so.
///
/// # Cost
/// One pass of reading and writing in a tile of memory (`.npy`), four tiles (Zarr), or a tile and a row of tiles (all
/// others): where that is more than the memory given, tiles are read several times.
///
/// # Errors
/// `Exists` where the file does and is not to be replaced, `OutOfSpace` where its file system has no room for what it
/// takes at least, `OutOfMemory` where a row does not fit, `Data` where a
/// tile is damaged or a file was changed while it was read, and what the file system says. In each case there is no new file.
pub fn export(matrix: &AnyMatrix, path: &Path, options: &ExportOptions) -> Result<u64> {
    match matrix {
        AnyMatrix::F64(matrix) => export_as(matrix, path, options),
        AnyMatrix::F32(matrix) => export_as(matrix, path, options),
    }
}

impl ExportOptions {
    /// Fails where a matrix cannot be exported to `path` with these options, as far as that is known before.
    ///
    /// # Errors
    /// `Invalid` where the format cannot be told or written, or an option means nothing for it; `Exists`.
    pub fn check(&self, path: &Path) -> Result<()> {
        remote::check_target(path, publish::EXPORT)?;
        let format = self.format_of(path)?;
        let text = matches!(format, Format::Csv | Format::Tsv);
        for (given, fits, option, formats) in [
            (self.header, text, "--header", "csv and tsv"),
            (self.delimiter.is_some(), text, "--delimiter", "csv and tsv"),
            (self.array.is_some(), format == Format::Npz, "--array", "npz"),
        ] {
            if given && !fits {
                return Err(Error::invalid(format!(
                    "{option} means nothing for this file: it is for {formats}"
                )));
            }
        }
        check_delimiter(self.delimiter)?;
        if path.as_os_str() == "-" {
            let why = "standard output is no file that can be written twice, name one";
            return Err(Error::invalid(format!("cannot export to -: {why}")));
        }
        let shown = path.display().to_string();
        if format == Format::MatrixMarket && shown.to_lowercase().ends_with(".gz") {
            return Err(Error::invalid(format!(
                "cannot export to {shown}: .mtx is written as it is, gzip it then"
            )));
        }
        match format {
            Format::Zarr => zarr_export::check(path, self.replace),
            Format::Npz => {
                let (path, array) = self.archived(path)?;
                array.map_or(Ok(()), npz::check_name)?;
                publish::target(path, self.replace).map(drop)
            }
            _ => publish::target(path, self.replace).map(drop),
        }
    }

    /// The file of an archive, and the name of the array where one is given.
    fn archived<'a>(&'a self, path: &'a Path) -> Result<(&'a Path, Option<&'a str>)> {
        let (file, named) = match path.to_str().map(without_array) {
            Some((file, Some(named))) => (Path::new(file), Some(named)),
            _ => (path, None),
        };
        match (named, self.array.as_deref()) {
            (Some(one), Some(other)) if one != other => Err(Error::invalid(format!(
                "cannot export to {}: --array {other} is another name for the array",
                path.display()
            ))),
            (named, array) => Ok((file, named.or(array))),
        }
    }

    fn format_of(&self, path: &Path) -> Result<Format> {
        self.format.map_or_else(|| Format::of(path), Ok)
    }
}

fn export_as<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, options: &ExportOptions) -> Result<u64> {
    options.check(path)?;
    let new = NewFileOptions::export(options.replace, matrix.hama().durability());
    match options.format_of(path)? {
        Format::Npy => npy::export(matrix, path, new),
        Format::Npz => {
            let (path, array) = options.archived(path)?;
            npz::export(matrix, path, new, array.unwrap_or_else(|| array_of(matrix.name())))
        }
        Format::MatrixMarket => market::export(matrix, path, new),
        Format::Csv => csv::export(matrix, path, new, (options.delimiter.unwrap_or(b','), options.header)),
        Format::Tsv => csv::export(matrix, path, new, (options.delimiter.unwrap_or(b'\t'), options.header)),
        Format::Zarr => zarr_export::export(matrix, path, new),
    }
}
