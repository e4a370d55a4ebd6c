//! A Zarr array in a local directory or in a store, open for reading.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hama_core::{Cancel, Error, ErrorKind, Pool, Result};
use hama_hdfs::store::StoreReader;
use hama_hdfs::{Extent, StoreUrl, TableSpec};
use serde::{Deserialize, Serialize};

use super::folder::{Folder, FolderRef, Listing, Opened};
use super::metadata::{self, Metadata};
use super::shard::Index;
use super::version2;
use crate::files::stamp::{FilePath, changed};

/// Metadata of more bytes is refused.
pub(crate) const METADATA_BYTES_MAX: u64 = 4 << 20;
/// An array of more chunks is refused: each is looked at when the array is opened.
const CHUNKS_MAX: u64 = 1 << 24;
/// A reader looks for a chunk among so many at most.
const KEPT_MAX: u64 = 256;
/// The files that say what an array is, of version 3 and 2.
const METADATA_FILES: [&str; 2] = ["zarr.json", ".zarray"];

/// An array of somebody else, as the matrix that it is.
#[derive(Clone, Debug)]
pub(crate) struct ZarrArray {
    pub(super) folder: Folder,
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
    folder: FolderRef,
    metadata_file: String,
    metadata_checksum: u32,
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
    digest: u64,
}

impl ZarrArray {
    /// Opens an array in a local directory, and says with a warning how many of its chunks are missing.
    ///
    /// # Cost
    /// Looks at each file of a chunk, without reading it, until `cancel` asks for the end; of shards it reads the index.
    ///
    /// # Errors
    /// `Cancelled`; `NotFound` where nothing is there; `Invalid` where it is of a kind that is not read, `Data` where its
    /// metadata is damaged.
    pub(crate) fn open(path: &Path, cancel: &Cancel) -> Result<ZarrArray> {
        let what = path.display().to_string();
        std::fs::metadata(path).map_err(|e| Error::io(format!("cannot open {what}"), e))?;
        ZarrArray::open_in(FolderRef::Local(FilePath::of(path)?), what, cancel)
    }

