//! The bytes of what travels and of what is stored: a change of them is a change of the protocol.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cluster::gather::Participant;
use crate::cluster::model::action::{Action, Answer, Launch, Orders, Roster, What};
use crate::cluster::model::error::{WireAt, WireError};
use crate::cluster::model::ids::{Digest, Epoch, Moment, RunId, Secret, Session, TaskId};
use crate::cluster::model::job::{Came, Cause, JobOutcome, JobState, PeerOutcome, Stage};
use crate::cluster::model::record::{Booking, Launched, Progress, StoredJob};
use crate::cluster::model::report::tests::info;
use crate::cluster::model::report::{Drained, GroomInfo, Held, Registration, Report, Request, TaskReport};
use crate::cluster::model::spec::{JobSpec, Slots, Submission};
use crate::cluster::model::task::{Ended, How, Returned, TaskStatus};
use crate::ids::{Host, JobId, PeerId};
use crate::message::codec;
use crate::metrics::SuperstepRecord;

const RUN: RunId = RunId { job: JobId::from_bytes([0x11; 16]), attempt: 2 };
const SESSION: Session = Session { start: 0x0102, number: 3 };

fn error() -> WireError {
    let at = WireAt { host: Host::new("h"), peer: PeerId::from_index(1), superstep: 4 };
    WireError { kind: "data".to_owned(), message: "bad".to_owned(), at: Some(at) }
}

fn submission() -> Arc<Submission> {
    let spec = JobSpec {
        program: "pi".to_owned(),
        arguments: [1, 2].into(),
        executable: Digest([0xee; 32]),
        peers: 2,
        slots: Slots::Shared,
        pool_bytes: 5,
        memory_bytes: 6,
        preferred: vec![None, Some(Host::new("h"))],
        environment: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
        detached: true,
    };
    Arc::new(Submission { job: RUN.job, spec: Arc::new(spec), secret: Secret([0x55; 32]) })
}

fn task(peer: u32) -> TaskId {
    RUN.task(PeerId::from_index(peer))
}

fn registration() -> Request {
    Request::Register(Registration {
        groom: "g".parse().unwrap(),
        session: SESSION,
        epoch: Epoch(7),
        info: GroomInfo { rack: Some("r".to_owned()), ..info("h", 4, 1) },
        draining: Some(Drained { stop: true }),
        tasks: vec![Held { task: task(1), memory_bytes: 9 }],
    })
}

fn report() -> Request {
    let counters = || BTreeMap::from([("c".to_owned(), 8)]);
    let record = SuperstepRecord { peer: 1, superstep: 2, bytes_sent: 3, ..SuperstepRecord::default() };
    let returned = Returned { output: vec![9], counters: counters(), supersteps: 5, records: vec![record] };
    let ended = |how| TaskStatus::Ended(Ended { superstep: 6, how, log: [0x6c].into() });
    let statuses = [
        TaskStatus::Launching,
        TaskStatus::Ready,
        TaskStatus::Running { superstep: 5, units: 4, counters: counters() },
        TaskStatus::Told,
        ended(How::Returned(Arc::new(returned))),
        ended(How::Failed(error())),
        ended(How::Exited { code: -3 }),
        ended(How::Signalled { signal: 9 }),
        ended(How::MemoryLimit { bytes: 10 }),
        ended(How::Killed),
        ended(How::Lost { why: "gone".to_owned() }),
    ];
    let reported =
        |(peer, status)| TaskReport { task: task(peer), addresses: vec!["a:1".to_owned()], status };
    Request::Report(Report {
        groom: "g".parse().unwrap(),
        session: SESSION,
        epoch: Epoch(7),
        sequence: 12,
        seen: 13,
        free_memory_bytes: 14,
        load_percent: 15,
        tasks: (0..).zip(statuses).map(reported).collect(),
    })
}

