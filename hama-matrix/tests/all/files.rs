//! Matrices in files: read in place, imported, exported, and what is wrong with them.

use std::fs;
use std::path::{Path, PathBuf};

use hama_core::{ErrorKind, TransportKind};
use hama_hdfs::ElementType;
use hama_matrix::files::{self, ExportOptions, ImportOptions, Incoming};
use hama_matrix::{
    AnyMatrix, DenseMatrix, Hama, Magnitudes, Scalar, Seed, Tolerance, diff, open_any, open_file, replace,
    verify,
};
use ndarray::Array2;
use tempfile::TempDir;

use crate::fixture::{TRANSPORTS, fresh, hama};

pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) hama: Hama,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { directory: tempfile::tempdir().unwrap(), hama: hama(2, TransportKind::Memory) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn random<T: Scalar>(&self, name: &str, shape: (u64, u64)) -> DenseMatrix<T> {
        DenseMatrix::random(&self.hama, replace(name), shape, Seed(shape.0)).unwrap()
    }

    pub(crate) fn export<T: Scalar>(&self, matrix: &DenseMatrix<T>, name: &str) -> PathBuf {
        let path = self.path(name);
        files::export(&matrix.any().unwrap(), &path, &ExportOptions::default()).unwrap();
        path
    }

    pub(crate) fn import(&self, path: &Path) -> AnyMatrix {
        files::import(&self.hama, path, replace("imported"), &ImportOptions::default()).unwrap()
    }

    /// The error of importing, after which there is no table.
    pub(crate) fn refused(&self, path: &Path) -> (ErrorKind, String) {
        let error = files::import(&self.hama, path, "refused", &ImportOptions::default()).unwrap_err();
        assert_eq!(open_any(&self.hama, "refused").unwrap_err().kind(), ErrorKind::NotFound);
        (error.kind(), error.to_string())
    }
}

pub(crate) fn f64s(matrix: &AnyMatrix) -> Array2<f64> {
    match matrix {
        AnyMatrix::F64(matrix) => matrix.to_ndarray().unwrap(),
        AnyMatrix::F32(matrix) => matrix.to_ndarray().unwrap().mapv(f64::from),
    }
}

const SUFFIXES: [&str; 6] = ["npy", "npz", "mtx", "csv", "tsv", "zarr"];

#[test]
fn every_format_gives_back_every_bit_at_odd_sizes() {
    let place = Place::new();
    for shape in [(1, 1), (1, 1500), (1500, 1), (37, 11), (1100, 1030)] {
        let matrix = place.random::<f64>("a", shape);
        for (matrix, turned) in [(matrix.clone(), "as it is"), (matrix.t(), "transposed")] {
            for suffix in SUFFIXES {
                let path = place.export(&matrix, &format!("a{}x{}{turned}.{suffix}", shape.0, shape.1));
                let back = place.import(&path);
                assert_eq!(back.element(), ElementType::F64);
                assert_eq!(f64s(&back), matrix.to_ndarray().unwrap(), "{shape:?} {turned} {suffix}");
            }
        }
    }
    // Nothing temporary is left beside them.
    assert!(
        place
            .directory
            .path()
            .read_dir()
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_str().unwrap().starts_with('.') })
    );
}

#[test]
fn f32_stays_and_can_be_wished() {
    let place = Place::new();
    let matrix = place.random::<f32>("a", (70, 50));
    for suffix in SUFFIXES {
        let path = place.export(&matrix, &format!("a.{suffix}"));
        let options = ImportOptions { element: Some(ElementType::F32), ..ImportOptions::default() };
        let incoming = Incoming::open(&path, &options).unwrap();
        assert_eq!(incoming.rounds(), ["mtx", "csv", "tsv"].contains(&suffix), "{suffix}");
        let AnyMatrix::F32(back) = incoming.save(&place.hama, replace("b")).unwrap() else { panic!() };
        assert_eq!(back.to_ndarray().unwrap(), matrix.to_ndarray().unwrap(), "{suffix}");
        let options = ImportOptions { element: Some(ElementType::F64), ..ImportOptions::default() };
        let wide = files::import(&place.hama, &path, replace("c"), &options).unwrap();
        assert_eq!((wide.element(), wide.shape()), (ElementType::F64, (70, 50)));
    }
    let large = place.write("large.csv", "1,1e39\n");
    let options = ImportOptions { element: Some(ElementType::F32), ..ImportOptions::default() };
    let error = files::import(&place.hama, &large, "x", &options).unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.message().contains("(0, 1) is 1e39"), "{error}");
}

