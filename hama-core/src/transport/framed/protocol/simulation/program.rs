//! The program of the simulated job: each peer's state follows from all that it was sent, in order.

use crate::transport::framed::faulty::Random;

/// A message that a peer sends, with its payload.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) to: usize,
    pub(super) message: Vec<u8>,
    pub(super) payload: Option<Vec<u8>>,
}

/// A peer's state before the first superstep.
pub(super) fn start(seed: u64, me: usize) -> u64 {
    Random(seed ^ ((me as u64) << 40)).below(u64::MAX)
}

/// What a peer sends in a superstep to the others.
pub(super) fn sends(state: u64, me: usize, peers: usize) -> Vec<Sent> {
    let mut random = Random(state);
    (0..random.below(6))
        .map(|_| {
            let to = (me + 1 + random.below(peers as u64 - 1) as usize) % peers;
            let message = bytes(&mut random, 2500);
            let payload = (random.below(4) == 0).then(|| bytes(&mut random, 5000));
            Sent { to, message, payload }
        })
        .collect()
}

/// Some bytes, of which every other time all are alike, so that they can be compressed.
fn bytes(random: &mut Random, len_max: u64) -> Vec<u8> {
    let (len, alike) = (1 + random.below(len_max), random.below(2) == 0);
    let first = random.below(256);
    (0..len).map(|_| if alike { first } else { random.below(256) } as u8).collect()
}

/// The state after a message from a peer.
pub(super) fn received(state: u64, from: usize, message: &[u8], payload: Option<&[u8]>) -> u64 {
    let mut sum = Random(state ^ (from as u64 + 1)).below(u64::MAX);
    for part in [message, payload.unwrap_or_default()] {
        let crc = u64::from(crc32c::crc32c(part));
        sum = Random(sum ^ crc ^ ((part.len() as u64) << 32)).below(u64::MAX);
    }
    sum
}

/// All peers' states after so many supersteps, computed without messages that travel.
pub(super) fn without_network(seed: u64, peers: usize, supersteps: u64) -> Vec<u64> {
    let mut states: Vec<u64> = (0..peers).map(|me| start(seed, me)).collect();
    for _ in 0..supersteps {
        let sent: Vec<Vec<Sent>> = states.iter().enumerate().map(|(me, s)| sends(*s, me, peers)).collect();
        for (me, state) in states.iter_mut().enumerate() {
            for (from, sent) in sent.iter().enumerate() {
                for Sent { message, payload, .. } in sent.iter().filter(|sent| sent.to == me) {
                    *state = received(*state, from, message, payload.as_deref());
                }
            }
        }
    }
    states
}
