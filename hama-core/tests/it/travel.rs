//! What travels: programs to their peers, payloads into the pool, figures to the client.

use std::sync::Arc;
use std::time::Duration;

use hama_core::testing::{TRANSPORTS, in_time, run};
use hama_core::{
    BoxError, Bsp, ErrorKind, Host, LocalRunner, PEERS_MAX, Peer, Pool, Progress, TransportKind,
    WIRE_BETWEEN_HOSTS, WIRE_WITHIN_HOSTS,
};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A program that travels or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traveller {
    Stays,
    GetsLost,
    Dies,
}

impl Serialize for Traveller {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Traveller::Stays => Err(S::Error::custom("no passport")),
            Traveller::GetsLost => 0u8.serialize(serializer),
            Traveller::Dies => 1u8.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Traveller {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Traveller, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Err(D::Error::custom("no arrival")),
            _ => panic!("on the way"),
        }
    }
}

impl Bsp for Traveller {
    const NAME: &'static str = "traveller";
    type Message = ();
    type Output = ();

    fn bsp(&self, _: &mut Peer<()>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_program_that_cannot_travel_fails_early() {
    for (program, says) in [
        (Traveller::Stays, "cannot encode program traveller: no passport"),
        (Traveller::GetsLost, "program traveller cannot travel"),
        (Traveller::Dies, "panicked: on the way"),
    ] {
        for trial in run(&program, [1, 2, 3, 7]) {
            let error = trial.result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Program, "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}

/// A program with its input inside.
#[derive(Serialize, Deserialize)]
struct Laden(Vec<u8>);

impl Bsp for Laden {
    const NAME: &'static str = "laden";
    type Message = ();
    type Output = usize;

    fn bsp(&self, _: &mut Peer<()>) -> Result<usize, BoxError> {
        Ok(self.0.len())
    }
}

#[test]
fn a_program_has_its_limit() {
    let runner = LocalRunner::new(Pool::new(1 << 20));
    let error = runner.run(&Laden(vec![0; 17 << 20])).peers(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("the limit is 16777216"), "{error}");
    assert_eq!(runner.run(&Laden(vec![0; 1 << 20])).peers(2).unwrap().outputs, [1 << 20; 2]);
}

#[test]
fn a_job_has_a_peer_at_least_and_not_any_number() {
    for transport in TRANSPORTS {
        let runner = LocalRunner::new(Pool::new(1 << 20)).with_transport(transport);
        for count in [0, PEERS_MAX + 1, usize::MAX] {
            let error = runner.run(&Laden(Vec::new())).peers(count).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("with {count} peers")), "{error}");
        }
    }
}

/// Peer 0 sends a payload of this many bytes to all others.
#[derive(Serialize, Deserialize)]
struct Sends(usize);

impl Bsp for Sends {
    const NAME: &'static str = "sends";
    type Message = ();
    type Output = Option<usize>;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Self::Output, BoxError> {
        if peer.index() == 0 {
            let others: Vec<_> = peer.peers().skip(1).collect();
            let payload = peer.pool().take(self.0)?.freeze();
            peer.send_many_with(&others, &(), &payload)?;
        }
        let received = peer.sync()?.into_iter().next();
        Ok(received.and_then(|received| received.payload).map(|payload| payload.len()))
    }
}

#[test]
fn payloads_of_any_size_travel() {
    for len in [0, 1, 4095, 4097, 3 << 20, 20 << 20] {
        for trial in run(&Sends(len), [2, 3]) {
            let mut expected = vec![Some(len); trial.peers];
            expected[0] = None;
            assert_eq!(trial.result.unwrap().outputs, expected);
        }
    }
}

#[test]
fn a_payload_that_the_pool_has_no_room_for_is_an_error_of_the_receiver() {
    let runner = LocalRunner::new(Pool::new(6 << 20)).with_transport(TransportKind::Framed);
    let error = in_time(move || runner.run(&Sends(4 << 20)).peers(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert_eq!(error.place().unwrap().peer.index(), 1, "{error}");
    assert!(error.to_string().contains("4194304 of the 6291456 bytes given are in use"), "{error}");
}

#[test]
fn all_buffers_are_back_after_a_job() {
    for transport in TRANSPORTS {
        let pool = Pool::new(64 << 20);
        let runner = LocalRunner::new(pool.clone()).with_transport(transport);
        in_time(move || runner.run(&Sends(4 << 20)).peers(3)).unwrap();
        assert_eq!(pool.usage().used_bytes, 0);
    }
}

/// Peer 0 sends peer 1 this many messages of 16 MiB at once.
#[derive(Serialize, Deserialize)]
struct Pours(usize);

impl Bsp for Pours {
    const NAME: &'static str = "pours";
    type Message = Vec<u64>;
    type Output = usize;

    fn bsp(&self, peer: &mut Peer<Vec<u64>>) -> Result<usize, BoxError> {
        let message = vec![0; (16 << 17) - 1];
        for _ in 0..self.0 * usize::from(peer.index() == 0) {
            peer.send(peer.peer(1)?, &message)?;
        }
        Ok(peer.sync()?.len())
    }
}

#[test]
fn more_messages_than_a_peer_can_hold_are_an_error_of_the_receiver() {
    for trial in run(&Pours(16), [2]) {
        let error = trial.result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert_eq!(error.place().unwrap().peer.index(), 1, "{error}");
        let says = "peer 1 cannot take 16777220 more bytes of messages from peer 0: it holds ";
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// Books all that can be booked.
#[derive(Serialize, Deserialize)]
struct Booked;

impl Bsp for Booked {
    const NAME: &'static str = "booked";
    type Message = [u64; 2];
    type Output = String;

    fn bsp(&self, peer: &mut Peer<[u64; 2]>) -> Result<String, BoxError> {
        peer.add("tiles", 2);
        peer.add("tiles", 3);
        peer.progress(10);
        peer.add_work(1000);
        peer.add_read(Duration::from_secs(2), 11);
        peer.add_write(Duration::from_millis(3), 12);
        peer.send(peer.peer(0)?, &[1, 2])?;
        drop(peer.sync()?);
        peer.add_work(7);
        Ok(peer.host().name().to_owned())
    }
}

#[test]
fn figures_reach_the_client() {
    for transport in TRANSPORTS {
        let progress = Arc::new(Progress::new());
        let runner =
            LocalRunner::new(Pool::new(1 << 20)).with_transport(transport).with_host(Host::new("here"));
        let shown = Arc::clone(&progress);
        let outcome = in_time(move || runner.run(&Booked).progress(shown).peers(2)).unwrap();
        assert_eq!(outcome.outputs, ["here", "here"]);
        assert_eq!(outcome.counters["tiles"], 10);
        assert_eq!(progress.done(), 20);
        assert_eq!(outcome.supersteps, 1);
        let places: Vec<_> = outcome.records.iter().map(|r| (r.superstep, r.peer)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1)]);
        let first = &outcome.records[0];
        assert_eq!((first.work, outcome.records[2].work), (1000, 7));
        assert_eq!((first.bytes_read, first.bytes_written), (11, 12));
        assert!(first.read >= Duration::from_secs(2) && first.write >= Duration::from_millis(3));
        assert_eq!(first.compute, Duration::ZERO);
        // 16 bytes and one for the length.
        assert_eq!((first.bytes_sent, first.messages_sent), (17, 1));
        assert_eq!((first.bytes_received, first.messages_received), (34, 2));
        assert_eq!((outcome.records[1].bytes_received, outcome.records[1].messages_received), (0, 0));
    }
}

/// Peer 0 sends every peer, itself too, a payload of a MiB.
#[derive(Serialize, Deserialize)]
struct Gives;

const GIVEN: u64 = 1 << 20;

impl Bsp for Gives {
    const NAME: &'static str = "gives";
    type Message = ();
    type Output = ();

    fn bsp(&self, peer: &mut Peer<()>) -> Result<(), BoxError> {
        if peer.index() == 0 {
            let payload = peer.pool().take(GIVEN as usize)?.freeze();
            let all: Vec<_> = peer.peers().collect();
            peer.send_many_with(&all, &(), &payload)?;
        }
        drop(peer.sync()?);
        Ok(())
    }
}

#[test]
fn the_wire_is_counted_by_where_it_leads() {
    // Peers 0 and 2 are on one host, 1 and 3 on others.
    let hosts: Vec<Host> = ["a", "b", "a", "c"].map(Host::new).into();
    for (transport, between, within) in
        [(TransportKind::Framed, 2 * GIVEN, GIVEN), (TransportKind::Memory, 0, 0)]
    {
        let runner =
            LocalRunner::new(Pool::new(16 << 20)).with_transport(transport).with_hosts(hosts.clone());
        let counters = in_time(move || runner.run(&Gives).peers(4)).unwrap().counters;
        for (name, sent) in [(WIRE_BETWEEN_HOSTS, between), (WIRE_WITHIN_HOSTS, within)] {
            let counted = counters.get(name).copied();
            // Headers, what tells the end of the step, acknowledgements and goodbyes of four peers.
            let fits = |counted: u64| (sent + 1..sent + 10_000).contains(&counted);
            assert!(
                if sent == 0 { counted.is_none() } else { counted.is_some_and(fits) },
                "{name}: {counted:?}"
            );
        }
    }
}
