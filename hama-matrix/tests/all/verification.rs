//! Freivalds' test: what is right passes, what lacks a single tile does not.

use hama_core::TransportKind;
use hama_matrix::{DenseMatrix, Hama, Scalar, Seed, Verification, replace, verify};
use ndarray::{Array2, s};

use crate::fixture::{TRANSPORTS, hama};

struct Case<T> {
    hama: Hama,
    a: DenseMatrix<T>,
    b: DenseMatrix<T>,
    c: Array2<T>,
}

fn case<T: Scalar>(m: u64, k: u64, n: u64, transport: TransportKind) -> Case<T> {
    let hama = hama(3, transport);
    let a = DenseMatrix::<T>::random(&hama, "a", (m, k), Seed(1)).unwrap();
    let b = DenseMatrix::<T>::random(&hama, "b", (k, n), Seed(2)).unwrap();
    let c = a.mult(&b).unwrap().save("c").unwrap().to_ndarray().unwrap();
    Case { hama, a, b, c }
}

impl<T: Scalar> Case<T> {
    fn verify(&self, c: &Array2<T>) -> Verification {
        let c = DenseMatrix::from_array(&self.hama, replace("changed"), c.view()).unwrap();
        verify(&self.a, &self.b, &c).unwrap()
    }
}

/// Takes one product of two tiles out of C, as if a message had been lost.
fn without_one_tile_product<T: Scalar + std::ops::SubAssign>(case: &Case<T>) -> Array2<T> {
    let tile = |matrix: &DenseMatrix<T>, rows: std::ops::Range<u64>, cols: std::ops::Range<u64>| {
        matrix.read(rows, cols).unwrap().mapv(T::to_f64)
    };
    let (rows, inner, cols) = (0..600, 528..1056, 0..528);
    let lost = tile(&case.a, rows.clone(), inner.clone()).dot(&tile(&case.b, inner, cols.clone()));
    let mut c = case.c.clone();
    c.slice_mut(s![..600, ..528]).zip_mut_with(&lost, |c, &lost| *c -= T::from_f64(lost));
    c
}

#[test]
fn a_right_product_passes_and_one_that_lacks_a_tile_product_does_not() {
    fn check<T: Scalar + std::ops::SubAssign>(transport: TransportKind) {
        let case = case::<T>(600, 1056, 1056, transport);
        let right = case.verify(&case.c);
        assert!(right.passed && right.worst < 0.5 && right.non_finite == 0, "{right}");
        assert_eq!(right.compared, 1200);
        let lost = case.verify(&without_one_tile_product(&case));
        assert!(!lost.passed && lost.worst > 1.0, "{lost}");
        assert_eq!(lost.first_wrong.unwrap().1, 0, "the column of tiles is named");
        assert!(lost.wrong > 500, "nearly every row of the tile shows it: {lost}");
    }
    for transport in TRANSPORTS {
        check::<f64>(transport);
        check::<f32>(transport);
    }
}

#[test]
fn swapped_tiles_are_noticed() {
    let case = case::<f64>(1100, 300, 1100, TransportKind::Memory);
    let mut c = case.c.clone();
    let (left, mut right) = c.multi_slice_mut((s![..552, ..552], s![..552, 552..1100]));
    let mut left = left.split_at(ndarray::Axis(1), 548).0;
    let copy = left.to_owned();
    left.assign(&right);
    right.assign(&copy);
    assert!(!case.verify(&c).passed);
}

#[test]
fn rows_that_are_not_finite_agree_where_both_sides_are_not() {
    let mut case = case::<f64>(40, 30, 20, TransportKind::Memory);
    let mut a = case.a.to_ndarray().unwrap();
    a[[5, 6]] = f64::NAN;
    a[[7, 8]] = f64::INFINITY;
    case.a = DenseMatrix::from_array(&case.hama, "odd", a.view()).unwrap();
    let c = case.a.mult(&case.b).unwrap().save("odd-c").unwrap().to_ndarray().unwrap();
    let right = case.verify(&c);
    assert!(right.passed);
    assert_eq!((right.compared, right.non_finite), (38, 2));
    // A NaN that comes from nowhere, and one that is lost.
    let mut from_nowhere = c.clone();
    from_nowhere[[0, 0]] = f64::NAN;
    assert!(!case.verify(&from_nowhere).passed);
    let lost = case.verify(&case.c);
    assert_eq!((lost.passed, lost.wrong), (false, 2));
}

