//! For tests of this and other crates: the parsers of files that people bring, each as a function that takes any
//! bytes and panics only where a parser is wrong.

use std::fs;

use hama_core::{Error, ErrorKind, Result};
use tempfile::tempdir;

use super::npz::{self, Found};
use super::stream::Meter;
use super::{csv, market};
use crate::zarr::parse as zarr_parse;

pub use zarr_parse::{chunk as zarr_chunk, index as zarr_index, metadata as zarr_metadata};

/// Lines of numbers. The first byte is the delimiter, the second says whether there is a line of names.
///
/// # Panics
/// When an error says nothing of the file.
pub fn csv(bytes: &[u8]) {
    let [delimiter, header, text @ ..] = bytes else { return };
    let mut count = 0;
    let found = csv::scan(text, *delimiter, header % 2 == 1, &mut |_| {
        count += 1;
        Ok(())
    });
    if let Ok(extent) = &found {
        assert_eq!(extent.count(), Some(count), "fields make rows and columns");
    }
    told(found);
}

/// A Matrix Market file.
///
/// # Panics
/// When an element is outside of the shape, or an error says nothing of the file.
pub fn market(bytes: &[u8]) {
    let mut largest = (0, 0);
    let found = market::scan(bytes, &mut |row, col, _| {
        largest = (largest.0.max(row), largest.1.max(col));
        Ok(())
    });
    if let Ok(shape) = &found {
        let empty = shape.is_empty() && largest == (0, 0);
        assert!(empty || (largest.0 < shape.rows && largest.1 < shape.cols), "{largest:?} of {shape}");
    }
    told(found);
}

/// A `.npz` file: its directory, and the header and the elements of its only array.
///
/// # Panics
/// When an error says nothing of the file.
pub fn npz(bytes: &[u8]) {
    let folder = tempdir().expect("there is room for temporary files");
    let path = folder.path().join("x.npz");
    fs::write(&path, bytes).expect("a temporary file can be written");
    let found = npz::find(&path, None).and_then(|found| match found {
        Found::Stored(_) => Ok(()),
        // A small file may say that it unpacks to much: a part of it does.
        Found::Packed(packed) => {
            let mut left = 100_000;
            packed.each(&Meter(&Default::default()), &mut |_, _, _| {
                left -= 1;
                if left > 0 { Ok(()) } else { Err(Error::data("enough")) }
            })
        }
    });
    told(found);
}

/// Fails a test where an error is of a kind that says nothing of the file.
pub(crate) fn told<T>(found: Result<T>) {
    if let Err(e) = found {
        let kinds = [ErrorKind::Data, ErrorKind::Invalid, ErrorKind::OutOfMemory, ErrorKind::Unavailable];
        assert!(kinds.contains(&e.kind()), "{e}");
    }
}
