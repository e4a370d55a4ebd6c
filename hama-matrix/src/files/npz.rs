//! NumPy archives: `.npy` files in a zip file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::{ElementType, Extent};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::numbers::Inexact;
use super::publish::{NewFileOptions, failed, publish};
use super::rows::each_row;
use super::stamp::{Stamp, changed};
use super::stream::{Meter, Order};
use super::zip_end;
use crate::dense::DenseMatrix;
use crate::npy::header::{self, Header};
use crate::npy::{NpyArray, elements_bytes, regular};
use crate::scalar::Scalar;

/// How many arrays an error lists.
const LISTED: usize = 20;
const SUFFIX: &str = ".npy";
/// Bytes that are compared with a checksum at a time.
const CHECKED_BYTES: usize = 256 << 10;

/// An array of an archive.
pub(super) enum Found {
    /// Stored as it is: the file is read in place, and compared with its checksum before that.
    Stored(Arc<NpyArray>, Stored),
    /// Compressed.
    Packed(Packed),
}

/// An array that is compressed.
#[derive(Debug)]
pub(super) struct Packed {
    path: PathBuf,
    stamp: Stamp,
    index: usize,
    header: Header,
    what: String,
    bytes: u64,
}

/// An array that is stored as it is.
#[derive(Debug)]
pub(super) struct Stored {
    path: PathBuf,
    stamp: Stamp,
    index: usize,
    what: String,
    bytes: u64,
}

impl Stored {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Compares all of it with the archive's checksum: tiles that are read one by one cannot be.
    ///
    /// # Errors
    /// `Data` where it is damaged, or the file was changed since it was opened.
    pub(super) fn check(&self, meter: &Meter<'_>) -> Result<()> {
        let (mut archive, stamp) = open(&self.path)?;
        if stamp != self.stamp {
            return Err(changed(&self.path));
        }
        let mut entry = archive.by_index(self.index).map_err(|e| refused(&self.what, &e))?;
        let mut bytes = vec![0; CHECKED_BYTES];
        loop {
            meter.cancel.check()?;
            match entry.read(&mut bytes).map_err(|e| Error::io(format!("cannot read {}", self.what), e))? {
                0 => return Ok(()),
                count => meter.progress.add(count as u64),
            }
        }
    }
}

/// Finds an array of an archive: the one of that name, or the only one.
///
/// # Errors
/// `NotFound` where there is none of that name and `Invalid` where there are several: the message says which.
pub(super) fn find(path: &Path, array: Option<&str>) -> Result<Found> {
    let (mut archive, stamp) = open(path)?;
    let names: Vec<String> =
        archive.file_names().map(|name| name.map(String::from).unwrap_or_default()).collect();
    let (index, name) = choose(&names, array, path)?;
    let what = format!("{}#{name}", path.display());
    let bad = |e: ZipError| refused(&what, &e);
    let mut entry = archive.by_index(index).map_err(bad)?;
    let bytes = entry.size();
    if entry.compression() == CompressionMethod::Stored {
        let start =
            entry.data_start().ok_or_else(|| Error::data(format!("cannot read {what}: it has no data")))?;
        let part = start..start.saturating_add(bytes);
        drop(entry);
        let named = what.clone();
        let array = NpyArray::open_part(path, part, what)?;
        // The part is of the file that was opened first.
        stamp.check(path)?;
        return Ok(Found::Stored(
            Arc::new(array),
            Stored { path: path.to_owned(), stamp, index, what: named, bytes },
        ));
    }
    let header = header::read(&mut entry, &what)?;
    header.check_length(bytes, &what)?;
    drop(entry);
    Ok(Found::Packed(Packed { path: path.to_owned(), stamp, index, header, what, bytes }))
}

/// The archive, and what its file is.
fn open(path: &Path) -> Result<(ZipArchive<BufReader<File>>, Stamp)> {
    regular(path)?;
    let failed = |e| Error::io(format!("cannot open {}", path.display()), e);
    let file = File::open(path).map_err(failed)?;
    let stamp = Stamp::of(&file.metadata().map_err(failed)?);
    if let Some(why) = zip_end::refused(&file, stamp.len).map_err(failed)? {
        return Err(Error::data(format!("cannot read {} as a .npz file: {why}", path.display())));
    }
    let archive =
        ZipArchive::new(BufReader::new(file)).map_err(|e| refused(&path.display().to_string(), &e))?;
    Ok((archive, stamp))
}

/// The entry of the array that is meant, with its name.
fn choose(names: &[String], array: Option<&str>, path: &Path) -> Result<(usize, String)> {
    let arrays: Vec<(usize, &str)> = names
        .iter()
        .enumerate()
        .filter_map(|(index, name)| Some((index, name.strip_suffix(SUFFIX)?)))
        .collect();
    let list = || {
        let more = if arrays.len() > LISTED { " .." } else { "" };
        let listed: Vec<&str> = arrays.iter().take(LISTED).map(|(_, name)| *name).collect();
        format!("{}{more}", listed.join(", "))
    };
    let shown = path.display();
    match (array, &arrays[..]) {
        (_, []) => Err(Error::data(format!("cannot read {shown}: there is no array in it"))),
        (Some(wanted), _) => match arrays.iter().find(|(_, name)| *name == wanted) {
            Some((index, name)) => Ok((*index, (*name).to_owned())),
            None => {
                let message = format!("no array {wanted:?} in {shown}: there are {}", list());
                Err(Error::new(ErrorKind::NotFound, message))
            }
        },
        (None, [(index, name)]) => Ok((*index, (*name).to_owned())),
        (None, _) => Err(Error::invalid(format!(
            "cannot tell which array of {shown} is meant: there are {}; try {shown}#{} or --array {}",
            list(),
            arrays[0].1,
            arrays[0].1
        ))),
    }
}

