//! A `.npy` file that a result is written into, tile by tile, as they are done.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use hama_core::{Error, Result};
use hama_hdfs::{TableSpec, TileIndex};
use serde::{Deserialize, Serialize};

use super::export::{elements_bytes, write_tile};
use super::{NpyArray, header};
use crate::files::NewFile;
use crate::files::stamp::FilePath;
use crate::source::Source;

/// Names the file for a peer. Peers write parts of it that do not overlap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NpyTarget {
    place: FilePath,
    shown: String,
    start: u64,
    pub(crate) spec: TableSpec,
}

impl NpyTarget {
    /// Writes the header, and makes the file as long as it will be. Its elements lie in rows.
    ///
    /// # Errors
    /// `OutOfSpace` where there is no room for all of it, and what the file system says.
    pub(crate) fn begin(new: &NewFile, spec: TableSpec) -> Result<NpyTarget> {
        let head = header::in_rows(spec.element, spec.shape);
        let start = head.len() as u64;
        let bytes = start.saturating_add(elements_bytes(&spec));
        new.check_room(bytes)?;
        let begun = new.file().set_len(bytes).and_then(|()| new.file().write_all_at(&head, 0));
        begun.map_err(|e| new.failed(e))?;
        Ok(NpyTarget {
            place: FilePath::of(&new.place())?,
            shown: new.shown().display().to_string(),
            start,
            spec,
        })
    }

    /// The file as the matrix that it is, when all tiles are written. It can be read until it gets its name.
    pub(crate) fn finished(&self) -> Result<Source> {
        let part = 0..self.start + elements_bytes(&self.spec);
        let array = NpyArray::open_part(&self.place.path(), part, self.shown.clone())?;
        Ok(Source::Npy(Arc::new(array)))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::io(format!("cannot write {}", self.shown), error)
    }
}

/// Writes tiles into such a file.
pub(crate) struct NpyWriter {
    file: File,
    target: NpyTarget,
}

impl NpyWriter {
    pub(crate) fn open(target: &NpyTarget) -> Result<NpyWriter> {
        let file = File::options().write(true).open(target.place.path()).map_err(|e| target.failed(e))?;
        Ok(NpyWriter { file, target: target.clone() })
    }

    /// Writes a whole tile, of which only what lies inside of the matrix is used, and says how many bytes that were.
    pub(crate) fn write_tile(&self, tile: TileIndex, bytes: &[u8]) -> Result<u64> {
        let spec = &self.target.spec;
        if bytes.len() != spec.tile_bytes() {
            return Err(Error::internal(format!(
                "a tile of {} bytes, and one has {}",
                bytes.len(),
                spec.tile_bytes()
            )));
        }
        write_tile((&self.file, self.target.start), spec, tile, bytes).map_err(|e| self.target.failed(e))
    }
}
