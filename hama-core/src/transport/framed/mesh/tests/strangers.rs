//! Whoever connects without being a peer that is expected: closed, counted, and nobody is kept waiting for it.

use std::io::{ErrorKind as Io, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::super::door::VISITORS_MAX;
use super::*;

/// Runs `visit` while peer 0 waits for peer 1, which comes after that. Returns what was refused.
fn while_waiting(visit: impl FnOnce(&Addresses) + Send) -> u64 {
    let mut peers = listen(2, Way::Tcp);
    let trial = Trial::new(1 << 20);
    let common = common(&trial);
    let (one, zero) = (peers.listeners.pop().unwrap(), peers.listeners.pop().unwrap());
    let refused = zero.refused();
    let (all, deadline) = (&peers.all, Instant::now() + SOON);
    let mut ends = thread::scope(|scope| {
        let zero = scope.spawn(|| connect(zero, peer(0), all, &common, deadline).unwrap());
        visit(&all[0]);
        let one = connect(one, peer(1), all, &common, deadline).unwrap();
        vec![zero.join().unwrap(), one]
    });
    assert!(exchange(&mut ends, 0).iter().all(|arrived| arrived.len() == 2));
    refused.connections()
}

fn hello() -> Hello {
    Hello { pass: pass(), from: peer(1), to: peer(0), peers: 2 }
}

/// Says `bytes`, and returns what the peer says before it closes.
fn answer(mut stream: impl Read + Write, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // It was closed with something unread.
        Err(error) if error.kind() != Io::ConnectionReset => unreachable!("{error}"),
        _ => answer,
    }
}

#[test]
fn who_does_not_prove_to_be_a_peer_is_closed_and_counted() {
    let with = |change: fn(&mut Hello)| {
        let mut hello = hello();
        change(&mut hello);
        hello.encode().to_vec()
    };
    let mut damaged = hello().encode().to_vec();
    damaged[70] ^= 1;
    let wrong = [
        b"GET / HTTP/1.1\r\nHost: a.name.that.is.long.enough\r\nAccept: */*\r\nUser-Agent: somebody\r\n\r\n"
            .to_vec(),
        vec![0; 1 << 20],
        damaged,
        with(|hello| hello.pass.secret = Secret::from_bytes([7; 32])),
        with(|hello| hello.pass.job = JobId::from_bytes([4; 16])),
        with(|hello| hello.pass.attempt = 3),
        with(|hello| hello.pass.epoch = 6),
        with(|hello| hello.from = peer(0)),
        with(|hello| hello.from = peer(2)),
        with(|hello| hello.to = peer(1)),
        with(|hello| hello.peers = 3),
    ];
    let count = wrong.len() as u64;
    let refused = while_waiting(|zero| {
        for bytes in &wrong {
            let mut stream = TcpStream::connect(zero.tcp).unwrap();
            // The rest of many bytes finds nobody.
            let _ = stream.write_all(bytes);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert_eq!(answer, b"", "{:?}", &bytes[..20]);
            let by_unix = UnixStream::connect(&zero.unix).unwrap();
            let _ = by_unix.set_read_timeout(Some(SOON));
            let mut bytes = bytes.clone();
            bytes.truncate(HELLO_BYTES);
            assert_eq!(self::answer(by_unix, &bytes), b"");
        }
    });
    assert_eq!(refused, 2 * count);
}

#[test]
fn short_and_slow_hellos_are_refused() {
    let refused = while_waiting(|zero| {
        let mut short = TcpStream::connect(zero.tcp).unwrap();
        short.write_all(&hello().encode()[..HELLO_BYTES - 1]).unwrap();
        drop(short);
        let silent = TcpStream::connect(zero.tcp).unwrap();
        let begun = Instant::now();
        assert_eq!(answer(silent, b""), b"");
        assert!(begun.elapsed() < SOON);
        // A byte now and then keeps nobody in.
        let mut slow = UnixStream::connect(&zero.unix).unwrap();
        for byte in &hello().encode()[..HELLO_BYTES - 1] {
            if slow.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(40));
        }
        unreachable!("it took all bytes, for more than 3 s");
    });
    assert_eq!(refused, 3);
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let mut crowd = Vec::new();
    let begun = Instant::now();
    let refused = while_waiting(|zero| {
        for _ in 0..VISITORS_MAX + 30 {
            crowd.push(TcpStream::connect(zero.tcp).unwrap());
        }
    });
    assert!(refused >= 30, "{refused}");
    assert!(begun.elapsed() < SOON);
}

