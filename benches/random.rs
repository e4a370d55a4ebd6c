//! Random elements into one warm tile of 8 MB on one thread: bytes a second, f64 and f32.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hama::{Pool, Scalar, Seed};
use hama_matrix::in_memory::{fill_random, fill_random_normal};

const TILE_BYTES: usize = 8_000_000;
const ROWS: usize = 1000;

fn random(criterion: &mut Criterion) {
    tile::<f64>(criterion, "random/f64");
    tile::<f32>(criterion, "random/f32");
    normal::<f64>(criterion, "normal/f64");
    normal::<f32>(criterion, "normal/f32");
}

fn tile<T: Scalar>(criterion: &mut Criterion, name: &str) {
    filled::<T>(criterion, name, &[0, 1, 3], fill_random::<T>);
}

fn normal<T: Scalar>(criterion: &mut Criterion, name: &str) {
    filled::<T>(criterion, name, &[0], fill_random_normal::<T>);
}

fn filled<T: Scalar>(
    criterion: &mut Criterion,
    name: &str,
    first_cols: &[u64],
    fill: fn(Seed, u64, u64, &mut [T]),
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(TILE_BYTES as u64));
    let mut buffer = Pool::new(2 * TILE_BYTES).take(TILE_BYTES).expect("the pool has room");
    let elements = buffer.elements_mut::<T>();
    let cols = elements.len() / ROWS;
    for &first_col in first_cols {
        group.bench_function(format!("from column {first_col}"), |bencher| {
            bencher.iter(|| {
                for (row, elements) in elements.chunks_mut(cols).enumerate() {
                    fill(black_box(Seed(42)), row as u64, first_col, elements);
                }
                black_box(&mut *elements);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, random);
criterion_main!(benches);
