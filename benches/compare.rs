//! Candidates of `cargo xtask compare` that are Rust: each says what it is in a line, then answers every line of its
//! input with one run, a line of JSON with the `seconds` that it took.
//!
//! `kernel N f64|f32 THREADS`, `gemm N f64|f32 THREADS`, `peak THREADS`. `shards STORE NAME COUNT` makes a table of so many
//! small shards and ends.

#![expect(clippy::print_stdout, reason = "it is asked over pipes")]
#![expect(unsafe_code, reason = "calls the `gemm` library, which takes pointers")]

use std::error::Error;
use std::io::BufRead;
use std::time::{Duration, Instant};

use gemm::Parallelism;
use hama::measure::{multiply_in_memory, peak_flop_per_s};
use hama::table::{
    ElementType, Extent, Finishing, OnExists, ShardWriter, TableName, TableSpec, TableWriter, store,
};
use hama::{Buffer, Cancel, KernelId, Pool, Scalar};
use hama_core::Host;
use serde_json::{Value, json};

/// The most that a tile has.
const ROWS_OF_TILE: u64 = 1024;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["kernel", n, dtype, threads] => {
            let (n, threads) = (n.parse()?, threads.parse()?);
            let once = if dtype == "f32" { multiply_in_memory::<f32> } else { multiply_in_memory::<f64> };
            let about = format!("hama's kernel {}, {threads} threads on tiles", KernelId::of_this_host());
            serve(&about, || Ok(json!({ "seconds": once(n, threads, &Cancel::new())?.as_secs_f64() })))
        }
        ["gemm", n, "f32", threads] => library::<f32>(n.parse()?, threads.parse()?),
        ["gemm", n, "f64", threads] => library::<f64>(n.parse()?, threads.parse()?),
        ["peak", threads] => {
            let threads = threads.parse()?;
            serve("multiply-adds in registers", || {
                Ok(json!({ "flop_per_s": peak_flop_per_s(ElementType::F64, threads) }))
            })
        }
        ["shards", store, name, count] => shards(store, name, count.parse()?),
        // `cargo bench` runs every bench.
        _ => {
            println!("`cargo xtask compare` asks this one");
            Ok(())
        }
    }
}

fn serve(about: &str, mut run: impl FnMut() -> Outcome<Value>) -> Outcome<()> {
    println!("{}", json!({ "about": about }));
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", run()?);
    }
    Ok(())
}

/// Makes a table of so many shards, each a tile of 8 KiB: the command makes large ones only.
fn shards(store: &str, name: &str, count: u64) -> Outcome<()> {
    let store = store::create(&store.parse()?)?;
    let shape = Extent::new(count * ROWS_OF_TILE, 1);
    let spec = TableSpec::new(shape, ElementType::F64)?.with_shard(Extent::new(1, 1))?;
    let table = TableWriter::create(&store, &TableName::new(name)?, spec, OnExists::Fail)?;
    let target = table.target().clone();
    let tile = vec![0; target.spec.tile_bytes()];
    let mut finishing = Finishing::default();
    for shard in target.spec.shards() {
        let mut writer = ShardWriter::create(&target, shard, &Host::local())?;
        for index in target.spec.tiles_of(shard) {
            writer.write_tile(index, &tile)?;
        }
        finishing.finish(writer)?;
    }
    table.commit(finishing.wait()?)?;
    println!("{}", json!({ "shards": target.spec.shards().count() }));
    Ok(())
}

/// The `gemm` library on whole matrices, the rows of C shared out in equal parts.
fn library<T: Scalar>(n: usize, threads: usize) -> Outcome<()> {
    let pool = Pool::new(usize::MAX >> 1);
    let (a, b, mut c) = (random::<T>(&pool, n, 1)?, random::<T>(&pool, n, 2)?, random::<T>(&pool, n, 3)?);
    let about = format!("the gemm library, {threads} threads on rows");
    serve(&about, || {
        let seconds = multiply(c.elements_mut::<T>(), a.elements::<T>(), b.elements::<T>(), n, threads);
        Ok(json!({ "seconds": seconds.as_secs_f64() }))
    })
}

fn multiply<T: Scalar>(c: &mut [T], a: &[T], b: &[T], n: usize, threads: usize) -> Duration {
    let share = n.div_ceil(threads) * n;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (c, a) in c[..n * n].chunks_mut(share).zip(a[..n * n].chunks(share)) {
            scope.spawn(move || rows(c, a, b, n));
        }
    });
    start.elapsed()
}

/// Some rows of C = the same rows of A times B, all n elements long.
fn rows<T: Scalar>(c: &mut [T], a: &[T], b: &[T], n: usize) {
    let (m, stride, one) = (c.len() / n, n as isize, T::ONE);
    assert!(a.len() == c.len() && b.len() >= n * n, "the matrices are as large as said");
    let (c, a, b) = (c.as_mut_ptr(), a.as_ptr(), b.as_ptr());
    // SAFETY: the three slices hold the rows that are named, and C overlaps neither A nor B. T is f64 or f32, which
    // the library knows.
    unsafe {
        gemm::gemm(
            m,
            n,
            n,
            c,
            1,
            stride,
            false,
            a,
            1,
            stride,
            b,
            1,
            stride,
            one,
            one,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// n x n elements uniform in [0, 1).
fn random<T: Scalar>(pool: &Pool, n: usize, seed: u64) -> Outcome<Buffer> {
    let mut buffer = pool.take(n * n * size_of::<T>())?;
    let mut state = seed;
    for element in buffer.elements_mut::<T>() {
        // A step of splitmix64: any numbers will do, equal ones would let the processor run faster.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        *element = T::from_f64((mixed >> 11) as f64 / (1u64 << 53) as f64);
    }
    Ok(buffer)
}
