//! What goes wrong on a line between two processes in the middle of a job: it is repaired, or the job ends by name.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::*;
use crate::message::compress::Bundle;
use crate::transport::budget::IN_MEMORY_BYTES_MAX;
use crate::transport::framed::faulty;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind};
use crate::transport::framed::tests::TOLD;

/// Peer 0, and the bare connection that peer 1 is.
struct Half {
    end: Endpoint,
    far: TcpStream,
    common: Common,
    far_name: String,
}

fn half(lost_after: Duration) -> Half {
    let Peers { mut listeners, all, folder: _folder } = listen(2, Way::Tcp);
    let (_, zero) = (listeners.pop(), listeners.pop().unwrap());
    let common = Common { lost_after, ..common(&Trial::new(1 << 20)) };
    let hello = Hello { pass: pass(), from: peer(1), to: peer(0), peers: 2 };
    // Until then it may be connecting to others.
    let deadline = Instant::now() + Duration::from_millis(200);
    let (end, far) = thread::scope(|scope| {
        let (all, common) = (&all, &common);
        let zero = scope.spawn(move || connect(zero, peer(0), all, common, deadline).unwrap());
        let mut far = TcpStream::connect(all[0].tcp).unwrap();
        far.write_all(&hello.encode()).unwrap();
        far.read_exact(&mut [0; HELLO_BYTES]).unwrap();
        (zero.join().unwrap(), far)
    });
    Half { end, far, common, far_name: format!("peer 0 lost peer 1 on {}", all[1]) }
}

fn header(kind: Kind, body: &[u8]) -> Header {
    let pass = pass();
    let (sender, destination) = (peer(1), peer(0));
    let route = Route { job: pass.job, attempt: pass.attempt, epoch: pass.epoch, sender, destination };
    Header::new(kind, route, 0, 0, body)
}

#[test]
fn a_process_that_is_gone_is_noticed_at_once() {
    let mut half = half(SOON);
    let cut = header(Kind::Bundle, &[1; 100]).encode();
    half.far.write_all(&cut).unwrap();
    drop(half.far);
    let begun = Instant::now();
    assert!(half.end.finish(0, &[TOLD; 2]).is_err());
    assert!(begun.elapsed() < SOON / 4);
    let error = half.common.abort.take();
    assert_eq!(error.kind(), ErrorKind::PeerLost);
    assert_eq!(error.message(), half.far_name);
    assert!(error.to_string().ends_with("the connection was closed"), "{error}");
    assert_eq!(error.place().unwrap().peer, peer(0));
}

#[test]
fn a_process_that_hangs_is_lost_in_time() {
    let lost_after = Duration::from_millis(300);
    for bytes in [100, 64 << 20] {
        let mut half = half(lost_after);
        let begun = Instant::now();
        let pool = crate::pool::Pool::new(128 << 20);
        let payload = pool.take(bytes).unwrap().freeze();
        // All of it is in the system's buffers, or as much as these take.
        half.end.send_payload(0, &[peer(1)], &payload).unwrap();
        assert!(half.end.finish(0, &[TOLD; 2]).is_err());
        assert!(begun.elapsed() >= lost_after && begun.elapsed() < SOON / 4, "{:?}", begun.elapsed());
        let error = half.common.abort.take();
        assert_eq!(error.kind(), ErrorKind::PeerLost);
        assert_eq!(error.message(), half.far_name);
        // Where the system's bound is over first, it is the system that says it.
        assert!(
            ["took nothing and said nothing for 0.", "timed out"]
                .iter()
                .any(|s| error.to_string().contains(s)),
            "{error}"
        );
    }
}

#[test]
fn a_process_that_reads_slowly_is_not_lost() {
    let half = half(Duration::from_secs(2));
    let Half { mut end, mut far, common, .. } = half;
    let pool = crate::pool::Pool::new(128 << 20);
    let payload = pool.take(64 << 20).unwrap().freeze();
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut left = HEADER_BYTES + (64 << 20);
            let mut bytes = vec![0; 2 << 20];
            while left > 0 {
                let count = left.min(2 << 20);
                far.read_exact(&mut bytes[..count]).unwrap();
                left -= count;
                thread::sleep(Duration::from_millis(90));
            }
            let ack = |sequence| Header { sequence, ..header(Kind::Ack, b"") }.encode();
            far.write_all(&ack(1)).unwrap();
            // The end of the superstep.
            far.read_exact(&mut [0; HEADER_BYTES + 40]).unwrap();
            far.write_all(&ack(2)).unwrap();
            let _ = far.read(&mut bytes);
        });
        end.send_payload(0, &[peer(1)], &payload).unwrap();
        end.finish(0, &[TOLD; 2]).unwrap();
        assert!(begun.elapsed() > common.lost_after);
        drop(end);
    });
}

