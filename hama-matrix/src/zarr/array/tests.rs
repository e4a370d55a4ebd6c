//! The same arrays in a local directory and in stores: read alike, refused alike.

mod cut;

use std::fs;
use std::sync::Arc;

use hama_core::{Cancel, ErrorKind, Host, Pool, Result};
use hama_hdfs::store::{self, CreateHint, Store};
use hama_hdfs::testing::{Fault, FaultyStore};
use hama_hdfs::{StorePath, StoreUrl};
use tempfile::TempDir;

use self::cut::{CUTS, FILL, Files, SHAPE, element};
use super::{Found, ZarrArray};
use crate::zarr::ZarrReader;

/// Somewhere that an array is put, and opened.
#[derive(Debug)]
enum Place {
    Local(TempDir),
    Store(StoreUrl, Arc<dyn Store>),
}

impl Place {
    /// A local directory, a store in memory, and one in a directory of `folder`.
    fn all(name: &str, folder: &TempDir) -> [Place; 3] {
        let memory: StoreUrl = format!("memory:zarr-array-{name}").parse().unwrap();
        let directory = StoreUrl::directory(&folder.path().join(name)).unwrap();
        let [memory, directory] =
            [memory, directory].map(|url| Place::Store(url.clone(), store::create(&url).unwrap()));
        [Place::Local(TempDir::new().unwrap()), memory, directory]
    }

