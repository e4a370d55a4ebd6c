//! Products from file to file, and the planner: flop a second, and plans a second.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hama::plan::{Rates, Resources, plan};
use hama::table::{ElementType, Extent};
use hama::{DenseMatrix, Hama, KernelId, Problem, Seed, replace};

fn file_to_file(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = format!("file:{}", directory.path().display());
    let hama = Hama::builder().store(store).build().expect("a store");
    let mut group = criterion.benchmark_group("multiply/f64");
    group.sample_size(10);
    for n in [100, 1000, 2000] {
        let random = |name: &str, seed| {
            DenseMatrix::<f64>::random(&hama, replace(name), (n, n), Seed(seed)).expect("a matrix")
        };
        let product = random("a", 1).mult(&random("b", 2)).expect("shapes that match");
        group.throughput(Throughput::Elements(2 * n.pow(3)));
        group.bench_function(n.to_string(), |bencher| {
            bencher.iter_batched(
                || replace("c"),
                |name| product.save(name).expect("a product"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn planner(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.throughput(Throughput::Elements(1));
    for peers in [2, 64, 1000] {
        let extent = Extent { rows: 100_000, cols: 100_000 };
        let problem = Problem::new(ElementType::F64, (extent, false), (extent, false)).expect("a product");
        let resources = Resources {
            peers,
            hosts: peers.div_ceil(16),
            by_reference: true,
            memory_bytes: peers << 30,
            rates: Rates::default(),
            kernel: KernelId::Avx2,
            grid: None,
        };
        group.bench_function(format!("{peers} peers"), |bencher| {
            bencher.iter(|| plan(problem, &resources).expect("a plan"));
        });
    }
    group.finish();
}

criterion_group!(benches, file_to_file, planner);
criterion_main!(benches);
