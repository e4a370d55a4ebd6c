//! Exports a matrix to a file of any format.

use std::path::Path;

use hama_core::{Error, Result};

use super::import::check_delimiter;
use super::{ExportOptions, Format, csv, market, npz, publish, zarr_export};
use crate::any::AnyMatrix;
use crate::dense::DenseMatrix;
use crate::npy;
use crate::scalar::Scalar;

/// Exports a matrix, which may be transposed, to a file. The file appears when it is whole.
///
/// # Cost
/// One pass of reading and writing in a tile of memory (`.npy`), four tiles (Zarr), or a tile and a row of tiles (all
/// others): where that is more than the memory given, tiles are read several times.
///
/// # Errors
/// `Exists` where the file does and is not to be replaced, `OutOfMemory` where a row does not fit, `Data` where a
/// tile is damaged or a file was changed while it was read, and what the file system says. In each case there is no new file.
pub fn export(matrix: &AnyMatrix, path: &Path, options: &ExportOptions) -> Result<()> {
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
            _ => publish::target(path, self.replace).map(drop),
        }
    }

    fn format_of(&self, path: &Path) -> Result<Format> {
        self.format.map_or_else(|| Format::of(path), Ok)
    }
}

fn export_as<T: Scalar>(matrix: &DenseMatrix<T>, path: &Path, options: &ExportOptions) -> Result<()> {
    options.check(path)?;
    let (format, replace) = (options.format_of(path)?, options.replace);
    match format {
        Format::Npy => npy::export(matrix, path, replace),
        Format::Npz => {
            let stem = Path::new(matrix.name()).file_stem().and_then(|stem| stem.to_str()).unwrap_or("a");
            npz::export(matrix, path, replace, options.array.as_deref().unwrap_or(stem))
        }
        Format::MatrixMarket => market::export(matrix, path, replace),
        Format::Csv => {
            csv::export(matrix, path, replace, (options.delimiter.unwrap_or(b','), options.header))
        }
        Format::Tsv => {
            csv::export(matrix, path, replace, (options.delimiter.unwrap_or(b'\t'), options.header))
        }
        Format::Zarr => zarr_export::export(matrix, path, replace),
    }
}
