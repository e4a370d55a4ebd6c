//! A Zarr array in a local directory, open for reading.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use hama_core::{Cancel, Error, ErrorKind, Pool, Result};
use hama_hdfs::{Extent, TableSpec};
use serde::{Deserialize, Serialize};

use super::metadata::{self, Metadata};
use super::shard::Index;
use super::version2;
use crate::files::stamp::{FilePath, Stamp, changed};

/// Metadata of more bytes is refused.
pub(crate) const METADATA_BYTES_MAX: u64 = 4 << 20;
/// An array of more chunks is refused: each is looked at when the array is opened.
const CHUNKS_MAX: u64 = 1 << 24;
/// A reader looks for a chunk among so many at most.
const KEPT_MAX: u64 = 256;

/// An array of somebody else, as the matrix that it is.
#[derive(Clone, Debug)]
pub(crate) struct ZarrArray {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    spec: TableSpec,
    what: String,
    reference: ZarrRef,
    /// What its files are as a whole; none where a peer has opened it.
    found: Option<Found>,
    cancel: Cancel,
}

/// Names an array for a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ZarrRef {
    path: FilePath,
    metadata_file: String,
    stamp: Stamp,
    what: String,
    /// How many chunks a reader keeps, unpacked.
    kept: usize,
}

/// What a look at all files of an array finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    /// Chunks that are not there, of shards the inner ones.
    missing: u64,
    chunks: u64,
    bytes: u64,
    /// Changes when a file does.
    digest: u32,
}

impl ZarrArray {
    /// Opens an array, and says with a warning how many of its chunks are missing.
    ///
    /// # Cost
    /// Looks at each file of a chunk, without reading it, until `cancel` asks for the end; of shards it reads the index.
    ///
    /// # Errors
    /// `Cancelled`; `Invalid` where it is of a kind that is not read, `Data` where its metadata is damaged.
    pub(crate) fn open(path: &Path, cancel: &Cancel) -> Result<ZarrArray> {
        let file = ["zarr.json", ".zarray"].into_iter().find(|name| path.join(name).is_file());
        let file = file.ok_or_else(|| no_array(path))?;
        let meta = fs::metadata(path.join(file))
            .map_err(|e| Error::io(format!("cannot open {}", path.join(file).display()), e))?;
        let what = path.display().to_string();
        let reference = ZarrRef {
            path: FilePath::of(path)?,
            metadata_file: file.to_owned(),
            stamp: Stamp::of(&meta),
            what,
            kept: 1,
        };
        let mut array = ZarrArray { cancel: cancel.clone(), ..ZarrArray::open_ref(&reference)? };
        let found = array.look()?;
        if found.missing > 0 {
            tracing::warn!(
                array = %array.what,
                "{} of its {} chunks are missing: their elements are the fill value, {}",
                found.missing,
                found.chunks,
                array.metadata.fill
            );
        }
        array.found = Some(found);
        Ok(array)
    }

