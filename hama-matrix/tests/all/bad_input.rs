//! Calls that are wrong: a clear error, and nothing is lost.

use std::path::Path;

use hama_core::{Error, ErrorKind, TransportKind};
use hama_hdfs::{ElementType, Extent, OnExists, ShardWriter, TableName, TableSpec, TableWriter};
use hama_matrix::{DenseMatrix, Hama, Seed, replace};
use ndarray::Array2;

use crate::fixture::{fresh, hama};

fn kind_of<T>(result: Result<T, Error>) -> (ErrorKind, String) {
    let error = result.err().expect("it is an error");
    (error.kind(), error.to_string())
}

#[test]
fn shapes_and_names_that_cannot_be() {
    let hama = hama(2, TransportKind::Memory);
    for shape in [(0, 5), (5, 0), (u64::MAX, 2), (1 << 39, 1 << 39), (1 << 40, 1)] {
        assert_eq!(kind_of(DenseMatrix::<f64>::zeros(&hama, "a", shape)).0, ErrorKind::Invalid, "{shape:?}");
    }
    let long = "x".repeat(300);
    for name in ["", "a/b", "..", ".", "a@0", "a\0b", "a b", "ä", "-a", long.as_str()] {
        for result in [
            kind_of(DenseMatrix::<f64>::zeros(&hama, name, (2, 2))),
            kind_of(DenseMatrix::<f64>::zeros(&hama, replace(name), (2, 2))),
            kind_of(DenseMatrix::<f64>::open(&hama, name)),
        ] {
            assert_eq!(result.0, ErrorKind::Invalid, "{name}: {}", result.1);
        }
    }
    assert_eq!(
        kind_of(DenseMatrix::<f64>::from_array(&hama, "a", Array2::zeros((0, 3)).view())).0,
        ErrorKind::Invalid
    );
    assert!(hama_hdfs::list(hama.store().as_ref()).unwrap().is_empty());
}

#[test]
fn names_that_are_taken_or_missing() {
    let hama = hama(2, TransportKind::Memory);
    let a = DenseMatrix::<f64>::random(&hama, "a", (20, 30), Seed(1)).unwrap();
    let before = a.to_ndarray().unwrap();
    assert_eq!(kind_of(DenseMatrix::<f64>::zeros(&hama, "a", (2, 2))).0, ErrorKind::Exists);
    assert_eq!(kind_of(a.mult(&a.t()).unwrap().save("a")).0, ErrorKind::Exists);
    assert_eq!(DenseMatrix::<f64>::open(&hama, "a").unwrap().to_ndarray().unwrap(), before);
    let (kind, text) = kind_of(DenseMatrix::<f64>::open(&hama, "b"));
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(text.contains('b'), "{text}");
}

#[test]
fn products_that_cannot_be() {
    let hama = hama(2, TransportKind::Memory);
    let a = DenseMatrix::<f64>::random(&hama, "a", (20, 30), Seed(1)).unwrap();
    let (kind, text) = kind_of(a.mult(&a));
    assert_eq!(kind, ErrorKind::Invalid);
    assert_eq!(text, "cannot multiply a (20 x 30) by a (20 x 30): inner dimensions 30 and 20 differ");
    let (_, text) = kind_of(a.t().mult(&a.t()));
    assert!(text.contains("a transposed (30 x 20) by a transposed (30 x 20)"), "{text}");
    assert_eq!(kind_of(a.mult(&a.t()).unwrap().peers(0)).0, ErrorKind::Invalid);
    assert_eq!(kind_of(Hama::builder().store(fresh("memory")).peers(0).build()).0, ErrorKind::Invalid);
}

#[test]
fn memory_that_is_too_small() {
    let store = fresh("memory");
    let roomy = Hama::builder().store(&store).memory(1 << 30).peers(2).build().unwrap();
    DenseMatrix::<f64>::random(&roomy, "a", (2000, 2000), Seed(1)).unwrap();
    let tight = Hama::builder().store(&store).memory(20 << 20).peers(2).build().unwrap();
    let a = DenseMatrix::<f64>::open(&tight, "a").unwrap();
    let (kind, text) = kind_of(a.mult(&a).unwrap().save("c"));
    assert_eq!(kind, ErrorKind::OutOfMemory);
    assert!(text.contains("--memory 20MiB is too small for a (2000 x 2000) by a (2000 x 2000)"), "{text}");
    assert_eq!(kind_of(a.to_ndarray()).0, ErrorKind::OutOfMemory);
    let none = Hama::builder().store(&store).memory(1 << 10).build().unwrap();
    assert_eq!(kind_of(DenseMatrix::<f64>::zeros(&none, "z", (2000, 2000))).0, ErrorKind::OutOfMemory);
    assert_eq!(hama_hdfs::list(roomy.store().as_ref()).unwrap().len(), 1);
}

