//! Files whose elements come one after another: text, and what is compressed as a whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use hama_core::{Cancel, Error, Progress, Result};
use hama_hdfs::{ElementType, Extent};

use super::csv::Csv;
use super::inflate::gzip;
use super::market::Market;
use super::npz::Packed;
use super::stamp::{Stamp, changed};
use crate::npy::regular;

/// Bytes that are read from a file at a time.
const READ_BYTES: usize = 256 << 10;

/// The order in which elements come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    ByRows,
    ByCols,
    /// In any: some may come twice and are added up, some not at all and are 0.
    Any,
}

/// A file that is read from its beginning to its end.
#[derive(Debug)]
pub(super) enum Stream {
    Csv(Csv),
    Market(Market),
    Packed(Packed),
}

impl Stream {
    /// The path of the file.
    pub(super) fn what(&self) -> &str {
        match self {
            Stream::Csv(csv) => &csv.input.what,
            Stream::Market(market) => &market.input.what,
            Stream::Packed(packed) => packed.what(),
        }
    }

    /// The type of its elements where nobody wishes another.
    pub(super) fn element(&self) -> ElementType {
        match self {
            Stream::Csv(_) | Stream::Market(_) => ElementType::F64,
            Stream::Packed(packed) => packed.element(),
        }
    }

    /// Its rows and columns; text may have to be read for that.
    pub(super) fn shape(&self, meter: &Meter<'_>) -> Result<Extent> {
        match self {
            Stream::Csv(csv) => meter.cancelled_or(csv.shape(meter)),
            Stream::Market(market) => Ok(market.shape()),
            Stream::Packed(packed) => Ok(packed.shape()),
        }
    }

    /// The shape where it is known without reading all.
    pub(super) fn known_shape(&self) -> Option<Extent> {
        match self {
            Stream::Csv(_) => None,
            Stream::Market(market) => Some(market.shape()),
            Stream::Packed(packed) => Some(packed.shape()),
        }
    }

    pub(super) fn order(&self) -> Order {
        match self {
            Stream::Csv(_) => Order::ByRows,
            Stream::Market(market) => market.order(),
            Stream::Packed(packed) => packed.order(),
        }
    }

    /// Bytes that one pass reads.
    pub(super) fn pass_bytes(&self) -> u64 {
        match self {
            Stream::Csv(csv) => csv.input.len(),
            Stream::Market(market) => market.input.len(),
            Stream::Packed(packed) => packed.bytes(),
        }
    }

    /// Reads all elements and hands each to `take`, with its row and column. `shape` is what was found before.
    ///
    /// # Errors
    /// `Data` where the file is damaged or not the one any more that was opened; those of `take`.
    pub(super) fn each(
        &self,
        meter: &Meter<'_>,
        shape: Extent,
        take: &mut dyn FnMut(u64, u64, f64) -> Result<()>,
    ) -> Result<()> {
        meter.cancelled_or(match self {
            Stream::Csv(csv) => csv.each(meter, shape, take),
            Stream::Market(market) => market.each(meter, take),
            Stream::Packed(packed) => packed.each(meter, take),
        })
    }

    /// Fails where the file was changed since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match self {
            Stream::Csv(csv) => csv.input.check_unchanged(),
            Stream::Market(market) => market.input.check_unchanged(),
            Stream::Packed(packed) => packed.check_unchanged(),
        }
    }
}

/// What counts the bytes that are read, and the request to end that reading listens to.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a> {
    pub(super) progress: &'a Progress,
    pub(super) cancel: &'a Cancel,
}

impl Meter<'_> {
    /// The outcome of reading, or that somebody asked for its end: an error of reading does not say that.
    fn cancelled_or<T>(&self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(error) => Err(self.cancel.check().err().unwrap_or(error)),
            read => read,
        }
    }
}

/// A file of text, perhaps packed by gzip.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    pub(super) what: String,
    stamp: Stamp,
    packed: bool,
}

impl Input {
    /// # Errors
    /// `Invalid` where it is no regular file: it is read more than once.
    pub(super) fn new(path: &Path) -> Result<Input> {
        let what = path.display().to_string();
        if what == "-" {
            return Err(Error::invalid(
                "cannot read standard input: a file is read more than once, name one",
            ));
        }
        let stamp = Stamp::of(&regular(path)?);
        let packed = what.to_lowercase().ends_with(".gz");
        Ok(Input { path: path.to_owned(), what, stamp, packed })
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> u64 {
        self.stamp.len
    }

    /// # Errors
    /// `Data` where the file is not the one any more that it was at first.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        self.stamp.check(&self.path)
    }

    /// The error of a file that is not what it was.
    pub(super) fn changed(&self) -> Error {
        changed(&self.path)
    }

    /// Its text from the beginning on.
    ///
    /// # Errors
    /// `Data` where the file is not the one any more that it was at first.
    pub(super) fn open<'a>(&self, meter: Meter<'a>) -> Result<Box<dyn BufRead + 'a>> {
        // Before it is opened: what it was replaced by may be a pipe.
        self.check_unchanged()?;
        let failed = |e| Error::io(format!("cannot open {}", self.what), e);
        let file = File::open(&self.path).map_err(failed)?;
        if Stamp::of(&file.metadata().map_err(failed)?) != self.stamp {
            return Err(changed(&self.path));
        }
        let metered = Metered { file, meter };
        Ok(if self.packed {
            Box::new(BufReader::with_capacity(READ_BYTES, gzip(metered)))
        } else {
            Box::new(BufReader::with_capacity(READ_BYTES, metered))
        })
    }
}

struct Metered<'a> {
    file: File,
    meter: Meter<'a>,
}

impl Read for Metered<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        // Not `Interrupted`, after which readers try again.
        self.meter.cancel.check().map_err(std::io::Error::other)?;
        let count = self.file.read(into)?;
        self.meter.progress.add(count as u64);
        Ok(count)
    }
}
