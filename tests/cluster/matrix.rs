//! Matrices on a cluster of processes: the results are those of one process, to the bit.

use hama::{ConnectOptions, DenseMatrix, ErrorKind, Grid, Hama, Seed, replace};

use crate::fleet::{Fit, Fleet};
use crate::{Test, one};

pub(crate) const TESTS: &[Test] = &[
    ("products_have_the_bits_of_one_process", products_have_the_bits_of_one_process),
    ("everything_else_runs_there_too", everything_else_runs_there_too),
    ("updates_checks_and_collections_run_there", updates_checks_and_collections_run_there),
    ("the_verbs_run_there", the_verbs_run_there),
    ("what_cannot_be_is_told", what_cannot_be_is_told),
];

const MIB: u64 = 1 << 20;

/// A matrix computer on the cluster, or in this process, with its tables in a folder that both reach.
fn hama(folder: &std::path::Path, master: Option<ConnectOptions>, peers: usize) -> Hama {
    let builder = Hama::builder()
        .store(format!("file:{}", folder.display()))
        .peers(peers)
        .memory(peers as u64 * 64 * MIB);
    match master {
        Some(master) => builder.master(master).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

fn bits(matrix: &DenseMatrix<f64>) -> Vec<u64> {
    matrix.to_ndarray().unwrap().iter().map(|element| element.to_bits()).collect()
}

fn products_have_the_bits_of_one_process() {
    let fleet = Fleet::start(&one().connect_string(), &Fit { slots: 4, ..Fit::default() });
    let folder = tempfile::tempdir().unwrap();
    for peers in [1, 2, 3, 7] {
        let here = hama(folder.path(), None, peers);
        let there = hama(folder.path(), Some(fleet.connect_options()), peers);
        for ((rows, inner, cols), grid) in [
            ((1100, 700, 1030), Grid { m: 1, n: 1, k: 1 }),
            ((1, 2500, 1), Grid { m: 1, n: 1, k: peers.min(2) as u64 }),
            ((2049, 1, 1), Grid { m: peers.min(3) as u64, n: 1, k: 1 }),
        ] {
            let a = DenseMatrix::<f64>::random(&there, replace("a"), (rows, inner), Seed(1)).unwrap();
            let same = DenseMatrix::<f64>::random(&here, replace("same"), (rows, inner), Seed(1)).unwrap();
            assert_eq!(bits(&a), bits(&same));
            let b = DenseMatrix::<f64>::random(&there, replace("b"), (inner, cols), Seed(2)).unwrap();
            let there_is = a.mult(&b).unwrap().grid(grid).save(replace("c")).unwrap();
            let b = b.in_hama(&here);
            let here_is = same.mult(&b).unwrap().grid(grid).save(replace("d")).unwrap();
            assert_eq!(bits(&there_is), bits(&here_is), "{rows} x {inner} x {cols} on {peers} peers");
        }
        // Whatever grid the cluster's plan has.
        let a = DenseMatrix::<f64>::random(&there, replace("a"), (2100, 1500), Seed(3)).unwrap();
        let c = a.t().mult(&a).unwrap().save(replace("c")).unwrap();
        let verified = hama::verify(&a.t(), &a, &c).unwrap();
        assert!(verified.passed, "{peers} peers");
    }
    fleet.is_clean();
}

fn everything_else_runs_there_too() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let folder = tempfile::tempdir().unwrap();
    let there = hama(folder.path(), Some(fleet.connect_options()), 3);
    let ones = DenseMatrix::<f32>::full(&there, "ones", (1500, 1100), 1.0).unwrap();
    assert!(ones.to_ndarray().unwrap().iter().all(|element| *element == 1.0));
    let (_, copied) = ones.blocking_with_copy(3).unwrap();
    assert!(copied.bytes > 0);
    let same = hama::diff(&ones, &ones.t().t(), hama::Tolerance::default()).unwrap();
    assert_eq!((same.compared, same.different), (1500 * 1100, 0));
    let updated = ones.update(3..4, 5..6, hama::ndarray::array![[7.0_f32]].view()).unwrap();
    assert_eq!(updated.read(3..4, 5..6).unwrap()[(0, 0)], 7.0);
    let programs: Vec<String> = fleet.cluster().jobs().unwrap().into_iter().map(|job| job.program).collect();
    assert!(programs.len() >= 3, "{programs:?}");
    fleet.is_clean();
}

/// The programs of the jobs that have ended, sorted.
fn programs(fleet: &Fleet) -> Vec<String> {
    let mut programs: Vec<String> =
        fleet.cluster().jobs().unwrap().into_iter().map(|job| job.program).collect();
    programs.sort();
    programs
}

/// Flips a bit of the first shard of the table's latest version.
fn damage(store: &std::path::Path, table: &str) {
    let path = store.join(table).join("current/values/c.0.0");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
}

fn updates_checks_and_collections_run_there() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let folder = tempfile::tempdir().unwrap();
    let there = hama(folder.path(), Some(fleet.connect_options()), 3);
    let here = hama(folder.path(), None, 3);
    // Two shards, and more in the copy.
    let random = |name: &str| DenseMatrix::<f64>::random(&here, name, (17_000, 1030), Seed(1)).unwrap();
    // What is open is not cleared.
    let (a, _) = random("a").blocking_with_copy(3).unwrap();
    let same = random("same");
    let part = DenseMatrix::<f64>::random(&here, "part", (700, 16_500), Seed(2)).unwrap();
    let updated = a.in_hama(&there).update_from((300, 330), &part.t()).unwrap();
    let expected = same.update_from((300, 330), &part.t()).unwrap();
    let crc = |matrix: &DenseMatrix<f64>| -> Vec<_> {
        matrix.table().unwrap().shards().iter().map(|record| record.tiles.clone()).collect()
    };
    assert_eq!(crc(&updated), crc(&expected));
    assert!(updated.table().unwrap().shards().iter().all(|record| record.host.name().starts_with('g')));
    let by_one = updated.table().unwrap().check(&|_| {}, &hama::Cancel::new()).unwrap();
    let by_peers = hama::check(&there, updated.table().unwrap()).unwrap();
    assert!(by_peers.faults.is_empty() && by_peers.unreachable.is_empty(), "{by_peers:?}");
    assert_eq!((by_peers.bytes, by_peers.tiles), (by_one.bytes, by_one.tiles));
    damage(folder.path(), "a");
    let table = hama::table::Table::open_ref(&updated.table().unwrap().to_ref()).unwrap();
    let (by_one, by_peers) =
        (table.check(&|_| {}, &hama::Cancel::new()).unwrap(), hama::check(&there, &table).unwrap());
    let said = |report: &hama::table::CheckReport| -> Vec<String> {
        report.faults.iter().map(ToString::to_string).collect()
    };
    assert_eq!((said(&by_peers), by_peers.faults.len()), (said(&by_one), 1));
    drop((a, updated, expected, same, part, table));
    let names = ["a", "part", "same"].map(|name| hama::table::TableName::new(name).unwrap());
    let collected = hama::collect(&there, &names, std::time::Duration::ZERO).unwrap();
    let versions: Vec<u64> = collected.iter().map(|(_, found)| found.as_ref().unwrap().versions).collect();
    assert_eq!(versions, [2, 0, 1]);
    assert_eq!(programs(&fleet), ["check", "check", "gc", "update"]);
    fleet.is_clean();
}

