//! x
#![allow(clippy::all)]
use hama_hdfs::*;
use hama_matrix::plan::*;
use hama_matrix::*;
fn main() {
    for (n, peers) in
        [(100_000u64, 1000u64), (100_000, 64), (1_000_000, 1000), (4000, 2), (40_000, 1000), (50_000, 2)]
    {
        for mem in [1u64 << 30, 256 << 20] {
            let e = Extent { rows: n, cols: n };
            let p = Problem::new(ElementType::F64, (e, false), (e, false)).unwrap();
            let t = std::time::Instant::now();
            let r = plan(
                p,
                &Resources {
                    peers,
            hosts: peers.div_ceil(16),
                    memory_bytes: peers * mem,
                    rates: Rates::default(),
                    kernel: KernelId::GemmFma,
                    grid: None,
                },
            );
            println!(
                "n {n} peers {peers} mem {mem}: {:?} {}",
                t.elapsed(),
                r.map(|p| p.to_string()).unwrap_or_else(|e| e.to_string())
            );
        }
    }
}
