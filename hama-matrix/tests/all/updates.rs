//! Updates of elements, placed copies, labels and older versions, against an array in memory.

use hama_core::{ErrorKind, TransportKind};
use hama_hdfs::{Dimension, Labels};
use hama_matrix::{Copied, DenseMatrix, Hama, Seed, open_any, replace};
use ndarray::{Array2, s};

use crate::fixture::{check_product, fresh, hama, on};

/// A store in memory, and one in a directory, where shards are shared by links.
fn stores(directory: &tempfile::TempDir) -> [Hama; 2] {
    let url = format!("file:{}", directory.path().display());
    [hama(2, TransportKind::Memory), on(&url, 3, TransportKind::Memory)]
}

fn counted(rows: usize, cols: usize, from: f64) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(row, col)| from + (row * cols + col) as f64)
}

#[test]
fn regions_of_every_kind_are_updated() {
    let directory = tempfile::tempdir().unwrap();
    for hama in stores(&directory) {
        let mut model = counted(1100, 2100, 0.0);
        let mut matrix = DenseMatrix::from_array(&hama, "a", model.view()).unwrap();
        let regions = [
            (0, 0, 1, 1),
            (1099, 2099, 1, 1),
            (500, 700, 200, 900),
            (0, 0, 1100, 2100),
            (7, 0, 1, 2100),
            (0, 1040, 1100, 1),
        ];
        for (index, (row, col, height, width)) in regions.into_iter().enumerate() {
            let values = counted(height, width, -1e6 * (index + 1) as f64);
            model.slice_mut(s![row..row + height, col..col + width]).assign(&values);
            let (rows, cols) = (row as u64..(row + height) as u64, col as u64..(col + width) as u64);
            // Every second one through the transpose.
            matrix = match index % 2 {
                0 => matrix.update(rows, cols, values.view()).unwrap(),
                _ => matrix.t().update(cols, rows, values.t()).unwrap().t(),
            };
            assert_eq!(matrix.to_ndarray().unwrap(), model, "region {index}");
            assert_eq!(matrix.table().unwrap().version(), index as u64 + 2);
        }
        let first = DenseMatrix::<f64>::open(&hama, "a@1").unwrap();
        assert_eq!(first.to_ndarray().unwrap(), counted(1100, 2100, 0.0));
        assert_eq!(open_any(&hama, "a@2").unwrap().table().unwrap().version(), 2);
        assert!(matrix.table().unwrap().check(&|_| {}, hama.cancel()).unwrap().faults.is_empty());
        let last = matrix.set(3, 4, f64::INFINITY).unwrap();
        assert_eq!(last.read(3..4, 4..5).unwrap()[[0, 0]], f64::INFINITY);
        assert_eq!(matrix.read(3..4, 4..5).unwrap()[[0, 0]], model[[3, 4]], "what was opened stays");
        drop((matrix, last));
        let restored = first.restore().unwrap();
        assert_eq!(restored.to_ndarray().unwrap(), counted(1100, 2100, 0.0));
    }
}

#[test]
fn a_matrix_is_updated_with_another() {
    let hama = hama(2, TransportKind::Memory);
    let mut model = Array2::zeros((1500, 1300));
    let matrix = DenseMatrix::<f64>::zeros(&hama, "a", (1500, 1300)).unwrap();
    let other = DenseMatrix::<f64>::random(&hama, "b", (1100, 1200), Seed(7)).unwrap();
    let matrix = matrix.update_from((300, 90), &other).unwrap();
    model.slice_mut(s![300..1400, 90..1290]).assign(&other.to_ndarray().unwrap());
    let matrix = matrix.update_from((0, 0), &other.t()).unwrap();
    model.slice_mut(s![..1200, ..1100]).assign(&other.t().to_ndarray().unwrap());
    assert_eq!(matrix.to_ndarray().unwrap(), model);
    // Into itself, as it was.
    let matrix = matrix.update_from((0, 0), &matrix).unwrap();
    assert_eq!(matrix.to_ndarray().unwrap(), model);
}

