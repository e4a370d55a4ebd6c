//! Matrices made small enough to look at.

use hama_core::{ErrorKind, TransportKind};
use hama_matrix::{DenseMatrix, Hama, Magnitudes, Scalar, Seed};
use ndarray::Array2;

use crate::fixture::{fresh, hama};

/// The largest |x| of a cell, element by element. Cell i of n takes the elements from floor(i extent / n) on.
fn expected<T: Scalar>(array: &Array2<T>, (rows, cols): (usize, usize)) -> Array2<f64> {
    let (height, width) = array.dim();
    Array2::from_shape_fn((rows, cols), |(row, col)| {
        let region = array.slice(ndarray::s![
            row * height / rows..(row + 1) * height / rows,
            col * width / cols..(col + 1) * width / cols
        ]);
        let magnitudes: Vec<f64> = region.iter().map(|x| x.to_f64().abs()).collect();
        if magnitudes.iter().any(|x| x.is_nan()) {
            f64::NAN
        } else {
            magnitudes.into_iter().fold(0.0, f64::max)
        }
    })
}

fn check<T: Scalar>(matrix: &DenseMatrix<T>, cells: (u64, u64)) {
    let found = Magnitudes::of(matrix, cells).unwrap();
    let array = matrix.to_ndarray().unwrap();
    let (rows, cols) = (cells.0.min(array.nrows() as u64), cells.1.min(array.ncols() as u64));
    assert_eq!(found.shape(), (rows, cols));
    for ((row, col), expected) in expected(&array, (rows as usize, cols as usize)).indexed_iter() {
        let cell = found.cell(row as u64, col as u64);
        assert!(
            cell == *expected || cell.is_nan() && expected.is_nan(),
            "({row}, {col}): {cell}, {expected}"
        );
    }
    let finite = array.iter().map(|x| x.to_f64().abs()).filter(|x| x.is_finite());
    assert_eq!(found.largest, finite.fold(0.0, f64::max));
    assert_eq!(found.nans, array.iter().filter(|x| x.to_f64().is_nan()).count() as u64);
    assert_eq!(found.infinities, array.iter().filter(|x| x.to_f64().is_infinite()).count() as u64);
}

#[test]
fn cells_have_the_largest_magnitude_in_them() {
    let hama = hama(1, TransportKind::Memory);
    let a = DenseMatrix::<f64>::random_normal(&hama, "a", (1100, 2050), Seed(1)).unwrap();
    for cells in [(1, 1), (3, 7), (64, 64), (1100, 1), (1, 2050), (1099, 2049), (5000, 5000)] {
        check(&a, cells);
        check(&a.t(), cells);
    }
    let b = DenseMatrix::<f32>::random_normal(&hama, "b", (1, 3000), Seed(2)).unwrap();
    check(&b, (10, 10));
    check(&b.t(), (10, 10));
}

#[test]
fn what_is_not_finite_is_counted_and_seen() {
    let hama = hama(1, TransportKind::Memory);
    let mut array = Array2::from_elem((10, 1010), -2.0f64);
    for (at, value) in [
        ((0, 0), f64::NAN),
        ((0, 1), 7.0),
        ((9, 1009), f64::NEG_INFINITY),
        ((9, 999), f64::INFINITY),
        ((9, 1000), f64::NAN),
    ] {
        array[at] = value;
    }
    let matrix = DenseMatrix::from_array(&hama, "a", array.view()).unwrap();
    let found = Magnitudes::of(&matrix, (2, 3)).unwrap();
    assert_eq!((found.nans, found.infinities, found.largest), (2, 2, 7.0));
    assert!(found.cell(0, 0).is_nan() && found.cell(1, 2).is_nan());
    assert_eq!((found.cell(0, 1), found.cell(1, 1)), (2.0, 2.0));
    let found = Magnitudes::of(&matrix, (10, 1010)).unwrap();
    assert_eq!(
        (found.cell(9, 1009), found.cell(9, 999), found.cell(0, 1)),
        (f64::INFINITY, f64::INFINITY, 7.0)
    );
    let none = DenseMatrix::<f64>::full(&hama, "none", (3, 3), f64::NAN).unwrap();
    let found = Magnitudes::of(&none, (1, 1)).unwrap();
    assert_eq!((found.nans, found.largest), (9, 0.0));
}

#[test]
fn what_cannot_be_is_refused() {
    let url = fresh("memory");
    let small = |memory| Hama::builder().store(url.clone()).memory(memory).build().unwrap();
    let a = DenseMatrix::<f64>::zeros(&small(64 << 20), "a", (1000, 1000)).unwrap();
    for cells in [(0, 1), (1, 0)] {
        assert_eq!(Magnitudes::of(&a, cells).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let little = DenseMatrix::<f64>::open(&small(9 << 20), "a").unwrap();
    assert_eq!(Magnitudes::of(&little, (1000, 1000)).unwrap_err().kind(), ErrorKind::OutOfMemory);
    assert!(Magnitudes::of(&little, (10, 10)).is_ok());
    let less = DenseMatrix::<f64>::open(&small(1 << 20), "a").unwrap();
    assert_eq!(Magnitudes::of(&less, (10, 10)).unwrap_err().kind(), ErrorKind::OutOfMemory);
    a.hama().cancel().cancel();
    assert_eq!(Magnitudes::of(&a, (1, 1)).unwrap_err().kind(), ErrorKind::Cancelled);
}
