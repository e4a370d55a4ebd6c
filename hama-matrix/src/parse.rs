//! For tests of this and other crates: every parser of files that people bring, and of what they type, each as a function
//! that takes any bytes.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use hama_core::ErrorKind;
use hama_hdfs::{ElementType, Extent};
use tempfile::TempDir;

use crate::any::AnyMatrix;
use crate::diff::{Tolerance, diff};
use crate::files::{self, ExportOptions, ImportOptions, Incoming};
use crate::hama::Hama;
use crate::plan::{Plan, Rates, Resources};
use crate::problem::Problem;
use crate::{format_bytes, parse_bytes, replace};

/// Steps of a plan beyond these are not looked at.
const STEPS_MAX: u64 = 200;
const PEERS_MAX: u64 = 16;
const SIZE_END: u64 = 1 << 62;
const MEMORY_BYTES: u64 = 64 << 20;
/// Larger matrices are not imported.
const ELEMENTS_MAX: u64 = 1 << 18;

/// A file to import, of the format that `suffix` says: what was imported is exported, imported again, and the same.
///
/// # Panics
/// When it is not, or an error is of a kind that says nothing of the file.
pub fn file(suffix: &str, bytes: &[u8]) {
    in_a_place(|folder, hama| {
        let (one, other) = (folder.join(format!("one{suffix}")), folder.join(format!("other{suffix}")));
        fs::write(&one, bytes).expect("a temporary file can be written");
        round_trip(hama, &one, &other);
    });
}

/// A `.npy` file, as [`file()`].
///
/// # Panics
/// As `file`.
pub fn npy(bytes: &[u8]) {
    file(".npy", bytes);
}

/// A `.npz` archive, as [`file()`].
///
/// # Panics
/// As `file`.
pub fn npz(bytes: &[u8]) {
    file(".npz", bytes);
}

/// A Matrix Market file, as [`file()`].
///
/// # Panics
/// As `file`.
pub fn market(bytes: &[u8]) {
    file(".mtx", bytes);
}

/// Numbers as text, as [`file()`].
///
/// # Panics
/// As `file`.
pub fn csv(bytes: &[u8]) {
    file(".csv", bytes);
}

/// The metadata of a Zarr array, version 3 or 2, whose chunks are all missing; else as [`file()`].
///
/// # Panics
/// As `file`.
pub fn zarr(bytes: &[u8]) {
    in_a_place(|folder, hama| {
        for (name, metadata) in [("three", "zarr.json"), ("two", ".zarray")] {
            let array = folder.join(format!("{name}.zarr"));
            fs::create_dir_all(&array).expect("a temporary folder can be made");
            fs::write(array.join(metadata), bytes).expect("a temporary file can be written");
            round_trip(hama, &array, &folder.join(format!("{name}.npy")));
        }
    });
}

/// A chunk of a Zarr array, as [`file()`]: the first byte says how it is packed.
///
/// # Panics
/// As `file`.
pub fn chunk(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let array = |codecs: &str| {
        format!(
            r#"{{"zarr_format":3,"node_type":"array","shape":[3,4],"data_type":"float64","chunk_grid":{{"name":"regular",
            "configuration":{{"chunk_shape":[3,4]}}}},"chunk_key_encoding":{{"name":"default","configuration":{{"separator":"."}}}},
            "fill_value":0.0,"codecs":[{codecs}],"attributes":{{}}}}"#
        )
    };
    let plain = r#"{"name":"bytes","configuration":{"endian":"little"}}"#;
    let checksum = r#"{"name":"crc32c"}"#;
    let gzip = r#"{"name":"gzip","configuration":{"level":5}}"#;
    let zstd = r#"{"name":"zstd","configuration":{"level":0,"checksum":false}}"#;
    let sharded = |place: &str| {
        format!(
            r#"{{"name":"sharding_indexed","configuration":{{"chunk_shape":[3,2],"codecs":[{plain},{zstd}],
            "index_codecs":[{plain},{checksum}],"index_location":"{place}"}}}}"#
        )
    };
    let codecs = [
        plain.to_owned(),
        format!("{plain},{checksum}"),
        format!("{plain},{gzip}"),
        format!("{plain},{zstd}"),
        sharded("start"),
        sharded("end"),
    ];
    let codecs = &codecs[usize::from(*kind) % codecs.len()];
    in_a_place(|folder, hama| {
        let path = folder.join("chunk.zarr");
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        fs::write(path.join("zarr.json"), array(codecs)).expect("a temporary file can be written");
        fs::write(path.join("c.0.0"), bytes).expect("a temporary file can be written");
        round_trip(hama, &path, &folder.join("chunk.npy"));
    });
}