    /// The same of the array that is all of a store, such as a directory in HDFS.
    ///
    /// # Cost
    /// That of [`open`](Self::open), by listings: one for each row of chunks, or one for all where they are in one
    /// directory, which may have 262144 files then; several at once, as the store likes it.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and of the store.
    pub(crate) fn open_at(url: &StoreUrl, cancel: &Cancel) -> Result<ZarrArray> {
        let what = url.to_string();
        ZarrArray::open_in(FolderRef::Stored(url.absolute()?), what, cancel).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::new(e.kind(), format!("cannot open {url}: it is not there")),
            _ => e,
        })
    }

    fn open_in(folder: FolderRef, what: String, cancel: &Cancel) -> Result<ZarrArray> {
        let files = folder.open()?;
        let mut opened = None;
        for name in METADATA_FILES {
            if let Some(Opened::File(file)) = files.open(name)? {
                opened = Some((name, file));
                break;
            }
        }
        let (name, file) = opened.ok_or_else(|| no_array(&files, &what))?;
        let bytes = metadata_bytes(&*file, &what)?;
        let metadata_checksum = crc32c::crc32c(&bytes);
        let metadata_file = name.to_owned();
        let reference = ZarrRef { folder, metadata_file, metadata_checksum, what, kept: 1 };
        let mut array =
            ZarrArray { cancel: cancel.clone(), ..ZarrArray::of_metadata(&reference, files, &bytes)? };
        let found = array.look(true)?;
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
        let folder = reference.folder.open()?;
        let bytes = reference.metadata_in(&folder)?;
        ZarrArray::of_metadata(reference, folder, &bytes)
    }

    /// The array that the bytes of its metadata describe.
    fn of_metadata(reference: &ZarrRef, folder: Folder, bytes: &[u8]) -> Result<ZarrArray> {
        let what = reference.what.clone();
        let parse = if reference.metadata_file == ".zarray" { version2::parse } else { metadata::parse };
        let in_file = |e: Error| Error::new(e.kind(), format!("cannot read {what}: {}", e.message()));
        let metadata = parse(bytes).map_err(in_file)?;
        let spec = TableSpec::new(metadata.shape, metadata.coding.encoding.element()).map_err(in_file)?;
        Ok(ZarrArray {
            folder,
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

    /// Its URL, where it is no directory of this host.
    pub(crate) fn url(&self) -> Option<&StoreUrl> {
        self.folder.url()
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
        let tile = if self.stages() { self.spec.tile_bytes() } else { 0 };
        if self.reads_in_place() {
            return [0, 0, 0, tile, index];
        }
        let steps = &coding.steps;
        let packed = if steps.compress() { *steps.packed_bytes(chunk).end() } else { 0 };
        [steps.unpacked_bytes(chunk), packed, steps.decoder_bytes(chunk), tile, index]
    }

    /// Whether parts of a tile would have the same chunks unpacked again and again, or each ask a server for little.
    pub(super) fn stages(&self) -> bool {
        if self.reads_in_place() { !self.folder.is_local() } else { self.metadata.inner() != self.spec.tile }
    }

    /// Whether parts of chunks are read from their files as they are.
    pub(super) fn reads_in_place(&self) -> bool {
        self.metadata.coding.steps.is_empty() && !self.metadata.coding.transposed
    }

    pub(super) fn bad(&self, row: u64, col: u64, why: impl std::fmt::Display) -> Error {
        let key = self.metadata.keys.key(row, col);
        Error::data(format!("cannot read {}: chunk {key} is damaged: {why}", self.what))
    }

    /// The error of a chunk whose bytes could not be read: of a server that does not answer it is no damage.
    pub(super) fn unread(&self, row: u64, col: u64, error: Error) -> Error {
        if error.kind() == ErrorKind::Data { self.bad(row, col, error.message()) } else { error }
    }

    /// The open file of a chunk, where there is one.
    pub(super) fn open_chunk(&self, row: u64, col: u64) -> Result<Option<Box<dyn StoreReader>>> {
        match self.folder.open(&self.metadata.keys.key(row, col))? {
            Some(Opened::File(file)) => Ok(Some(file)),
            Some(Opened::NoFile) => Err(self.bad(row, col, "it is no file")),
            None => Ok(None),
        }
    }

    /// Fails where a file of it was changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        self.reference.metadata_in(&self.folder)?;
        let Some(found) = self.found else { return Ok(()) };
        let now = self.look(false)?;
        if (now.bytes, now.digest) == (found.bytes, found.digest) {
            return Ok(());
        }
        Err(changed(Path::new(&self.what)))
    }

    /// Looks at the files of all chunks; `in_shards` too.
    fn look(&self, in_shards: bool) -> Result<Found> {
        let grid = self.chunk_grid();
        if grid.count().is_none_or(|count| count > CHUNKS_MAX) {
            return Err(Error::invalid(format!(
                "cannot read {}: it has {grid} chunks, {CHUNKS_MAX} are the most: write it again with larger ones",
                self.what
            )));
        }
        let all = self.folder.list_all(self.metadata.keys, grid)?;
        let next = AtomicU64::new(0);
        let look = || {
            let mut found = Found::default();
            loop {
                let row = next.fetch_add(1, Ordering::Relaxed);
                if row >= grid.rows {
                    return Ok(found);
                }
                let looked = self.look_at_row(&all, row, in_shards, &mut found);
                // The others need not go on then.
                looked.inspect_err(|_| next.store(grid.rows, Ordering::Relaxed))?;
            }
        };
        let threads = (self.folder.files_at_once() as u64).min(grid.rows);
        if threads <= 1 {
            return look();
        }
        thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(look)).collect();
            let found = threads.into_iter().map(|thread| {
                thread.join().map_err(|_| Error::internal("a look at the chunks of an array panicked"))?
            });
            found
                .collect::<Result<Vec<Found>>>()
                .map(|found| found.into_iter().fold(Found::default(), Found::and))
        })
    }

    fn look_at_row(&self, all: &Listing, row: u64, in_shards: bool, found: &mut Found) -> Result<()> {
        let keys = self.metadata.keys;
        self.folder.row((all, keys, self.chunk_grid()), row, |col, seen| {
            self.cancel.check()?;
            let inner = self.inner_chunks(row, col);
            found.chunks += inner.0.saturating_mul(inner.1);
            let Some(seen) = seen else {
                found.missing += inner.0 * inner.1;
                return Ok(());
            };
            let words = [[row, col, 0, 0], seen.words];
            found.bytes += seen.len;
            found.digest = found.digest.wrapping_add(u64::from(crc32c::crc32c(bytemuck::bytes_of(&words))));
            if in_shards {
                found.missing += self.missing_of(row, col, inner)?;
            }
            Ok(())
        })
    }

    fn chunk_grid(&self) -> Extent {
        self.metadata.shape.div_ceil(self.metadata.chunk)
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
        let Some(sharding) = &self.metadata.sharding else { return Ok(0) };
        let Some(file) = self.open_chunk(row, col)? else { return Ok(0) };
        let index = Index::read(&*file, &self.metadata, sharding).map_err(|e| self.unread(row, col, e))?;
        let wide = self.metadata.chunk.cols / self.metadata.inner().cols;
        let places = (0..down).flat_map(|row| (0..across).map(move |col| (row * wide + col) as usize));
        Ok(places.filter(|place| index.place(*place).is_none()).count() as u64)
    }
}

