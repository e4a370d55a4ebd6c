//! What an empty superstep costs: l, in the words of the model. `HAMA_TEST_ZOOKEEPER=HOST:PORT cargo bench --features cluster
//! --bench barrier` measures that of grooms too.

#![expect(clippy::print_stdout, reason = "a bench that says what it does not measure")]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hama::{BoxError, Bsp, LocalRunner, Peer, Pool, TransportKind};
use serde::{Deserialize, Serialize};

/// Ends this many supersteps and returns how long that took.
#[derive(Serialize, Deserialize)]
struct Empty(u64);

impl Bsp for Empty {
    const NAME: &'static str = "empty";
    type Message = ();
    type Output = Duration;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Duration, BoxError> {
        // Threads have started when the first one is over.
        drop(peer.sync()?);
        let begun = Instant::now();
        for _ in 0..self.0 {
            drop(peer.sync()?);
        }
        Ok(begun.elapsed())
    }
}

fn barrier(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("superstep");
    for transport in [TransportKind::Memory, TransportKind::Framed] {
        let runner = LocalRunner::new(Pool::new(1 << 20)).with_transport(transport);
        for peers in [1, 2, 4, 8] {
            let id = BenchmarkId::new(format!("{transport:?}"), peers);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| {
                    runner.run(&Empty(count)).peers(peers).expect("nothing goes wrong").outputs[0]
                });
            });
        }
    }
    group.finish();
}

/// That of grooms that meet in ZooKeeper.
#[cfg(feature = "cluster")]
fn grooms(criterion: &mut Criterion) {
    use hama_core::testing::cluster::empty_supersteps;
    let Ok(servers) = std::env::var("HAMA_TEST_ZOOKEEPER") else {
        println!("superstep/ZooKeeper: skipped, HAMA_TEST_ZOOKEEPER names no HOST:PORT to meet at");
        return;
    };
    let mut group = criterion.benchmark_group("superstep");
    for grooms in [2, 4, 8, 16] {
        group.bench_function(BenchmarkId::new("ZooKeeper", grooms), |bencher| {
            bencher.iter_custom(|count| empty_supersteps(&servers, grooms, count));
        });
    }
    group.finish();
}

#[cfg(not(feature = "cluster"))]
fn grooms(_: &mut Criterion) {
    println!("superstep/ZooKeeper: skipped, it is measured with --features cluster");
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    targets = barrier, grooms
}
criterion_main!(benches);
