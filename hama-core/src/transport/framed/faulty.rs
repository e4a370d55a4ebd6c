//! A connection that loses, doubles, delays, damages and replays frames, by seed: for tests.
//!
//! It spares what the protocol does not promise to survive on a stream: headers stay whole, for after a damaged
//! one nobody knows where the next begins, and goodbyes pass, for they are said once.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind};
use crate::transport::framed::socket::Socket;
use crate::transport::framed::{Common, Endpoint, connect_by};

// How long a delayed frame waits for another to overtake it.
const DELAY: Duration = Duration::from_millis(2);
// Frames up to this size may be replayed.
const REPLAYED_BYTES_MAX: usize = 1 << 20;

// On such connections much has to be repeated: soon, so that tests are short.
const REPEAT_AFTER: Duration = Duration::from_millis(20);

// A test that nothing happened to proves nothing.
static FAULTS: AtomicU64 = AtomicU64::new(0);

/// How many faults there were in this process.
pub(crate) fn fault_count() -> u64 {
    FAULTS.load(Ordering::Relaxed)
}

/// The ends for `count` peers whose connections have faults.
///
/// # Errors
/// As for the transport without faults.
pub(crate) fn connect(count: u32, common: Common, seed: u64) -> Result<Vec<Endpoint>> {
    let mut random = Random(seed);
    let common = Common { repeat_after: REPEAT_AFTER, ..common };
    connect_by(count, &common, || pair(random.number()))
}

/// Both ends of a new connection with faults.
fn pair(seed: u64) -> io::Result<(Socket, Socket)> {
    let (one, near) = UnixStream::pair()?;
    let (other, far) = UnixStream::pair()?;
    join(near, far, seed)?;
    Ok((Socket::of(one)?, Socket::of(other)?))
}

/// Passes the frames of two connections on to each other, with faults.
pub(crate) fn join(near: UnixStream, far: UnixStream, seed: u64) -> io::Result<()> {
    spawn(near.try_clone()?, far.try_clone()?, seed.wrapping_mul(2))?;
    spawn(far, near, seed.wrapping_mul(2).wrapping_add(1))
}

fn spawn(from: UnixStream, to: UnixStream, seed: u64) -> io::Result<()> {
    from.set_read_timeout(Some(DELAY))?;
    let line = Line { from, to, random: Random(seed), held: None, replayed: None };
    thread::Builder::new().name("faulty-line".to_owned()).spawn(|| line.run())?;
    Ok(())
}

/// A seeded sequence of numbers: splitmix64.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.number() % n
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// One direction.
struct Line {
    from: UnixStream,
    to: UnixStream,
    random: Random,
    // A frame that another may overtake.
    held: Option<Vec<u8>>,
    // A frame of long ago.
    replayed: Option<Vec<u8>>,
}

impl Line {
    fn run(mut self) {
        // A broken line is a closed one.
        let _ = self.pass_all();
        let _ = self.to.shutdown(Shutdown::Write);
        let _ = self.from.shutdown(Shutdown::Read);
    }

    fn pass_all(&mut self) -> io::Result<()> {
        while let Some((header, frame)) = self.next()? {
            if header.kind == Kind::Goodbye {
                self.release()?;
                self.to.write_all(&frame)?;
            } else {
                self.pass(&header, frame)?;
            }
        }
        Ok(())
    }

    fn pass(&mut self, header: &Header, mut frame: Vec<u8>) -> io::Result<()> {
        let chance = self.random.below(40);
        let happens = match chance {
            1 => header.length > 0,
            3 => self.held.is_none(),
            5 => self.replayed.is_some(),
            chance => chance == 0 || chance == 2,
        };
        FAULTS.fetch_add(u64::from(happens), Ordering::Relaxed);
        match chance {
            0 => return Ok(()),
            1 if happens => {
                let bit = self.random.below(header.length * 8) as usize;
                frame[HEADER_BYTES + bit / 8] ^= 1 << (bit % 8);
            }
            2 => self.to.write_all(&frame)?,
            3 if happens => {
                self.held = Some(frame);
                return Ok(());
            }
            4 if frame.len() <= REPLAYED_BYTES_MAX => self.replayed = Some(frame.clone()),
            5 => {
                if let Some(old) = &self.replayed {
                    self.to.write_all(old)?;
                }
            }
            _ => {}
        }
        self.to.write_all(&frame)?;
        self.release()
    }

    fn release(&mut self) -> io::Result<()> {
        self.held.take().map_or(Ok(()), |held| self.to.write_all(&held))
    }

    /// The next frame, whole, or none when the sender is gone.
    fn next(&mut self) -> io::Result<Option<(Header, Vec<u8>)>> {
        let mut frame = vec![0; HEADER_BYTES];
        if !self.fill(&mut frame)? {
            return Ok(None);
        }
        let bytes = frame.first_chunk().expect("it has the bytes of a header");
        let header = Header::decode(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        frame.resize(HEADER_BYTES + header.length as usize, 0);
        Ok(self.fill(&mut frame[HEADER_BYTES..])?.then_some((header, frame)))
    }

    /// Fills `bytes`. Says whether the sender was there for all of it.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<bool> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.from.read(&mut bytes[filled..]) {
                Ok(0) => return Ok(false),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.release()?,
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
