//! Where the elements of a matrix are: in a table, or in a file that is read in place.
//!
//! Whatever its own layout is, a source delivers the tiles that plans are made of: those of
//! [`tile_extent`](hama_hdfs::tile_extent) along each dimension.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hama_core::{Cancel, Error, ErrorKind, Pool, Result};
use hama_hdfs::{Table, TableRef, TableSpec, TileIndex};
use serde::{Deserialize, Serialize};

use crate::bytes::format_bytes;
use crate::files::remote;
use crate::npy::{NpyArray, NpyReader, NpyRef};
use crate::runner::Runner;
use crate::zarr::{ZarrArray, ZarrReader, ZarrRef};

/// The elements of a matrix, open for reading. Clones share it.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A table of a store.
    Table(Table),
    /// A `.npy` file.
    Npy(Arc<NpyArray>),
    /// A Zarr array of somebody else.
    Zarr(Arc<ZarrArray>),
}

/// Names a source for a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SourceRef {
    Table(TableRef),
    Npy(NpyRef),
    Zarr(ZarrRef),
}

impl Source {
    /// Opens a file that can be read in place, and says whether the matrix is the transpose of the source.
    pub(crate) fn open_file(path: &Path, cancel: &Cancel) -> Result<(Source, bool)> {
        if let Some(url) = remote::array(path, None)? {
            return Ok((Source::Zarr(Arc::new(ZarrArray::open_at(&url, cancel)?)), false));
        }
        let meta = fs::metadata(path).map_err(|e| Error::io(format!("cannot open {}", path.display()), e))?;
        if meta.is_dir() {
            return Ok((Source::Zarr(Arc::new(ZarrArray::open(path, cancel)?)), false));
        }
        let array = NpyArray::open(path)?;
        let transposed = array.is_fortran();
        Ok((Source::Npy(Arc::new(array)), transposed))
    }

    /// Opens what a reference names, as a peer does.
    ///
    /// # Errors
    /// `Data` where a file was changed since the reference was made.
    pub(crate) fn open_ref(reference: &SourceRef) -> Result<Source> {
        Ok(match reference {
            SourceRef::Table(table) => Source::Table(Table::open_ref(table)?),
            SourceRef::Npy(npy) => Source::Npy(Arc::new(NpyArray::open_ref(npy)?)),
            SourceRef::Zarr(zarr) => Source::Zarr(Arc::new(ZarrArray::open_ref(zarr)?)),
        })
    }

    pub(crate) fn to_ref(&self) -> SourceRef {
        match self {
            Source::Table(table) => SourceRef::Table(table.to_ref()),
            Source::Npy(array) => SourceRef::Npy(array.to_ref()),
            Source::Zarr(array) => SourceRef::Zarr(array.to_ref()),
        }
    }

    /// The name of the table, or the path of the file.
    pub(crate) fn name(&self) -> &str {
        match self {
            Source::Table(table) => table.name().as_str(),
            Source::Npy(array) => array.name(),
            Source::Zarr(array) => array.name(),
        }
    }

    /// Its shape, its elements, and the tiles that it delivers.
    pub(crate) fn spec(&self) -> &TableSpec {
        match self {
            Source::Table(table) => table.spec(),
            Source::Npy(array) => array.spec(),
            Source::Zarr(array) => array.spec(),
        }
    }

    /// The bytes of its files.
    pub(crate) fn stored_bytes(&self) -> u64 {
        match self {
            Source::Table(table) => table.bytes(),
            Source::Npy(array) => array.stored_bytes(),
            Source::Zarr(array) => array.stored_bytes(),
        }
    }

    /// How many readers of it gain by reading at once. One that takes memory of the pool is alone.
    pub(crate) fn readers_at_once(&self) -> usize {
        match self {
            Source::Table(table) => table.store().files_at_once(),
            Source::Npy(_) | Source::Zarr(_) => 1,
        }
    }

    /// The same, whose readers may keep what they have unpacked, in `bytes` of memory each.
    pub(crate) fn keeping(self, bytes: u64) -> Source {
        match self {
            Source::Zarr(array) => Source::Zarr(Arc::new(array.keeping(bytes))),
            other => other,
        }
    }

    /// Whether peers open it as this process does: on a cluster files of this host are not reached.
    pub(crate) fn is_reached_by_peers(&self, runner: &Runner) -> bool {
        match self {
            Source::Table(table) => runner.check_store(table.store().url()).is_ok(),
            Source::Npy(_) => !runner.is_cluster(),
            Source::Zarr(array) => match array.url() {
                Some(url) => runner.check_store(url).is_ok(),
                None => !runner.is_cluster(),
            },
        }
    }