#[test]
fn updates_that_cannot_be_are_refused_and_change_nothing() {
    let hama = hama(1, TransportKind::Memory);
    let matrix = DenseMatrix::<f32>::random(&hama, "a", (5, 7), Seed(1)).unwrap();
    let two = Array2::<f32>::zeros((2, 2));
    let empty = 2..2;
    for (rows, cols, kind) in [
        (4..6, 0..2, ErrorKind::Invalid),
        (0..2, 6..8, ErrorKind::Invalid),
        (0..2, 0..1, ErrorKind::Invalid),
        (empty, 0..2, ErrorKind::Invalid),
        (u64::MAX - 2..u64::MAX, 0..2, ErrorKind::Invalid),
    ] {
        let error = matrix.update(rows, cols, two.view()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert!(matrix.set(5, 0, 1.0).unwrap_err().to_string().contains("rows 5..6 of a: it has 5"));
    assert!(matrix.set(u64::MAX, u64::MAX, 1.0).is_err());
    assert_eq!(matrix.attributes()["seed"], 1);
    let updated = matrix.set(0, 0, 1.0).unwrap();
    assert!(updated.attributes().is_empty(), "they are no longer the numbers of that seed");
    assert_eq!(matrix.set(0, 0, 2.0).unwrap_err().kind(), ErrorKind::Conflict, "it is no longer the latest");
    assert_eq!(DenseMatrix::<f32>::open(&hama, "a@7").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(DenseMatrix::<f32>::open(&hama, "a@x").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(updated.restore().unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_placed_copy_follows_its_matrix_and_products_read_it() {
    for peers in [1, 2, 3, 7] {
        let hama = on(&fresh("memory"), peers, TransportKind::Memory);
        let a = DenseMatrix::<f64>::random(&hama, "a", (4000, 30), Seed(1)).unwrap();
        let b = DenseMatrix::<f64>::random(&hama, "b", (30, 20), Seed(2)).unwrap();
        assert_eq!(a.copy().unwrap_err().kind(), ErrorKind::Invalid, "it has no blocks");
        let (a, copied) = a.blocking_with_copy(4).unwrap();
        assert_eq!((copied.shards, copied.of, a.blocks()), (4, 4, Some((4, 4))));
        assert!(copied.bytes >= 4000 * 30 * 8, "{copied:?}");
        assert_eq!(a.copy().unwrap().1, Copied { shards: 0, of: 4, bytes: 0 });
        let run = |a: &DenseMatrix<f64>| a.mult(&b).unwrap().run(replace("c")).unwrap();
        let finished = run(&a);
        assert_eq!(finished.copied, [4, 0].map(|of| Copied { shards: 0, of, bytes: 0 }));
        check_product(&a, &b, &finished.matrix, "through the copy");
        let a = a.update(1500..1600, 3..30, counted(100, 27, 1.0).view()).unwrap();
        assert_eq!(a.table().unwrap().stale_copy_shards().unwrap().unwrap().1, 4);
        let finished = run(&a);
        assert!(finished.copied[0].shards > 0, "the copy was out of date");
        check_product(&a, &b, &finished.matrix, "after the update");
        let latest = DenseMatrix::<f64>::open(&hama, "a").unwrap();
        assert_eq!(latest.table().unwrap().stale_copy_shards().unwrap(), Some((0, 4)));
        assert_eq!(
            run(&a).copied[0],
            Copied { shards: 0, of: 4, bytes: 0 },
            "the same handle uses it as well"
        );
        // Both operands are one matrix, whose copy is out of date.
        let a = a.set(0, 0, 5.0).unwrap();
        let finished = a.t().mult(&a).unwrap().run(replace("g")).unwrap();
        check_product(&a.t(), &a, &finished.matrix, "its own transpose");
        // An older version is read where it is.
        let old = DenseMatrix::<f64>::open(&hama, "a@3").unwrap();
        check_product(&old, &b, &run(&old).matrix, "an older version");
    }
}

#[test]
fn labels_and_attributes_go_with_the_matrix() {
    let directory = tempfile::tempdir().unwrap();
    for hama in stores(&directory) {
        let matrix = DenseMatrix::<f64>::ones(&hama, "a", (3, 2)).unwrap();
        let rows = Labels::of_lines(["x", "y", "z"].into_iter());
        let matrix = matrix.label(Dimension::Rows, Some(rows.clone())).unwrap();
        let matrix = matrix.t().label(Dimension::Rows, Some(Labels::Integers(vec![1, 2]))).unwrap();
        assert_eq!(matrix.labels(Dimension::Columns).unwrap(), Some(rows));
        let matrix = matrix.t().annotate([("unit".to_owned(), "m".into())].into()).unwrap();
        assert_eq!(matrix.labels(Dimension::Columns).unwrap(), Some(Labels::Integers(vec![1, 2])));
        assert_eq!(matrix.attributes()["unit"], "m");
        let wrong = matrix.label(Dimension::Columns, Some(Labels::Integers(vec![1])));
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(matrix.label(Dimension::Columns, None).unwrap().labels(Dimension::Columns).unwrap(), None);
    }
}
