//! Where the other peers, and whoever else finds the way, connect to a peer: who does not prove at once who it is, is
//! refused.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use crate::ids::PeerId;
use crate::transport::framed::mesh::hello::{HELLO_BYTES, Stranger};
use crate::transport::framed::refused::Refused;
use crate::transport::framed::socket::{Moved, Ready, Socket};

/// Who has not said a whole hello by then is refused.
pub(super) const HELLO_MAX: Duration = Duration::from_secs(2);
/// So many may be about to say theirs. A hello comes with the connection: it is the one who waits longest that goes.
pub(super) const VISITORS_MAX: usize = 64;

/// The two sockets that a peer listens at, and who has come.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) tcp: TcpListener,
    pub(super) unix: UnixListener,
    visitors: VecDeque<Visitor>,
    refused: Refused,
}

/// A connection that has not said its hello.
#[derive(Debug)]
struct Visitor {
    socket: Socket,
    bytes: [u8; HELLO_BYTES],
    filled: usize,
    until: Instant,
}

impl Door {
    pub(super) fn new(tcp: TcpListener, unix: UnixListener, refused: Refused) -> io::Result<Door> {
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        Ok(Door { tcp, unix, visitors: VecDeque::new(), refused })
    }

    pub(super) fn refused(&self) -> Refused {
        self.refused.clone()
    }

    /// What it waits for.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Ready)> {
        let listeners = [self.tcp.as_fd(), self.unix.as_fd()];
        let visitors = self.visitors.iter().map(|visitor| visitor.socket.as_fd());
        listeners.into_iter().chain(visitors).map(|fd| (fd, Ready { read: true, write: false }))
    }

    /// Lets in who is there. `check` says who says a hello and what to answer; `admit` takes the connection.
    ///
    /// # Errors
    /// Those of the system, which has no sockets left.
    pub(super) fn open(
        &mut self,
        lost_after: Duration,
        check: impl Fn(&[u8; HELLO_BYTES], &[Option<Socket>]) -> Result<(PeerId, [u8; HELLO_BYTES]), Stranger>,
        admitted: &mut [Option<Socket>],
    ) -> io::Result<()> {
        // As many as there may be at once: then the first of them have their turn.
        for _ in 0..VISITORS_MAX {
            let Some(socket) = self.accept(lost_after)? else { break };
            if self.visitors.len() == VISITORS_MAX {
                self.visitors.pop_front();
                self.refuse(Stranger::Crowded);
            }
            let until = Instant::now() + HELLO_MAX;
            self.visitors.push_back(Visitor { socket, bytes: [0; HELLO_BYTES], filled: 0, until });
        }
        for mut visitor in std::mem::take(&mut self.visitors) {
            let said = visitor.listen().and_then(|is_whole| match is_whole {
                true => check(&visitor.bytes, admitted).map(Some),
                false => Ok(None),
            });
            match said {
                Ok(None) => self.visitors.push_back(visitor),
                Ok(Some((from, answer))) => match visitor.socket.write(&[IoSlice::new(&answer)]) {
                    Ok(Moved::Bytes(HELLO_BYTES)) => admitted[from.index()] = Some(visitor.socket),
                    // It is gone, or takes nothing though nothing was sent to it before.
                    _ => self.refuse(Stranger::Short),
                },
                Err(stranger) => self.refuse(stranger),
            }
        }
        Ok(())
    }

    fn accept(&self, lost_after: Duration) -> io::Result<Option<Socket>> {
        let unix = || self.unix.accept().and_then(|(stream, _)| Socket::of(stream));
        let tcp = || self.tcp.accept().and_then(|(stream, _)| Socket::of_tcp(stream, lost_after));
        match there(unix())? {
            Some(socket) => Ok(Some(socket)),
            None => there(tcp()),
        }
    }

    fn refuse(&self, stranger: Stranger) {
        self.refused.connection();
        tracing::debug!(%stranger, "a connection is refused");
    }
}

/// What was accepted, if somebody was there and still is.
fn there(accepted: io::Result<Socket>) -> io::Result<Option<Socket>> {
    match accepted {
        Ok(socket) => Ok(Some(socket)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

impl Visitor {
    /// Reads of the hello what is there, and nothing behind it. Says whether it is whole.
    fn listen(&mut self) -> Result<bool, Stranger> {
        while self.filled < HELLO_BYTES {
            match self.socket.read(&mut self.bytes[self.filled..]) {
                Ok(Moved::Bytes(count)) => self.filled += count,
                Ok(Moved::Blocked) if Instant::now() < self.until => return Ok(false),
                Ok(Moved::Blocked) => return Err(Stranger::Slow),
                Ok(Moved::Closed) | Err(_) => return Err(Stranger::Short),
            }
        }
        Ok(true)
    }
}
