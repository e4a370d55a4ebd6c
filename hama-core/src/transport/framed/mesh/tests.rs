//! Peers that connect: all find each other, strangers do not get in, and who is missing is named.

mod lines;
mod strangers;

use std::net::Ipv4Addr;
use std::thread;

use tempfile::TempDir;

use super::hello::Secret;
use super::*;
use crate::ids::JobId;
use crate::message::bundler::Totals;
use crate::transport::conformance::{self, Trial};
use crate::transport::framed::REPEAT_AFTER;
use crate::transport::{Arrived, Transport};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOON: Duration = Duration::from_secs(20);

fn pass() -> Pass {
    Pass { job: JobId::from_bytes([3; 16]), attempt: 4, epoch: 5, secret: Secret::from_bytes([6; 32]) }
}

fn peer(index: u32) -> PeerId {
    PeerId::from_index(index)
}

fn common(trial: &Trial) -> Common {
    Common {
        job: pass().job,
        host: Host::local(),
        pool: trial.pool.clone(),
        abort: trial.abort.clone(),
        repeat_after: REPEAT_AFTER,
        lost_after: SOON,
        inbox_bytes_max: trial.inbox_bytes_max,
        spill: None,
        span: tracing::Span::none(),
    }
}

/// How peers reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Each is on a host of its own.
    Tcp,
    Unix,
}

impl Way {
    fn host(self, index: u32) -> Host {
        match self {
            Way::Tcp => Host::new(format!("host-{index}")),
            Way::Unix => Host::local(),
        }
    }
}

/// Peers that listen.
struct Peers {
    listeners: Vec<Listener>,
    all: Vec<Addresses>,
    folder: TempDir,
}

fn listen(count: u32, way: Way) -> Peers {
    let folder = tempfile::tempdir().unwrap();
    let bind = |index| Listener::bind(LOCALHOST, folder.path(), &way.host(index), pass()).unwrap();
    let listeners: Vec<Listener> = (0..count).map(bind).collect();
    let all = listeners.iter().map(|listener| listener.addresses().clone()).collect();
    Peers { listeners, all, folder }
}

impl Peers {
    /// The others are reached by what is not this way.
    fn without(mut self, way: Way) -> Peers {
        for addresses in &mut self.all {
            match way {
                Way::Unix => addresses.unix.push("not"),
                // Nobody has that port.
                Way::Tcp => addresses.tcp.set_port(1),
            }
        }
        self
    }

