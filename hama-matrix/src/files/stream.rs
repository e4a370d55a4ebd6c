//! Files whose elements come one after another: text, and what is compressed as a whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hama_core::{Error, Progress, Result};
use hama_hdfs::{ElementType, Extent};

use super::csv::Csv;
use super::inflate::gzip;
use super::market::Market;
use super::npz::Packed;
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
            Stream::Csv(csv) => csv.shape(meter),
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
            Stream::Csv(csv) => csv.input.len,
            Stream::Market(market) => market.input.len,
            Stream::Packed(packed) => packed.bytes(),
        }
    }

    /// Reads all elements and hands each to `take`, with its row and column.
    pub(super) fn each(
        &self,
        meter: &Meter<'_>,
        take: &mut dyn FnMut(u64, u64, f64) -> Result<()>,
    ) -> Result<()> {
        match self {
            Stream::Csv(csv) => csv.each(meter, take),
            Stream::Market(market) => market.each(meter, take),
            Stream::Packed(packed) => packed.each(meter, take),
        }
    }
}

/// What counts the bytes that are read.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a>(pub(super) &'a Arc<Progress>);

/// A file of text, perhaps packed by gzip.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    pub(super) what: String,
    pub(super) len: u64,
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
        let len = regular(path)?.len();
        let packed = what.to_lowercase().ends_with(".gz");
        Ok(Input { path: path.to_owned(), what, len, packed })
    }

    /// Its text from the beginning on.
    pub(super) fn open<'a>(&self, meter: Meter<'a>) -> Result<Box<dyn BufRead + 'a>> {
        let file = File::open(&self.path).map_err(|e| Error::io(format!("cannot open {}", self.what), e))?;
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
        let count = self.file.read(into)?;
        self.meter.0.add(count as u64);
        Ok(count)
    }
}