    /// What a reader of it takes from the pool, beside the tiles that it fills.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        match self {
            Source::Table(_) | Source::Npy(_) => 0,
            Source::Zarr(array) => array.scratch_bytes(),
        }
    }

    /// Fails where what is needed to read a tile exceeds the memory given.
    ///
    /// # Errors
    /// `OutOfMemory`, with what would do.
    pub(crate) fn check_memory(&self, given: u64) -> Result<()> {
        let tile = Pool::cost(self.spec().tile_bytes()) as u64;
        let needed = self.scratch_bytes().saturating_add(tile);
        if self.scratch_bytes() == 0 || needed <= given {
            return Ok(());
        }
        let (given, needed) = (format_bytes(given), format_bytes(needed));
        let name = self.name();
        let message = format!(
            "--memory {given} is too small for the chunks of {name}: reading one needs {needed}; try --memory {needed}"
        );
        Err(Error::new(ErrorKind::OutOfMemory, message))
    }

    /// Whether both are the same elements: one version of a table, one file.
    pub(crate) fn is_same(&self, other: &Source) -> bool {
        match (self.to_ref(), other.to_ref()) {
            (SourceRef::Table(a), SourceRef::Table(b)) => {
                (a.url, a.name, a.generation) == (b.url, b.name, b.generation)
            }
            (a, b) => a == b,
        }
    }

    /// Fails where a file was changed since it was opened. A version of a table does not change.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        match self {
            Source::Table(_) => Ok(()),
            Source::Npy(array) => array.check_unchanged(),
            Source::Zarr(array) => array.check_unchanged(),
        }
    }

    /// What reads its tiles, with buffers of the pool where it needs some.
    ///
    /// # Errors
    /// `OutOfMemory` where the pool has not the [`scratch_bytes`](Self::scratch_bytes).
    pub(crate) fn reader(&self, pool: &Pool) -> Result<TileReader> {
        Ok(match self {
            Source::Table(table) => TileReader::Table(table.clone()),
            Source::Npy(array) => TileReader::Npy(NpyReader::new(Arc::clone(array))),
            Source::Zarr(array) => TileReader::Zarr(Box::new(ZarrReader::new(Arc::clone(array), pool)?)),
        })
    }
}

/// Reads the tiles of a source.
pub(crate) enum TileReader {
    Table(Table),
    Npy(NpyReader),
    Zarr(Box<ZarrReader>),
}

impl TileReader {
    pub(crate) fn spec(&self) -> &TableSpec {
        match self {
            TileReader::Table(table) => table.spec(),
            TileReader::Npy(reader) => reader.spec(),
            TileReader::Zarr(reader) => reader.spec(),
        }
    }

    /// Fills `into`, which has the bytes of a tile. **What of it lies outside of the matrix may be anything.**
    ///
    /// # Errors
    /// `Data` where the stored bytes are damaged or changed, and those of the store or file.
    pub(crate) fn read_tile(&mut self, tile: TileIndex, into: &mut [u8]) -> Result<()> {
        if let TileReader::Table(table) = self {
            return table.read_tile(tile, into);
        }
        let (rows, cols) = region(self.spec(), tile);
        self.read_rows(rows, cols, into)
    }

    /// Reads a tile part by part into `part`, which has the bytes of some of its rows, and hands each to `take`
    /// with the offset of its first byte. Rows outside of the matrix may be left out.
    ///
    /// # Errors
    /// Those of [`read_tile`](Self::read_tile). **What `take` has got may be damaged** until this returns `Ok`.
    pub(crate) fn read_tile_in_parts(
        &mut self,
        tile: TileIndex,
        part: &mut [u8],
        mut take: impl FnMut(usize, &[u8]),
    ) -> Result<()> {
        let stride = self.row_bytes();
        let (rows, cols) = region(self.spec(), tile);
        if let TileReader::Zarr(reader) = self
            && let Some(staged) = reader.staged(&rows, &cols, stride)?
        {
            let most = part.len();
            staged.chunks(most).enumerate().for_each(|(index, rows)| take(index * most, rows));
            return Ok(());
        }
        if let TileReader::Table(table) = self {
            return table.read_tile_in_parts(tile, part, take);
        }
        let at_a_time = (part.len() / stride) as u64;
        if at_a_time == 0 {
            return Err(Error::internal("a part has to hold a row of a tile"));
        }
        for first in rows.clone().step_by(at_a_time as usize) {
            let end = (first + at_a_time).min(rows.end);
            let part = &mut part[..(end - first) as usize * stride];
            self.read_rows(first..end, cols.clone(), part)?;
            take((first - rows.start) as usize * stride, part);
        }
        Ok(())
    }

    /// Fills `into` with some rows and columns of a file.
    fn read_rows(&mut self, rows: Range<u64>, cols: Range<u64>, into: &mut [u8]) -> Result<()> {
        let stride = self.row_bytes();
        match self {
            TileReader::Table(_) => Err(Error::internal("a table is read in tiles")),
            TileReader::Npy(reader) => reader.read(rows, cols, into, stride),
            TileReader::Zarr(reader) => reader.read(rows, cols, into, stride),
        }
    }

    /// Bytes from one row of a tile to the next.
    fn row_bytes(&self) -> usize {
        self.spec().tile.cols as usize * self.spec().element.size_bytes()
    }
}

/// The rows and columns of a tile inside of the matrix.
fn region(spec: &TableSpec, tile: TileIndex) -> (Range<u64>, Range<u64>) {
    let valid = spec.tile_valid(tile);
    let (row, col) = (tile.row * spec.tile.rows, tile.col * spec.tile.cols);
    (row..row + valid.rows, col..col + valid.cols)
}