    /// Connects all, each on a thread and in common with the others.
    fn try_connect(self, common: &Common, within: Duration) -> Vec<Result<Endpoint>> {
        let deadline = Instant::now() + within;
        let all = &self.all;
        thread::scope(|scope| {
            let connect = |(index, listener)| {
                scope.spawn(move || connect(listener, peer(index), all, common, deadline))
            };
            let threads: Vec<_> = (0..).zip(self.listeners).map(connect).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn connect(self, common: &Common) -> Vec<Endpoint> {
        self.try_connect(common, SOON).into_iter().map(Result::unwrap).collect()
    }
}

fn boxed(ends: Vec<Endpoint>) -> Vec<Box<dyn Transport>> {
    ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
}

#[test]
fn it_conforms_by_tcp() {
    conformance::run(|count, trial| {
        boxed(listen(count, Way::Tcp).without(Way::Unix).connect(&common(trial)))
    });
}

#[test]
fn it_conforms_by_unix_sockets() {
    conformance::run(|count, trial| {
        boxed(listen(count, Way::Unix).without(Way::Tcp).connect(&common(trial)))
    });
}

/// One superstep in which every peer sends the others a bundle. Returns what each got.
fn exchange(ends: &mut [Endpoint], superstep: u64) -> Vec<Vec<Arrived>> {
    let count = ends.len();
    let send = |end: &mut Endpoint| {
        let mut to = (0..count as u32).map(peer);
        to.try_for_each(|to| end.send_bundle(superstep, to, vec![7; 100])).unwrap();
        let totals = Totals { messages: 1, bundles: 1, bundle_bytes: 100, ..Totals::default() };
        end.finish(superstep, &vec![totals; count]).unwrap();
    };
    thread::scope(|scope| {
        let threads: Vec<_> = ends.iter_mut().map(|end| scope.spawn(move || send(end))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    ends.iter_mut().map(|end| end.take(superstep).unwrap()).collect()
}

#[test]
fn nothing_is_left_that_others_could_find() {
    for way in [Way::Tcp, Way::Unix] {
        let peers = listen(3, way);
        let (all, folder) = (peers.all.clone(), peers.folder.path().to_owned());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
        // The folder itself goes with the peers.
        let Peers { listeners, all: _, folder: kept } = peers;
        let peers = Peers { listeners, all: all.clone(), folder: tempfile::tempdir().unwrap() };
        let mut ends = peers.connect(&common(&Trial::new(1 << 20)));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        for addresses in &all {
            let refused = std::net::TcpStream::connect(addresses.tcp).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
        assert!(exchange(&mut ends, 0).iter().all(|arrived| arrived.len() == 3));
        drop(kept);
    }
}

#[test]
fn a_long_folder_is_no_hindrance() {
    let kept = tempfile::tempdir().unwrap();
    let long = kept.path().join("x".repeat(150)).join("y".repeat(150));
    std::fs::create_dir_all(&long).unwrap();
    let bind = || Listener::bind(LOCALHOST, &long, &Host::local(), pass()).unwrap();
    let listeners = vec![bind(), bind()];
    let all = listeners.iter().map(|listener| listener.addresses().clone()).collect();
    let peers = Peers { listeners, all, folder: tempfile::tempdir().unwrap() }.without(Way::Tcp);
    let mut ends = peers.connect(&common(&Trial::new(1 << 20)));
    assert!(exchange(&mut ends, 0).iter().all(|arrived| arrived.len() == 2));
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
}

#[test]
fn peers_that_only_think_that_they_are_on_one_host_find_each_other() {
    let peers = listen(3, Way::Unix).without(Way::Unix);
    let mut ends = peers.connect(&common(&Trial::new(1 << 20)));
    assert!(exchange(&mut ends, 0).iter().all(|arrived| arrived.len() == 3));
}

#[test]
fn where_nobody_can_listen_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let bind = |address: &str, folder: &Path| {
        Listener::bind(address.parse().unwrap(), folder, &Host::local(), pass()).unwrap_err()
    };
    for (address, says) in [
        ("0.0.0.0", "cannot listen for other peers at 0.0.0.0: name the address of this host that they call"),
        ("::", "cannot listen for other peers at ::: name the address"),
        ("224.0.0.1", "name the address"),
        // It is for examples.
        ("192.0.2.1", "cannot listen for other peers at 192.0.2.1: "),
    ] {
        let error = bind(address, folder.path());
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = bind("127.0.0.1", &folder.path().join("none"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("cannot make a socket for other peers in "), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn who_cannot_be_reached_is_named() {
    for way in [Way::Tcp, Way::Unix] {
        let mut peers = listen(3, way);
        let (zero, two) = (peers.all[0].clone(), peers.all[2].clone());
        // Peer 1 is gone.
        drop(peers.listeners.remove(1));
        let last = peers.listeners.pop().unwrap();
        let first = peers.listeners.pop().unwrap();
        let common = common(&Trial::new(1 << 20));
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(300);
        let all = &peers.all;
        let (first, last) = thread::scope(|scope| {
            let first = scope.spawn(|| connect(first, peer(0), all, &common, deadline).unwrap_err());
            let last = connect(last, peer(2), all, &common, deadline).unwrap_err();
            (first.join().unwrap(), last)
        });
        assert!(begun.elapsed() < SOON);
        for error in [&first, &last] {
            assert_eq!(error.kind(), ErrorKind::PeerLost, "{error}");
        }
        let one = &all[1];
        // The time that it took is said too: on a busy machine that is longer.
        let says = format!("peer 2 on {two} cannot reach peer 1 on {one} within 0.");
        assert!(last.message().starts_with(&says), "{last}");
        let (_, tried_last) = last.message()[says.len()..].split_once(" s: ").unwrap();
        // On one host it may have been the unix socket.
        let by_unix = format!("{}: No such file or directory (os error 2)", one.unix.display());
        let is_told = way == Way::Unix && tried_last == by_unix;
        assert!(is_told || tried_last == "Connection refused (os error 111)", "{last}");
        let says = format!("peer 0 on {zero} was not reached by peer 1 on {one} within 0.");
        assert!(first.message().starts_with(&says) && first.message().ends_with(" s"), "{first}");
        assert_eq!(first.place().unwrap().peer, peer(0));
    }
}

#[test]
fn the_end_of_the_job_is_the_end_of_connecting() {
    let peers = listen(2, Way::Tcp);
    let trial = Trial::new(1 << 20);
    let common = common(&trial);
    let mut listeners = peers.listeners;
    let (_, zero) = (listeners.pop(), listeners.pop().unwrap());
    thread::scope(|scope| {
        let connecting = scope.spawn(|| connect(zero, peer(0), &peers.all, &common, Instant::now() + SOON));
        thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        trial.abort.end(None, Error::new(ErrorKind::Cancelled, "enough"));
        let error = connecting.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(begun.elapsed() < SOON);
    });
    assert_eq!(std::fs::read_dir(peers.folder.path()).unwrap().count(), 0);
}

#[test]
fn a_peer_that_is_none_of_all_is_refused() {
    let peers = listen(1, Way::Tcp);
    let trial = Trial::new(1 << 20);
    let later = Instant::now() + SOON;
    let bind = || Listener::bind(LOCALHOST, peers.folder.path(), &Host::local(), pass()).unwrap();
    let error = connect(bind(), peer(1), &peers.all, &common(&trial), later).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let other = Common { job: JobId::from_bytes([9; 16]), ..common(&trial) };
    let error = connect(bind(), peer(0), &peers.all, &other, later).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