#[test]
fn products_that_overflow_are_said_to_be_uncertain_and_not_wrong() {
    let hama = hama(2, TransportKind::Memory);
    let huge = Array2::from_elem((30, 30), 1e200);
    let a = DenseMatrix::from_array(&hama, "a", huge.view()).unwrap();
    let c = a.mult(&a).unwrap().save("c").unwrap();
    let found = verify(&a, &a, &c).unwrap();
    assert!(!found.passed && found.compared == 0 && found.unchecked == 30 && found.wrong == 0, "{found}");
    assert!(found.to_string().contains("no sum that can be checked"), "{found}");
    // One huge element leaves the other rows to be checked, wrong ones too.
    let mut mixed = Array2::from_elem((30, 30), 1.0);
    mixed[[3, 3]] = 1e300;
    let b = DenseMatrix::from_array(&hama, "b", Array2::<f64>::eye(30).view()).unwrap();
    let a = DenseMatrix::from_array(&hama, "mixed", mixed.view()).unwrap();
    assert!(verify(&a, &b, &a).unwrap().passed);
    mixed[[5, 5]] = 2.0;
    let wrong = DenseMatrix::from_array(&hama, "wrong", mixed.view()).unwrap();
    let found = verify(&a, &b, &wrong).unwrap();
    assert_eq!((found.wrong, found.first_wrong), (1, Some((5, 0))), "{found}");
}

#[test]
fn zeros_constants_and_tiny_numbers_pass() {
    let hama = hama(2, TransportKind::Memory);
    // Squares that underflow on one side, products that do not.
    let small =
        DenseMatrix::from_array(&hama, "small", Array2::from_elem((600, 600), 1.3e-170).view()).unwrap();
    let large =
        DenseMatrix::from_array(&hama, "large", Array2::from_elem((600, 600), 1.7e150).view()).unwrap();
    let c = small.mult(&large).unwrap().save("mixed").unwrap();
    let found = verify(&small, &large, &c).unwrap();
    assert!(found.passed && found.compared == 600, "{found}");
    for value in [0.0, 0.1, 1e-160, -3.0] {
        let array = Array2::from_elem((600, 600), value);
        let a = DenseMatrix::from_array(&hama, replace("a"), array.view()).unwrap();
        let c = a.mult(&a).unwrap().save(replace("c")).unwrap();
        let found = verify(&a, &a, &c).unwrap();
        assert!(found.passed, "{value}: {found}");
        let narrow = DenseMatrix::from_array(&hama, replace("n"), array.mapv(|x| x as f32).view()).unwrap();
        let c = narrow.mult(&narrow).unwrap().save(replace("nc")).unwrap();
        let found = verify(&narrow, &narrow, &c).unwrap();
        assert!(found.passed, "{value} as f32: {found}");
    }
}

#[test]
fn a_transposed_result_is_verified_as_it_is() {
    let case = case::<f64>(600, 300, 1100, TransportKind::Memory);
    let turned = DenseMatrix::from_array(&case.hama, "turned", case.c.t()).unwrap();
    assert!(verify(&case.a, &case.b, &turned.t()).unwrap().passed);
    assert!(verify(&case.a, &case.b, &turned).is_err());
}

#[test]
fn as_many_peers_verify_as_the_memory_allows() {
    let case = case::<f64>(3000, 3000, 1500, TransportKind::Memory);
    let with = |memory: u64| {
        let url = case.hama.store().url().to_string();
        let hama = Hama::builder().store(url).peers(64).memory(memory).build().unwrap();
        let open = |name| DenseMatrix::<f64>::open(&hama, name).unwrap();
        verify(&open("a"), &open("b"), &open("c"))
    };
    assert!(with(10 << 20).unwrap().passed);
    let refused = with(1 << 20).unwrap_err();
    assert_eq!(refused.kind(), hama_core::ErrorKind::OutOfMemory);
    assert!(
        refused.to_string().starts_with(
            "--memory 1MiB is too small to verify a product of 3000 x 3000 and 3000 x 1500: it needs"
        ),
        "{refused}"
    );
}