fn the_verbs_run_there() {
    let fleet = Fleet::start(&one().connect_string(), &Fit::default());
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hama"));
        command.current_dir(folder.path()).env("XDG_CONFIG_HOME", folder.path());
        command.env_remove("HAMA_TOKEN_FILE").env("HAMA_MASTER", fleet.address());
        command.env("HAMA_STORE", format!("file:{}/store", folder.path().display()));
        let output = command.args(line.split_whitespace()).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), out, err)
    };
    let ok = |line: &str| {
        let (code, out, err) = run(line);
        assert_eq!(code, Some(0), "hama {line}: {out}{err}");
        (out, err)
    };
    ok("matrix random a --rows 1100 --cols 900");
    ok("matrix random b --rows 300 --cols 200 --seed 2");
    ok("matrix export b b.npy");
    let before = programs(&fleet).len();
    for (line, said) in [
        ("matrix import b.npy c", "b.npy is imported from here"),
        ("matrix update a --at 0,0 ./b.npy", "a is updated from here"),
        ("matrix update a --at 3,4 --value 1.5", "one element is no job"),
    ] {
        let (_, err) = ok(line);
        assert!(
            err.lines().count() == 1 && err.contains(said) && err.contains(fleet.address()),
            "{line}: {err}"
        );
    }
    assert_eq!(programs(&fleet).len(), before, "{:?}", programs(&fleet));
    assert!(ok("matrix update a --at 100,200 b").0.contains("rows 100..400, columns 200..400 are new"));
    assert!(ok("matrix check a").0.contains("a: sound"));
    assert!(ok("matrix gc --older-than 0s").0.contains("3 names: cleared 3 old versions"));
    let mut jobs = programs(&fleet);
    jobs.retain(|program| program != "fill");
    assert_eq!(jobs, ["check", "gc", "update"]);
    damage(&folder.path().join("store"), "a");
    let (code, _, err) = run("matrix check a");
    assert!(
        code == Some(5) && err.contains("a is damaged, 1 fault: ") && err.contains("c.0.0"),
        "{code:?} {err}"
    );
    let (code, _, err) = run("matrix check a --store ./store");
    assert!(code == Some(2) && err.contains("is relative"), "{code:?} {err}");
    for line in ["matrix check a", "matrix gc", "matrix update a --at 0,0 b"] {
        let (code, _, err) = run(&format!("{line} --master 127.0.0.1:1"));
        assert!(code == Some(4) && err.contains("127.0.0.1:1"), "{line}: {code:?} {err}");
    }
    fleet.is_clean();
}

fn what_cannot_be_is_told() {
    let fleet = Fleet::start(&one().connect_string(), &Fit { grooms: 1, ..Fit::default() });
    let memory = Hama::builder().store("memory:a").master(fleet.connect_options()).build().unwrap_err();
    assert_eq!(memory.kind(), ErrorKind::Invalid, "{memory}");
    let relative = Hama::builder().store("file:./a").master(fleet.connect_options()).build().unwrap_err();
    assert_eq!(relative.kind(), ErrorKind::Invalid, "{relative}");
    let nobody = Hama::builder().store("file:/tmp").master(ConnectOptions::new("127.0.0.1:9")).build();
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Unavailable);
}
