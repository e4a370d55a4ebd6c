//! Reads parts of a Zarr array, a chunk at a time.

use std::ops::Range;
use std::sync::Arc;

use hama_core::{Buffer, Error, Pool, Result};
use hama_hdfs::store::StoreReader;
use hama_hdfs::{ElementType, Extent, TableSpec};

use super::array::ZarrArray;
use super::shard::Index;
use crate::files::numbers::Inexact;
use crate::scalar::Scalar;

/// Rows of a chunk with at most so many bytes between what is wanted of them are read at once from a store where each
/// range is a request of its own: more bytes take longer than another request.
const GAP_BYTES_MAX: usize = 256 << 10;

/// Reads parts of an array.
pub(crate) struct ZarrReader {
    chunks: Chunks,
    staged: Option<Buffer>,
}

/// The chunks of an array. It keeps those that it read last, unpacked.
struct Chunks {
    array: Arc<ZarrArray>,
    // The one that was used last first.
    kept: Vec<Kept>,
    packed: Option<Buffer>,
    // What a decoder and an index take by themselves, so that nobody else does.
    _others: [Option<Buffer>; 2],
    // A part of a row, as the file has it.
    line: Vec<u8>,
    open: Option<OpenFile>,
}

/// A buffer for a chunk, and which one is in it.
struct Kept {
    chunk: Option<(u64, u64)>,
    unpacked: Buffer,
}

/// The file that was read last: of a chunk, or of a shard with its index.
struct OpenFile {
    place: (u64, u64),
    file: Option<Box<dyn StoreReader>>,
    index: Option<Index>,
}

/// What a region and a chunk share, in rows and columns of the array.
struct Shared {
    chunk: (u64, u64),
    rows: Range<u64>,
    cols: Range<u64>,
}

impl ZarrReader {
    pub(crate) fn new(array: Arc<ZarrArray>, pool: &Pool) -> Result<ZarrReader> {
        let take = |bytes: usize| if bytes > 0 { pool.take(bytes).map(Some) } else { Ok(None) };
        let [unpacked, packed, decoder, tile, index] = array.scratch();
        let kept = if unpacked > 0 { array.kept() } else { 0 };
        let kept = (0..kept).map(|_| Ok(Kept { chunk: None, unpacked: pool.take(unpacked)? }));
        let chunks = Chunks {
            kept: kept.collect::<Result<_>>()?,
            packed: take(packed)?,
            _others: [take(decoder)?, take(index)?],
            line: Vec::new(),
            open: None,
            array,
        };
        Ok(ZarrReader { chunks, staged: take(tile)? })
    }

    pub(crate) fn spec(&self) -> &TableSpec {
        self.chunks.array.spec()
    }

    /// Fills `into`, whose rows are `stride` bytes apart, with some rows and columns.
    pub(crate) fn read(
        &mut self,
        rows: Range<u64>,
        cols: Range<u64>,
        into: &mut [u8],
        stride: usize,
    ) -> Result<()> {
        self.chunks.read(&rows, &cols, into, stride)
    }

    /// Reads some rows and columns at once, a row in `stride` bytes, where that is needed so that no chunk is unpacked
    /// for each part of them. None where parts are read as well one by one.
    pub(crate) fn staged(
        &mut self,
        rows: &Range<u64>,
        cols: &Range<u64>,
        stride: usize,
    ) -> Result<Option<&[u8]>> {
        let Some(staged) = &mut self.staged else { return Ok(None) };
        self.chunks.read(rows, cols, staged, stride)?;
        Ok(Some(&staged[..(rows.end - rows.start) as usize * stride]))
    }
}

impl Chunks {
    fn read(&mut self, rows: &Range<u64>, cols: &Range<u64>, into: &mut [u8], stride: usize) -> Result<()> {
        let Extent { rows: high, cols: wide } = self.array.metadata.inner();
        let size = self.array.spec().element.size_bytes();
        for row in rows.start / high..rows.end.div_ceil(high) {
            for col in cols.start / wide..cols.end.div_ceil(wide) {
                let shared = Shared {
                    chunk: (row, col),
                    rows: rows.start.max(row * high)..rows.end.min((row + 1) * high),
                    cols: cols.start.max(col * wide)..cols.end.min((col + 1) * wide),
                };
                let down = (shared.rows.start - rows.start) as usize;
                let across = (shared.cols.start - cols.start) as usize;
                self.read_shared(&shared, &mut into[down * stride + across * size..], stride)?;
            }
        }
        Ok(())
    }