impl Found {
    fn and(self, other: Found) -> Found {
        Found {
            missing: self.missing + other.missing,
            chunks: self.chunks + other.chunks,
            bytes: self.bytes + other.bytes,
            digest: self.digest.wrapping_add(other.digest),
        }
    }
}

impl ZarrRef {
    /// The bytes of the metadata, which are those of when the reference was made.
    fn metadata_in(&self, folder: &Folder) -> Result<Vec<u8>> {
        let changed = || changed(Path::new(&folder.shown(&self.metadata_file)));
        let Some(Opened::File(file)) = folder.open(&self.metadata_file)? else { return Err(changed()) };
        let bytes = metadata_bytes(&*file, &self.what)?;
        if crc32c::crc32c(&bytes) == self.metadata_checksum { Ok(bytes) } else { Err(changed()) }
    }
}

/// All of a file of metadata.
fn metadata_bytes(file: &dyn StoreReader, what: &str) -> Result<Vec<u8>> {
    let len = file.len();
    if len > METADATA_BYTES_MAX {
        return Err(Error::data(format!(
            "cannot read {what}: its metadata has {len} bytes, {METADATA_BYTES_MAX} are the most"
        )));
    }
    let mut bytes = vec![0; len as usize];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Why a directory is no array: perhaps one of those in it is meant.
fn no_array(folder: &Folder, what: &str) -> Error {
    let is_array =
        |folder: &Folder, name: &str| METADATA_FILES.iter().any(|file| folder.has(&format!("{name}/{file}")));
    let mut arrays = folder.directories(100, is_array);
    arrays.truncate(10);
    let is_table = !folder.directories(100, |_, name| name == "generations").is_empty();
    let hint = match what.trim_end_matches('/').rsplit_once('/') {
        Some((store, name)) if is_table => {
            format!("; it is a matrix of Hama: name it {name}, with --store {store}")
        }
        _ if arrays.is_empty() => String::new(),
        _ => format!("; there are {} in it", arrays.join(", ")),
    };
    Error::new(ErrorKind::Invalid, format!("cannot read {what}: it is a directory and no Zarr array{hint}"))
}

#[cfg(test)]
mod tests;
