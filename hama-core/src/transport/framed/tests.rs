//! The transport over sockets as a whole: it conforms, and says what happened to a connection.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::header::{Header, Kind};
use super::*;
use crate::message::bundle::BUNDLE_BYTES_MAX;
use crate::transport::conformance;

fn common(pool: &Pool) -> Common {
    Common {
        job: JobId::from_bytes([3; 16]),
        host: Host::local(),
        pool: pool.clone(),
        abort: Abort::new(),
        repeat_after: REPEAT_AFTER,
    }
}

fn peer(index: u32) -> PeerId {
    PeerId::from_index(index)
}

#[test]
fn it_conforms() {
    conformance::run(|count, pool| {
        let ends = connect(count, &common(pool)).expect("there are sockets enough");
        ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
    });
}

#[test]
fn it_conforms_over_faulty_connections() {
    conformance::run(|count, pool| {
        let ends = faulty::connect(count, common(pool), 11).expect("there are sockets enough");
        ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
    });
}

/// Peer 0 of a job of two, and the bare socket that is its connection to peer 1.
fn half() -> (Endpoint, UnixStream, Common) {
    let common = common(&Pool::new(1 << 20));
    let (near, far) = UnixStream::pair().unwrap();
    let wire = Wire::new(peer(1), Socket::of(near).unwrap());
    (Endpoint::start(0, 2, vec![wire], &common).unwrap(), far, common)
}

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
    let begun = Instant::now();
    let ended = end.finish(0, &[Totals::default(); 2]).unwrap_err();
    assert_eq!(ended.message(), "peer 0 ended the job");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let error = common.abort.take();
    assert_eq!(error.place().unwrap().peer, peer(0));
    error
}

#[test]
fn bytes_that_are_no_frames_end_the_job() {
    let bundle = header(Kind::Bundle, 0, b"x");
    let huge = BUNDLE_BYTES_MAX as u64 + 1;
    for (bytes, says) in [
        (vec![b'x'; 88], "begins with [78, 78, 78, 78] instead of HAMA"),
        ([&b"HAMA"[..], &[0; 84]].concat(), "it says 00000000"),
        (Header { length: huge, raw_length: huge, ..bundle }.encode().to_vec(), "has 20971525 bytes"),
        (header(Kind::Bundle, 2, b"").encode().to_vec(), "sent frame 0 of superstep 2 in superstep 0"),
        (Header { sequence: 2, ..header(Kind::Ack, 0, b"") }.encode().to_vec(), "acknowledged 2 frames"),
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
    thread::scope(|scope| {
        let finished = scope.spawn(|| end.finish(0, &[Totals::default(); 2]));
        thread::sleep(Duration::from_millis(50));
        assert!(!finished.is_finished());
        let right = Header { sequence: 1, ..header(Kind::Ack, 0, b"") };
        far.write_all(&right.encode()).unwrap();
        finished.join().unwrap().unwrap();
    });
    assert_eq!(common.pool.usage().used_bytes_peak, 0);
}

#[test]
fn a_broken_connection_is_a_lost_peer() {
    let (mut end, far, common) = half();
    drop(far);
    assert!(end.finish(0, &[Totals::default(); 2]).is_err());
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
    assert!(end.finish(0, &[Totals::default(); 2]).is_err());
    assert_eq!(common.abort.take().kind(), ErrorKind::PeerLost);
}

#[test]
fn sending_waits_for_acknowledgements_until_the_job_ends() {
    let (mut end, _far, common) = half();
    let sent = AtomicU64::new(0);
    let full = KEPT_BYTES_MAX >> 20;
    thread::scope(|scope| {
        scope.spawn(|| {
            while sent.load(Ordering::SeqCst) < full {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(50));
            common.abort.end(None, Error::new(ErrorKind::Cancelled, "enough"));
        });
        let error = loop {
            // Bytes that do not shrink.
            let numbers = (0..1u64 << 17).map(|i| (i * i).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            match end.send_bundle(0, peer(1), numbers.flat_map(u64::to_le_bytes).collect()) {
                Ok(()) => sent.fetch_add(1, Ordering::SeqCst),
                Err(error) => break error,
            };
        };
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    });
    assert_eq!(sent.into_inner(), full);
}

#[test]
fn a_peer_that_never_answers_does_not_keep_a_finished_one() {
    let (end, _far, _common) = half();
    let begun = Instant::now();
    drop(end);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
