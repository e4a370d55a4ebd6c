//! x
#![allow(clippy::all)]
use hama_matrix::*;
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let dir = std::env::args().nth(2).unwrap();
    let hama = Hama::builder().store(format!("file:{dir}")).build().unwrap();
    let t = std::time::Instant::now();
    let a = DenseMatrix::<f64>::random(&hama, replace("a"), (n, n), Seed(1)).unwrap();
    let b = DenseMatrix::<f64>::random(&hama, replace("b"), (n, n), Seed(2)).unwrap();
    println!("random {:?}", t.elapsed());
    let p = a.mult(&b).unwrap();
    println!("{}", p.plan().unwrap());
    for _ in 0..4 {
        let m = in_memory::multiply_in_memory::<f64>(n as usize, 2).unwrap().as_secs_f64();
        let t = std::time::Instant::now();
        let f = p.run(replace("c")).unwrap();
        let s = t.elapsed().as_secs_f64();
        println!(
            "memory {m:.3} file {s:.3} ratio {:.3} GFLOP/s {:.1}",
            s / m,
            2.0 * (n as f64).powi(3) / s / 1e9
        );
        let t = std::time::Instant::now();
        let v = verify(&a, &b, &f.matrix).unwrap();
        println!("{v} {:?}", t.elapsed());
        for peer in 0..2 {
            let mut c = [0.0; 6];
            for r in f.records.iter().filter(|r| r.peer == peer) {
                c[0] += r.compute.as_secs_f64();
                c[1] += r.read.as_secs_f64();
                c[2] += r.send.as_secs_f64();
                c[3] += r.wait.as_secs_f64();
                c[4] += r.receive.as_secs_f64();
                c[5] += r.write.as_secs_f64();
            }
            println!("peer {peer} compute read send wait receive write {c:.3?}");
        }
    }
}