#[test]
fn regions_outside_of_the_matrix() {
    let hama = hama(1, TransportKind::Memory);
    let a = DenseMatrix::<f64>::zeros(&hama, "a", (20, 30)).unwrap();
    let backwards = std::ops::Range { start: 9, end: 3 };
    for (rows, cols) in
        [(0..21, 0..1), (0..1, 0..31), (backwards.clone(), 0..1), (0..1, backwards), (0..u64::MAX, 0..1)]
    {
        assert_eq!(kind_of(a.read(rows, cols)).0, ErrorKind::Invalid);
    }
}

/// Damages the only shard of a table on disk.
fn damage(directory: &Path, table: &str, how: impl Fn(&Path)) {
    let values = directory.join(table).join("current/values");
    let shards: Vec<_> = values.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    how(shards.iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with('c')).unwrap());
}

#[test]
fn damaged_operands_give_no_product() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("file:{}", directory.path().display());
    let hama = Hama::builder().store(&store).peers(2).memory(1 << 30).build().unwrap();
    type Damage = (&'static str, fn(&Path));
    let ways: [Damage; 3] = [
        ("flipped", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            bytes[1000] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("truncated", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("missing", |path| std::fs::remove_file(path).unwrap()),
    ];
    for (name, how) in ways {
        let a = DenseMatrix::<f64>::random(&hama, name, (700, 700), Seed(1)).unwrap();
        drop(a);
        damage(directory.path(), name, how);
        let a = DenseMatrix::<f64>::open(&hama, name).unwrap();
        let (kind, text) = kind_of(a.mult(&a).unwrap().save("c"));
        assert_eq!(kind, ErrorKind::Data, "{name}: {text}");
        assert!(text.contains(name) && text.contains("peer"), "{text}");
        assert_eq!(kind_of(DenseMatrix::<f64>::open(&hama, "c")).0, ErrorKind::NotFound);
    }
}

#[test]
fn a_cancelled_product_leaves_nothing() {
    let cancel = hama_core::Cancel::new();
    let hama = Hama::builder()
        .store(fresh("memory"))
        .peers(2)
        .memory(1 << 30)
        .cancel(cancel.clone())
        .build()
        .unwrap();
    let a = DenseMatrix::<f64>::random(&hama, "a", (3000, 3000), Seed(1)).unwrap();
    let progress = std::sync::Arc::clone(hama.progress());
    let before = progress.done();
    let thread = std::thread::spawn(move || {
        while progress.done() == before {
            std::thread::yield_now();
        }
        cancel.cancel();
    });
    assert_eq!(kind_of(a.mult(&a).unwrap().save("c")).0, ErrorKind::Cancelled);
    thread.join().unwrap();
    assert_eq!(hama_hdfs::list(hama.store().as_ref()).unwrap().len(), 1);
}

#[test]
fn tables_with_tiles_of_their_own_are_no_operands() {
    let hama = hama(1, TransportKind::Memory);
    let mut spec = TableSpec::new(Extent { rows: 64, cols: 64 }, ElementType::F64).unwrap();
    spec.tile = Extent { rows: 32, cols: 64 };
    let name = TableName::new("odd").unwrap();
    let writer = TableWriter::create(hama.store(), &name, spec.clone(), OnExists::Fail).unwrap();
    let mut records = Vec::new();
    for shard in spec.shards() {
        let mut file = ShardWriter::create(writer.target(), shard, hama.host()).unwrap();
        for tile in spec.tiles_of(shard) {
            file.write_tile(tile, &vec![0; spec.tile_bytes()]).unwrap();
        }
        records.push(file.finish().unwrap());
    }
    drop(writer.commit(records).unwrap());
    let odd = DenseMatrix::<f64>::open(&hama, "odd").unwrap();
    assert_eq!(odd.read(30..40, 0..64).unwrap(), Array2::<f64>::zeros((10, 64)));
    let (kind, text) = kind_of(odd.mult(&odd));
    assert_eq!(kind, ErrorKind::Invalid);
    assert_eq!(
        text,
        "cannot compute with odd: its tiles are 32 x 64, and those of a matrix of 64 x 64 are 64 x 64"
    );
    let good = DenseMatrix::<f64>::zeros(&hama, "good", (64, 64)).unwrap();
    assert_eq!(kind_of(hama_matrix::verify(&good, &good, &odd)).0, ErrorKind::Invalid);
}

#[test]
fn threads_that_share_a_hama_take_turns() {
    let hama = Hama::builder().store(fresh("memory")).peers(2).memory(70 << 20).build().unwrap();
    let a = DenseMatrix::<f64>::random(&hama, "a", (1500, 1500), Seed(1)).unwrap();
    std::thread::scope(|scope| {
        for name in ["c0", "c1", "c2"] {
            let a = &a;
            scope.spawn(move || a.mult(a).unwrap().save(name).unwrap());
        }
    });
    let bits = |name| DenseMatrix::<f64>::open(&hama, name).unwrap().to_ndarray().unwrap();
    assert_eq!(bits("c0"), bits("c1"));
    assert_eq!(bits("c0"), bits("c2"));
}
