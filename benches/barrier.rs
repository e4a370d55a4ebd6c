//! What an empty superstep costs: l, in the words of the model.

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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    targets = barrier
}
criterion_main!(benches);
