//! Over connections that lose, double, delay, damage and replay frames a job ends with the right result; with a
//! peer that lies about what it sent it ends with an error.

use hama_core::testing::{fault_count, in_time};
use hama_core::{ErrorKind, LocalRunner, Pool, TransportKind};

use crate::exchange::AllToAll;

#[test]
fn faulty_connections_change_nothing() {
    for seed in 0..12 {
        let faults = fault_count();
        let peers = [2, 3, 5][seed as usize % 3];
        let runner = LocalRunner::new(Pool::new(64 << 20)).with_transport(TransportKind::Faulty { seed });
        let outcome = in_time(move || runner.run(&AllToAll).peers(peers));
        assert_eq!(outcome.unwrap().outputs, vec![30 * peers as u64; peers], "seed {seed}");
        // No other test of this process has any.
        assert!(fault_count() > faults, "seed {seed}");
    }
}

#[test]
fn counts_that_disagree_end_the_job_in_the_superstep_of_the_lie() {
    for superstep in [0, 3] {
        for peers in [1, 2, 3, 7] {
            let kind = TransportKind::Lying { superstep };
            let runner = LocalRunner::new(Pool::new(64 << 20)).with_transport(kind);
            let error = in_time(move || runner.run(&AllToAll).peers(peers)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            assert_eq!(error.place().unwrap().superstep, superstep, "{error}");
            let says = format!("peer {} told peer {} of ", peers - 1, error.place().unwrap().peer);
            assert!(error.to_string().contains(&says), "{error}");
        }
    }
}