    fn read_shared(&mut self, shared: &Shared, into: &mut [u8], stride: usize) -> Result<()> {
        let (row, col) = shared.chunk;
        let Extent { rows: high, cols: wide } = self.array.metadata.inner();
        let width = (shared.cols.end - shared.cols.start) as usize * self.array.spec().element.size_bytes();
        let count = (shared.rows.end - shared.rows.start) as usize;
        let lines = into.chunks_mut(stride).take(count).map(|line| &mut line[..width]);
        let first = (shared.rows.start - row * high, shared.cols.start - col * wide);
        if self.is_kept((row, col)) {
            return self.copy_lines(shared, first, lines);
        }
        let Some((offset, bytes)) = self.place(row, col)? else {
            let fill = self.array.metadata.fill;
            lines.for_each(|line| match self.array.spec().element {
                ElementType::F64 => bytemuck::cast_slice_mut::<_, f64>(line).fill(fill),
                ElementType::F32 => bytemuck::cast_slice_mut(line).fill(f32::from_f64(fill)),
            });
            return Ok(());
        };
        if self.array.reads_in_place() {
            self.read_lines(shared, (offset, bytes), first, lines)
        } else {
            self.unpack((row, col), (offset, bytes))?;
            self.copy_lines(shared, first, lines)
        }
    }

    /// Where an inner chunk lies in the file that is open then; none where it is missing.
    fn place(&mut self, row: u64, col: u64) -> Result<Option<(u64, u64)>> {
        let metadata = &self.array.metadata;
        let per = metadata.chunk.div_ceil(metadata.inner());
        let place = (row / per.rows, col / per.cols);
        if self.open.as_ref().is_none_or(|open| open.place != place) {
            self.open = Some(self.open_file(place)?);
        }
        let Some(OpenFile { file: Some(file), index, .. }) = &self.open else { return Ok(None) };
        Ok(match index {
            None => Some((0, file.len())),
            Some(index) => index.place((row % per.rows * per.cols + col % per.cols) as usize),
        })
    }

    fn open_file(&self, place: (u64, u64)) -> Result<OpenFile> {
        let array = &self.array;
        let file = array.open_chunk(place.0, place.1)?;
        let index = match (&file, &array.metadata.sharding) {
            (Some(file), Some(sharding)) => {
                let index = Index::read(&**file, &array.metadata, sharding);
                Some(index.map_err(|e| array.unread(place.0, place.1, e))?)
            }
            _ => None,
        };
        Ok(OpenFile { place, file, index })
    }

    fn file(&self) -> Result<&dyn StoreReader> {
        match &self.open {
            Some(OpenFile { file: Some(file), .. }) => Ok(&**file),
            _ => Err(Error::internal("a chunk is read that is not open")),
        }
    }

    /// An error of the chunk whose file is open.
    fn bad(&self, why: impl std::fmt::Display) -> Error {
        let (row, col) = self.open.as_ref().map_or((0, 0), |open| open.place);
        self.array.bad(row, col, why)
    }

    /// The error of reading it.
    fn unread(&self, error: Error) -> Error {
        let (row, col) = self.open.as_ref().map_or((0, 0), |open| open.place);
        self.array.unread(row, col, error)
    }

