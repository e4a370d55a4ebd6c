//! What sending costs: g, for small messages and for payloads. Throughputs are a peer's, with all of them sending.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hama::{BoxError, Bsp, LocalRunner, Peer, Pool, TransportKind};
use serde::{Deserialize, Serialize};

const PEERS: [usize; 2] = [2, 4];
const MESSAGES: u64 = 100_000;
const PAYLOAD_BYTES: usize = 8 << 20;
const PAYLOADS: u64 = 4;

/// Every peer sends to the next one, for this many supersteps; returns how long that took.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Exchange {
    Messages { supersteps: u64 },
    Payloads { supersteps: u64 },
}

impl Bsp for Exchange {
    const NAME: &'static str = "exchange";
    type Message = [u64; 2];
    type Output = Duration;

    fn bsp(&self, peer: &mut Peer<[u64; 2]>) -> Result<Duration, BoxError> {
        drop(peer.sync()?);
        let begun = Instant::now();
        match *self {
            Exchange::Messages { supersteps } => (0..supersteps).try_for_each(|_| messages(peer))?,
            Exchange::Payloads { supersteps } => (0..supersteps).try_for_each(|_| payloads(peer))?,
        }
        Ok(begun.elapsed())
    }
}

fn messages(peer: &mut Peer<[u64; 2]>) -> Result<(), BoxError> {
    let next = peer.peer((peer.index() + 1) % peer.count())?;
    for number in 0..MESSAGES {
        peer.send(next, &[number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15)])?;
    }
    let sum = peer.sync()?.into_iter().fold(0, |sum, received| sum ^ received.message[1]);
    std::hint::black_box(sum);
    Ok(())
}

fn payloads(peer: &mut Peer<[u64; 2]>) -> Result<(), BoxError> {
    let next = peer.peer((peer.index() + 1) % peer.count())?;
    for number in 0..PAYLOADS {
        let payload = peer.pool().take(PAYLOAD_BYTES)?.freeze();
        peer.send_with(next, &[number, 0], payload)?;
    }
    drop(peer.sync()?);
    Ok(())
}

fn exchange(criterion: &mut Criterion) {
    for (name, throughput) in [
        ("messages", Throughput::Elements(MESSAGES)),
        ("payloads", Throughput::Bytes(PAYLOADS * PAYLOAD_BYTES as u64)),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(throughput);
        for transport in [TransportKind::Memory, TransportKind::Framed] {
            let runner = LocalRunner::new(Pool::new(1 << 30)).with_transport(transport);
            for peers in PEERS {
                group.bench_function(BenchmarkId::new(format!("{transport:?}"), peers), |bencher| {
                    bencher.iter_custom(|supersteps| {
                        let program = match name {
                            "messages" => Exchange::Messages { supersteps },
                            _ => Exchange::Payloads { supersteps },
                        };
                        runner.run(&program).peers(peers).expect("nothing goes wrong").outputs[0]
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = exchange
}
criterion_main!(benches);
