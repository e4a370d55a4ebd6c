//! The transport over sockets as a whole: it conforms, and says what happened to a connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::header::{self, Header, Kind};
use super::*;
use crate::message::bundle::BUNDLE_BYTES_MAX;
use crate::message::bundler::TOTALS_BYTES;
use crate::transport::conformance::{self, Trial};

fn common(trial: &Trial) -> Common {
    Common {
        job: JobId::from_bytes([3; 16]),
        host: Host::local(),
        pool: trial.pool.clone(),
        abort: trial.abort.clone(),
        repeat_after: REPEAT_AFTER,
        lost_after: Duration::MAX,
        inbox_bytes_max: trial.inbox_bytes_max,
        spill: None,
        span: Span::none(),
    }
}

fn peer(index: u32) -> PeerId {
    PeerId::from_index(index)
}

#[test]
fn it_conforms() {
    conformance::run(|count, trial| {
        let ends = connect(count, &common(trial)).expect("there are sockets enough");
        ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
    });
}

#[test]
fn it_conforms_over_faulty_connections() {
    let faults = faulty::fault_count();
    conformance::run(|count, trial| {
        let ends = faulty::connect(count, common(trial), 11).expect("there are sockets enough");
        ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
    });
    // No other test of this process has any.
    assert!(faulty::fault_count() > faults);
}

/// Peer 0 of a job of two, and the bare socket that is its connection to peer 1.
fn half() -> (Endpoint, UnixStream, Common) {
    let common = common(&Trial::new(1 << 20));
    let (near, far) = UnixStream::pair().unwrap();
    let wire = Wire::new(peer(1), Socket::of(near).unwrap());
    let route = header(Kind::Ack, 0, b"").route.back();
    let end =
        Endpoint::start(Route { destination: peer(0), ..route }, 2, vec![wire], &common, Refused::default());
    (end.unwrap(), far, common)
}

/// What peer 0 tells peer 1, which it can be told where nobody looks for it.
pub(super) const TOLD: Totals =
    Totals { messages: 1, bundles: 1, bundle_bytes: 1, payloads: 0, payload_bytes: 0 };

/// A header that peer 1 could send to peer 0.
fn header(kind: Kind, superstep: u64, body: &[u8]) -> Header {
    let job = JobId::from_bytes([3; 16]);
    let route = Route { job, attempt: 0, epoch: 0, sender: peer(1), destination: peer(0) };
    Header::new(kind, route, superstep, 0, body)
}

/// Writes `bytes` to peer 0 while it waits for acknowledgements; returns what ended the job.
fn after(bytes: &[u8]) -> Error {
    let (mut end, mut far, common) = half();
    far.write_all(bytes).unwrap();
    let ended = end.finish(0, &[TOLD; 2]).unwrap_err();
    assert_eq!(ended.message(), "peer 0 ended the job");
    let error = common.abort.take();
    assert_eq!(error.place().unwrap().peer, peer(0));
    error
}

