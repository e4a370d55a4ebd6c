//! Payloads and small messages between two processes, by TCP and by unix sockets, beside the same bytes over plain
//! sockets whose ends compute the same checksums, in turns, so that a machine whose speed changes does not decide:
//! `cargo bench -p hama-core --bench processes -- [ROUNDS]`, 9 by default.
//!
//! The plain ends do what cannot be saved and nothing else: each checks and writes its payload in pieces that stay in
//! the cache, reads into buffers that it uses again, and sleeps when neither goes on.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hama_core::testing::processes::{LOST_AFTER, Link, Meeting, Place, run_peer};
use hama_core::{BoxError, Bsp, Peer, Pool};
use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};

const PAYLOAD_BYTES: usize = 8 << 20;
const PAYLOADS: usize = 4;
const SUPERSTEP_BYTES: usize = PAYLOADS * PAYLOAD_BYTES;
const PIECE_BYTES: usize = 256 << 10;
const MESSAGES: u64 = 500_000;

/// Both peers send the other one the same in every superstep; returns how many seconds that took.
#[derive(Serialize, Deserialize)]
enum Framed {
    Payloads { supersteps: usize },
    Messages { supersteps: usize },
}

impl Bsp for Framed {
    const NAME: &'static str = "framed";
    type Message = [u64; 2];
    type Output = f64;

    fn bsp(&self, peer: &mut Peer<[u64; 2]>) -> Result<f64, BoxError> {
        let other = peer.peer(1 - peer.index())?;
        let mut payload = peer.pool().take(PAYLOAD_BYTES)?;
        fill(&mut payload);
        let payload = payload.freeze();
        let (Framed::Payloads { supersteps } | Framed::Messages { supersteps }) = *self;
        // The first one takes the memory.
        let mut begun = Instant::now();
        for superstep in 0..=supersteps {
            if superstep == 1 {
                begun = Instant::now();
            }
            match self {
                Framed::Payloads { .. } => {
                    (0..PAYLOADS).try_for_each(|_| peer.send_with(other, &[0; 2], payload.clone()))?;
                }
                Framed::Messages { .. } => (0..MESSAGES).try_for_each(|number| {
                    peer.send(other, &[number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15)])
                })?,
            }
            let sum = peer.sync()?.into_iter().fold(0, |sum, received| sum ^ received.message[1]);
            std::hint::black_box(sum);
        }
        Ok(begun.elapsed().as_secs_f64())
    }
}

/// What one process does: `framed`, `messages` or `plain`, by `tcp` or `unix`, as peer 0 or 1.
fn peer(arguments: &[String]) -> Result<f64, BoxError> {
    let [what, link, index, folder, supersteps] = arguments else { return Err("what?".into()) };
    let (index, supersteps) = (index.parse()?, supersteps.parse()?);
    let link = if link == "tcp" { Link::Tcp } else { Link::Unix };
    let place =
        Place { folder: folder.into(), index, count: 2, link, pool_bytes: 1 << 30, lost_after: LOST_AFTER };
    match what.as_str() {
        "framed" => Ok(run_peer(&Framed::Payloads { supersteps }, &place)?),
        "messages" => Ok(run_peer(&Framed::Messages { supersteps }, &place)?),
        _ => Ok(plain(&place, supersteps)?.as_secs_f64()),
    }
}

/// Two connections to the other process: for payloads, and for the barrier.
fn connected(place: &Place) -> io::Result<[UnixStream; 2]> {
    let path = place.folder.join("plain");
    // A stream is a stream.
    let any = |stream: TcpStream| {
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(UnixStream::from(OwnedFd::from(stream)))
    };
    if place.index == 0 {
        let accept: Box<dyn Fn() -> io::Result<UnixStream>> = match place.link {
            Link::Unix => {
                let listener = UnixListener::bind(&path)?;
                Box::new(move || Ok(listener.accept()?.0))
            }
            Link::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                std::fs::write(path.with_extension("new"), listener.local_addr()?.to_string())?;
                std::fs::rename(path.with_extension("new"), &path)?;
                Box::new(move || any(listener.accept()?.0))
            }
        };
        return Ok([accept()?, accept()?]);
    }
    while !path.exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let dial = || match place.link {
        Link::Unix => UnixStream::connect(&path),
        Link::Tcp => any(TcpStream::connect(std::fs::read_to_string(&path)?)?),
    };
    // It may be bound and not listen yet.
    let first = (0..100).find_map(|_| dial().map_err(|_| thread::sleep(Duration::from_millis(1))).ok());
    Ok([first.ok_or(ErrorKind::TimedOut)?, dial()?])
}

