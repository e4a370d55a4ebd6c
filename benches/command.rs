//! Whole commands, from their start to their end: what a person waits for beside the work.

use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

fn run(store: &str, arguments: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hama"));
    command.args(arguments.split(' ')).env("HAMA_STORE", store).stdout(Stdio::null());
    // Plans by what everybody begins with, not by what the user's own `hama bench probe` has stored.
    command.env("HAMA_PROBE", Path::new(store).join("no-probe.json"));
    assert!(command.status().expect("the command starts").success(), "hama {arguments} succeeds");
}

fn commands(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().display().to_string();
    run(&store, "matrix random a --rows 100 --cols 100 --quiet");
    run(&store, "matrix random b --rows 100 --cols 100 --quiet");
    let mut group = criterion.benchmark_group("command");
    group.sample_size(20);
    group.bench_function("version", |bencher| bencher.iter(|| run(&store, "--version")));
    group.bench_function("multiply 100 x 100", |bencher| {
        bencher.iter(|| run(&store, "matrix multiply a b --output c --replace --quiet"));
    });
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
