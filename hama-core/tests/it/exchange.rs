//! What peers send arrives: whole, once, in order, with its payload.

use hama_core::testing::run;
use hama_core::{
    BoxError, Bsp, Context, Flow, Inbox, LocalRunner, Outbox, Payload, Peer, Pool, SuperstepProgram,
    Supersteps, TransportKind,
};
use serde::{Deserialize, Serialize};

/// Every peer sends messages of many sizes to all, with payloads now and then, for some supersteps.
#[derive(Serialize, Deserialize)]
pub(crate) struct AllToAll;

fn payload(peer: &Context, len: usize, byte: u8) -> Result<Payload, BoxError> {
    let mut buffer = peer.pool().take(len)?;
    buffer.fill(byte);
    Ok(buffer.freeze())
}

impl Bsp for AllToAll {
    const NAME: &'static str = "all-to-all";
    type Message = (usize, u64, Vec<u8>);
    type Output = u64;

    fn bsp(&self, peer: &mut Peer<Self::Message>) -> Result<u64, BoxError> {
        let me = peer.index();
        let everybody: Vec<_> = peer.peers().collect();
        let mut received = 0;
        for step in 0..5u64 {
            assert_eq!(peer.superstep(), step);
            for (k, len) in [0usize, 1, 300, 70_000].into_iter().enumerate() {
                for to in peer.peers() {
                    let message = (to.index(), step, vec![(me + k) as u8; len]);
                    if k % 2 == 0 {
                        peer.send(to, &message)?;
                    } else {
                        let payload = payload(peer, len * 3, me as u8)?;
                        peer.send_with(to, &message, payload)?;
                    }
                }
            }
            let shared = payload(peer, 100_000, 7)?;
            peer.send_many_with(&everybody, &(99, step, vec![]), &shared)?;
            peer.send_many(&everybody, &(98, step, vec![]))?;
            let inbox = peer.sync()?;
            assert_eq!(inbox.len(), 6 * peer.count());
            for (i, message) in inbox.into_iter().enumerate() {
                let (from, k) = (i / 6, i % 6);
                assert_eq!(message.from.index(), from);
                assert_eq!(message.message.1, step);
                let len = [0, 1, 300, 70_000, 0, 0][k];
                if k < 4 {
                    assert_eq!(message.message.0, me);
                    assert_eq!(message.message.2, vec![(from + k) as u8; len]);
                } else {
                    assert_eq!(message.message.0, [99, 98][k - 4]);
                }
                match k {
                    1 | 3 => {
                        assert_eq!(&message.payload.expect("sent with one")[..], vec![from as u8; len * 3])
                    }
                    4 => assert_eq!(&message.payload.expect("sent with one")[..], [7; 100_000]),
                    _ => assert!(message.payload.is_none()),
                }
                received += 1;
            }
        }
        Ok(received)
    }
}

#[test]
fn everything_arrives_whole_and_in_order() {
    for trial in run(&AllToAll, [1, 2, 3, 7]) {
        let outcome = trial.result.unwrap();
        assert_eq!(outcome.outputs, vec![30 * trial.peers as u64; trial.peers]);
        assert_eq!(outcome.supersteps, 5);
        assert_eq!(outcome.records.len(), 6 * trial.peers);
        let sent: u64 = outcome.records.iter().map(|record| record.bytes_sent).sum();
        let received: u64 = outcome.records.iter().map(|record| record.bytes_received).sum();
        assert_eq!(sent, received);
    }
}

/// A token goes around until it has been everywhere twice.
#[derive(Serialize, Deserialize)]
struct Ring;

impl SuperstepProgram for Ring {
    const NAME: &'static str = "ring";
    type Message = u64;
    type State = Vec<u64>;
    type Output = Vec<u64>;

    fn init(&self, outbox: &mut Outbox<u64>) -> Result<Vec<u64>, BoxError> {
        assert_eq!(outbox.superstep(), 0);
        if outbox.index() == 0 {
            outbox.send(outbox.peer(0)?, &1)?;
        }
        Ok(Vec::new())
    }

