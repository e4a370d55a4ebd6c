//! What messages and supersteps cost: g and l of the model (Valiant, "A bridging model for parallel
//! computation", CACM 1990).

use std::time::{Duration, Instant};

use hama_core::{BoxError, Bsp, Host, Peer, Result};
use serde::{Deserialize, Serialize};

use crate::hama::Hama;

/// Supersteps that are measured.
const SUPERSTEPS: u32 = 1000;
/// Supersteps with payloads that are measured, after one that is not.
const EXCHANGES: u32 = 8;
const PAYLOAD_BYTES: usize = 4 << 20;
const ROUNDS: usize = 3;

/// l: seconds of a superstep of `peers` peers in which nothing is sent; the best of three rounds of a thousand.
///
/// # Errors
/// Those of [`Job::peers`](crate::Job::peers).
pub fn superstep_s(hama: &Hama, peers: usize) -> Result<f64> {
    let seconds = best(hama, &Exchange::empty(SUPERSTEPS), peers)?;
    Ok(seconds / f64::from(SUPERSTEPS))
}

/// g: seconds for a byte of a payload of 4 MiB from one of `peers` peers to the next, while all send; the best of
/// three rounds.
///
/// # Cost
/// Three payloads a peer of the memory given.
///
/// # Errors
/// `OutOfMemory`, and those of [`Job::peers`](crate::Job::peers).
pub fn seconds_per_byte(hama: &Hama, peers: usize) -> Result<f64> {
    let program = Exchange::payloads();
    Ok(best(hama, &program, peers)? / program.bytes())
}

fn best(hama: &Hama, program: &Exchange, peers: usize) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        // The slowest peer's time is the machine's.
        let outputs = hama.run(program).peers(peers)?.outputs;
        let slowest = outputs.into_iter().map(|took| took.time).max();
        best = best.min(slowest.unwrap_or_default().as_secs_f64());
    }
    Ok(best)
}

/// Every peer sends a payload to the next in each superstep, or nothing; returns how long that took.
#[derive(Serialize, Deserialize)]
pub(crate) struct Exchange {
    supersteps: u32,
    payload_bytes: usize,
}

impl Bsp for Exchange {
    const NAME: &'static str = "exchange";
    type Message = ();
    type Output = Exchanged;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Exchanged, BoxError> {
        // Threads have started, and buffers were used once, when the first one is over.
        self.superstep(peer)?;
        let start = Instant::now();
        (0..self.supersteps).try_for_each(|_| self.superstep(peer))?;
        Ok(Exchanged { host: peer.host().clone(), time: start.elapsed() })
    }
}

/// How long that took a peer, and where it was.
#[derive(Serialize, Deserialize)]
pub(crate) struct Exchanged {
    pub(super) host: Host,
    pub(super) time: Duration,
}

impl Exchange {
    /// So many supersteps in which nothing is sent.
    pub(super) fn empty(supersteps: u32) -> Exchange {
        Exchange { supersteps, payload_bytes: 0 }
    }

    /// Supersteps in which a payload of 4 MiB is sent.
    pub(super) fn payloads() -> Exchange {
        Exchange { supersteps: EXCHANGES, payload_bytes: PAYLOAD_BYTES }
    }

    /// The bytes that a peer sends in all.
    pub(super) fn bytes(&self) -> f64 {
        f64::from(self.supersteps) * self.payload_bytes as f64
    }

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
    use hama_core::{Cancel, ErrorKind, TransportKind};

    use super::*;
    use crate::hama::HamaBuilder;

    fn hama(memory: u64, set: impl FnOnce(HamaBuilder) -> HamaBuilder) -> Hama {
        set(Hama::builder().store("memory:exchange").memory(memory)).build().unwrap()
    }

    #[test]
    fn both_transports_have_both_figures() {
        for transport in [TransportKind::Memory, TransportKind::Framed] {
            let hama = hama(64 << 20, |builder| builder.transport(transport));
            for peers in [1, 2, 3] {
                let (l, g) = (superstep_s(&hama, peers).unwrap(), seconds_per_byte(&hama, peers).unwrap());
                assert!(l > 0.0 && l < 1.0 && (0.0..1.0).contains(&g), "{transport:?} {peers}: {l} {g}");
            }
        }
    }

    #[test]
    fn too_little_memory_and_a_request_to_end_are_errors() {
        let small = hama(1 << 20, |builder| builder);
        assert_eq!(seconds_per_byte(&small, 1).unwrap_err().kind(), ErrorKind::OutOfMemory);
        let cancel = Cancel::new();
        cancel.cancel();
        let ended = hama(1 << 20, |builder| builder.cancel(cancel));
        assert_eq!(superstep_s(&ended, 2).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
