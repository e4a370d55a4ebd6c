//! Imports a file: into a table, or as it is where it can be read in place.

use std::path::Path;
use std::sync::Arc;

use hama_core::{Error, Progress, Result};
use hama_hdfs::{ElementType, TableSpec};

use super::csv::Csv;
use super::market::Market;
use super::npz::{self, Found, Stored};
use super::scatter::{Cut, scatter};
use super::stream::{Input, Meter, Stream};
use super::{Format, ImportOptions, copy, remote, without_array};
use crate::any::AnyMatrix;
use crate::dense::DenseMatrix;
use crate::hama::Hama;
use crate::npy::NpyArray;
use crate::save_as::SaveAs;
use crate::scalar::Scalar;
use crate::source::Source;
use crate::zarr::ZarrArray;

/// Imports a matrix from a file: see [`Incoming::save`].
///
/// # Errors
/// Those of [`Incoming::open`] and [`Incoming::save`].
pub fn import(
    hama: &Hama,
    path: &Path,
    name: impl Into<SaveAs>,
    options: &ImportOptions,
) -> Result<AnyMatrix> {
    Incoming::open(path, options)?.save(hama, name)
}

/// A file that is open for importing: its header is read and what can be checked without reading all is.
#[derive(Debug)]
pub struct Incoming {
    kind: Kind,
    element: Option<ElementType>,
}

#[derive(Debug)]
enum Kind {
    InPlace(Source, bool),
    /// The same in an archive, with what is compared with its checksum first.
    Archived(Source, bool, Stored),
    Stream(Stream),
}

impl Incoming {
    /// Opens a file. The format is that of the options, else that of the suffix. `FILE.npz#NAME` names an array of an
    /// archive as [`ImportOptions::array`] does, and `hdfs://HOST:PORT/PATH` a Zarr array in HDFS.
    ///
    /// # Errors
    /// `NotFound` where there is no such file or array, `Invalid` where its kind is not read or several arrays could
    /// be meant, `Data` where it is damaged as far as its header tells, `Cancelled`.
    pub fn open(path: &Path, options: &ImportOptions) -> Result<Incoming> {
        let url = remote::array(path, options.format)?;
        let format = match (options.format, &url) {
            (Some(format), _) => format,
            (None, Some(_)) => Format::Zarr,
            (None, None) => Format::of(path)?,
        };
        check_options(format, options)?;
        let nobody = Meter { progress: &Progress::new(), cancel: &options.cancel };
        let kind = match format {
            Format::Npy => {
                let array = NpyArray::open(path)?;
                let transposed = array.is_fortran();
                Kind::InPlace(Source::Npy(Arc::new(array)), transposed)
            }
            Format::Zarr => {
                let array = match &url {
                    Some(url) => ZarrArray::open_at(url, &options.cancel)?,
                    None => ZarrArray::open(path, &options.cancel)?,
                };
                Kind::InPlace(Source::Zarr(Arc::new(array)), false)
            }
            Format::Npz => Self::archived(path, options)?,
            Format::MatrixMarket => Kind::Stream(Stream::Market(Market::open(Input::new(path)?, &nobody)?)),
            Format::Csv | Format::Tsv => {
                let delimiter = options.delimiter.unwrap_or(if format == Format::Csv { b',' } else { b'\t' });
                let input = Input::new(path)?;
                Kind::Stream(Stream::Csv(Csv { input, delimiter, header: options.header }))
            }
        };
        let incoming = Incoming { kind, element: options.element };
        if let Kind::Stream(stream) = &incoming.kind
            && let Some(shape) = stream.known_shape()
        {
            // A shape that cannot be is refused now.
            TableSpec::new(shape, incoming.element()).map_err(|e| {
                Error::new(e.kind(), format!("cannot read {}: {}", stream.what(), e.message()))
            })?;
        }
        Ok(incoming)
    }

    fn archived(path: &Path, options: &ImportOptions) -> Result<Kind> {
        let (path, named) = match path.to_str().map(without_array) {
            Some((path, Some(named))) => (Path::new(path), Some(named)),
            _ => (path, None),
        };
        Ok(match npz::find(path, options.array.as_deref().or(named))? {
            Found::Stored(array, stored) => {
                let transposed = array.is_fortran();
                Kind::Archived(Source::Npy(array), transposed, stored)
            }
            Found::Packed(packed) => Kind::Stream(Stream::Packed(packed)),
        })
    }

    /// The type of the elements that it becomes.
    pub fn element(&self) -> ElementType {
        self.element.unwrap_or_else(|| self.element_of_file())
    }

    fn element_of_file(&self) -> ElementType {
        match &self.kind {
            Kind::InPlace(source, _) | Kind::Archived(source, ..) => source.spec().element,
            Kind::Stream(stream) => stream.element(),
        }
    }

    /// Whether elements may be rounded: the file's are f64, and they become f32.
    pub fn rounds(&self) -> bool {
        (self.element_of_file(), self.element()) == (ElementType::F64, ElementType::F32)
    }