    fn superstep(
        &self,
        seen: &mut Vec<u64>,
        inbox: Inbox<u64>,
        outbox: &mut Outbox<u64>,
    ) -> Result<Flow, BoxError> {
        for token in inbox {
            seen.push(outbox.superstep());
            outbox.add("hops", 1);
            if token.message < 2 * outbox.count() as u64 {
                let next = outbox.peer((outbox.index() + 1) % outbox.count())?;
                outbox.send(next, &(token.message + 1))?;
            }
        }
        Ok(Flow::Halt)
    }

    fn finish(&self, seen: Vec<u64>, _: &Context) -> Result<Vec<u64>, BoxError> {
        Ok(seen)
    }
}

#[test]
fn a_program_halts_when_all_say_so_and_no_message_is_pending() {
    for trial in run(&Supersteps(Ring), [1, 2, 3, 7]) {
        let outcome = trial.result.unwrap();
        let peers = trial.peers as u64;
        let expected: Vec<_> = (1..=peers).map(|first| vec![first, first + peers]).collect();
        assert_eq!(outcome.outputs, expected);
        assert_eq!(outcome.counters["hops"], 2 * peers);
        assert_eq!(outcome.supersteps, 2 * peers + 1);
    }
}

/// Everybody sends more to everybody than any socket or queue holds, before anybody receives.
#[derive(Serialize, Deserialize)]
struct Flood;

impl Bsp for Flood {
    const NAME: &'static str = "flood";
    type Message = Vec<u64>;
    type Output = usize;

    fn bsp(&self, peer: &mut Peer<Vec<u64>>) -> Result<usize, BoxError> {
        let everybody: Vec<_> = peer.peers().collect();
        for piece in 0..6u64 {
            // 5 MiB that do not shrink: a bundle each, larger than the size at which one is closed.
            let numbers =
                (0..5 << 17).map(|i: u64| (i + piece) * (i + 7)).map(|i| i.wrapping_mul(i)).collect();
            peer.send_many(&everybody, &numbers)?;
        }
        Ok(peer.sync()?.into_iter().map(|received| received.message.len()).sum())
    }
}

#[test]
fn peers_that_all_send_at_once_do_not_block_each_other() {
    for trial in run(&Flood, [2, 3]) {
        assert_eq!(trial.result.unwrap().outputs, vec![trial.peers * 6 * (5 << 17); trial.peers]);
    }
}

const TILE_BYTES: usize = 2 << 20;

/// Every peer hands a tile to the next one in each superstep and says where it lies; returns how many of the tiles
/// that it got lie where their senders had them.
#[derive(Serialize, Deserialize)]
struct HandsOver {
    supersteps: u64,
}

impl Bsp for HandsOver {
    const NAME: &'static str = "hands-over";
    type Message = usize;
    type Output = u64;

    fn bsp(&self, peer: &mut Peer<usize>) -> Result<u64, BoxError> {
        let next = peer.peer((peer.index() + 1) % peer.count())?;
        let mut in_place = 0;
        for step in 0..self.supersteps {
            let tile = payload(peer, TILE_BYTES, step as u8)?;
            peer.send_with(next, &(tile.as_ptr() as usize), tile)?;
            for received in peer.sync()? {
                let tile = received.payload.expect("sent with one");
                assert!(tile.iter().all(|byte| *byte == step as u8));
                in_place += u64::from(tile.as_ptr() as usize == received.message);
            }
        }
        Ok(in_place)
    }
}

#[test]
fn tiles_are_handed_over_without_a_copy_between_threads() {
    let program = HandsOver { supersteps: 20 };
    for peers in [1, 2, 3, 7] {
        let pool = Pool::new(64 * TILE_BYTES);
        let outcome = LocalRunner::new(pool.clone()).run(&program).peers(peers).unwrap();
        assert_eq!(outcome.outputs, vec![20; peers]);
        // A tile for each peer, used again in every superstep.
        assert_eq!(pool.usage().fresh_count, peers as u64);
        assert_eq!(pool.usage().used_bytes_peak, peers * TILE_BYTES);
        // Over sockets they are copied: the test would notice.
        let framed = LocalRunner::new(pool).with_transport(TransportKind::Framed);
        let copied = if peers == 1 { 20 } else { 0 };
        assert_eq!(framed.run(&program).peers(peers).unwrap().outputs, vec![copied; peers]);
    }
}