#[test]
fn nothing_on_its_way_may_take_any_time() {
    let half = half(Duration::from_millis(100));
    thread::sleep(Duration::from_millis(700));
    half.common.abort.check().unwrap();
}

/// Stands between two peers: passes the hellos on and the rest with faults. Returns where it is called.
fn proxy(to: SocketAddr, seed: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        let mut far = TcpStream::connect(to).unwrap();
        let mut hello = [0; HELLO_BYTES];
        near.read_exact(&mut hello).unwrap();
        far.write_all(&hello).unwrap();
        far.read_exact(&mut hello).unwrap();
        near.write_all(&hello).unwrap();
        [&near, &far].into_iter().for_each(|stream| stream.set_nodelay(true).unwrap());
        faulty::join(any(near), any(far), seed).unwrap();
    });
    address
}

/// A stream is a stream: what passes frames on names only this kind.
fn any(stream: TcpStream) -> UnixStream {
    UnixStream::from(OwnedFd::from(stream))
}

#[test]
fn it_conforms_over_a_proxy_that_damages_loses_doubles_and_replays() {
    let faults = faulty::fault_count();
    conformance::run(|count, trial| {
        let mut peers = listen(count, Way::Tcp);
        let real = peers.all.clone();
        let common = Common { repeat_after: Duration::from_millis(20), ..common(trial) };
        let deadline = Instant::now() + SOON;
        // Every peer calls those before it by proxies of its own.
        let all: Vec<Vec<Addresses>> = (0..count)
            .map(|me| {
                let mut all = real.clone();
                for to in 0..me as usize {
                    all[to].tcp = proxy(real[to].tcp, u64::from(me * 8) + to as u64);
                }
                all
            })
            .collect();
        thread::scope(|scope| {
            let listeners = std::mem::take(&mut peers.listeners);
            let mut threads = Vec::new();
            for ((me, listener), all) in (0..).zip(listeners).zip(&all) {
                let common = &common;
                threads
                    .push(scope.spawn(move || connect(listener, peer(me), all, common, deadline).unwrap()));
            }
            boxed(threads.into_iter().map(|thread| thread.join().unwrap()).collect())
        })
    });
    assert!(faulty::fault_count() > faults, "a test that nothing happened to proves nothing");
}

#[test]
fn what_is_damaged_doubled_or_of_others_is_counted() {
    let half = half(SOON);
    let Half { mut end, mut far, .. } = half;
    let refused = end.refused();
    let bundle = header(Kind::Bundle, b"x");
    let send = |far: &mut TcpStream, header: Header, body: &[u8]| {
        far.write_all(&[&header.encode()[..], body].concat()).unwrap();
    };
    // Damaged, good, doubled, replayed from another attempt, another job, another peer.
    send(&mut far, bundle, b"y");
    send(&mut far, bundle, b"x");
    send(&mut far, bundle, b"x");
    let route = bundle.route;
    for foreign in [
        Route { attempt: 3, ..route },
        Route { epoch: 4, ..route },
        Route { job: JobId::from_bytes([8; 16]), ..route },
        Route { sender: peer(0), ..route },
        Route { destination: peer(1), ..route },
    ] {
        send(&mut far, Header { route: foreign, sequence: 1, ..bundle }, b"z");
    }
    let told_bytes = TOLD.to_bytes();
    send(&mut far, Header { sequence: 1, ..header(Kind::EndOfStep, &told_bytes) }, &told_bytes);
    let last = Header { sequence: 1, ..header(Kind::Ack, b"") };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut bytes = [0; HEADER_BYTES];
            loop {
                far.read_exact(&mut bytes).unwrap();
                let header = Header::decode(&bytes).unwrap();
                far.read_exact(&mut vec![0; header.length as usize]).unwrap();
                if header.kind == Kind::EndOfStep {
                    far.write_all(&last.encode()).unwrap();
                    return;
                }
            }
        });
        end.finish(0, &[Totals::default(), TOLD]).unwrap();
    });
    let arrived = end.take(0).unwrap();
    assert_eq!((arrived.len(), arrived[0].bundles.len()), (1, 1));
    assert_eq!(refused.frames(), 7);
}

