//! What a master has to do: the heartbeats of a thousand grooms, and the placing of ten thousand tasks. What comes off the
//! wire is decoded and what goes onto it is encoded; sockets, ZooKeeper and the grooms' own part are not in it.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hama_core::testing::Fleet;

const GROOMS: usize = 1000;
const SLOTS: u32 = 16;
const JOBS: u64 = 10;
const PEERS: u32 = 1000;

fn fleet() -> Fleet {
    Fleet::new(GROOMS, SLOTS).expect("a groom may have so many slots")
}

/// A fleet where every groom has ten tasks that run.
fn busy() -> Fleet {
    let mut fleet = fleet();
    fleet.submit(JOBS, PEERS).expect("there is room");
    (0..4).for_each(|_| fleet.heartbeat().expect("all are honest"));
    assert_eq!(fleet.tasks(), JOBS as usize * PEERS as usize);
    fleet
}

/// All grooms are heard once. Says how long the master takes for its part.
fn round(fleet: &mut Fleet) -> Duration {
    let requests = fleet.requests().expect("they are small");
    let begun = Instant::now();
    let answers = fleet.answer(&requests).expect("they are whole");
    let took = begun.elapsed();
    fleet.obey(&answers).expect("all are honest");
    took
}

/// From the submission of all jobs until their grooms have been told to launch all tasks.
fn schedule(rounds: u64) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        let mut fleet = fleet();
        took += submit(&mut fleet) + round(&mut fleet);
        assert_eq!(fleet.tasks(), JOBS as usize * PEERS as usize);
    }
    took
}

fn submit(fleet: &mut Fleet) -> Duration {
    let begun = Instant::now();
    fleet.submit(JOBS, PEERS).expect("there is room");
    begun.elapsed()
}

/// The master's part of the whole life of these jobs: launched, connected, returned, put away, forgotten.
fn life(rounds: u64) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        let mut fleet = fleet();
        took += submit(&mut fleet);
        took += (0..4).map(|_| round(&mut fleet)).sum::<Duration>();
        fleet.finish();
        took += (0..3).map(|_| round(&mut fleet)).sum::<Duration>();
        assert_eq!((fleet.tasks(), fleet.jobs()), (0, 0));
    }
    took
}

fn scheduler(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    group.throughput(Throughput::Elements(GROOMS as u64));
    group.bench_function("heartbeats of 1000 idle grooms", |bencher| {
        let mut fleet = fleet();
        bencher.iter_custom(|rounds| (0..rounds).map(|_| round(&mut fleet)).sum());
    });
    group.bench_function("heartbeats of 1000 grooms with 10 tasks each", |bencher| {
        let mut fleet = busy();
        bencher.iter_custom(|rounds| (0..rounds).map(|_| round(&mut fleet)).sum());
    });
    group.throughput(Throughput::Elements(JOBS * u64::from(PEERS)));
    group.bench_function("10000 tasks placed and launched", |bencher| bencher.iter_custom(schedule));
    group.bench_function("10000 tasks from submission to outcome", |bencher| bencher.iter_custom(life));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = scheduler
}
criterion_main!(benches);
