//! Matrices: making, opening, reading, blocking, transposing.

use hama_core::{ErrorKind, TransportKind};
use hama_matrix::{AnyMatrix, Apart, DenseMatrix, Grid, Hama, Seed, Tolerance, diff, open_any, replace};
use ndarray::{Array2, s};

use crate::fixture::{TRANSPORTS, check_product, hama};

fn numbered(rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(row, col)| (row * 10_000 + col) as f64)
}

fn local() -> Hama {
    hama(2, TransportKind::Memory)
}

#[test]
fn arrays_go_in_and_come_out() {
    let hama = local();
    for (rows, cols) in [(1, 1), (1, 3000), (3000, 1), (1025, 1030), (7, 11)] {
        let array = numbered(rows, cols);
        let matrix = DenseMatrix::from_array(&hama, replace("m"), array.view()).unwrap();
        assert_eq!(matrix.to_ndarray().unwrap(), array);
        assert_eq!(matrix.t().to_ndarray().unwrap(), array.t());
        // A view that is not contiguous.
        let back = DenseMatrix::from_array(&hama, replace("m"), array.t()).unwrap();
        assert_eq!(back.to_ndarray().unwrap(), array.t());
    }
}

#[test]
fn any_region_is_read() {
    let hama = local();
    let array = numbered(1100, 2100);
    let matrix = DenseMatrix::from_array(&hama, "m", array.view()).unwrap();
    for (rows, cols) in
        [(0..1, 0..1), (5..5, 3..9), (1090..1100, 0..2100), (500..700, 1000..1100), (0..1100, 2099..2100)]
    {
        let region = matrix.read(rows.clone(), cols.clone()).unwrap();
        let (r, c) = (rows.start as usize..rows.end as usize, cols.start as usize..cols.end as usize);
        assert_eq!(region, array.slice(s![r.clone(), c.clone()]));
        assert_eq!(matrix.t().read(cols, rows).unwrap(), array.slice(s![r, c]).t());
    }
}

#[test]
fn zeros_and_identity_are_what_they_say() {
    let hama = local();
    let zeros = DenseMatrix::<f32>::zeros(&hama, "zeros", (3, 1500)).unwrap();
    assert!(zeros.to_ndarray().unwrap().iter().all(|&x| x == 0.0));
    let identity = DenseMatrix::<f64>::identity(&hama, "identity", 1500).unwrap();
    assert_eq!(identity.to_ndarray().unwrap(), Array2::<f64>::eye(1500));
    let a = DenseMatrix::<f64>::random(&hama, "a", (1500, 1500), Seed(5)).unwrap();
    let same = a.mult(&identity).unwrap().save("same").unwrap();
    assert_eq!(same.to_ndarray().unwrap(), a.to_ndarray().unwrap());
}

#[test]
fn a_random_matrix_depends_on_its_seed_alone() {
    let array = |peers, shape, seed| {
        let hama = hama(peers, TransportKind::Memory);
        DenseMatrix::<f64>::random(&hama, "a", shape, Seed(seed)).unwrap().to_ndarray().unwrap()
    };
    let large = array(1, (2500, 1800), 9);
    assert_eq!(large, array(7, (2500, 1800), 9));
    // An element does not depend on the shape that it is in.
    assert_eq!(large.slice(s![..1200, ..700]), array(2, (1200, 700), 9));
    assert_ne!(large, array(1, (2500, 1800), 10));
}

#[test]
fn transposed_operands_give_the_same_product() {
    for transport in TRANSPORTS {
        let hama = hama(3, transport);
        let a = DenseMatrix::<f64>::random(&hama, "a", (1100, 70), Seed(1)).unwrap();
        let b = DenseMatrix::<f64>::random(&hama, "b", (1200, 1100), Seed(2)).unwrap();
        let c = a.t().mult(&b.t()).unwrap().save("c").unwrap();
        check_product(&a.t(), &b.t(), &c, "both transposed");
        let d = b.mult(&a).unwrap().save("d").unwrap();
        // C = A' B' = (B A)'.
        check_product(&b, &a, &d, "none transposed");
        let gram = a.t().mult(&a).unwrap().save("gram").unwrap();
        check_product(&a.t(), &a, &gram, "gram");
        let outer = a.mult(&a.t()).unwrap().save("outer").unwrap();
        check_product(&a, &a.t(), &outer, "outer");
    }
}

#[test]
fn blocking_is_a_grid_that_moves_no_byte() {
    let hama = local();
    let a = DenseMatrix::<f64>::random(&hama, "a", (1100, 900), Seed(1)).unwrap();
    let b = DenseMatrix::<f64>::random(&hama, "b", (900, 1300), Seed(2)).unwrap();
    let plain = a.mult(&b).unwrap().save("plain").unwrap();
    let generation = a.table().unwrap().generation();
    let (a, b) = (a.blocking(4).unwrap(), b.blocking(7).unwrap());
    assert_eq!(a.table().unwrap().generation(), generation);
    assert_eq!(a.blocks(), Some((4, 4)));
    assert_eq!(a.block(3, 1).unwrap(), a.read(825..1100, 225..450).unwrap());
    assert_eq!(a.t().block(1, 3).unwrap(), a.block(3, 1).unwrap().t());
    let blocked = a.mult(&b).unwrap().save("blocked").unwrap();
    assert_eq!(blocked.blocks(), Some((4, 7)));
    assert_eq!(plain.to_ndarray().unwrap(), blocked.to_ndarray().unwrap());
    let whole = DenseMatrix::<f64>::random(&hama, "whole", (900, 1300), Seed(2)).unwrap();
    let half = a.mult(&whole).unwrap().save("half").unwrap();
    assert_eq!(half.blocks(), None);
    assert_eq!(plain.to_ndarray().unwrap(), half.to_ndarray().unwrap());
    // It stays.
    assert_eq!(DenseMatrix::<f64>::open(&hama, "a").unwrap().blocks(), Some((4, 4)));
    let reason = |n| a.blocking(n).unwrap_err().kind();
    assert_eq!((reason(0), reason(901)), (ErrorKind::Invalid, ErrorKind::Invalid));
    assert!(a.block(4, 0).unwrap_err().to_string().contains("no block (4, 0)"));
    assert!(plain.block(0, 0).unwrap_err().to_string().contains("not blocked"));
}

