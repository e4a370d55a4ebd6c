//! Payloads over the framed transport beside the same bytes over a plain socket pair whose ends compute the same
//! checksums, in turns, so that a machine whose speed changes does not decide:
//! `cargo bench --bench socket -- [ROUNDS]`, 15 by default.
//!
//! The plain ends do what cannot be saved and nothing else: each checks and writes its payload in pieces that stay in
//! the cache, reads into buffers that it uses again, and sleeps when neither goes on. One of them reads all payloads
//! into the same buffer, the other keeps those of a superstep, as every transport has to.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hama::{BoxError, Bsp, LocalRunner, Peer, Pool, TransportKind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::set_socket_send_buffer_size;
use serde::{Deserialize, Serialize};

const PAYLOAD_BYTES: usize = 8 << 20;
const PAYLOADS: usize = 4;
const SUPERSTEP_BYTES: usize = PAYLOADS * PAYLOAD_BYTES;
const PIECE_BYTES: usize = 256 << 10;
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// Both peers send the other one the same payload some times in every superstep; returns how long that took.
#[derive(Serialize, Deserialize)]
struct Framed {
    supersteps: usize,
}

impl Bsp for Framed {
    const NAME: &'static str = "framed";
    type Message = ();
    type Output = Duration;

    fn bsp(&self, peer: &mut Peer<()>) -> Result<Duration, BoxError> {
        let other = peer.peer(1 - peer.index())?;
        let mut payload = peer.pool().take(PAYLOAD_BYTES)?;
        fill(&mut payload);
        let payload = payload.freeze();
        // The first one starts the threads and takes the memory.
        let mut begun = Instant::now();
        for superstep in 0..=self.supersteps {
            if superstep == 1 {
                begun = Instant::now();
            }
            for _ in 0..PAYLOADS {
                peer.send_with(other, &(), payload.clone())?;
            }
            drop(peer.sync()?);
        }
        Ok(begun.elapsed())
    }
}

fn framed(runner: &LocalRunner, supersteps: usize) -> Duration {
    runner.run(&Framed { supersteps }).peers(2).expect("nothing goes wrong").outputs[0]
}

fn plain(supersteps: usize, buffers: usize) -> Duration {
    let (one, other) = UnixStream::pair().expect("the system has sockets");
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| end(other, supersteps, buffers, &barrier).expect("nothing goes wrong"));
        end(one, supersteps, buffers, &barrier).expect("nothing goes wrong")
    })
}

fn end(
    mut socket: UnixStream,
    supersteps: usize,
    buffers: usize,
    barrier: &Barrier,
) -> std::io::Result<Duration> {
    socket.set_nonblocking(true)?;
    set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES)?;
    // The same memory as the framed transport's: on huge pages.
    let pool = Pool::new((1 + buffers) * PAYLOAD_BYTES);
    let take = || pool.take(PAYLOAD_BYTES).map_err(std::io::Error::other);
    let mut payload = take()?;
    fill(&mut payload);
    let mut received = (0..buffers).map(|_| take()).collect::<std::io::Result<Vec<_>>>()?;
    let expected = crc32c::crc32c(&payload);
    let mut begun = Instant::now();
    for superstep in 0..=supersteps {
        barrier.wait();
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
                let received = &mut received[moved / PAYLOAD_BYTES % buffers];
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
    barrier.wait();
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
        mut step: impl FnMut(usize, &mut usize, &mut u32) -> std::io::Result<usize>,
    ) -> std::io::Result<()> {
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

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench -- --test` only wants to see that it runs.
    let test = arguments.iter().any(|argument| argument == "--test");
    let rounds = arguments.iter().find_map(|argument| argument.parse::<usize>().ok());
    let rounds = rounds.unwrap_or(if test { 1 } else { 15 }).max(1);
    let supersteps = if test { 1 } else { 10 };

    let runner = LocalRunner::new(Pool::new(1 << 30)).with_transport(TransportKind::Framed);
    let gb_per_s = |time: Duration| (supersteps * SUPERSTEP_BYTES) as f64 / time.as_secs_f64() / 1e9;
    println!(
        "{PAYLOADS} payloads of 8 MiB each way at once, GB/s each way, and the framed transport's part of it"
    );
    println!("round  framed  plain, one buffer  plain, all kept");
    let mut ratios = [const { Vec::new() }; 2];
    for round in 0..rounds {
        let mut times = [Duration::ZERO; 3];
        for turn in 0..3 {
            let candidate = (round + turn) % 3;
            times[candidate] = match candidate {
                0 => framed(&runner, supersteps),
                1 => plain(supersteps, 1),
                _ => plain(supersteps, PAYLOADS),
            };
        }
        let [framed, one, all] = times;
        let [of_one, of_all] = [one, all].map(|plain| plain.as_secs_f64() / framed.as_secs_f64());
        let [framed, one, all] = times.map(gb_per_s);
        println!("{:5}  {framed:6.2}  {one:10.2}   {of_one:4.2}  {all:8.2}   {of_all:4.2}", round + 1);
        ratios[0].push(of_one);
        ratios[1].push(of_all);
    }
    let [of_one, of_all] = ratios.map(|mut ratios| {
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    });
    println!("median: {of_one:.2} of a plain socket pair with one buffer, {of_all:.2} of one that keeps all");
}
