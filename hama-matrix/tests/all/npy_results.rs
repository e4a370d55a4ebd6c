//! Products that are written straight into `.npy` files.

use std::fs;
use std::path::Path;

use hama_core::{Cancel, ErrorKind, TransportKind};
use hama_hdfs::store::Durability;
use hama_matrix::files::{NewFile, NewFileOptions};
use hama_matrix::{DenseMatrix, Hama, Product, Scalar, Seed, open_file, replace, verify};

use crate::fixture::{TRANSPORTS, fresh, hama};

fn new_file(path: &Path, replace: bool) -> hama_core::Result<NewFile> {
    NewFile::beside(path, NewFileOptions::export(replace, Durability::Full))
}

fn random<T: Scalar>(hama: &Hama, name: &str, shape: (u64, u64)) -> DenseMatrix<T> {
    DenseMatrix::random(hama, replace(name), shape, Seed(shape.0)).unwrap()
}

/// The product as a file, verified, and compared with the same plan's table bit by bit.
fn check<T: Scalar>(product: &Product<T>, (a, b): (&DenseMatrix<T>, &DenseMatrix<T>), path: &Path) {
    let plan = product.plan().unwrap();
    let new = new_file(path, true).unwrap();
    let finished = product.run_plan_to_npy(plan.clone(), &new).unwrap();
    assert_eq!(finished.matrix.name(), path.display().to_string());
    assert!(verify(a, b, &finished.matrix).unwrap().passed, "{plan}");
    let bytes = new.publish().unwrap();
    assert_eq!(bytes, fs::metadata(path).unwrap().len());
    let file = DenseMatrix::<T>::open_file(product.hama(), path).unwrap();
    let table = product.run_plan(plan.clone(), replace("c")).unwrap().matrix;
    let bits = |matrix: &DenseMatrix<T>| -> Vec<u64> {
        matrix.to_ndarray().unwrap().iter().map(|element| element.to_f64().to_bits()).collect()
    };
    assert!(bits(&file) == bits(&table) && file.shape() == table.shape(), "{plan}");
}

#[test]
fn a_file_has_the_bits_of_the_table() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("c.npy");
    for (peers, transport) in [1, 2, 5].into_iter().flat_map(|peers| TRANSPORTS.map(|way| (peers, way))) {
        let hama = hama(peers, transport);
        for (m, k, n) in [(1, 1, 1), (97, 101, 103), (1100, 40, 1500), (20, 2500, 30), (2049, 1, 7)] {
            let (a, b) = (random::<f64>(&hama, "a", (m, k)), random::<f64>(&hama, "b", (k, n)));
            check(&a.mult(&b).unwrap(), (&a, &b), &path);
        }
        let a = random::<f32>(&hama, "f", (1300, 60));
        // Half of the tiles are mirrored.
        check(&a.mult(&a.t()).unwrap(), (&a, &a.t()), &path);
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn what_fails_leaves_no_file_and_what_was_there() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("c.npy");
    let hama = hama(2, TransportKind::Memory);
    let a = random::<f64>(&hama, "a", (30, 30));
    let product = a.mult(&a).unwrap();
    fs::write(&path, "thesis").unwrap();
    assert_eq!(new_file(&path, false).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(new_file(&place.path().join("no/c.npy"), false).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(new_file(place.path(), true).unwrap_err().kind(), ErrorKind::Invalid);
    let new = new_file(&path, true).unwrap();
    drop(product.run_plan_to_npy(product.plan().unwrap(), &new).unwrap());
    drop(new);
    assert_eq!(fs::read(&path).unwrap(), b"thesis");
    // Somebody makes it while it is computed.
    let late = place.path().join("late.npy");
    let new = new_file(&late, false).unwrap();
    product.run_plan_to_npy(product.plan().unwrap(), &new).unwrap();
    fs::write(&late, "first").unwrap();
    assert_eq!(new.publish().unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(fs::read(&late).unwrap(), b"first");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "nothing temporary is left");
}

#[test]
fn a_cancelled_product_and_one_without_room_have_no_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("c.npy");
    let cancel = Cancel::new();
    let store = fresh("memory");
    let hama = Hama::builder().store(&store).peers(2).memory(1 << 30).cancel(cancel.clone()).build().unwrap();
    let a = random::<f64>(&hama, "a", (50, 50));
    let product = a.mult(&a).unwrap();
    let new = new_file(&path, false).unwrap();
    assert_eq!(new.check_room(1 << 62).unwrap_err().kind(), ErrorKind::OutOfSpace);
    cancel.cancel();
    let ended = product.run_plan_to_npy(product.plan().unwrap(), &new).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Cancelled);
    drop(new);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    assert_eq!(open_file(&hama, &path).unwrap_err().kind(), ErrorKind::NotFound);
}
