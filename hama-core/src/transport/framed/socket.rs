//! Sockets that never block, and waiting for many of them. With the pool's pages the only place that names the
//! system's interface.

#[cfg(any(test, feature = "testing", feature = "cluster"))]
mod dial;

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg, sockopt};

// What the system grants of it: a bundle in one go rather than in twenty.
const BUFFER_BYTES: usize = 1 << 20;

/// One end of a connection between two peers: a unix socket or TCP.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

/// What a read or a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Bytes(usize),
    /// Nothing can be moved now.
    Blocked,
    /// The other end is closed.
    Closed,
}

/// What a socket is to be waited for, and what it is ready for then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Socket {
    /// Both ends of a new connection.
    pub(crate) fn pair() -> io::Result<(Socket, Socket)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Socket::of(one)?, Socket::of(other)?))
    }

    /// One end of a connection of unix sockets that there is.
    pub(crate) fn of(stream: impl Into<OwnedFd>) -> io::Result<Socket> {
        let fd = stream.into();
        rustix::io::ioctl_fionbio(&fd, true)?;
        sockopt::set_socket_send_buffer_size(&fd, BUFFER_BYTES)?;
        Ok(Socket(fd))
    }

    /// Reads what is there, up to the length of `bytes`, which is not empty.
    pub(crate) fn read(&self, bytes: &mut [u8]) -> io::Result<Moved> {
        self.receive(bytes, RecvFlags::empty())
    }

    fn receive(&self, bytes: &mut [u8], flags: RecvFlags) -> io::Result<Moved> {
        loop {
            match recv(&self.0, &mut *bytes, flags) {
                Ok((0, _)) => return Ok(Moved::Closed),
                Ok((count, _)) => return Ok(Moved::Bytes(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Moved::Blocked),
                Err(Errno::CONNRESET) => return Ok(Moved::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes what there is room for.
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<Moved> {
        loop {
            let mut control = SendAncillaryBuffer::default();
            match sendmsg(&self.0, parts, &mut control, SendFlags::NOSIGNAL) {
                Ok(count) => return Ok(Moved::Bytes(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Moved::Blocked),
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(Moved::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of the sockets is ready for what it is waited for, or until the time is over. Changes what
/// was waited for into what is ready. A closed or broken one is ready for both.
pub(crate) fn wait<S: AsFd>(sockets: &mut [(S, Ready)], timeout_ms: u32) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> = sockets
        .iter()
        .map(|(socket, want)| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, want.read);
            flags.set(PollFlags::OUT, want.write);
            PollFd::new(socket, flags)
        })
        .collect();
    let timeout =
        Timespec { tv_sec: i64::from(timeout_ms / 1000), tv_nsec: i64::from(timeout_ms % 1000) * 1_000_000 };
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    let ready: Vec<Ready> = fds
        .iter()
        .map(|fd| Ready {
            read: fd.revents().intersects(PollFlags::IN | broken),
            write: fd.revents().intersects(PollFlags::OUT | broken),
        })
        .collect();
    for ((_, state), ready) in sockets.iter_mut().zip(ready) {
        *state = ready;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_never_blocks_and_says_when_the_other_end_is_closed() {
        let (one, other) = Socket::pair().unwrap();
        let mut bytes = [0; 100];
        assert_eq!(one.read(&mut bytes).unwrap(), Moved::Blocked);
        assert_eq!(other.write(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap(), Moved::Bytes(3));
        assert_eq!(one.read(&mut bytes).unwrap(), Moved::Bytes(3));
        assert_eq!(&bytes[..3], b"abc");
        let large = vec![0; 1 << 20];
        while one.write(&[IoSlice::new(&large)]).unwrap() != Moved::Blocked {}
        drop(other);
        assert_eq!(one.write(&[IoSlice::new(b"x")]).unwrap(), Moved::Closed);
        assert_eq!(one.read(&mut bytes).unwrap(), Moved::Closed);
    }

    #[test]
    fn waiting_says_who_is_ready() {
        let (one, other) = Socket::pair().unwrap();
        let read = Ready { read: true, write: false };
        let mut sockets = [(&one, read), (&other, Ready { read: true, write: true })];
        wait(&mut sockets, 1000).unwrap();
        assert_eq!(sockets[0].1, Ready::default());
        assert_eq!(sockets[1].1, Ready { read: false, write: true });
        other.write(&[IoSlice::new(b"x")]).unwrap();
        let mut sockets = [(&one, read)];
        wait(&mut sockets, 1000).unwrap();
        assert_eq!(sockets[0].1, read);
    }
}