#[test]
fn numbers_that_are_none_and_signs_of_zero_stay() {
    let place = Place::new();
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX];
    let array = Array2::from_shape_vec((2, 3), values.to_vec()).unwrap();
    let matrix = DenseMatrix::from_array(&place.hama, "a", array.view()).unwrap();
    for suffix in SUFFIXES {
        let back = f64s(&place.import(&place.export(&matrix, &format!("a.{suffix}"))));
        for (is, should) in back.iter().zip(&values) {
            assert!(
                is.to_bits() == should.to_bits() || is.is_nan() && should.is_nan(),
                "{suffix}: {is} {should}"
            );
        }
    }
}

/// The same array read in place by every layout that is.
fn in_place(place: &Place, matrix: &DenseMatrix<f64>) -> Vec<(String, AnyMatrix)> {
    let mut found = Vec::new();
    for suffix in ["npy", "zarr", "npz"] {
        let name = format!("{}.{suffix}", matrix.name());
        let path = place.export(matrix, &name);
        let opened = Incoming::open(&path, &ImportOptions::default()).unwrap();
        found.push((name, opened.in_place(&place.hama).unwrap().unwrap()));
    }
    let fortran = format!("{}-fortran.npy", matrix.name());
    let turned =
        DenseMatrix::from_array(&place.hama, replace("turned"), matrix.t().to_ndarray().unwrap().view());
    let path = place.export(&turned.unwrap().t(), &fortran);
    found.push((fortran, open_file(&place.hama, &path).unwrap()));
    let (rows, cols) = matrix.shape();
    let swapped: Vec<u8> = matrix.to_ndarray().unwrap().iter().flat_map(|x| x.to_be_bytes()).collect();
    let path = place.write(&format!("{}-big.npy", matrix.name()), npy(">f8", (rows, cols), &swapped));
    found.push(("big-endian".into(), open_file(&place.hama, &path).unwrap()));
    found
}

fn npy(descr: &str, (rows, cols): (u64, u64), data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {cols}), }}\n");
    let head =
        [b"\x93NUMPY\x01\x00".as_slice(), &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat();
    [&head, data].concat()
}

#[test]
fn products_of_files_are_those_of_tables_bit_for_bit() {
    for transport in TRANSPORTS {
        for peers in [1, 2, 3] {
            let place = Place { hama: hama(peers, transport), ..Place::new() };
            let (a, b) = (place.random::<f64>("a", (1100, 67)), place.random::<f64>("b", (67, 1030)));
            let wanted = a.mult(&b).unwrap().save(replace("c")).unwrap().to_ndarray().unwrap();
            let gram = a.t().mult(&a).unwrap().save(replace("g")).unwrap().to_ndarray().unwrap();
            let (files_a, files_b) = (in_place(&place, &a), in_place(&place, &b));
            for ((name, in_a), (_, in_b)) in files_a.iter().zip(&files_b) {
                let (AnyMatrix::F64(in_a), AnyMatrix::F64(in_b)) = (in_a, in_b) else { panic!() };
                let what = format!("{name}, {peers} peers, {transport:?}");
                let c = in_a.mult(in_b).unwrap().save(replace("d")).unwrap();
                assert_eq!(c.to_ndarray().unwrap(), wanted, "{what}");
                assert!(verify(in_a, in_b, &c).unwrap().passed, "{what}");
                let turned = in_b.t().mult(&in_a.t()).unwrap().save(replace("d")).unwrap();
                assert!(
                    diff(&turned.t(), &c, Tolerance { absolute: 1e-9, relative: 1e-12 }).unwrap().different
                        == 0
                );
                let product = in_a.t().mult(in_a).unwrap();
                assert!(product.plan().unwrap().problem.symmetric, "{what}: one file is one matrix");
                assert_eq!(product.save(replace("d")).unwrap().to_ndarray().unwrap(), gram, "{what}");
                assert_eq!(diff(&a, in_a, Tolerance::default()).unwrap().different, 0, "{what}");
            }
        }
    }
}

