//! A way to a peer on which something happens to one of the frames that come along it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::ids::JobId;
use crate::transport::framed::header::{HEADER_BYTES, Header, Kind};
use crate::transport::framed::mesh::hello::HELLO_BYTES;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistreat {
    /// A bit of its body turns.
    Body,
    /// A bit of its header turns.
    Header,
    /// It comes twice.
    Double,
    /// The first one of all comes again, behind it.
    Replay,
    /// It comes, and after it the same one as a frame of another job.
    Foreign,
    /// It ends in the middle, and so does the connection.
    Truncate,
    /// Neither it nor anything else comes any more, in both directions; the connection stays.
    Lose,
    /// Nothing comes from the beginning.
    Mute,
}

/// All of them.
pub const MISTREATMENTS: [Mistreat; 8] = [
    Mistreat::Body,
    Mistreat::Header,
    Mistreat::Double,
    Mistreat::Replay,
    Mistreat::Foreign,
    Mistreat::Truncate,
    Mistreat::Lose,
    Mistreat::Mute,
];

impl fmt::Display for Mistreat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Mistreat {
    type Err = String;

    fn from_str(name: &str) -> Result<Mistreat, String> {
        let found = MISTREATMENTS.into_iter().find(|what| what.to_string() == name);
        found.ok_or_else(|| format!("nothing is called {name}"))
    }
}

/// A way to a peer.
#[derive(Debug)]
struct Way {
    what: Mistreat,
    /// To which of the frames with messages it happens.
    which: u64,
    frames: AtomicU64,
    is_lost: AtomicBool,
}

/// Makes a way to the peer that listens at `peer`, on which it happens once, to frame number `which` of those that carry
/// messages. It is there until this process ends.
///
/// # Errors
/// Those of the system.
pub fn way(what: Mistreat, which: u64, peer: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((peer.ip(), 0))?;
    let address = listener.local_addr()?;
    let is_lost = AtomicBool::new(what == Mistreat::Mute);
    let way = Arc::new(Way { what, which, frames: AtomicU64::new(0), is_lost });
    thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            // A peer that has ended calls nobody back.
            let _ = way.carry(&caller, peer);
        }
    });
    Ok(address)
}

impl Way {
    fn carry(self: &Arc<Way>, caller: &TcpStream, peer: SocketAddr) -> io::Result<()> {
        let callee = TcpStream::connect(peer)?;
        for stream in [caller, &callee] {
            stream.set_nodelay(true)?;
        }
        let (way, from, to) = (Arc::clone(self), caller.try_clone()?, callee.try_clone()?);
        thread::spawn(move || way.then_close(&from, &to, Way::frames));
        let (way, from, to) = (Arc::clone(self), callee, caller.try_clone()?);
        thread::spawn(move || way.then_close(&from, &to, Way::bytes));
        Ok(())
    }

    fn then_close(
        &self,
        from: &TcpStream,
        to: &TcpStream,
        pass: fn(&Way, &TcpStream, &TcpStream) -> io::Result<()>,
    ) {
        let passed = pass(self, from, to);
        if passed.is_err() || !self.is_lost.load(Ordering::SeqCst) {
            // It may be closed.
            let _ = to.shutdown(Shutdown::Both);
        }
    }

    /// Passes on everything, as it is.
    fn bytes(&self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        let mut part = vec![0; 64 << 10];
        loop {
            match from.read(&mut part)? {
                0 => return Ok(()),
                count if !self.is_lost.load(Ordering::SeqCst) => to.write_all(&part[..count])?,
                _ => {}
            }
        }
    }

    /// Passes on the hello and frames.
    fn frames(&self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        let mut hello = [0; HELLO_BYTES];
        from.read_exact(&mut hello)?;
        if self.is_lost.load(Ordering::SeqCst) {
            return self.bytes(from, to);
        }
        to.write_all(&hello)?;
        let mut first = None;
        loop {
            let mut head = [0; HEADER_BYTES];
            from.read_exact(&mut head)?;
            let header = Header::decode(&head).map_err(io::Error::other)?;
            let mut frame = head.to_vec();
            from.take(header.length).read_to_end(&mut frame)?;
            let carries = matches!(header.kind, Kind::Bundle | Kind::Payload) && header.length > 0;
            let is_it = carries && self.frames.fetch_add(1, Ordering::SeqCst) == self.which;
            if is_it && !self.mistreat(header, frame.clone(), first.as_deref(), to)? {
                return self.bytes(from, to);
            }
            if !is_it {
                to.write_all(&frame)?;
            }
            if carries {
                first.get_or_insert(frame);
            }
        }
    }

    /// Says whether more follows.
    fn mistreat(
        &self,
        header: Header,
        mut frame: Vec<u8>,
        first: Option<&[u8]>,
        mut to: &TcpStream,
    ) -> io::Result<bool> {
        let middle = HEADER_BYTES + (frame.len() - HEADER_BYTES) / 2;
        match self.what {
            Mistreat::Body => frame[middle] ^= 4,
            Mistreat::Header => frame[HEADER_BYTES / 2] ^= 4,
            Mistreat::Double => frame.extend_from_within(..),
            Mistreat::Replay => frame.extend_from_slice(first.unwrap_or_default()),
            Mistreat::Foreign => {
                let mut other = header;
                other.route.job = JobId::random();
                let body = frame[HEADER_BYTES..].to_vec();
                frame.extend_from_slice(&other.encode());
                frame.extend_from_slice(&body);
            }
            Mistreat::Truncate => {
                to.write_all(&frame[..middle])?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Mistreat::Lose | Mistreat::Mute => {
                self.is_lost.store(true, Ordering::SeqCst);
                return Ok(false);
            }
        }
        to.write_all(&frame)?;
        Ok(true)
    }
}