    /// Reads rows of a chunk that is stored as it is.
    fn read_lines<'a>(
        &mut self,
        shared: &Shared,
        (offset, bytes): (u64, u64),
        (first_row, first_col): (u64, u64),
        lines: impl Iterator<Item = &'a mut [u8]>,
    ) -> Result<()> {
        let chunk_bytes = self.array.metadata.chunk_bytes().unwrap_or(0) as u64;
        if bytes != chunk_bytes {
            return Err(self.bad(format!("it has {bytes} bytes and should have {chunk_bytes}")));
        }
        let encoding = self.array.metadata.coding.encoding;
        let (size, wide) = (encoding.size_bytes(), self.array.metadata.inner().cols as usize);
        let width = (shared.cols.end - shared.cols.start) as usize * size;
        // From one row to the next, and how many of them are read at once.
        let stride = wide * size;
        let count = (shared.rows.end - shared.rows.start) as usize;
        let together = !self.array.folder.is_local() && stride - width <= GAP_BYTES_MAX;
        let at_once = if together { count } else { 1 };
        let mut part = std::mem::take(&mut self.line);
        part.resize(if together { stride } else { width }, 0);
        let mut lines = (shared.rows.start..).zip(lines);
        let mut decoded = Ok(());
        for row in (0..count).step_by(at_once) {
            let at = offset + (first_row + row as u64) * stride as u64 + first_col * size as u64;
            let len = (at_once - 1) * stride + width;
            let read = self.file()?.read_through(at, len, &mut part, &mut |part| {
                if let (Ok(()), Some((row, into))) = (&decoded, lines.next()) {
                    let line = encoding.decode(&part[..width], into);
                    decoded = line.map_err(|inexact| self.inexact((row, shared.cols.start), &inexact));
                }
            });
            read.map_err(|e| self.unread(e))?;
        }
        self.line = part;
        decoded
    }

    /// Whether a chunk is unpacked already; it is the first then.
    fn is_kept(&mut self, chunk: (u64, u64)) -> bool {
        let place = self.kept.iter().position(|kept| kept.chunk == Some(chunk));
        if let Some(place) = place {
            self.kept[..=place].rotate_right(1);
        }
        place.is_some()
    }

    /// Unpacks a chunk into the place of the one that was not used for longest; it is the first then.
    fn unpack(&mut self, chunk: (u64, u64), (offset, bytes): (u64, u64)) -> Result<()> {
        let array = Arc::clone(&self.array);
        let steps = &array.metadata.coding.steps;
        let allowed = steps.packed_bytes(array.metadata.chunk_bytes().unwrap_or(0));
        let length = usize::try_from(bytes).ok().filter(|bytes| allowed.contains(bytes));
        let Some(length) = length else {
            let (least, most) = allowed.into_inner();
            return Err(self.bad(format!("it has {bytes} bytes and should have {least} to {most}")));
        };
        let file = match &self.open {
            Some(OpenFile { file: Some(file), .. }) => file,
            _ => return Err(Error::internal("a chunk is unpacked that is not open")),
        };
        let Some(oldest) = self.kept.last_mut() else {
            return Err(Error::internal("there is no memory for a chunk"));
        };
        oldest.chunk = None;
        let into = match &mut self.packed {
            Some(packed) => &mut packed[..length],
            None => &mut oldest.unpacked[..],
        };
        let read = file.read_at(offset, into);
        let unpacked = match &mut self.packed {
            Some(packed) if read.is_ok() => steps.unpack(&packed[..length], &mut oldest.unpacked),
            None if read.is_ok() => steps.check(&oldest.unpacked),
            _ => Ok(()),
        };
        read.map_err(|e| self.unread(e))?;
        unpacked.map_err(|why| self.bad(why))?;
        if let Some(oldest) = self.kept.last_mut() {
            oldest.chunk = Some(chunk);
        }
        self.kept.rotate_right(1);
        Ok(())
    }

    /// Copies rows out of the chunk that is first.
    fn copy_lines<'a>(
        &mut self,
        shared: &Shared,
        (first_row, first_col): (u64, u64),
        lines: impl Iterator<Item = &'a mut [u8]>,
    ) -> Result<()> {
        let unpacked: &[u8] = self.kept.first().map_or(&[], |kept| &kept.unpacked);
        let coding = &self.array.metadata.coding;
        let Extent { rows: high, cols: wide } = self.array.metadata.inner();
        let size = coding.encoding.size_bytes();
        let count = (shared.cols.end - shared.cols.start) as usize;
        for (row, into) in (first_row..).zip(lines) {
            let place = (shared.rows.start + row - first_row, shared.cols.start);
            let decoded = if coding.transposed {
                self.line.clear();
                for col in first_col..first_col + count as u64 {
                    let at = (col * high + row) as usize * size;
                    self.line.extend_from_slice(&unpacked[at..at + size]);
                }
                coding.encoding.decode(&self.line, into)
            } else {
                let at = (row * wide + first_col) as usize * size;
                coding.encoding.decode(&unpacked[at..at + count * size], into)
            };
            decoded.map_err(|inexact| self.inexact(place, &inexact))?;
        }
        Ok(())
    }

    fn inexact(&self, (row, col): (u64, u64), Inexact { index, integer }: &Inexact) -> Error {
        Error::data(format!(
            "cannot read {}: element ({row}, {}) is {integer}, which f64 cannot hold exactly",
            self.array.name(),
            col + *index as u64
        ))
    }
}