/// Peers 0 and 1, of which the first receives.
fn receiver_and_sender(receiving: &Common, sending: &Common) -> (Endpoint, Endpoint) {
    let Peers { mut listeners, all, folder: _folder } = listen(2, Way::Tcp);
    let (one, zero) = (listeners.pop().unwrap(), listeners.pop().unwrap());
    let deadline = Instant::now() + SOON;
    thread::scope(|scope| {
        let zero = scope.spawn(|| connect(zero, peer(0), &all, receiving, deadline).unwrap());
        let one = connect(one, peer(1), &all, sending, deadline).unwrap();
        (zero.join().unwrap(), one)
    })
}

#[test]
fn bundles_beyond_what_memory_holds_wait_on_disk() {
    const LEN: usize = 4 << 20;
    let count = 2 * IN_MEMORY_BYTES_MAX / LEN as u64;
    let folder = tempfile::tempdir().unwrap();
    let sending = common(&Trial::new(1 << 20));
    let receiving = Common { spill: Some(folder.path().to_owned()), ..common(&Trial::new(1 << 20)) };
    let (mut zero, mut one) = receiver_and_sender(&receiving, &sending);
    // One that shrinks, and one that does not.
    let noise: Vec<u8> = (0..LEN as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 23) as u8).collect();
    let sent = |number: u64| if number.is_multiple_of(2) { vec![number as u8; LEN] } else { noise.clone() };
    for superstep in 0..2 {
        for number in 0..count {
            one.send_bundle(superstep, peer(0), sent(number)).unwrap();
        }
        let bundle_bytes = count * LEN as u64;
        let told = Totals { messages: count, bundles: count, bundle_bytes, ..Totals::default() };
        one.finish(superstep, &[told, Totals::default()]).unwrap();
        zero.finish(superstep, &[Totals::default(); 2]).unwrap();
        let arrived = zero.take(superstep).unwrap().pop().unwrap();
        let waits = |bundle: &&Bundle| matches!(bundle, Bundle::Elsewhere { .. });
        assert_eq!(arrived.bundles.iter().filter(waits).count() as u64, count / 2);
        for (number, bundle) in (0..).zip(arrived.bundles) {
            assert!(bundle.open().unwrap() == sent(number), "{number}");
        }
        assert!(one.take(superstep).unwrap().is_empty());
    }
}

/// Two peers of pools of their own; the one who receives has no room before it takes.
#[test]
fn payloads_without_room_wait_on_disk() {
    const LEN: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let sending = common(&Trial::new(8 * LEN));
    let receiving = Common { spill: Some(folder.path().to_owned()), ..common(&Trial::new(3 * LEN)) };
    let (mut zero, mut one) = receiver_and_sender(&receiving, &sending);
    let totals =
        |count: u64| Totals { payloads: count, payload_bytes: count * LEN as u64, ..Totals::default() };
    let nothing = [Totals::default(); 2];
    for superstep in 0..3 {
        let in_use = receiving.pool.take(2 * LEN).unwrap();
        for number in 0..3 {
            let mut payload = sending.pool.take(LEN).unwrap();
            payload.fill(number + 10 * superstep as u8);
            one.send_payload(superstep, &[peer(0)], &payload.freeze()).unwrap();
        }
        one.finish(superstep, &[totals(3), Totals::default()]).unwrap();
        zero.finish(superstep, &nothing).unwrap();
        drop(in_use);
        let arrived = zero.take(superstep).unwrap();
        for (number, payload) in arrived[0].payloads.iter().enumerate() {
            assert_eq!(payload[..], vec![number as u8 + 10 * superstep as u8; LEN]);
        }
        assert_eq!(arrived[0].payloads.len(), 3);
        assert!(one.take(superstep).unwrap().is_empty());
    }
    // And one that nobody makes room for ends the job by name.
    let _in_use = [(); 3].map(|()| receiving.pool.take(LEN).unwrap());
    one.send_payload(3, &[peer(0)], &sending.pool.take(LEN).unwrap().freeze()).unwrap();
    one.finish(3, &[totals(1), Totals::default()]).unwrap();
    zero.finish(3, &nothing).unwrap();
    let error = zero.take(3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(
        error.to_string().starts_with("peer 0 cannot take back the 1048576 bytes from peer 1"),
        "{error}"
    );
}