#[test]
fn a_result_may_replace_its_own_operand() {
    let hama = local();
    let a = DenseMatrix::<f64>::random(&hama, "a", (300, 300), Seed(1)).unwrap();
    let before = a.to_ndarray().unwrap();
    let square = a.mult(&a).unwrap().save(replace("a")).unwrap();
    // The open matrix still is what it was.
    assert_eq!(a.to_ndarray().unwrap(), before);
    check_product(&a, &a, &square, "square");
    assert_eq!(
        DenseMatrix::<f64>::open(&hama, "a").unwrap().to_ndarray().unwrap(),
        square.to_ndarray().unwrap()
    );
}

#[test]
fn a_matrix_is_opened_as_what_it_is() {
    let hama = local();
    DenseMatrix::<f32>::zeros(&hama, "narrow", (2, 2)).unwrap();
    assert!(matches!(open_any(&hama, "narrow").unwrap(), AnyMatrix::F32(_)));
    let error = DenseMatrix::<f64>::open(&hama, "narrow").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "cannot open narrow as f64: its elements are f32");
}

#[test]
fn not_a_number_and_infinities_go_through_as_in_blas() {
    for (transport, grid) in [(TransportKind::Memory, "2x1x1"), (TransportKind::Framed, "1x1x2")] {
        not_finite(&hama(3, transport), grid.parse().unwrap());
    }
}

fn not_finite(hama: &Hama, grid: Grid) {
    let mut a = numbered(1100, 1200);
    let mut b = Array2::<f64>::ones((1200, 1050));
    a[[7, 9]] = f64::NAN;
    a[[1050, 3]] = f64::INFINITY;
    b[[11, 1040]] = f64::NEG_INFINITY;
    b[[3, 5]] = 0.0;
    let am = DenseMatrix::from_array(hama, "a", a.view()).unwrap();
    let bm = DenseMatrix::from_array(hama, "b", b.view()).unwrap();
    let c = am.mult(&bm).unwrap().grid(grid).save("c").unwrap().to_ndarray().unwrap();
    let expected = a.dot(&b);
    for (at, (c, expected)) in c.indexed_iter().zip(&expected).map(|((at, c), e)| (at, (c, e))) {
        assert_eq!(c.is_nan(), expected.is_nan(), "{at:?}");
        assert!(!expected.is_infinite() || c == expected, "{at:?}");
    }
    assert!(c[[1050, 5]].is_nan() && c[[0, 1040]] == f64::NEG_INFINITY);
}

#[test]
fn a_single_other_element_is_found_wherever_it_is() {
    for peers in [1, 2, 3, 7] {
        let hama = hama(peers, TransportKind::Memory);
        for (rows, cols) in [(1, 1), (1, 3000), (3000, 1), (1025, 1030)] {
            let array = numbered(rows, cols);
            let a = DenseMatrix::from_array(&hama, replace("a"), array.view()).unwrap();
            for (row, col) in [(0, 0), (rows / 2, cols / 2), (rows - 1, cols - 1)] {
                let mut other = array.clone();
                other[(row, col)] += 0.5;
                let b = DenseMatrix::from_array(&hama, replace("b"), other.view()).unwrap();
                // The same matrix in a table that has it transposed.
                let bt = DenseMatrix::from_array(&hama, replace("bt"), other.t()).unwrap();
                let at = Apart {
                    by: 0.5,
                    row: row as u64,
                    col: col as u64,
                    a: array[(row, col)],
                    b: other[(row, col)],
                };
                for found in [diff(&a, &b, Tolerance::default()), diff(&a, &bt.t(), Tolerance::default())] {
                    let found = found.unwrap();
                    assert_eq!((found.compared, found.different), ((rows * cols) as u64, 1));
                    assert_eq!(found.absolute, Some(at), "{peers} peers, {rows} x {cols}");
                    assert_eq!(found.relative, Some(Apart { by: 0.5 / at.b, ..at }));
                }
                let mirrored = diff(&bt, &a.t(), Tolerance::default()).unwrap().absolute.unwrap();
                assert_eq!((mirrored.row, mirrored.col), (at.col, at.row));
                assert_eq!((mirrored.a, mirrored.b), (at.b, at.a));
            }
        }
    }
}

#[test]
fn matrices_of_both_types_are_compared_in_f64() {
    let hama = local();
    let array = numbered(30, 20).mapv(|value| value / 3.0);
    let a = DenseMatrix::from_array(&hama, "a", array.view()).unwrap();
    let rounded = array.mapv(|value| value as f32);
    let b = DenseMatrix::from_array(&hama, "b", rounded.view()).unwrap();
    let tolerance = Tolerance { absolute: 0.0, relative: f64::from(f32::EPSILON) / 2.0 };
    let different = |tolerance| diff(&a, &b, tolerance).unwrap().different;
    assert_eq!(different(tolerance), 0, "within half of the last place of f32");
    assert!(different(Tolerance::default()) > 300);
    let shape = DenseMatrix::<f32>::zeros(&hama, "shape", (20, 30)).unwrap();
    assert_eq!(diff(&a, &shape, tolerance).unwrap_err().kind(), ErrorKind::Invalid);
}
