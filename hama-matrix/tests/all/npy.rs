//! `.npy` files, by hand; files that NumPy itself wrote are tested with the command.

use std::fs;
use std::path::{Path, PathBuf};

use hama_core::{ErrorKind, TransportKind};
use hama_matrix::files::{self, ExportOptions, ImportOptions, Incoming};
use hama_matrix::{AnyMatrix, DenseMatrix, Hama, SaveAs, Seed};
use tempfile::TempDir;

use crate::fixture::hama;

fn import(hama: &Hama, path: &Path, name: impl Into<SaveAs>) -> hama_core::Result<AnyMatrix> {
    files::import(hama, path, name, &ImportOptions::default())
}

fn export(matrix: &AnyMatrix, path: &Path, replace: bool) -> hama_core::Result<u64> {
    // A folder of any name would be a Zarr array.
    let format = Some(files::Format::Npy);
    files::export(matrix, path, &ExportOptions { format, replace, ..ExportOptions::default() })
}

struct Files {
    directory: TempDir,
    hama: Hama,
}

impl Files {
    fn new() -> Files {
        Files { directory: tempfile::tempdir().unwrap(), hama: hama(2, TransportKind::Memory) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file with a header of version 1.0 and these bytes behind it.
    fn file(&self, descr: &str, fortran: &str, shape: &str, data: &[u8]) -> PathBuf {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        let path = self.path("x.npy");
        fs::write(&path, bytes).unwrap();
        path
    }

    fn f64s(&self, path: &std::path::Path, name: &str) -> Vec<f64> {
        match import(&self.hama, path, name).unwrap() {
            AnyMatrix::F64(matrix) => matrix.to_ndarray().unwrap().into_iter().collect(),
            AnyMatrix::F32(_) => panic!("it is f64"),
        }
    }

    fn refused(&self, path: &std::path::Path) -> (ErrorKind, String) {
        let error = import(&self.hama, path, "x").unwrap_err();
        assert!(hama_hdfs::list(self.hama.store().as_ref()).unwrap().iter().all(|name| name.as_str() != "x"));
        (error.kind(), error.to_string())
    }
}

#[test]
fn what_is_exported_is_imported() {
    let files = Files::new();
    let a = DenseMatrix::<f64>::random(&files.hama, "a", (1100, 2100), Seed(1)).unwrap();
    let b = DenseMatrix::<f32>::random(&files.hama, "b", (2100, 1030), Seed(1)).unwrap();
    export(&AnyMatrix::F64(a.clone()), &files.path("a.npy"), false).unwrap();
    export(&AnyMatrix::F32(b.clone()), &files.path("b.npy"), false).unwrap();
    let AnyMatrix::F64(a_back) = import(&files.hama, &files.path("a.npy"), "a2").unwrap() else { panic!() };
    let AnyMatrix::F32(b_back) = import(&files.hama, &files.path("b.npy"), "b2").unwrap() else { panic!() };
    assert_eq!(a_back.to_ndarray().unwrap(), a.to_ndarray().unwrap());
    assert_eq!(b_back.to_ndarray().unwrap(), b.to_ndarray().unwrap());
    let error = export(&AnyMatrix::F64(a.clone()), &files.path("a.npy"), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists);
    export(&AnyMatrix::F64(a), &files.path("a.npy"), true).unwrap();
    assert_eq!(files.directory.path().read_dir().unwrap().count(), 2, "no temporary file is left");
    let nowhere = files.path("no/where.npy");
    assert_eq!(export(&AnyMatrix::F32(b), &nowhere, false).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_transposed_matrix_is_exported_as_it_is() {
    let files = Files::new();
    let a = DenseMatrix::<f64>::random(&files.hama, "a", (1100, 30), Seed(1)).unwrap();
    export(&AnyMatrix::F64(a.t()), &files.path("t.npy"), false).unwrap();
    let AnyMatrix::F64(back) = import(&files.hama, &files.path("t.npy"), "t").unwrap() else { panic!() };
    assert_eq!(back.to_ndarray().unwrap(), a.to_ndarray().unwrap().t());
}

#[test]
fn only_a_regular_file_is_replaced() {
    let files = Files::new();
    let a = AnyMatrix::F64(DenseMatrix::random(&files.hama, "a", (3, 3), Seed(1)).unwrap());
    for replace in [false, true] {
        let error = export(&a, files.directory.path(), replace).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    // A link stays one; what it leads to is replaced.
    let (file, link) = (files.path("file.npy"), files.path("link.npy"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(export(&a, &link, false).unwrap_err().kind(), ErrorKind::Exists);
    export(&a, &link, true).unwrap();
    assert!(link.is_symlink());
    Incoming::open(&file, &ImportOptions::default()).unwrap();
}

#[test]
fn orders_and_types() {
    let files = Files::new();
    let big: Vec<u8> = [1.5f64, 2.5, 3.5, 4.5, 5.5, 6.5].iter().flat_map(|x| x.to_be_bytes()).collect();
    let path = files.file(">f8", "False", "(2, 3)", &big);
    assert_eq!(files.f64s(&path, "big"), [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]);
    let path = files.file(">f8", "True", "(2, 3)", &big);
    assert_eq!(files.f64s(&path, "fortran"), [1.5, 3.5, 5.5, 2.5, 4.5, 6.5]);
    let path = files.file("|i1", "False", "(1, 3)", &[0xff, 0, 0x80]);
    assert_eq!(files.f64s(&path, "i1"), [-1.0, 0.0, -128.0]);
    let path = files.file("|b1", "False", "(1, 2)", &[0, 1]);
    assert_eq!(files.f64s(&path, "b1"), [0.0, 1.0]);
    let path = files.file("<u2", "False", "(1, 1)", &[0xff, 0xff]);
    assert_eq!(files.f64s(&path, "u2"), [65535.0]);
    let largest = [(1i64 << 53), -(1i64 << 53), i64::MIN];
    let path = files.file(
        "<i8",
        "False",
        "(3, 1)",
        &largest.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>(),
    );
    assert_eq!(files.f64s(&path, "i8"), largest.map(|x| x as f64));
}

#[test]
fn integers_that_f64_cannot_hold_are_refused() {
    let files = Files::new();
    let path = files.file(
        "<i8",
        "False",
        "(1, 2)",
        &[[1u8, 0, 0, 0, 0, 0, 0, 0], ((1i64 << 53) + 1).to_le_bytes()].concat(),
    );
    let (kind, text) = files.refused(&path);
    assert_eq!(kind, ErrorKind::Data);
    assert!(text.contains("element (0, 1) is 9007199254740993"), "{text}");
    let path = files.file("<u8", "True", "(2, 1)", &[[0xff; 8], [0; 8]].concat());
    assert!(files.refused(&path).1.contains("element (0, 0) is 18446744073709551615"));
}

#[test]
fn files_that_lie_about_their_length_are_refused_before_anything_is_written() {
    let files = Files::new();
    for shape in ["(2, 3)", "(1, 1)", "(4294967296, 4294967296)", "(18446744073709551615, 2)"] {
        let path = files.file("<f8", "False", shape, &[0; 16]);
        let (kind, text) = files.refused(&path);
        assert_eq!(kind, ErrorKind::Data, "{shape}: {text}");
        assert!(text.contains("x.npy"), "{text}");
    }
    let path = files.file("<f8", "False", "(0, 3)", &[]);
    assert_eq!(files.refused(&path).0, ErrorKind::Invalid);
    assert_eq!(files.refused(&files.path("missing.npy")).0, ErrorKind::NotFound);
    assert_eq!(files.refused(files.directory.path()).0, ErrorKind::Invalid);
    let path = files.file("|O", "False", "(1, 1)", &[0; 8]);
    assert!(files.refused(&path).1.contains("Python objects"));
}