    /// Whether it lies in a store, where the peers of a cluster read it too, and is no file of this host.
    pub fn is_in_a_store(&self) -> bool {
        matches!(&self.kind, Kind::InPlace(Source::Zarr(array), _) if array.url().is_some())
    }

    /// Where it is a sparse matrix that becomes dense: how many elements it stores, and the bytes of all.
    pub fn sparse(&self) -> Option<(u64, u64)> {
        let Kind::Stream(Stream::Market(market)) = &self.kind else { return None };
        let bytes = market.shape().count()?.saturating_mul(self.element().size_bytes() as u64);
        Some((market.sparse_entries()?, bytes))
    }

    /// Rows and columns, where the header says them.
    #[cfg(feature = "testing")]
    pub(crate) fn known_shape(&self) -> Option<hama_hdfs::Extent> {
        match &self.kind {
            Kind::InPlace(source, _) | Kind::Archived(source, ..) => Some(source.spec().shape),
            Kind::Stream(stream) => stream.known_shape(),
        }
    }

    /// The matrix, where it can be read in place and its elements stay as they are.
    ///
    /// # Cost
    /// One pass over an array of an archive, to compare it with its checksum: [`check_bytes`](Self::check_bytes).
    ///
    /// # Errors
    /// `OutOfMemory` where a chunk needs more than the memory given; `Data` where the checksum is of other bytes.
    pub fn in_place(&self, hama: &Hama) -> Result<Option<AnyMatrix>> {
        match &self.kind {
            Kind::InPlace(source, transposed) | Kind::Archived(source, transposed, _)
                if self.element() == self.element_of_file() =>
            {
                self.check(hama)?;
                AnyMatrix::of_source(hama, source.clone(), *transposed).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The bytes that are read before anything is, to compare them with a checksum.
    pub fn check_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Archived(_, _, stored) => stored.bytes(),
            _ => 0,
        }
    }

    fn check(&self, hama: &Hama) -> Result<()> {
        match &self.kind {
            Kind::Archived(_, _, stored) => {
                stored.check(&Meter { progress: hama.progress(), cancel: hama.cancel() })
            }
            _ => Ok(()),
        }
    }

    /// What the progress of [`save`](Self::save) will count to, in bytes, as far as that can be known.
    pub fn work_bytes(&self, hama: &Hama) -> u64 {
        match &self.kind {
            Kind::InPlace(source, _) | Kind::Archived(source, ..) => {
                let elements = source.spec().shape.count().unwrap_or(0);
                elements.saturating_mul(self.element().size_bytes() as u64).saturating_add(self.check_bytes())
            }
            Kind::Stream(stream) => {
                let passes = match stream.known_shape() {
                    None => 2,
                    Some(shape) => Cut::new::<f64>(hama, stream.what(), shape, stream.order())
                        .map_or(1, |cut| cut.pass_count()),
                };
                stream.pass_bytes().saturating_mul(passes)
            }
        }
    }

    /// Makes it a table.
    ///
    /// # Cost
    /// Within the memory given. What is read in place: one pass, by all peers; on a cluster by its peers where they reach it,
    /// as an array in a store, else by this process. Text with rows in order (CSV) is read once for its
    /// shape, and then once where a row of tiles, 1024 rows of the matrix at most, fits into the memory given, else
    /// once for each part of it that does. Matrix Market files are read once for each part of the matrix that fits
    /// where they name places, and else as CSV, by columns.
    ///
    /// # Errors
    /// `Data` where the file is damaged or was changed, or an element cannot be held; `Exists` where the name is taken
    /// and nothing says to replace it; `OutOfMemory`; those of the store. In each case there is no new table.
    pub fn save(&self, hama: &Hama, name: impl Into<SaveAs>) -> Result<AnyMatrix> {
        let name = name.into();
        Ok(match self.element() {
            ElementType::F64 => AnyMatrix::F64(self.save_as(hama, name)?),
            ElementType::F32 => AnyMatrix::F32(self.save_as(hama, name)?),
        })
    }

    fn save_as<T: Scalar>(&self, hama: &Hama, name: SaveAs) -> Result<DenseMatrix<T>> {
        match &self.kind {
            Kind::InPlace(source, transposed) | Kind::Archived(source, transposed, _) => {
                self.check(hama)?;
                let runs = hama.reaching(&[source]);
                let copied = match AnyMatrix::of_source(&runs, source.clone(), *transposed)? {
                    AnyMatrix::F64(matrix) => copy::copy(&matrix, &runs, name),
                    AnyMatrix::F32(matrix) => copy::copy(&matrix, &runs, name),
                };
                Ok(copied?.in_hama(hama))
            }
            Kind::Stream(stream) => {
                let shape = stream.shape(&Meter { progress: hama.progress(), cancel: hama.cancel() })?;
                let cut = Cut::new::<T>(hama, stream.what(), shape, stream.order())?;
                let passes = cut.pass_count();
                if passes > 1 {
                    tracing::info!(
                        file = stream.what(),
                        passes,
                        "read several times: it does not fit the memory"
                    );
                }
                scatter(stream, &cut, hama, name)
            }
        }
    }
}

/// Fails where an option means nothing for the format.
fn check_options(format: Format, options: &ImportOptions) -> Result<()> {
    let text = matches!(format, Format::Csv | Format::Tsv);
    for (given, fits, option, formats) in [
        (options.header, text, "--header", "csv and tsv"),
        (options.delimiter.is_some(), text, "--delimiter", "csv and tsv"),
        (options.array.is_some(), format == Format::Npz, "--array", "npz"),
    ] {
        if given && !fits {
            return Err(Error::invalid(format!("{option} means nothing for this file: it is for {formats}")));
        }
    }
    check_delimiter(options.delimiter)
}

/// Fails where numbers could not be told apart.
pub(super) fn check_delimiter(delimiter: Option<u8>) -> Result<()> {
    match delimiter {
        Some(byte) if byte.is_ascii_alphanumeric() || b"+-.\r\n\"".contains(&byte) || !byte.is_ascii() => {
            Err(Error::invalid(format!(
                "cannot separate numbers by {:?}: it may be a part of one",
                char::from(byte)
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[cfg(all(feature = "cluster", feature = "testing"))]
mod tests {
    use hama_core::{Cancel, Host};
    use hama_hdfs::store::{self, CreateHint};
    use hama_hdfs::{StorePath, StoreUrl, TileIndex};

    use super::*;
    use crate::cluster::Rehearsal;
    use crate::random::Seed;

    /// The array of a table, as another program would have put it into a store.
    fn array_of(table: &hama_hdfs::Table, url: &StoreUrl) {
        let (from, to) = (table.store(), store::create(url).unwrap());
        for entry in from.list(&table.values_path()).unwrap() {
            let reader = from.open(&table.values_path().child(&entry.name).unwrap()).unwrap();
            let mut bytes = vec![0; reader.len() as usize];
            reader.read_at(0, &mut bytes).unwrap();
            let path = StorePath::new(&entry.name).unwrap();
            let mut writer = to.create(&path, CreateHint::new(reader.len(), &Host::local())).unwrap();
            writer.write(&bytes).unwrap();
            writer.close().unwrap();
        }
    }

    #[test]
    fn what_lies_in_a_store_is_imported_by_the_peers_of_a_cluster() {
        let rehearsal = Rehearsal::of(&["dn1", "dn2", "dn3"], 2, 512 << 20);
        let builder = Hama::builder().store("memory:import-there").rehearse(rehearsal.clone());
        let hama = builder.build().unwrap();
        let a = DenseMatrix::<f64>::random(&hama, "a", (17_000, 1030), Seed(1)).unwrap();
        let url: StoreUrl = "memory:import-from".parse().unwrap();
        array_of(a.table().unwrap(), &url);
        let open = || Source::Zarr(Arc::new(ZarrArray::open_at(&url, &Cancel::new()).unwrap()));
        let incoming = Incoming { kind: Kind::InPlace(open(), false), element: None };
        assert!(incoming.is_in_a_store());
        let imported = incoming.save(&hama, "b").unwrap();
        let (one, other) = (a.table().unwrap().shards(), imported.table().unwrap().shards());
        assert_eq!(one.len(), 2);
        assert!(one.iter().zip(other).all(|(one, other)| one.tiles == other.tiles));
        assert!(other.iter().all(|record| record.host.name().starts_with("dn")), "{other:?}");
        let imports = || rehearsal.started().into_iter().filter(|job| job.program == "import");
        assert_eq!(imports().map(|job| job.peers).collect::<Vec<_>>(), [2]);
        // Of another type, transposed, and the first bytes of its first chunk have a flipped bit.
        let stored = store::open(&url).unwrap();
        let chunk = StorePath::new("c.0.0").unwrap();
        let reader = stored.open(&chunk).unwrap();
        let mut bytes = vec![0; reader.len() as usize];
        reader.read_at(0, &mut bytes).unwrap();
        let transposed = Incoming { kind: Kind::InPlace(open(), true), element: Some(ElementType::F32) };
        let AnyMatrix::F32(narrow) = transposed.save(&hama, "c").unwrap() else { panic!("it is f32") };
        assert_eq!(narrow.shape(), (1030, 17_000));
        let mut tile = vec![0; narrow.spec().tile_bytes()];
        narrow.table().unwrap().read_tile(TileIndex::new(0, 0), &mut tile).unwrap();
        let first = a.read(0..1, 0..1).unwrap()[(0, 0)] as f32;
        assert_eq!(tile[..4], first.to_le_bytes());
        bytes[20] ^= 1;
        stored.delete(&chunk).unwrap();
        let mut writer = stored.create(&chunk, CreateHint::new(0, &Host::local())).unwrap();
        writer.write(&bytes).unwrap();
        writer.close().unwrap();
        let damaged = Incoming { kind: Kind::InPlace(open(), false), element: None };
        let error = damaged.save(&hama, "d").unwrap_err();
        assert!(error.kind() == hama_core::ErrorKind::Data && error.to_string().contains("c.0.0"), "{error}");
        assert!(crate::open_any(&hama, "d").is_err(), "there is no new table");
        assert_eq!(imports().count(), 3);
    }
}
