//! Over connections that lose, double, delay, damage and replay frames a job ends with the right result.

use hama_core::testing::in_time;
use hama_core::{LocalRunner, Pool, TransportKind};

use crate::exchange::AllToAll;

#[test]
fn faulty_connections_change_nothing() {
    for seed in 0..12 {
        let peers = [2, 3, 5][seed as usize % 3];
        let runner = LocalRunner::new(Pool::new(64 << 20)).with_transport(TransportKind::Faulty { seed });
        let outcome = in_time(move || runner.run(&AllToAll).peers(peers));
        assert_eq!(outcome.unwrap().outputs, vec![30 * peers as u64; peers], "seed {seed}");
    }
}
