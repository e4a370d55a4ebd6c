//! Products from file to file beside the same kernel's product in memory, in turns, so that a machine whose speed
//! changes does not decide: `cargo bench --bench ratio -- [N [ROUNDS]]`, 4000 and 5 by default.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Instant;

use hama::{DenseMatrix, Hama, KernelId, Seed, replace, verify};
use hama_matrix::in_memory::{multiply_in_memory, peak_flop_per_s};

const THREADS: usize = 2;

fn main() -> hama::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench -- --test` only wants to see that it runs.
    let test = arguments.iter().any(|argument| argument == "--test");
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let n = numbers.next().unwrap_or(if test { 200 } else { 4000 });
    let rounds = numbers.next().unwrap_or(if test { 1 } else { 5 });

    let directory = tempfile::tempdir().map_err(|e| hama::Error::io("cannot make a directory", e))?;
    let hama =
        Hama::builder().store(format!("file:{}", directory.path().display())).peers(THREADS).build()?;
    let random = |name: &str, seed| DenseMatrix::<f64>::random(&hama, name, (n, n), Seed(seed));
    let (a, b) = (random("a", 1)?, random("b", 2)?);
    let product = a.mult(&b)?;

    println!("{}, {}, N = {n}, f64, {THREADS} threads", processor(), KernelId::of_this_host());
    let before = peak();
    println!("round  in memory s  file to file s  ratio  GFLOP/s");
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let memory_s = multiply_in_memory::<f64>(n as usize, THREADS)?.as_secs_f64();
        let start = Instant::now();
        let c = product.save(replace("c"))?;
        let file_s = start.elapsed().as_secs_f64();
        let flop = 2.0 * (n as f64).powi(3);
        println!(
            "{round:5}  {memory_s:11.3}  {file_s:14.3}  {:5.3}  {:7.1}",
            file_s / memory_s,
            flop / file_s / 1e9
        );
        ratios.push((file_s / memory_s, flop / file_s));
        assert!(verify(&a, &b, &c)?.passed, "the product is right");
    }
    let after = peak();
    if (after / before - 1.0).abs() > 0.1 {
        println!("the machine's speed changed meanwhile: compare the ratios only");
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, flop_per_s) = ratios[ratios.len() / 2];
    let of_peak = 100.0 * flop_per_s / before.max(after);
    println!("median: {ratio:.3} times the product in memory, {of_peak:.0} % of the peak");
    Ok(())
}

fn peak() -> f64 {
    let peak = peak_flop_per_s(THREADS);
    println!("peak {:.1} GFLOP/s on 1 thread, {:.1} on {THREADS}", peak_flop_per_s(1) / 1e9, peak / 1e9);
    peak
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |key: &str| {
        let line = info.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    match (of("model name"), of("cpu family"), of("model\t")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => "an unknown processor".to_owned(),
    }
}
