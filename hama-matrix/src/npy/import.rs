//! Reads a `.npy` file into a table, a tile at a time.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hama_core::{Error, Result};
use hama_hdfs::{Extent, TableSpec, TileIndex};

use super::header::{self, Header, Numbers};
use crate::any::AnyMatrix;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::tile;

/// Imports a `.npy` file of two dimensions, in either order of elements and of bytes: f64 and f32 as they
/// are, integers and booleans as f64 where they are exact.
///
/// # Cost
/// Two tiles of memory; one pass of reading and writing.
///
/// # Errors
/// `NotFound` where there is no such file, `Data` where it is no such array, shorter or longer than its header
/// says, or has an integer that f64 cannot hold; `Exists`, and those of the store. In each case there is no
/// new table.
pub fn import(hama: &Hama, path: &Path, name: impl Into<SaveAs>) -> Result<AnyMatrix> {
    let (source, name) = (Source::open(path)?, name.into());
    Ok(match source.header.numbers {
        Numbers::F32 => AnyMatrix::F32(source.save(hama, name)?),
        _ => AnyMatrix::F64(source.save(hama, name)?),
    })
}

/// Whether a file can be imported, as far as its header and its length tell.
///
/// # Errors
/// Those of [`import`] that have to do with the file.
pub fn check(path: &Path) -> Result<()> {
    Source::open(path).map(drop)
}

struct Source {
    file: File,
    header: Header,
    what: String,
}

impl Source {
    fn open(path: &Path) -> Result<Source> {
        let what = path.display().to_string();
        let failed = |e| Error::io(format!("cannot open {what}"), e);
        // Asked before it is opened: opening a pipe waits for somebody to write into it.
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() {
            return Err(Error::invalid(format!("cannot import {what}: it is no file")));
        }
        let file = File::open(path).map_err(failed)?;
        let header = header::read(&file, &what)?;
        let source = Source { file, header, what };
        source.check_length(meta.len())?;
        Ok(source)
    }

    fn check_length(&self, length: u64) -> Result<()> {
        let Header { rows, cols, data_offset, numbers, .. } = self.header;
        let size = numbers.size_bytes() as u64;
        let wanted =
            rows.checked_mul(cols).and_then(|n| n.checked_mul(size)).and_then(|n| n.checked_add(data_offset));
        if wanted == Some(length) {
            return Ok(());
        }
        let wanted = wanted.map_or("more than 2^64".into(), |bytes| bytes.to_string());
        Err(Error::data(format!(
            "cannot import {}: {rows} x {cols} elements of {size} bytes make a file of {wanted} bytes, and it has {length}",
            self.what
        )))
    }

    fn save<T: Scalar>(&self, hama: &Hama, name: SaveAs) -> Result<DenseMatrix<T>> {
        let spec = TableSpec::new(Extent { rows: self.header.rows, cols: self.header.cols }, T::TYPE)?;
        let size = self.header.numbers.size_bytes();
        let longest = spec.tile.rows.max(spec.tile.cols) as usize;
        let mut line = vec![0; longest * size];
        if self.header.fortran_order {
            DenseMatrix::from_tiles(hama, name, spec, |index, spec, buffer| {
                self.transpose_into::<T>(index, spec, buffer.elements_mut(), &mut line)?;
                tile::pad::<T>(buffer, spec, index);
                Ok(())
            })
        } else {
            DenseMatrix::from_rows(hama, name, spec, |row, col, into| {
                let bytes = &mut line[..into.len() * size];
                self.read(row * self.header.cols + col, bytes)?;
                for (offset, (to, from)) in into.iter_mut().zip(bytes.chunks(size)).enumerate() {
                    *to = self.number(from, row, col + offset as u64)?;
                }
                Ok(())
            })
        }
    }

    /// Reads the columns of a tile, each in one piece, into its rows.
    fn transpose_into<T: Scalar>(
        &self,
        index: TileIndex,
        spec: &TableSpec,
        into: &mut [T],
        line: &mut [u8],
    ) -> Result<()> {
        let (valid, stride) = (spec.tile_valid(index), spec.tile.cols as usize);
        let (first_row, first_col) = (index.row * spec.tile.rows, index.col * spec.tile.cols);
        let size = self.header.numbers.size_bytes();
        for col in 0..valid.cols {
            let bytes = &mut line[..valid.rows as usize * size];
            self.read((first_col + col) * self.header.rows + first_row, bytes)?;
            for (row, from) in bytes.chunks(size).enumerate() {
                into[row * stride + col as usize] =
                    self.number(from, first_row + row as u64, first_col + col)?;
            }
        }
        Ok(())
    }

    /// Reads elements from `element` on, in the order of the file.
    fn read(&self, element: u64, bytes: &mut [u8]) -> Result<()> {
        let offset = self.header.data_offset + element * self.header.numbers.size_bytes() as u64;
        let read = self.file.read_exact_at(bytes, offset);
        read.map_err(|e| {
            Error::io(format!("cannot read {} bytes at {offset} of {}", bytes.len(), self.what), e)
        })
    }

    fn number<T: Scalar>(&self, bytes: &[u8], row: u64, col: u64) -> Result<T> {
        let mut word = [0; 8];
        let word_part = &mut word[..bytes.len()];
        word_part.copy_from_slice(bytes);
        if self.header.big_endian {
            word_part.reverse();
        }
        let unsigned = u64::from_le_bytes(word);
        Ok(match self.header.numbers {
            Numbers::F64 => T::from_f64(f64::from_bits(unsigned)),
            Numbers::F32 => T::from_f32(f32::from_bits(unsigned as u32)),
            Numbers::Bool => T::from_f64(if unsigned == 0 { 0.0 } else { 1.0 }),
            Numbers::Unsigned(_) => self.exact(i128::from(unsigned), row, col)?,
            Numbers::Signed(size) => {
                let unused = 64 - 8 * u32::from(size);
                self.exact(i128::from((unsigned << unused) as i64 >> unused), row, col)?
            }
        })
    }

    fn exact<T: Scalar>(&self, integer: i128, row: u64, col: u64) -> Result<T> {
        let float = integer as f64;
        if float as i128 == integer {
            return Ok(T::from_f64(float));
        }
        Err(Error::data(format!(
            "cannot import {}: element ({row}, {col}) is {integer}, which f64 cannot hold exactly",
            self.what
        )))
    }
}
