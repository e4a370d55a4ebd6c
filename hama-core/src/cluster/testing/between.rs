//! A process between a groom and a peer of its: it passes on what they say, and tells others to call the peer by another way.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::cluster::control::{Decoder, FromPeer, ToPeer, frame};
use crate::cluster::peer::VARIABLE;
use crate::ids::PeerId;

/// What the peer itself has in its environment.
const INNER: &str = "HAMA_TEST_INNER_PEER";

/// Whether a groom has started this process as a peer, and no other such process has.
pub fn is_peer() -> bool {
    std::env::var_os(VARIABLE).is_some() && std::env::var_os(INNER).is_none()
}

/// Starts this program again as the peer, and passes on what it and the groom say. `way_to` is told the peer's index and where
/// it listens, and says where others shall call it. Returns the status with which the peer ended.
///
/// # Errors
/// Those of the system.
pub fn between(way_to: impl FnOnce(usize, SocketAddr) -> SocketAddr) -> io::Result<i32> {
    let groom = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (ours, theirs) = UnixStream::pair()?;
    let mut peer = start(theirs)?;
    let (say, index) = mpsc::channel();
    let (from_groom, to_peer) = (groom.try_clone()?, ours.try_clone()?);
    thread::spawn(move || {
        let mut decoder = Decoder::new();
        let passed = read_all(from_groom, |bytes| {
            decoder.push(bytes);
            while let Ok(Some(message)) = decoder.next() {
                if let ToPeer::Begin(begin) = message {
                    say.send(begin.peer).map_err(io::Error::other)?;
                }
            }
            (&to_peer).write_all(bytes)
        });
        // The peer sees that, and ends all of its group.
        to_peer.shutdown(Shutdown::Both).and(passed)
    });
    let mut decoder = Decoder::new();
    let mut way_to = Some(way_to);
    // A peer that is killed ends it too.
    let _ = read_all(ours, |bytes| {
        decoder.push(bytes);
        while let Some(message) = decoder.next().map_err(io::Error::other)? {
            let said = match (message, way_to.take()) {
                (FromPeer::Ready { addresses }, Some(way_to)) => {
                    FromPeer::Ready { addresses: changed(addresses, &index, way_to)? }
                }
                (message, unused) => {
                    way_to = unused;
                    message
                }
            };
            (&groom).write_all(&frame(&said).map_err(io::Error::other)?)?;
        }
        Ok(())
    });
    Ok(peer.wait()?.code().unwrap_or(1))
}

fn start(stdin: UnixStream) -> io::Result<Child> {
    let program = std::env::current_exe()?;
    Command::new(program).env(INNER, "1").stdin(Stdio::from(OwnedFd::from(stdin))).spawn()
}

/// The words of where a peer listens, with another address for its TCP.
fn changed(
    mut words: Vec<String>,
    index: &Receiver<PeerId>,
    way_to: impl FnOnce(usize, SocketAddr) -> SocketAddr,
) -> io::Result<Vec<String>> {
    let peer = index.recv().map_err(io::Error::other)?;
    let [_host, tcp, _unix] = &mut words[..] else { return Err(io::ErrorKind::InvalidData.into()) };
    *tcp = way_to(peer.index(), tcp.parse().map_err(io::Error::other)?).to_string();
    Ok(words)
}

/// Takes what comes until the end.
fn read_all(mut from: UnixStream, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut part = vec![0; 16 << 10];
    loop {
        match from.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&part[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