#[test]
fn bytes_that_are_no_frames_end_the_job() {
    let bundle = header(Kind::Bundle, 0, b"x");
    let end = header(Kind::EndOfStep, 0, &[0; TOTALS_BYTES]);
    let ends = [&end.encode()[..], &[0; TOTALS_BYTES], &Header { sequence: 1, ..end }.encode()].concat();
    let damaged = [&bundle.encode()[..], b"y"].concat();
    let huge = BUNDLE_BYTES_MAX as u64 + 1;
    for (bytes, says) in [
        (vec![b'x'; 88], "begins with [78, 78, 78, 78] instead of HAMA"),
        ([&b"HAMA"[..], &[0; 84]].concat(), "it says 00000000"),
        (Header { length: huge, raw_length: huge, ..bundle }.encode().to_vec(), "has 20971525 bytes"),
        (header(Kind::Bundle, 2, b"").encode().to_vec(), "sent frame 0 of superstep 2 in superstep 0"),
        (Header { sequence: 2, ..header(Kind::Ack, 0, b"") }.encode().to_vec(), "acknowledged 2 frames"),
        (ends, "sent frame 1 of superstep 0 out of the order of supersteps"),
        (damaged.repeat(17), "frame 0 of superstep 0 from peer 1 was damaged 17 times"),
    ] {
        let error = after(&bytes);
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.to_string().contains("peer 0 cannot receive from peer 1: "), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_payload_larger_than_the_pool_takes_no_memory() {
    let payload = header(Kind::Payload, 0, b"");
    for length in [2 << 20, 1 << 40, u64::MAX] {
        let error = after(&Header { length, raw_length: length, ..payload }.encode());
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    }
}

#[test]
fn a_goodbye_in_the_middle_is_a_lost_peer() {
    let error = after(&header(Kind::Goodbye, 0, b"").encode());
    assert_eq!(error.kind(), ErrorKind::PeerLost);
    assert!(error.to_string().contains("peer 0 lost peer 1: it left before"), "{error}");
}

#[test]
fn frames_that_are_not_for_this_link_change_nothing() {
    let (mut end, mut far, common) = half();
    let ours = header(Kind::Ack, 0, b"").route;
    for route in [
        Route { job: JobId::from_bytes([4; 16]), ..ours },
        Route { sender: peer(7), ..ours },
        Route { epoch: 1, ..ours },
        Route { attempt: 1, ..ours },
    ] {
        // An acknowledgement of all, a goodbye, a bundle, a payload.
        let huge = Header { length: 1 << 13, raw_length: 1 << 13, ..header(Kind::Payload, 0, b"") };
        for header in [
            Header { sequence: 1, ..header(Kind::Ack, 0, b"") },
            header(Kind::Goodbye, 0, b""),
            header(Kind::Bundle, 0, b""),
            huge,
        ] {
            far.write_all(&Header { route, ..header }.encode()).unwrap();
            far.write_all(&vec![0; header.length as usize]).unwrap();
        }
    }
    let shared = Arc::clone(&end.shared);
    thread::scope(|scope| {
        let finished = scope.spawn(|| end.finish(0, &[TOLD; 2]));
        assert_eq!(next_frame(&mut far).kind, Kind::EndOfStep);
        // The acknowledgement of a frame says that all before it was read.
        let told = TOLD.to_bytes();
        far.write_all(&header(Kind::EndOfStep, 0, &told).encode()).unwrap();
        far.write_all(&told).unwrap();
        assert_eq!(next_frame(&mut far).kind, Kind::Ack);
        {
            let mut state = shared.lock();
            let link = state.link(peer(1));
            assert!(!link.sender.is_done() && !link.has_left);
        }
        let right = Header { sequence: 1, ..header(Kind::Ack, 0, b"") };
        far.write_all(&right.encode()).unwrap();
        finished.join().unwrap().unwrap();
    });
    assert_eq!(common.pool.usage().used_bytes_peak, 0);
}

/// The next frame that peer 0 sends.
fn next_frame(far: &mut UnixStream) -> Header {
    let mut bytes = [0; header::HEADER_BYTES];
    far.read_exact(&mut bytes).unwrap();
    let header = Header::decode(&bytes).unwrap();
    far.read_exact(&mut vec![0; header.length as usize]).unwrap();
    header
}

#[test]
fn a_peer_that_always_asks_again_is_a_lost_peer() {
    let (mut end, mut far, common) = half();
    thread::scope(|scope| {
        scope.spawn(|| {
            let ask = Header { resend: true, ..header(Kind::Ack, 0, b"") };
            for _ in 0..17 {
                assert_eq!(next_frame(&mut far).kind, Kind::EndOfStep);
                far.write_all(&ask.encode()).unwrap();
            }
        });
        assert!(end.finish(0, &[TOLD; 2]).is_err());
    });
    let error = common.abort.take();
    assert_eq!(error.kind(), ErrorKind::PeerLost);
    let says = "peer 0 lost peer 1: peer 1 did not acknowledge frame 0 of superstep 0, sent 17 times";
    assert!(error.to_string().ends_with(says), "{error}");
}

#[test]
fn a_broken_connection_is_a_lost_peer() {
    let (mut end, far, common) = half();
    drop(far);
    assert!(end.finish(0, &[TOLD; 2]).is_err());
    let error = common.abort.take();
    assert_eq!(error.kind(), ErrorKind::PeerLost);
    assert!(error.to_string().ends_with("peer 0 lost peer 1: the connection was closed"), "{error}");
}

#[test]
fn a_frame_cut_short_is_a_lost_peer() {
    let (mut end, mut far, common) = half();
    far.write_all(&header(Kind::Bundle, 0, &[1; 100]).encode()).unwrap();
    far.write_all(&[1; 99]).unwrap();
    drop(far);
    assert!(end.finish(0, &[TOLD; 2]).is_err());
    assert_eq!(common.abort.take().kind(), ErrorKind::PeerLost);
}

#[test]
fn sending_waits_for_acknowledgements_until_the_job_ends() {
    let (mut end, mut far, common) = half();
    let full = KEPT_BYTES_MAX >> 20;
    // Bytes that do not shrink.
    let numbers = (0..1u64 << 17).map(|i| (i * i).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bundle: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    for _ in 0..full {
        end.send_bundle(0, peer(1), bundle.clone()).unwrap();
    }
    let shared = Arc::clone(&end.shared);
    thread::scope(|scope| {
        let next = scope.spawn(|| {
            end.send_bundle(0, peer(1), bundle.clone()).unwrap();
            end.send_bundle(0, peer(1), bundle.clone()).unwrap_err()
        });
        for sequence in 0..full {
            assert_eq!(next_frame(&mut far).sequence, sequence);
        }
        // What was not acknowledged never is more than the limit, however late the sender is.
        assert!(shared.lock().link(peer(1)).sender.kept_bytes() <= KEPT_BYTES_MAX);
        far.write_all(&Header { sequence: 1, ..header(Kind::Ack, 0, b"") }.encode()).unwrap();
        assert_eq!(next_frame(&mut far).sequence, full);
        assert!(shared.lock().link(peer(1)).sender.kept_bytes() <= KEPT_BYTES_MAX);
        common.abort.end(None, Error::new(ErrorKind::Cancelled, "enough"));
        assert_eq!(next.join().unwrap().kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn a_peer_that_never_answers_does_not_keep_a_finished_one() {
    let (end, _far, _common) = half();
    drop(end);
}