#[test]
fn a_file_that_changes_is_noticed() {
    let place = Place::new();
    let a = place.random::<f64>("a", (60, 50));
    for suffix in ["npy", "zarr"] {
        let path = place.export(&a, &format!("a.{suffix}"));
        let opened = DenseMatrix::<f64>::open_file(&place.hama, &path).unwrap();
        let touched = if suffix == "npy" { path } else { path.join("c.0.0") };
        let bytes = fs::read(&touched).unwrap();
        fs::remove_file(&touched).unwrap();
        fs::write(&touched, &bytes).unwrap();
        let error = opened.mult(&opened.t()).unwrap().save("never").unwrap_err();
        assert!(error.kind() == ErrorKind::Data && error.message().contains("changed"), "{suffix}: {error}");
        assert_eq!(open_any(&place.hama, "never").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn what_is_read_of_a_file_that_changed_is_refused() {
    let place = Place::new();
    let a = place.random::<f64>("a", (60, 50));
    let path = place.export(&a, "a.npy");
    let opened = DenseMatrix::<f64>::open_file(&place.hama, &path).unwrap();
    let whole = DenseMatrix::<f64>::zeros(&place.hama, "whole", (70, 70)).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes).unwrap();
    for (what, error) in [
        ("read", opened.read(0..2, 0..2).map(drop).unwrap_err()),
        ("magnitudes", Magnitudes::of(&opened, (4, 4)).map(drop).unwrap_err()),
        ("update", whole.update_from((1, 2), &opened).map(drop).unwrap_err()),
        ("update transposed", whole.t().update_from((1, 2), &opened).map(drop).unwrap_err()),
    ] {
        assert!(error.kind() == ErrorKind::Data && error.message().contains("changed"), "{what}: {error}");
    }
    assert_eq!(DenseMatrix::<f64>::open(&place.hama, "whole").unwrap().table().unwrap().version(), 1);
}

#[test]
fn what_is_exported_is_one_file_or_nothing() {
    let place = Place::new();
    let a = place.random::<f64>("a", (60, 50));
    let replacing = ExportOptions { replace: true, ..ExportOptions::default() };
    for suffix in SUFFIXES {
        let path = place.export(&a, "a.npy");
        let opened = open_file(&place.hama, &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes).unwrap();
        let out = place.path(&format!("b.{suffix}"));
        let error = files::export(&opened, &out, &replacing).unwrap_err();
        assert!(error.kind() == ErrorKind::Data && error.message().contains("changed"), "{suffix}: {error}");
        assert!(!out.exists(), "{suffix}");
        fs::remove_file(&path).unwrap();
    }
    // In the place of itself.
    for suffix in ["npy", "zarr"] {
        let path = place.export(&a, &format!("a.{suffix}"));
        let opened = open_file(&place.hama, &path).unwrap();
        files::export(&opened, &path, &replacing).unwrap();
        assert_eq!(f64s(&open_file(&place.hama, &path).unwrap()), a.to_ndarray().unwrap());
    }
}

/// A file whose elements come one after another is read several times: all of them read the same file.
#[test]
fn a_stream_that_changes_is_noticed() {
    let place = Place::new();
    let a = place.random::<f64>("a", (6, 5));
    let deflated = include_bytes!("deflated.npz");
    for name in ["a.csv", "a.tsv", "a.mtx", "a.npz"] {
        let path = if name == "a.npz" { place.write(name, deflated) } else { place.export(&a, name) };
        let incoming = Incoming::open(&path, &ImportOptions::default()).unwrap();
        incoming.save(&place.hama, replace("same")).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes).unwrap();
        let error = incoming.save(&place.hama, "never").unwrap_err();
        assert!(error.kind() == ErrorKind::Data && error.message().contains("changed"), "{name}: {error}");
        assert_eq!(open_any(&place.hama, "never").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// Where text is read for its shape only, the end that is asked for comes as well.
#[test]
fn a_shape_is_not_sought_after_the_end_is_asked_for() {
    let cancel = hama_core::Cancel::new();
    let place = Place::new();
    let path = place.write("x.csv", "1,2\n3\n");
    let hama = Hama::builder().store(fresh("memory")).cancel(cancel.clone()).build().unwrap();
    cancel.cancel();
    let error = files::import(&hama, &path, "never", &ImportOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
}

#[test]
fn a_file_has_no_versions() {
    let place = Place::new();
    let path = place.export(&place.random::<f64>("a", (6, 5)), "a.npy");
    let opened = DenseMatrix::<f64>::open_file(&place.hama, &path).unwrap();
    for error in [opened.table().map(drop).unwrap_err(), opened.blocking(2).map(drop).unwrap_err()] {
        assert!(error.kind() == ErrorKind::Invalid && error.message().contains("a.npy"), "{error}");
    }
    assert_eq!(DenseMatrix::<f32>::open_file(&place.hama, &path).unwrap_err().kind(), ErrorKind::Invalid);
}

/// What is larger than the memory given passes through it: the pool refuses more, so the peak is the proof.
#[test]
fn memory_holds_whatever_the_format() {
    let place = Place::new();
    let a = place.random::<f64>("a", (2100, 2300));
    let expected = a.to_ndarray().unwrap();
    // Of 37 MiB.
    let memory = 20 << 20;
    let small = Hama::builder().store(fresh("memory")).peers(2).memory(memory).build().unwrap();
    for suffix in SUFFIXES {
        let path = place.export(&a, &format!("a.{suffix}"));
        let back = files::import(&small, &path, replace("a"), &ImportOptions::default()).unwrap();
        let out = place.path(&format!("out.{suffix}"));
        files::export(&back, &out, &ExportOptions::default()).unwrap();
        assert!(small.pool().usage().used_bytes_peak <= memory as usize);
        let AnyMatrix::F64(back) =
            files::import(&place.hama, &out, replace("b"), &ImportOptions::default()).unwrap()
        else {
            panic!()
        };
        assert!(back.to_ndarray().unwrap() == expected, "{suffix}");
    }
    let entries: Vec<(u64, u64)> = (0..3000).map(|i| (i * 7 % 2100, i * 13 % 2300)).collect();
    let lines: String = entries.iter().map(|(row, col)| format!("{} {} 0.5\n", row + 1, col + 1)).collect();
    let text = format!("%%MatrixMarket matrix coordinate real general\n2100 2300 3000\n{lines}");
    let sparse = files::import(&small, &place.write("s.mtx", text), "s", &ImportOptions::default()).unwrap();
    let wide = sparse.in_hama(&place.hama);
    let mut expected = Array2::<f64>::zeros((2100, 2300));
    entries.iter().for_each(|(row, col)| expected[(*row as usize, *col as usize)] += 0.5);
    assert!(f64s(&wide) == expected);
}

#[test]
fn too_little_memory_is_said_with_what_would_do() {
    let place = Place::new();
    let a = place.random::<f64>("a", (1030, 1100));
    let tiny = Hama::builder().store(fresh("memory")).peers(1).memory(1 << 20).build().unwrap();
    for suffix in SUFFIXES {
        let path = place.export(&a, &format!("a.{suffix}"));
        let error = files::import(&tiny, &path, "a", &ImportOptions::default()).unwrap_err();
        assert!(
            error.kind() == ErrorKind::OutOfMemory && error.message().contains("--memory"),
            "{suffix}: {error}"
        );
    }
    let path = place.path("a.zarr");
    assert_eq!(open_file(&tiny, &path).unwrap_err().kind(), ErrorKind::OutOfMemory);
}

#[test]
fn text_that_is_wrong_says_where() {
    let place = Place::new();
    for (text, part) in [
        ("1,2\n3,x\n", "line 2, column 2 is \"x\", no number"),
        ("a,b\n1,2\n", "try --header"),
        ("1,2\n3,\n", "line 2, column 2 is empty"),
        ("1,2\n3\n", "line 2 has 1 numbers"),
        ("", "no numbers"),
        ("1;2\n3;4\n", "\"1;2\", no number"),
    ] {
        let (kind, why) = place.refused(&place.write("x.csv", text));
        assert!(kind == ErrorKind::Data && why.contains(part) && why.contains("x.csv"), "{text:?}: {why}");
    }
    let options = ImportOptions { header: true, delimiter: Some(b';'), ..ImportOptions::default() };
    let path = place.write("ok.csv", "a;b\n1; 2\n3;inf\r\n");
    let AnyMatrix::F64(matrix) = files::import(&place.hama, &path, "ok", &options).unwrap() else { panic!() };
    assert_eq!(matrix.to_ndarray().unwrap().into_raw_vec_and_offset().0, [1.0, 2.0, 3.0, f64::INFINITY]);
    for delimiter in [b'1', b'.', b'\n', b'e', b'-'] {
        let options = ImportOptions { delimiter: Some(delimiter), ..ImportOptions::default() };
        assert_eq!(Incoming::open(&path, &options).unwrap_err().kind(), ErrorKind::Invalid, "{delimiter}");
    }
    assert_eq!(place.refused(Path::new("-")).0, ErrorKind::Invalid);
}

#[test]
fn archives_that_are_wrong_are_refused() {
    let place = Place::new();
    let good = fs::read(place.export(&place.random::<f64>("a", (30, 20)), "a.npz")).unwrap();
    for cut in [0, 10, 100, good.len() / 2, good.len() - 1] {
        let (kind, why) = place.refused(&place.write("cut.npz", &good[..cut]));
        assert!(matches!(kind, ErrorKind::Data | ErrorKind::Invalid), "{cut}: {why}");
    }
    // An entry that says that it is longer than the file.
    let at = good.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    let mut longer = good.clone();
    longer[at + 20..at + 28].copy_from_slice(&[0xf0; 8]);
    assert!(matches!(
        place.refused(&place.write("longer.npz", &longer)).0,
        ErrorKind::Data | ErrorKind::Invalid
    ));
    let other = ImportOptions { array: Some("b".into()), ..ImportOptions::default() };
    let error = Incoming::open(&place.path("a.npz"), &other).unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.message().contains("there are a"), "{error}");
    let only_npz = ImportOptions { array: Some("b".into()), ..ImportOptions::default() };
    let csv = place.write("a.csv", "1\n");
    assert_eq!(Incoming::open(&csv, &only_npz).unwrap_err().kind(), ErrorKind::Invalid);
}
