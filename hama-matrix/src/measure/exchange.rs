//! What messages and supersteps cost: g and l of the model (Valiant, "A bridging model for parallel
//! computation", CACM 1990).

use std::time::{Duration, Instant};

use hama_core::{BoxError, Bsp, LocalRunner, Peer, Result};
use serde::{Deserialize, Serialize};

/// Supersteps that are measured.
const SUPERSTEPS: u32 = 1000;
/// Supersteps with payloads that are measured, after one that is not.
const EXCHANGES: u32 = 8;
const PAYLOAD_BYTES: usize = 4 << 20;
const ROUNDS: usize = 3;

/// l: seconds of a superstep of `peers` peers in which nothing is sent; the best of three rounds of a thousand.
///
/// # Errors
/// Those of the runner.
pub fn superstep_s(runner: &LocalRunner, peers: usize) -> Result<f64> {
    let seconds = best(runner, &Exchange { supersteps: SUPERSTEPS, payload_bytes: 0 }, peers)?;
    Ok(seconds / f64::from(SUPERSTEPS))
}

/// g: seconds for a byte of a payload of 4 MiB from one of `peers` peers to the next, while all send; the best of
/// three rounds.
///
/// # Cost
/// Three payloads a peer of the runner's pool.
///
/// # Errors
/// `OutOfMemory`, and those of the runner.
pub fn seconds_per_byte(runner: &LocalRunner, peers: usize) -> Result<f64> {
    let seconds = best(runner, &Exchange { supersteps: EXCHANGES, payload_bytes: PAYLOAD_BYTES }, peers)?;
    Ok(seconds / (f64::from(EXCHANGES) * PAYLOAD_BYTES as f64))
}

fn best(runner: &LocalRunner, program: &Exchange, peers: usize) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        // The slowest peer's time is the machine's.
        let outputs = runner.run(program).peers(peers)?.outputs;
        best = best.min(outputs.into_iter().max().unwrap_or_default().as_secs_f64());
    }
    Ok(best)
}

/// Every peer sends a payload to the next in each superstep, or nothing; returns how long that took.
#[derive(Serialize, Deserialize)]
struct Exchange {
    supersteps: u32,
    payload_bytes: usize,
}

impl Bsp for Exchange {
    const NAME: &'static str = "exchange";
    type Message = ();
    type Output = Duration;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Duration, BoxError> {
        // Threads have started, and buffers were used once, when the first one is over.
        self.superstep(peer)?;
        let start = Instant::now();
        (0..self.supersteps).try_for_each(|_| self.superstep(peer))?;
        Ok(start.elapsed())
    }
}

impl Exchange {
    fn superstep(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        if self.payload_bytes > 0 {
            let next = peer.peer((peer.index() + 1) % peer.count())?;
            let payload = peer.pool().take(self.payload_bytes)?.freeze();
            peer.send_with(next, &(), payload)?;
        }
        drop(peer.sync()?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hama_core::{Cancel, ErrorKind, Pool, TransportKind};

    use super::*;

    #[test]
    fn both_transports_have_both_figures() {
        for transport in [TransportKind::Memory, TransportKind::Framed] {
            let runner = LocalRunner::new(Pool::new(64 << 20)).with_transport(transport);
            for peers in [1, 2, 3] {
                let (l, g) =
                    (superstep_s(&runner, peers).unwrap(), seconds_per_byte(&runner, peers).unwrap());
                assert!(l > 0.0 && l < 1.0 && (0.0..1.0).contains(&g), "{transport:?} {peers}: {l} {g}");
            }
        }
    }

    #[test]
    fn too_little_memory_and_a_request_to_end_are_errors() {
        let runner = LocalRunner::new(Pool::new(1 << 20));
        assert_eq!(seconds_per_byte(&runner, 1).unwrap_err().kind(), ErrorKind::OutOfMemory);
        let cancel = Cancel::new();
        cancel.cancel();
        let runner = runner.with_cancel(cancel);
        assert_eq!(superstep_s(&runner, 2).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