fn round_trip(hama: &Hama, one: &Path, other: &Path) {
    let imported = Incoming::open(one, &ImportOptions::default()).and_then(|incoming| {
        // A short file may mean a matrix of any size.
        let small = incoming.known_shape().is_none_or(|shape| shape.count() <= Some(ELEMENTS_MAX));
        small.then(|| incoming.save(hama, replace("one"))).transpose()
    });
    let matrix = match imported {
        Ok(Some(matrix)) => matrix,
        Ok(None) => return,
        Err(e) => {
            let told = [ErrorKind::Data, ErrorKind::Invalid, ErrorKind::OutOfMemory, ErrorKind::NotFound];
            assert!(told.contains(&e.kind()), "{e}");
            return;
        }
    };
    let options = ExportOptions { replace: true, ..ExportOptions::default() };
    files::export(&matrix, other, &options).expect("what was imported can be exported");
    let again = ImportOptions { element: Some(matrix.element()), ..ImportOptions::default() };
    let again = files::import(hama, other, replace("other"), &again);
    let difference = match (&matrix, &again.expect("what was exported can be imported")) {
        (AnyMatrix::F64(one), AnyMatrix::F64(other)) => diff(one, other, Tolerance::default()),
        (AnyMatrix::F32(one), AnyMatrix::F32(other)) => diff(one, other, Tolerance::default()),
        _ => unreachable!("an export has the type of the matrix"),
    };
    assert!(difference.is_ok_and(|difference| difference.different == 0), "elements changed");
}

/// Runs `run` with a folder and a store in memory of this thread.
fn in_a_place(run: impl FnOnce(&Path, &Hama)) {
    thread_local! {
        static PLACE: OnceCell<(TempDir, Hama)> = const { OnceCell::new() };
    }
    PLACE.with(|place| {
        let (folder, hama) = place.get_or_init(|| {
            // In memory where there is such a folder: what is exported waits for the disk.
            let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
            let folder = folder.expect("there is room for temporary files");
            let url = format!("memory:hama-testing-{}", std::process::id());
            let hama = Hama::builder().store(url).memory(MEMORY_BYTES).peers(1).build();
            (folder, hama.expect("a store in memory can be made"))
        });
        run(folder.path(), hama);
    });
}

/// A saved plan, as JSON: it is shown, and where it may run its steps are walked.
///
/// # Panics
/// When a step reaches outside of the matrices.
pub fn plan(bytes: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<Plan>(bytes) else { return };
    let _ = plan.to_string();
    let side = Extent { rows: 3000, cols: 3000 };
    let true_problem = Problem::new(ElementType::F64, (side, false), (side, false));
    let all = true_problem.into_iter().map(|problem| (problem, true)).chain([(plan.problem, false)]);
    for (problem, is_true) in all {
        if plan.check(&problem, 1 << 36, true).is_err() {
            continue;
        }
        let resources = Resources {
            peers: PEERS_MAX,
            hosts: 1,
            memory_bytes: 1 << 36,
            by_reference: true,
            rates: Rates::default(),
            kernel: plan.kernel,
            grid: None,
        };
        // What a plan is of is known from the matrices by then, and that there are such.
        if is_true {
            let again = plan.again(&problem, &resources);
            assert!(again.is_ok_and(|again| again.grid == plan.grid), "a plan that may run is made again");
        }
        let tiles = problem.tiles();
        for peer in (0..plan.grid.peer_count()).take(PEERS_MAX as usize) {
            for step in (0..plan.step_count()).take(STEPS_MAX as usize) {
                let work = plan.work(peer, plan.step(step));
                let within =
                    work.rows.end <= tiles.m && work.cols.end <= tiles.n && work.inner.end <= tiles.k;
                assert!(within, "peer {peer} works outside in step {step}: {work:?}");
                let _ = plan.needs(peer, plan.step(step));
            }
        }
    }
}

/// A size as it is typed, such as `1.5GiB`; of larger ones the rounded form may be more than can be typed.
///
/// # Panics
/// When it is printed as less than it is.
pub fn size(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(size @ ..SIZE_END) = parse_bytes(text) else { return };
    let printed = format_bytes(size);
    let again = parse_bytes(&printed);
    assert!(again.is_ok_and(|again| again >= size), "{text:?} is printed as {printed}");
}
