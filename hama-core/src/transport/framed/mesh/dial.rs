//! A connection that a peer makes to another: dialled again until the other answers as the peer that it should be.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};

use crate::transport::framed::mesh::Addresses;
use crate::transport::framed::mesh::hello::{HELLO_BYTES, Hello};
use crate::transport::framed::socket::{Moved, Ready, Socket};

// So long it waits before it tries again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// What the system takes as the path of a unix socket, with the 0 behind it.
const SUN_PATH_BYTES: usize = 108;

/// The connection to one peer.
#[derive(Debug)]
pub(super) struct Dial<'a> {
    pub(super) hello: Hello,
    pub(super) far: &'a Addresses,
    // Whether the next try is by the unix socket: both are on one host, or have the same name for two.
    by_unix: bool,
    is_near: bool,
    lost_after: Duration,
    line: Option<Line>,
    again_at: Instant,
    /// Why it is not there yet.
    pub(super) trouble: String,
}

/// A try.
#[derive(Debug)]
struct Line {
    socket: Socket,
    written: usize,
    answer: [u8; HELLO_BYTES],
    filled: usize,
}

impl<'a> Dial<'a> {
    /// To say `hello` to a peer that listens at `far`; `is_near` where that is on this host.
    pub(super) fn new(hello: Hello, far: &'a Addresses, is_near: bool, lost_after: Duration) -> Dial<'a> {
        let trouble = "it does not answer".to_owned();
        Dial {
            hello,
            far,
            by_unix: is_near,
            is_near,
            lost_after,
            line: None,
            again_at: Instant::now(),
            trouble,
        }
    }

    /// What it waits for: for the answer, and to be connected before that.
    pub(super) fn waits_for(&self) -> Option<(BorrowedFd<'_>, Ready)> {
        let line = self.line.as_ref()?;
        let is_said = line.written == HELLO_BYTES;
        Some((line.socket.as_fd(), Ready { read: is_said, write: !is_said }))
    }

    /// When it wants to try again.
    pub(super) fn again_at(&self) -> Option<Instant> {
        self.line.is_none().then_some(self.again_at)
    }

    /// Goes on as far as that does not block. Returns the connection once the other peer has answered.
    pub(super) fn go_on(&mut self) -> Option<Socket> {
        if self.line.is_none() && Instant::now() < self.again_at {
            return None;
        }
        match self.try_to() {
            Ok(socket) => socket,
            Err(trouble) => {
                // Who reads it sees the TCP address with it.
                self.trouble = match self.by_unix {
                    true => format!("{}: {trouble}", self.far.unix.display()),
                    false => trouble,
                };
                self.line = None;
                self.by_unix = self.is_near && !self.by_unix;
                self.again_at = Instant::now() + AGAIN_AFTER;
                None
            }
        }
    }

    fn try_to(&mut self) -> Result<Option<Socket>, String> {
        if self.line.is_none() {
            let dialled = match self.by_unix {
                true => near_path(&self.far.unix).and_then(|near| Socket::dial(&near.path)),
                false => Socket::dial_tcp(self.far.tcp, self.lost_after),
            };
            let socket = dialled.map_err(|error| error.to_string())?;
            self.line = Some(Line { socket, written: 0, answer: [0; HELLO_BYTES], filled: 0 });
        }
        let Some(line) = &mut self.line else { return Ok(None) };
        if !line.talk(&self.hello.encode()).map_err(|error| error.to_string())? {
            return Ok(None);
        }
        match self.hello.answered_by(&line.answer) {
            Ok(from) if from == self.hello.to => Ok(self.line.take().map(|line| line.socket)),
            Ok(from) => Err(format!("peer {from} answers")),
            Err(stranger) => Err(stranger.to_string()),
        }
    }
}

impl Line {
    /// Says the hello and reads the answer, nothing behind it. Says whether that is whole.
    fn talk(&mut self, hello: &[u8; HELLO_BYTES]) -> io::Result<bool> {
        while self.written < HELLO_BYTES {
            match self.socket.write(&[IoSlice::new(&hello[self.written..])])? {
                Moved::Bytes(count) => self.written += count,
                Moved::Blocked => return Ok(false),
                Moved::Closed => return Err(closed()),
            }
        }
        while self.filled < HELLO_BYTES {
            match self.socket.read(&mut self.answer[self.filled..])? {
                Moved::Bytes(count) => self.filled += count,
                Moved::Blocked => return Ok(false),
                Moved::Closed => return Err(closed()),
            }
        }
        Ok(true)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "it closes the connection before it answers")
}

/// A path that the system takes for a socket.
#[derive(Debug)]
pub(super) struct NearPath {
    pub(super) path: PathBuf,
    // Keeps the path good.
    _folder: Option<File>,
}

/// The same path, short enough for a unix socket: where it is too long by way of its open folder.
///
/// # Errors
/// Where that cannot be opened, or the name alone is too long.
pub(super) fn near_path(path: &Path) -> io::Result<NearPath> {
    if path.as_os_str().len() < SUN_PATH_BYTES {
        return Ok(NearPath { path: path.to_owned(), _folder: None });
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let folder = File::from(open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?);
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok(NearPath { path, _folder: Some(folder) })
}
