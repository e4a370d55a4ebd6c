//! What every transport must do. Each implementation runs it.

use crate::abort::Abort;
use crate::error::{Error, ErrorKind};
use crate::ids::PeerId;
use crate::message::bundler::Totals;
use crate::pool::{Payload, Pool};
use crate::transport::budget::INBOX_BYTES_MAX;
use crate::transport::{Arrived, Transport};

type Make = fn(u32, &Trial) -> Vec<Box<dyn Transport>>;

/// What the ends of a transport are made with.
pub(crate) struct Trial {
    pub(crate) pool: Pool,
    pub(crate) abort: Abort,
    pub(crate) inbox_bytes_max: u64,
}

impl Trial {
    pub(crate) fn new(pool_bytes: usize) -> Trial {
        Trial { pool: Pool::new(pool_bytes), abort: Abort::new(), inbox_bytes_max: INBOX_BYTES_MAX }
    }
}

/// Runs all of it on what `make` makes.
pub(crate) fn run(make: Make) {
    for count in [1, 2, 3, 7] {
        what_is_sent_arrives_in_order(make, count);
        a_superstep_without_messages_is_empty(make, count);
        a_sender_may_be_one_superstep_ahead(make, count);
        counts_that_disagree_are_errors(make, count);
        what_is_held_is_bounded(make, count);
        nothing_is_sent_after_the_end_of_the_job(make, count);
    }
}

fn peers(count: u32) -> impl Iterator<Item = PeerId> {
    (0..count).map(PeerId::from_index)
}

fn payload(pool: &Pool, len: usize, byte: u8) -> Payload {
    let mut buffer = pool.take(len).expect("the pool has room");
    buffer.fill(byte);
    buffer.freeze()
}

/// A transport's end with what it has sent to each peer in this superstep.
struct End {
    transport: Box<dyn Transport>,
    totals: Vec<Totals>,
}

impl End {
    fn send_bundle(&mut self, superstep: u64, to: PeerId, bundle: Vec<u8>) {
        let totals = &mut self.totals[to.index()];
        totals.messages += 1;
        totals.bundles += 1;
        totals.bundle_bytes += bundle.len() as u64;
        self.transport.send_bundle(superstep, to, bundle).expect("nothing is in the way");
    }

    fn send_payload(&mut self, superstep: u64, to: &[PeerId], payload: &Payload) {
        for to in to {
            self.totals[to.index()].payloads += 1;
            self.totals[to.index()].payload_bytes += payload.len() as u64;
        }
        self.transport.send_payload(superstep, to, payload).expect("nothing is in the way");
    }

    fn finish(&mut self, superstep: u64) {
        self.transport.finish(superstep, &self.totals).expect("nothing is in the way");
        self.totals.fill(Totals::default());
    }

    fn take(&mut self, superstep: u64) -> Vec<Arrived> {
        self.transport.take(superstep).expect("all has arrived")
    }
}

fn ends(make: Make, count: u32, trial: &Trial) -> Vec<End> {
    let end = |transport| End { transport, totals: vec![Totals::default(); count as usize] };
    make(count, trial).into_iter().map(end).collect()
}

fn what_is_sent_arrives_in_order(make: Make, count: u32) {
    let trial = Trial::new(64 << 20);
    let pool = &trial.pool;
    let mut ends = ends(make, count, &trial);
    let all: Vec<PeerId> = peers(count).collect();
    for superstep in 0..3 {
        for (me, end) in ends.iter_mut().enumerate() {
            let shared = payload(pool, 100_000, me as u8);
            for &to in &all {
                end.send_bundle(superstep, to, vec![me as u8; 5000]);
                end.send_payload(superstep, &[to], &payload(pool, 3, to.index() as u8));
                end.send_bundle(superstep, to, vec![superstep as u8; 1 + to.index()]);
            }
            end.send_payload(superstep, &all, &shared);
        }
        ends.iter_mut().for_each(|end| end.finish(superstep));
        for (me, end) in ends.iter_mut().enumerate() {
            let arrived = end.take(superstep);
            assert!(arrived.iter().map(|arrived| arrived.from).eq(peers(count)));
            for Arrived { from, bundles, payloads, .. } in arrived {
                let from = from.index() as u8;
                let bundles: Vec<Vec<u8>> =
                    bundles.into_iter().map(|bundle| bundle.open().expect("it was good")).collect();
                assert_eq!(bundles, [vec![from; 5000], vec![superstep as u8; 1 + me]]);
                assert_eq!(payloads.len(), 2);
                assert_eq!(payloads[0][..], [me as u8; 3]);
                assert_eq!(payloads[1][..], vec![from; 100_000]);
            }
        }
    }
    drop(ends);
    assert_eq!(pool.usage().used_bytes, 0);
}

