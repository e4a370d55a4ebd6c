//! Sockets to other processes: TCP and its time-outs, and connecting without waiting for it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt,
};

use super::{Moved, Socket};

// An idle connection is asked so often whether its other end is still there.
const PROBED_EVERY: Duration = Duration::from_secs(1);

impl Socket {
    /// One end of a TCP connection that there is. Where the network takes nothing for `lost_after`, or nobody is at
    /// the other end of it, it breaks.
    pub(crate) fn of_tcp(stream: impl Into<OwnedFd>, lost_after: Duration) -> io::Result<Socket> {
        let fd = stream.into();
        rustix::io::ioctl_fionbio(&fd, true)?;
        // The system finds the sizes of its buffers by itself, unless one is set.
        sockopt::set_tcp_nodelay(&fd, true)?;
        sockopt::set_tcp_user_timeout(&fd, u32::try_from(lost_after.as_millis()).unwrap_or(u32::MAX))?;
        sockopt::set_tcp_keepidle(&fd, PROBED_EVERY)?;
        sockopt::set_tcp_keepintvl(&fd, PROBED_EVERY)?;
        sockopt::set_socket_keepalive(&fd, true)?;
        Ok(Socket(fd))
    }

    /// A connection to a unix socket.
    pub(crate) fn dial(path: &Path) -> io::Result<Socket> {
        let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let socket = Socket::of(fd)?;
        connect(&socket.0, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    }

    /// The beginning of a connection by TCP. What comes of it the first write says.
    pub(crate) fn dial_tcp(address: SocketAddr, lost_after: Duration) -> io::Result<Socket> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let fd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let socket = Socket::of_tcp(fd, lost_after)?;
        match connect(&socket.0, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the other end is closed and all that it wrote is read.
    pub(crate) fn is_closed(&self) -> bool {
        !matches!(self.receive(&mut [0], RecvFlags::PEEK), Ok(Moved::Bytes(_) | Moved::Blocked))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::transport::framed::socket::{Ready, wait};

    const LOST_AFTER: Duration = Duration::from_millis(1234);

    /// Moves bytes both ways between what was dialled and what was accepted.
    fn speak(one: &Socket, other: &Socket) {
        for (from, to) in [(one, other), (other, one)] {
            assert_eq!(to.read(&mut [0; 9]).unwrap(), Moved::Blocked);
            assert!(!to.is_closed());
            assert_eq!(from.write(&[IoSlice::new(b"abc")]).unwrap(), Moved::Bytes(3));
            let mut sockets = [(to, Ready { read: true, write: false })];
            wait(&mut sockets, 5000).unwrap();
            // Looking does not take.
            assert!(!to.is_closed());
            assert_eq!(to.read(&mut [0; 9]).unwrap(), Moved::Bytes(3));
        }
    }

    #[test]
    fn tcp_is_a_socket_that_never_blocks_and_breaks_in_time() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // There are hosts without the one of them.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let near = Socket::dial_tcp(listener.local_addr().unwrap(), LOST_AFTER).unwrap();
            let far = Socket::of_tcp(listener.accept().unwrap().0, LOST_AFTER).unwrap();
            speak(&near, &far);
            for socket in [&near, &far] {
                assert_eq!(sockopt::tcp_user_timeout(socket).unwrap(), 1234);
                assert!(sockopt::socket_keepalive(socket).unwrap() && sockopt::tcp_nodelay(socket).unwrap());
            }
            drop(near);
            assert!(wait_closed(&far));
        }
    }

    #[test]
    fn a_unix_socket_is_dialled_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let near = Socket::dial(&path).unwrap();
        let far = Socket::of(listener.accept().unwrap().0).unwrap();
        speak(&near, &far);
        drop(far);
        assert!(wait_closed(&near));
    }

    fn wait_closed(socket: &Socket) -> bool {
        wait(&mut [(socket, Ready { read: true, write: false })], 5000).unwrap();
        socket.is_closed()
    }

    #[test]
    fn nobody_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Socket::dial(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(Socket::dial(&folder.path().join("x".repeat(200))).is_err());
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = Socket::dial_tcp(address, LOST_AFTER).and_then(|socket| {
            wait(&mut [(&socket, Ready { read: false, write: true })], 5000)?;
            socket.write(&[IoSlice::new(b"x")]).map(|_| ())
        });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn what_was_written_before_the_end_is_read_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = Socket::of_tcp(listener.accept().unwrap().0, LOST_AFTER).unwrap();
        far.write_all(b"x").unwrap();
        drop(far);
        assert!(!wait_closed(&near));
        assert_eq!(near.read(&mut [0; 9]).unwrap(), Moved::Bytes(1));
        assert!(wait_closed(&near));
    }
}