#[test]
fn a_peer_is_let_in_once_but_again_when_its_connection_broke() {
    let peers = listen(3, Way::Tcp);
    let Peers { mut listeners, all, folder: _folder } = peers;
    let trial = Trial::new(1 << 20);
    let common = common(&trial);
    let (two, one, zero) = (listeners.pop(), listeners.pop(), listeners.pop().unwrap());
    drop((two, one));
    let refused = zero.refused();
    let hello = |from| Hello { peers: 3, from: peer(from), ..hello() }.encode();
    let said = Hello { from: peer(0), to: peer(2), peers: 3, pass: pass() }.encode();
    let call = || {
        let mut line = TcpStream::connect(all[0].tcp)?;
        line.write_all(&hello(2))?;
        let mut answer = [0; HELLO_BYTES];
        line.read_exact(&mut answer).map(|()| (line, answer))
    };
    thread::scope(|scope| {
        let zero = scope.spawn(|| connect(zero, peer(0), &all, &common, Instant::now() + SOON));
        let (first, answer) = call().unwrap();
        assert_eq!(answer, said);
        assert!(call().is_err(), "it is there already");
        assert_eq!(refused.connections(), 1);
        drop(first);
        let (_second, answer) = call().unwrap();
        assert_eq!(answer, said);
        let mut third = TcpStream::connect(all[0].tcp).unwrap();
        third.write_all(&hello(1)).unwrap();
        let mut end = zero.join().unwrap().unwrap();
        // Nobody listens any more.
        assert!(call().is_err());
        end.send_bundle(0, peer(1), vec![1]).unwrap();
    });
    assert_eq!(refused.connections(), 1);
}

#[test]
fn what_answers_at_a_peer_s_address_has_to_be_that_peer() {
    let answers = [
        (Hello { from: peer(0), to: peer(1), ..hello() }.encode().to_vec(), ""),
        (
            Hello { from: peer(2), to: peer(1), ..hello() }.encode().to_vec(),
            "its hello goes from peer 2 to peer 1 of 2",
        ),
        (hello().encode().to_vec(), "its hello goes from peer 1 to peer 0 of 2"),
        (vec![b'x'; 200], "its hello does not begin with MESH"),
        (vec![b'x'; 20], "it closes the connection before it answers"),
        (Vec::new(), "it closes the connection before it answers"),
    ];
    for (answer, says) in answers {
        let Peers { mut listeners, mut all, folder: _folder } = listen(2, Way::Tcp);
        let one = listeners.pop().unwrap();
        let fake = TcpListener::bind("127.0.0.1:0").unwrap();
        all[0].tcp = fake.local_addr().unwrap();
        let common = common(&Trial::new(1 << 20));
        let is_good = says.is_empty();
        let result = thread::scope(|scope| {
            scope.spawn(move || {
                loop {
                    let (mut line, _) = fake.accept().unwrap();
                    let mut hello = [0; HELLO_BYTES];
                    if line.read_exact(&mut hello).is_err() || hello == [0; HELLO_BYTES] {
                        return;
                    }
                    line.write_all(&answer).unwrap();
                }
            });
            let deadline = Instant::now() + Duration::from_millis(if is_good { 20_000 } else { 300 });
            let result = connect(one, peer(1), &all, &common, deadline);
            TcpStream::connect(all[0].tcp).unwrap().write_all(&[0; HELLO_BYTES]).unwrap();
            result
        });
        match result {
            Ok(_) => assert!(is_good),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PeerLost);
                assert!(!is_good && error.message().ends_with(says), "{error}");
            }
        }
    }
}
