//! The kernel over tiles in memory: flop a second on one thread and on two; and the packing that goes before it: bytes
//! a second on one thread, of A and of B, as they are stored and transposed. f64 and f32.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hama::measure::multiply_in_memory;
use hama::{Cancel, Operand, Scalar};
use hama_matrix::in_memory::pack_in_memory;

/// Of the tiles that are packed: eight of them are more than a cache holds.
const PACKED_EXTENT: usize = 1500;

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

fn packing(criterion: &mut Criterion) {
    pack::<f64>(criterion, "pack/f64");
    pack::<f32>(criterion, "pack/f32");
}

fn pack<T: Scalar>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.throughput(Throughput::Bytes((PACKED_EXTENT * PACKED_EXTENT * size_of::<T>()) as u64));
    for operand in [Operand::A, Operand::B] {
        for (transposed, form) in [(false, "as stored"), (true, "transposed")] {
            group.bench_function(format!("{operand:?} {form}"), |bencher| {
                bencher.iter_custom(|count| {
                    pack_in_memory::<T>(black_box(PACKED_EXTENT), operand, transposed, count as usize)
                        .expect("the tiles fit")
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, kernel, packing);
criterion_main!(benches);