    pub(crate) fn open_ref(reference: &ZarrRef) -> Result<ZarrArray> {
        let (path, what) = (reference.path.path(), reference.what.clone());
        let file = path.join(&reference.metadata_file);
        let failed = |e| Error::io(format!("cannot open {}", file.display()), e);
        if Stamp::of(&fs::metadata(&file).map_err(failed)?) != reference.stamp {
            return Err(changed(&file));
        }
        if reference.stamp.len > METADATA_BYTES_MAX {
            return Err(Error::data(format!(
                "cannot read {what}: its metadata has {} bytes, {METADATA_BYTES_MAX} are the most",
                reference.stamp.len
            )));
        }
        let mut bytes = Vec::new();
        File::open(&file)
            .and_then(|file| file.take(METADATA_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(failed)?;
        let parse = if reference.metadata_file == ".zarray" { version2::parse } else { metadata::parse };
        let in_file = |e: Error| Error::new(e.kind(), format!("cannot read {what}: {}", e.message()));
        let metadata = parse(&bytes).map_err(in_file)?;
        let spec = TableSpec::new(metadata.shape, metadata.coding.encoding.element()).map_err(in_file)?;
        Ok(ZarrArray {
            path,
            metadata,
            spec,
            what,
            reference: reference.clone(),
            found: None,
            cancel: Cancel::new(),
        })
    }

    pub(crate) fn to_ref(&self) -> ZarrRef {
        self.reference.clone()
    }

    pub(crate) fn name(&self) -> &str {
        &self.what
    }

    pub(crate) fn spec(&self) -> &TableSpec {
        &self.spec
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        self.found.map_or(0, |found| found.bytes)
    }

    /// The same array, whose readers keep several chunks unpacked where that takes at most `bytes`: tiles of one chunk are
    /// not read one after the other. One is kept in any case, and never more than lie along a side.
    pub(crate) fn keeping(&self, bytes: u64) -> ZarrArray {
        let [unpacked, ..] = self.scratch();
        let grid = self.metadata.shape.div_ceil(self.metadata.inner());
        let side = grid.rows.max(grid.cols).min(KEPT_MAX);
        let fitting = if unpacked == 0 { 1 } else { bytes / Pool::cost(unpacked) as u64 };
        let kept = fitting.clamp(1, side.max(1)) as usize;
        ZarrArray { reference: ZarrRef { kept, ..self.reference.clone() }, ..self.clone() }
    }

    /// How many chunks a reader keeps.
    pub(super) fn kept(&self) -> usize {
        self.reference.kept
    }

    /// What a reader takes from the pool: chunks unpacked and one packed, what a decoder needs, a tile, an index.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        let [unpacked, others @ ..] = self.scratch();
        let kept = std::iter::repeat_n(unpacked, self.kept());
        kept.chain(others)
            .filter(|bytes| *bytes > 0)
            .map(|bytes| Pool::cost(bytes) as u64)
            .fold(0, u64::saturating_add)
    }

    /// The lengths of a reader's buffers: unpacked, packed, the decoder's, a tile, and what the index of a shard takes.
    pub(super) fn scratch(&self) -> [usize; 5] {
        let (coding, chunk) = (&self.metadata.coding, self.metadata.chunk_bytes().unwrap_or(usize::MAX >> 8));
        let index =
            self.metadata.sharding.as_ref().map_or(0, |sharding| Index::bytes(&self.metadata, sharding));
        if self.reads_in_place() {
            return [0, 0, 0, 0, index];
        }
        let steps = &coding.steps;
        let packed = if steps.compress() { *steps.packed_bytes(chunk).end() } else { 0 };
        let tile = if self.stages() { self.spec.tile_bytes() } else { 0 };
        [steps.unpacked_bytes(chunk), packed, steps.decoder_bytes(chunk), tile, index]
    }

    /// Whether parts of a tile would have the same chunks unpacked again and again.
    pub(super) fn stages(&self) -> bool {
        !self.reads_in_place() && self.metadata.inner() != self.spec.tile
    }

    /// Whether parts of chunks are read from their files as they are.
    pub(super) fn reads_in_place(&self) -> bool {
        self.metadata.coding.steps.is_empty() && !self.metadata.coding.transposed
    }

    pub(super) fn bad(&self, row: u64, col: u64, why: impl std::fmt::Display) -> Error {
        let key = self.metadata.keys.key(row, col);
        Error::data(format!("cannot read {}: chunk {key} is damaged: {why}", self.what))
    }

    /// The open file of a chunk with its length, where there is one.
    pub(super) fn open_chunk(&self, row: u64, col: u64) -> Result<Option<(File, u64)>> {
        let path = self.path.join(self.metadata.keys.key(row, col));
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(format!("cannot open {}", path.display()), e)),
        };
        if !meta.is_file() {
            return Err(self.bad(row, col, "it is no file"));
        }
        let file = File::open(&path).map_err(|e| Error::io(format!("cannot open {}", path.display()), e))?;
        Ok(Some((file, meta.len())))
    }

    /// Fails where a file of it was changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        self.reference.stamp.check(&self.path.join(&self.reference.metadata_file))?;
        match self.found {
            Some(found) if self.look()? != found => Err(changed(&self.path)),
            _ => Ok(()),
        }
    }

    /// Looks at the files of all chunks.
    fn look(&self) -> Result<Found> {
        let Metadata { shape, chunk, keys, .. } = self.metadata;
        let grid = shape.div_ceil(chunk);
        if grid.count().is_none_or(|count| count > CHUNKS_MAX) {
            return Err(Error::invalid(format!(
                "cannot read {}: it has {grid} chunks, {CHUNKS_MAX} are the most: write it again with larger ones",
                self.what
            )));
        }
        let mut found = Found::default();
        for (row, col) in (0..grid.rows).flat_map(|row| (0..grid.cols).map(move |col| (row, col))) {
            self.cancel.check()?;
            let inner = self.inner_chunks(row, col);
            found.chunks += inner.0.saturating_mul(inner.1);
            let path = self.path.join(keys.key(row, col));
            match fs::metadata(&path) {
                Ok(meta) => {
                    found.bytes += meta.len();
                    let words = Stamp::of(&meta).words();
                    found.digest = crc32c::crc32c_append(found.digest, bytemuck::bytes_of(&words));
                    found.missing += self.missing_of(row, col, inner)?;
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    found.missing += inner.0 * inner.1;
                    found.digest = crc32c::crc32c_append(found.digest, b"missing");
                }
                Err(e) => return Err(Error::io(format!("cannot open {}", path.display()), e)),
            }
        }
        Ok(found)
    }

    /// How many inner chunks of a chunk reach into the array, along rows and columns.
    fn inner_chunks(&self, row: u64, col: u64) -> (u64, u64) {
        let Metadata { shape, chunk, .. } = self.metadata;
        let inner = self.metadata.inner();
        let valid = Extent { rows: shape.rows - row * chunk.rows, cols: shape.cols - col * chunk.cols };
        let count = valid.min(chunk).div_ceil(inner);
        (count.rows, count.cols)
    }

    /// How many of those are absent in a shard that is there.
    fn missing_of(&self, row: u64, col: u64, (down, across): (u64, u64)) -> Result<u64> {
        let Some(index) = self.index(row, col)? else { return Ok(0) };
        let wide = self.metadata.chunk.cols / self.metadata.inner().cols;
        let places = (0..down).flat_map(|row| (0..across).map(move |col| (row * wide + col) as usize));
        Ok(places.filter(|place| index.place(*place).is_none()).count() as u64)
    }

    /// The index of a chunk that is a shard.
    fn index(&self, row: u64, col: u64) -> Result<Option<Index>> {
        let Some(sharding) = &self.metadata.sharding else { return Ok(None) };
        let Some((file, len)) = self.open_chunk(row, col)? else { return Ok(None) };
        let index = Index::read(&file, len, &self.metadata, sharding);
        index.map(Some).map_err(|why| self.bad(row, col, why))
    }
}

/// Why a directory is no array: perhaps one of those in it is meant.
fn no_array(path: &Path) -> Error {
    let shown = path.display();
    let inside = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut arrays: Vec<String> = inside
        .filter(|path| path.join("zarr.json").is_file() || path.join(".zarray").is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .take(100)
        .collect();
    arrays.sort();
    arrays.truncate(10);
    let hint =
        if arrays.is_empty() { String::new() } else { format!("; there are {} in it", arrays.join(", ")) };
    Error::new(ErrorKind::Invalid, format!("cannot read {shown}: it is a directory and no Zarr array{hint}"))
}