fn plain(place: &Place, supersteps: usize) -> io::Result<Duration> {
    let [mut socket, mut barrier] = connected(place)?;
    let mut meet = || {
        barrier.write_all(&[1])?;
        barrier.read_exact(&mut [0])
    };
    socket.set_nonblocking(true)?;
    if place.link == Link::Unix {
        rustix::net::sockopt::set_socket_send_buffer_size(&socket, 1 << 20)?;
    }
    // The same memory as the framed transport's: on huge pages.
    let pool = Pool::new((1 + PAYLOADS) * PAYLOAD_BYTES);
    let take = || pool.take(PAYLOAD_BYTES).map_err(io::Error::other);
    let mut payload = take()?;
    fill(&mut payload);
    let mut received = (0..PAYLOADS).map(|_| take()).collect::<io::Result<Vec<_>>>()?;
    let expected = crc32c::crc32c(&payload);
    let mut begun = Instant::now();
    for superstep in 0..=supersteps {
        meet()?;
        if superstep == 1 {
            begun = Instant::now();
        }
        let (mut writing, mut reading) = (Way::default(), Way::default());
        while !(writing.is_done() && reading.is_done()) {
            writing.go_on(|moved, summed, crc| {
                let at = moved % PAYLOAD_BYTES;
                let piece = at / PIECE_BYTES * PIECE_BYTES..(at / PIECE_BYTES + 1) * PIECE_BYTES;
                if *summed < piece.end {
                    *crc = crc32c::crc32c_append(*crc, &payload[piece.clone()]);
                    *summed = piece.end;
                }
                socket.write(&payload[at..piece.end])
            })?;
            reading.go_on(|moved, _, crc| {
                let at = moved % PAYLOAD_BYTES;
                let end = PAYLOAD_BYTES.min(at + PIECE_BYTES);
                let received = &mut received[moved / PAYLOAD_BYTES % PAYLOADS];
                let count = (&socket).read(&mut received[at..end])?;
                *crc = crc32c::crc32c_append(*crc, &received[at..at + count]);
                Ok(count)
            })?;
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::OUT, !writing.is_done());
            flags.set(PollFlags::IN, !reading.is_done());
            if !flags.is_empty() {
                poll(&mut [PollFd::new(&socket, flags)], None)?;
            }
        }
        assert!([writing, reading].iter().all(|way| way.crcs == [expected; PAYLOADS]), "the bytes are right");
    }
    meet()?;
    Ok(begun.elapsed())
}

/// The bytes of a superstep that go one way.
#[derive(Default)]
struct Way {
    moved: usize,
    // Of the payload that is on its way.
    summed: usize,
    crc: u32,
    // Of those that are there.
    crcs: Vec<u32>,
}

impl Way {
    /// Moves bytes as long as that does not block. `step` gets how many are moved already, moves some more and says
    /// how many.
    fn go_on(
        &mut self,
        mut step: impl FnMut(usize, &mut usize, &mut u32) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.is_done() {
            match step(self.moved, &mut self.summed, &mut self.crc) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.moved += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.moved.is_multiple_of(PAYLOAD_BYTES) {
                self.crcs.push(std::mem::take(&mut self.crc));
                self.summed = 0;
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.moved == SUPERSTEP_BYTES
    }
}

fn fill(bytes: &mut [u8]) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = ((index * 31) >> 3) as u8;
    }
}

/// Runs both processes; returns the seconds of the slower one.
fn run(what: &str, link: &str, supersteps: usize) -> Result<f64, BoxError> {
    let folder = tempfile::tempdir()?;
    let meeting = (what != "plain").then(|| Meeting::new(folder.path(), 2)).transpose()?;
    let start = |index: usize| {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["--peer", what, link, &index.to_string()])
            .arg(folder.path())
            .arg(supersteps.to_string());
        command.stdout(Stdio::piped()).spawn()
    };
    let children = [start(0)?, start(1)?];
    let serving = meeting.map(|meeting| thread::spawn(|| meeting.serve()));
    let mut seconds: f64 = 0.0;
    for child in children {
        let said = String::from_utf8(child.wait_with_output()?.stdout)?;
        seconds = seconds.max(said.trim().parse::<f64>().map_err(|_| format!("{what} {link}: {said}"))?);
    }
    if let Some(serving) = serving {
        serving.join().map_err(|_| "the meeting panicked")??;
    }
    Ok(seconds)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--peer") {
        match peer(&arguments[1..]) {
            Ok(seconds) => println!("{seconds}"),
            Err(error) => println!("{error}"),
        }
        return Ok(());
    }
    // `cargo bench -- --test` only wants to see that it runs.
    let test = arguments.iter().any(|argument| argument == "--test");
    let rounds = arguments.iter().find_map(|argument| argument.parse::<usize>().ok());
    let rounds = rounds.unwrap_or(if test { 1 } else { 9 }).max(1);
    let supersteps = if test { 1 } else { 20 };
    let gb_per_s = |seconds: f64| (supersteps * SUPERSTEP_BYTES) as f64 / seconds / 1e9;
    let millions = |seconds: f64| supersteps as f64 * MESSAGES as f64 / seconds / 1e6;
    println!(
        "two processes: {PAYLOADS} payloads of 8 MiB each way at once, GB/s each way; 16-byte messages each way, M/s"
    );
    println!("link  round  framed   plain  framed/plain  messages");
    for link in ["tcp", "unix"] {
        let mut ratios = Vec::new();
        let mut rates = [const { Vec::new() }; 2];
        for round in 0..rounds {
            let mut times = [0.0; 3];
            for turn in 0..3 {
                let which = (round + turn) % 3;
                times[which] = run(["framed", "plain", "messages"][which], link, supersteps)?;
            }
            let [framed, plain, messages] = times;
            let (framed_rate, message_rate) = (gb_per_s(framed), millions(messages));
            println!(
                "{link:4}  {:5}  {framed_rate:6.2}  {:6.2}  {:12.2}  {message_rate:8.2}",
                round + 1,
                gb_per_s(plain),
                plain / framed
            );
            ratios.push(plain / framed);
            rates[0].push(framed_rate);
            rates[1].push(message_rate);
        }
        let [framed, messages] = rates.map(median);
        println!(
            "{link} median: {framed:.2} GB/s, {:.2} of plain, {messages:.2} M messages/s",
            median(ratios)
        );
    }
    Ok(())
}
