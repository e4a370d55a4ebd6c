//! The kernel over tiles in memory: flop a second on one thread and on two, f64 and f32.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hama::measure::multiply_in_memory;
use hama::{Cancel, Scalar};

fn kernel(criterion: &mut Criterion) {
    square::<f64>(criterion, "kernel/f64");
    square::<f32>(criterion, "kernel/f32");
}

fn square<T: Scalar>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for n in [500, 1000, 2000] {
        for threads in [1, 2] {
            group.throughput(Throughput::Elements(2 * (n as u64).pow(3)));
            group.bench_function(format!("{n}/{threads} threads"), |bencher| {
                bencher.iter_custom(|count| {
                    let once = || multiply_in_memory::<T>(black_box(n), threads, &Cancel::new());
                    (0..count).map(|_| once().expect("the matrices fit")).sum::<Duration>()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