fn orders() -> Answer {
    let launch =
        Launch { run: RUN, epoch: Epoch(6), submission: submission(), peers: vec![PeerId::from_index(1)] };
    let whats = [
        What::Launch(launch),
        What::Connect { run: RUN, me: 1, roster: Arc::new(roster()) },
        What::Kill { run: RUN, why: "no".to_owned() },
        What::Forget { run: RUN },
        What::Drain { stop: true },
        What::Stop,
    ];
    let actions = (1..).zip(whats).map(|(id, what)| Action { id, epoch: Epoch(7), what }).collect();
    Answer::Orders(Orders { epoch: Epoch(7), session: SESSION, heard: 12, actions })
}

fn roster() -> Roster {
    let groom = |host: &str| Participant { host: Host::new(host), peers: 1 };
    Roster { addresses: vec![vec!["a:1".to_owned()], vec![]], grooms: vec![groom("h"), groom("i")] }
}

fn stored() -> StoredJob {
    let booking = Booking {
        groom: "g".parse().unwrap(),
        host: Host::new("h"),
        start: 3,
        slots: 1,
        peers: vec![PeerId::from_index(0), PeerId::from_index(1)],
    };
    let progress = Progress {
        stage: Stage::Ending,
        history: vec![Came { to: Stage::Queued, at: Moment(1) }, Came { to: Stage::Ending, at: Moment(2) }],
        launched: Some(Launched { attempt: 2, epoch: Epoch(6), bookings: vec![booking] }),
        cause: Some(Cause::Killed { why: "no".to_owned() }),
    };
    StoredJob { number: 21, submission: submission(), progress }
}

fn outcome() -> JobOutcome {
    JobOutcome {
        job: RUN.job,
        spec: Arc::clone(&submission().spec),
        state: JobState::Failed(error()),
        history: vec![Came { to: Stage::Returned, at: Moment(1) }],
        ended: Moment(2),
        peers: vec![PeerOutcome {
            host: Host::new("h"),
            superstep: 3,
            returned: Some(Arc::default()),
            log: [0x6c].into(),
        }],
    }
}

/// The bytes of a value, which has to come back from them.
fn encoded<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, "a word", &mut bytes).unwrap();
    assert_eq!(&codec::decode::<T>(&bytes, "a word").unwrap(), value);
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(codec::decode::<T>(&bytes[..cut], "a word").is_err(), "{cut} bytes of {value:?}");
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many bytes there are, and their checksum.
fn summary(bytes: &[u8]) -> (usize, u32) {
    (bytes.len(), crc32c::crc32c(bytes))
}

#[test]
fn the_bytes_are_pinned() {
    let refused = Answer::Refused { epoch: Epoch(7), session: SESSION, error: error() };
    let reregister = Answer::Reregister { epoch: Epoch(7), session: SESSION };
    assert_eq!(
        hex(&encoded(&error())),
        "040000000000000064617461030000000000000062616401010000000000000068010000000400000000000000"
    );
    assert_eq!(hex(&encoded(&reregister)), "01000000070000000000000002010000000000000300000000000000");
    assert_eq!(
        hex(&encoded(&registration())),
        concat!(
            "0000000001000000000000006702010000000000000300000000000000070000000000000001000000000000006803",
            "00000000000000683a30040000000000004000000000010100000000000000720500000000000000302e312e300000",
            "000000000000010101000000000000001000000000000000111111111111111111111111111111110100000002000000",
            "0900000000000000",
        )
    );
    let all = [
        summary(&encoded(&report())),
        summary(&encoded(&orders())),
        summary(&encoded(&refused)),
        summary(&encoded(&stored())),
        summary(&encoded(&outcome())),
    ];
    let pinned =
        [(1133, 0x1b56_138b), (558, 0x3be0_155d), (73, 0x961c_9272), (304, 0x0445_eccc), (290, 0x9df5_810f)];
    assert_eq!(all, pinned);
}

#[test]
fn what_is_pinned_could_be_said() {
    for request in [registration(), report()] {
        request.validate().unwrap();
    }
    orders().validate().unwrap();
}