fn refused(what: &str, error: &ZipError) -> Error {
    let kind = match error {
        ZipError::UnsupportedArchive(_) => ErrorKind::Invalid,
        ZipError::Io(e) => ErrorKind::of_io(e),
        _ => ErrorKind::Data,
    };
    Error::new(kind, format!("cannot read {what} as a .npz file: {error}"))
}

impl Packed {
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn element(&self) -> ElementType {
        self.header.encoding.element()
    }

    pub(super) fn shape(&self) -> Extent {
        Extent { rows: self.header.rows, cols: self.header.cols }
    }

    pub(super) fn order(&self) -> Order {
        if self.header.fortran_order { Order::ByCols } else { Order::ByRows }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn check_unchanged(&self) -> Result<()> {
        self.stamp.check(&self.path)
    }

    /// Hands each element to `take`, with its row and column.
    pub(super) fn each(
        &self,
        meter: &Meter<'_>,
        take: &mut dyn FnMut(u64, u64, f64) -> Result<()>,
    ) -> Result<()> {
        let (mut archive, stamp) = open(&self.path)?;
        if stamp != self.stamp {
            return Err(changed(&self.path));
        }
        let entry = archive.by_index(self.index).map_err(|e| refused(&self.what, &e))?;
        let mut from = BufReader::with_capacity(256 << 10, entry);
        let found = header::read(&mut from, &self.what)?;
        if found != self.header {
            return Err(changed(&self.path));
        }
        let damaged = |e| Error::io(format!("cannot read {}", self.what), e);
        let Extent { rows, cols } = self.header.stored_shape();
        let (encoding, fortran) = (self.header.encoding, self.header.fortran_order);
        let size = encoding.size_bytes();
        let mut bytes = vec![0; PIECE * size];
        let mut values = vec![0.0f64; PIECE];
        for row in 0..rows {
            let mut first = 0;
            while first < cols {
                let count = PIECE.min((cols - first) as usize);
                from.read_exact(&mut bytes[..count * size]).map_err(damaged)?;
                let place = |index: usize| {
                    let col = first + index as u64;
                    if fortran { (col, row) } else { (row, col) }
                };
                encoding.values(&bytes[..count * size], &mut values[..count]).map_err(|Inexact { index, integer }| {
                    let (row, col) = place(index);
                    Error::data(format!(
                        "cannot read {}: element ({row}, {col}) is {integer}, which f64 cannot hold exactly",
                        self.what
                    ))
                })?;
                for (index, value) in values[..count].iter().enumerate() {
                    let (row, col) = place(index);
                    take(row, col, *value)?;
                }
                meter.progress.add((count * size) as u64);
                first += count as u64;
            }
        }
        // The checksum is compared at the end.
        match from.read(&mut [0]).map_err(damaged)? {
            0 => Ok(()),
            _ => Err(Error::data(format!("cannot read {}: it is longer than its header says", self.what))),
        }
    }
}

/// Elements that are unpacked at a time.
const PIECE: usize = 4096;

/// Fails where an array cannot have this name.
pub(super) fn check_name(array: &str) -> Result<()> {
    if array.is_empty() || array.len() > 255 || array.contains(['/', '\\', '\0']) {
        return Err(Error::invalid(format!(
            "cannot name an array {array:?}: 1 to 255 letters without / and \\ are wanted"
        )));
    }
    Ok(())
}

/// Exports a matrix as an archive of one array, stored as it is.
pub(super) fn export<T: Scalar>(
    matrix: &DenseMatrix<T>,
    path: &Path,
    new: NewFileOptions,
    array: &str,
) -> Result<u64> {
    check_name(array)?;
    let needed = header::of(matrix).len() as u64 + elements_bytes(matrix.spec());
    publish(path, new, needed, |file| {
        write(matrix, file, path, array)?;
        matrix.source().check_unchanged()
    })
}

fn write<T: Scalar>(matrix: &DenseMatrix<T>, file: &File, path: &Path, array: &str) -> Result<()> {
    let wrong = |e: ZipError| match e {
        ZipError::Io(e) => failed(path, e),
        other => Error::internal(format!("cannot export to {}: {other}", path.display())),
    };
    let mut archive = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    archive.start_file(format!("{array}{SUFFIX}"), options).map_err(wrong)?;
    archive.write_all(&header::of(matrix)).map_err(|e| failed(path, e))?;
    // The rows of what is stored: those of a transposed matrix are its columns.
    let stored = if matrix.is_transposed() { matrix.t() } else { matrix.clone() };
    each_row(&stored, |_, elements| {
        archive.write_all(bytemuck::cast_slice(elements)).map_err(|e| failed(path, e))
    })?;
    archive.finish().map_err(wrong)?.flush().map_err(|e| failed(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str], array: Option<&str>) -> Result<(usize, String), String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        choose(&names, array, Path::new("x.npz")).map_err(|e| e.to_string())
    }

    #[test]
    fn the_only_array_or_the_one_that_is_named() {
        assert_eq!(chosen(&["readme", "a.npy"], None), Ok((1, "a".into())));
        assert_eq!(chosen(&["a.npy", "b/c.npy"], Some("b/c")), Ok((1, "b/c".into())));
        assert!(chosen(&["a.npy", "b.npy"], None).unwrap_err().contains("there are a, b; try x.npz#a"));
        assert!(chosen(&["a.npy"], Some("b")).unwrap_err().contains("there are a"));
        assert!(chosen(&["a.txt"], None).unwrap_err().contains("no array in it"));
    }
}