fn a_superstep_without_messages_is_empty(make: Make, count: u32) {
    let mut ends = ends(make, count, &Trial::new(1 << 20));
    for superstep in 0..3 {
        ends.iter_mut().for_each(|end| end.finish(superstep));
        assert!(ends.iter_mut().all(|end| end.take(superstep).is_empty()));
    }
}

fn a_sender_may_be_one_superstep_ahead(make: Make, count: u32) {
    let mut ends = ends(make, count, &Trial::new(1 << 20));
    let last = PeerId::from_index(count - 1);
    for end in &mut ends {
        end.send_bundle(0, last, vec![0]);
        end.finish(0);
    }
    // The barrier is open: the others go on, and the last has not looked yet.
    for end in &mut ends[..count as usize - 1] {
        assert!(end.take(0).is_empty());
        end.send_bundle(1, last, vec![1]);
        end.finish(1);
    }
    let end = ends.last_mut().expect("there is a peer");
    for superstep in 0..2 {
        let arrived = end.take(superstep);
        assert_eq!(arrived.len(), count as usize - superstep as usize);
        for mut arrived in arrived {
            assert_eq!(arrived.bundles.remove(0).open().expect("it was good"), [superstep as u8]);
            assert!(arrived.bundles.is_empty());
        }
        if superstep == 0 {
            end.finish(1);
        }
    }
}

fn counts_that_disagree_are_errors(make: Make, count: u32) {
    let lies: [fn(&mut Totals); 8] = [
        |totals| totals.bundles += 1,
        |totals| totals.bundle_bytes -= 1,
        |totals| totals.payloads -= 1,
        |totals| totals.payload_bytes = u64::MAX,
        |totals| *totals = Totals::default(),
        |totals| totals.bundles = 0,
        |totals| totals.messages = 11,
        |totals| totals.messages = u64::MAX,
    ];
    for lie in lies {
        let trial = Trial::new(1 << 20);
        let mut ends = ends(make, count, &trial);
        let to = PeerId::from_index(0);
        let last = ends.last_mut().expect("there is a peer");
        last.send_bundle(0, to, vec![7; 10]);
        last.send_payload(0, &[to], &payload(&trial.pool, 5, 1));
        lie(&mut last.totals[0]);
        ends.iter_mut().for_each(|end| end.finish(0));
        let error = ends[0].transport.take(0).expect_err("the counts disagree");
        assert_eq!(error.kind(), ErrorKind::Data);
        let says = format!("peer {} told peer 0 of ", count - 1);
        assert!(error.to_string().starts_with(&says), "{error}");
        let says = ["1 (10 bytes) and 1 (5 bytes) arrived", "messages in 10 bytes in superstep 0"];
        assert!(says.iter().any(|says| error.to_string().ends_with(says)), "{error}");
    }
}

/// Whatever a peer is sent before it takes it, empty bundles and payloads included, has its limit.
fn what_is_held_is_bounded(make: Make, count: u32) {
    let to = PeerId::from_index(0);
    for bundle_bytes in [0, 10_000] {
        let trial = Trial { inbox_bytes_max: 100_000, ..Trial::new(1 << 20) };
        let mut ends = make(count, &trial);
        let last = ends.last_mut().expect("there is a peer");
        // On the way there may be more than is held.
        let refused = (0..1_000_000).find_map(|_| last.send_bundle(0, to, vec![0; bundle_bytes]).err());
        let refused = refused.expect("it is bounded");
        // A peer's messages to itself may be refused at once.
        let error = if refused.kind() == ErrorKind::Cancelled { trial.abort.take() } else { refused };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert!(error.to_string().contains("peer 0 cannot take"), "{error}");
        assert!(count == 1 || error.place().expect("it is the receiver's").peer == to, "{error}");
    }
}

fn nothing_is_sent_after_the_end_of_the_job(make: Make, count: u32) {
    let trial = Trial::new(1 << 20);
    let mut ends = make(count, &trial);
    let payload = payload(&trial.pool, 1, 1);
    trial.abort.end(None, Error::invalid("enough"));
    for end in &mut ends {
        for to in peers(count) {
            let bundle = end.send_bundle(0, to, vec![1]).expect_err("the job has ended");
            let payload = end.send_payload(0, &[to], &payload).expect_err("the job has ended");
            assert_eq!([bundle.kind(), payload.kind()], [ErrorKind::Cancelled; 2]);
        }
        let totals = vec![Totals::default(); count as usize];
        let finish = end.finish(0, &totals).expect_err("the job has ended");
        assert_eq!(finish.kind(), ErrorKind::Cancelled);
    }
}