    fn remove_all(&self, dir: &str) {
        match self {
            Place::Local(folder) => fs::remove_dir_all(folder.path().join(dir)).unwrap(),
            Place::Store(_, store) => store.delete_all(&StorePath::new(dir).unwrap()).unwrap(),
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        match self {
            Place::Local(folder) => {
                let path = folder.path().join(key);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                // Another file than the one before, as it is in a store.
                let _ = fs::remove_file(&path);
                fs::write(path, bytes).unwrap();
            }
            Place::Store(_, store) => {
                let path = StorePath::new(key).unwrap();
                store.delete(&path).unwrap();
                let mut writer = store.create(&path, CreateHint::new(0, &Host::local())).unwrap();
                writer.write(bytes).unwrap();
                writer.close().unwrap();
            }
        }
    }

    fn remove(&self, key: &str) {
        match self {
            Place::Local(folder) => fs::remove_file(folder.path().join(key)).unwrap(),
            Place::Store(_, store) => store.delete(&StorePath::new(key).unwrap()).unwrap(),
        }
    }

    fn fill(&self, files: &Files) {
        files.iter().for_each(|(key, bytes)| self.put(key, bytes));
    }

    fn open(&self) -> Result<ZarrArray> {
        match self {
            Place::Local(folder) => ZarrArray::open(folder.path(), &Cancel::new()),
            Place::Store(url, ..) => ZarrArray::open_at(url, &Cancel::new()),
        }
    }
}

/// All elements, read as a peer does: from the reference, tile by tile.
fn read(array: &ZarrArray) -> Result<Vec<f64>> {
    let array = Arc::new(ZarrArray::open_ref(&array.to_ref())?);
    let spec = array.spec().clone();
    let mut reader = ZarrReader::new(Arc::clone(&array), &Pool::new(256 << 20))?;
    let mut all = vec![f64::NAN; (SHAPE.rows * SHAPE.cols) as usize];
    let stride = spec.tile.cols as usize * 8;
    let mut tile = vec![0.0_f64; spec.tile_bytes() / 8];
    for row in (0..SHAPE.rows).step_by(spec.tile.rows as usize) {
        for col in (0..SHAPE.cols).step_by(spec.tile.cols as usize) {
            let (rows, cols) =
                (row..SHAPE.rows.min(row + spec.tile.rows), col..SHAPE.cols.min(col + spec.tile.cols));
            let into: &mut [u8] = bytemuck::cast_slice_mut(&mut tile);
            match reader.staged(&rows, &cols, stride)? {
                Some(staged) => into[..staged.len()].copy_from_slice(staged),
                None => reader.read(rows.clone(), cols.clone(), into, stride)?,
            }
            let width = (cols.end - cols.start) as usize;
            for (line, row) in tile.chunks(spec.tile.cols as usize).zip(rows) {
                let at = (row * SHAPE.cols + col) as usize;
                all[at..at + width].copy_from_slice(&line[..width]);
            }
        }
    }
    Ok(all)
}

fn expected(is_missing: impl Fn(u64, u64) -> bool) -> Vec<f64> {
    let places = (0..SHAPE.rows).flat_map(|row| (0..SHAPE.cols).map(move |col| (row, col)));
    places.map(|(row, col)| if is_missing(row, col) { FILL } else { element(row, col) }).collect()
}

fn found(array: &ZarrArray) -> Found {
    array.found.unwrap()
}

#[test]
fn every_cut_is_read_alike_everywhere() {
    let folder = TempDir::new().unwrap();
    let all = expected(|_, _| false);
    for cut in CUTS {
        let files = cut.files();
        for place in Place::all(cut.name, &folder) {
            place.fill(&files);
            let array = place.open().unwrap();
            assert!(read(&array).unwrap() == all, "{} in {place:?}", cut.name);
            let bytes: usize = files[1..].iter().map(|(_, bytes)| bytes.len()).sum();
            assert_eq!(
                (array.stored_bytes(), found(&array).missing),
                (bytes as u64, 0),
                "{} in {place:?}",
                cut.name
            );
            array.check_unchanged().unwrap();
        }
    }
}

#[test]
fn missing_chunks_are_counted_and_read_as_the_fill_value() {
    let folder = TempDir::new().unwrap();
    for cut in CUTS {
        let key = cut.key(0, 0);
        for place in Place::all(&format!("missing-{}", cut.name), &folder) {
            place.fill(&cut.files());
            place.remove(&key);
            let array = place.open().unwrap();
            let in_chunk =
                cut.inner.map_or(1, |inner| cut.chunk.rows / inner.rows * (cut.chunk.cols / inner.cols));
            assert_eq!(found(&array).missing, in_chunk, "{} in {place:?}", cut.name);
            let all = expected(|row, col| row < cut.chunk.rows && col < cut.chunk.cols);
            assert!(read(&array).unwrap() == all, "{} in {place:?}", cut.name);
            place.put(&key, b"another");
            let error = array.check_unchanged().unwrap_err();
            assert!(error.kind() == ErrorKind::Data && error.message().contains("changed"), "{error}");
        }
    }
}

#[test]
fn what_is_damaged_is_told_alike() {
    let folder = TempDir::new().unwrap();
    let fails = |place: &Place, kind: ErrorKind, parts: &[&str]| {
        let error = place.open().and_then(|array| read(&array)).unwrap_err();
        assert!(
            error.kind() == kind && parts.iter().all(|part| error.message().contains(part)),
            "{place:?}: {error:?}"
        );
    };
    for place in Place::all("damaged", &folder) {
        fails(&place, ErrorKind::Invalid, &["no Zarr array"]);
        place.put("inside/zarr.json", b"{}");
        fails(&place, ErrorKind::Invalid, &["no Zarr array", "there are inside in it"]);
        place.put("zarr.json", b"{");
        fails(&place, ErrorKind::Data, &["no JSON"]);
        place.put("zarr.json", br#"{"zarr_format":3,"node_type":"group"}"#);
        fails(&place, ErrorKind::Invalid, &["group"]);
        place.put("zarr.json", &vec![b' '; (4 << 20) + 1]);
        fails(&place, ErrorKind::Data, &["metadata has 4194305 bytes"]);
        let [plain, .., checked, sharded, _] = CUTS;
        place.fill(&plain.files());
        place.put("c/1/1", b"short");
        fails(&place, ErrorKind::Data, &["chunk c/1/1 is damaged", "5 bytes and should have 96000"]);
        place.remove("c/1/1");
        place.put("c/1/1/x", b"");
        fails(&place, ErrorKind::Data, &["chunk c/1/1 is damaged", "it is no file"]);
        place.remove("c/1/1/x");
        place.remove_all("c");
        place.fill(&checked.files());
        let mut damaged = checked.files().remove(1).1;
        damaged[77] ^= 1;
        place.put("c/0/0", &damaged);
        fails(&place, ErrorKind::Data, &["chunk c/0/0 is damaged", "checksum"]);
        place.fill(&sharded.files());
        place.put("c/0/0", &[0; 100]);
        fails(&place, ErrorKind::Data, &["chunk c/0/0 is damaged", "its index alone has"]);
        let mut damaged = sharded.files().remove(1).1;
        let last = damaged.len() - 10;
        damaged[last] ^= 1;
        place.put("c/0/0", &damaged);
        fails(&place, ErrorKind::Data, &["chunk c/0/0 is damaged", "of its index"]);
    }
    let nothing =
        ZarrArray::open_at(&"memory:zarr-array-nothing".parse().unwrap(), &Cancel::new()).unwrap_err();
    assert_eq!(nothing.message(), "cannot open memory:zarr-array-nothing: it is not there");
    assert_eq!(
        ZarrArray::open("/no/such.zarr".as_ref(), &Cancel::new()).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn metadata_that_was_written_anew_is_noticed() {
    let folder = TempDir::new().unwrap();
    for place in Place::all("anew", &folder) {
        let [plain, dots, ..] = CUTS;
        place.fill(&plain.files());
        let array = place.open().unwrap();
        place.put("zarr.json", &dots.metadata().1);
        for error in [array.check_unchanged().unwrap_err(), read(&array).unwrap_err()] {
            assert!(error.kind() == ErrorKind::Data && error.message().contains("zarr.json"), "{error}");
        }
        let cancel = Cancel::new();
        cancel.cancel();
        let Place::Store(url, ..) = &place else { continue };
        assert_eq!(ZarrArray::open_at(url, &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn a_store_that_does_not_answer_is_no_damage() {
    let url: StoreUrl = "memory:zarr-array-faulty".parse().unwrap();
    let faulty = Arc::new(FaultyStore::new(store::create(&url).unwrap()));
    store::register(&url, faulty.clone()).unwrap();
    let place = Place::Store(url.clone(), faulty.clone());
    let [.., sharded, _] = CUTS;
    place.fill(&sharded.files());
    faulty.set(Fault::None);
    let array = place.open().unwrap();
    let opening = faulty.calls();
    read(&array).unwrap();
    let all = faulty.calls();
    for call in 0..all {
        faulty.set(Fault::Fails(call, ErrorKind::Unavailable));
        let result = if call < opening { place.open().map(drop) } else { continue };
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable, "call {call} of {opening}");
    }
    for call in 0..all - opening {
        faulty.set(Fault::Fails(call, ErrorKind::Unavailable));
        assert_eq!(read(&array).unwrap_err().kind(), ErrorKind::Unavailable, "call {call} of reading");
    }
    store::forget(&url).unwrap();
}
