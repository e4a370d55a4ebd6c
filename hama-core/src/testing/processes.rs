//! Peers in processes of their own, which meet in a folder: for tests and benches of what lies between processes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Span;

use crate::abort::Abort;
use crate::barrier::{Barrier, Tally, Vote};
use crate::bsp::Bsp;
use crate::context::Membership;
use crate::error::{Error, ErrorKind, Result};
use crate::help::Tasks;
use crate::ids::{Host, JobId, PeerId};
use crate::message::codec;
use crate::metrics::Counters;
use crate::peer::{Peer, Seat};
use crate::pool::Pool;
use crate::transport::budget::INBOX_BYTES_MAX;
use crate::transport::framed::mesh::hello::{Pass, Secret};
use crate::transport::framed::mesh::{self, Addresses, Listener};
use crate::transport::framed::{Common, REPEAT_AFTER};

/// How long another process may take nothing and say nothing while something is on its way to it.
pub const LOST_AFTER: Duration = crate::transport::framed::LOST_AFTER;

const SOCKET: &str = "meeting";
const CONNECTED_WITHIN: Duration = Duration::from_secs(20);
// So long a peer sleeps before it looks whether the job has ended.
const TICK: Duration = Duration::from_millis(100);

/// How bytes get from one process to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// As between hosts.
    Tcp,
    /// As on one host.
    Unix,
}

/// A peer of a process of its own.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where all meet.
    pub folder: PathBuf,
    /// Which one it is.
    pub index: u32,
    /// Of how many.
    pub count: u32,
    /// How it reaches the others.
    pub link: Link,
    /// What its pool has.
    pub pool_bytes: usize,
    /// How long another may take nothing and say nothing.
    pub lost_after: Duration,
}

/// Where the processes of `count` peers meet: tells each the addresses of all, and is their barrier. To be called before
/// the processes start; [`serve`](Meeting::serve) returns once one of them has gone.
#[derive(Debug)]
pub struct Meeting {
    listener: UnixListener,
    count: u32,
}

impl Meeting {
    /// One in `folder`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(folder: &Path, count: u32) -> io::Result<Meeting> {
        Ok(Meeting { listener: UnixListener::bind(folder.join(SOCKET))?, count })
    }

    /// Serves until a peer has gone.
    ///
    /// # Errors
    /// When one goes before all are there.
    pub fn serve(self) -> io::Result<()> {
        let mut lines = Vec::new();
        for _ in 0..self.count {
            let (mut line, _) = self.listener.accept()?;
            let index = read_number(&mut line)?;
            let addresses = read_bytes(&mut line)?;
            lines.push((index, line, addresses));
        }
        lines.sort_by_key(|(index, ..)| *index);
        let all: Vec<Vec<u8>> = lines.iter().map(|(.., addresses)| addresses.clone()).collect();
        for (_, line, _) in &mut lines {
            all.iter().try_for_each(|addresses| write_bytes(line, addresses))?;
        }
        loop {
            for (_, line, _) in &mut lines {
                if line.read_exact(&mut [0]).is_err() {
                    return Ok(());
                }
            }
            for (_, line, _) in &mut lines {
                // Who does not hear it is gone, and is missed above.
                let _ = line.write_all(&[1]);
            }
        }
    }
}

/// Runs one peer of `program` in this process. The others run in theirs.
///
/// # Errors
/// What ended the job here.
pub fn run_peer<P: Bsp>(program: &P, place: &Place) -> Result<P::Output> {
    let abort = Abort::new();
    let ran = try_run_peer(program, place, &abort);
    // What the program says then is that the job has ended.
    ran.map_err(|error| if error.kind() == ErrorKind::Cancelled { abort.take() } else { error })
}

fn try_run_peer<P: Bsp>(program: &P, place: &Place, abort: &Abort) -> Result<P::Output> {
    let (me, pool) = (PeerId::from_index(place.index), Pool::new(place.pool_bytes));
    let host = match place.link {
        Link::Tcp => Host::new(format!("host-{}", place.index)),
        Link::Unix => Host::local(),
    };
    let job = JobId::from_bytes([7; 16]);
    let pass = Pass { job, attempt: 1, epoch: 2, secret: Secret::from_bytes([42; 32]) };
    let listener = Listener::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), &place.folder, &host, pass)?;
    let met = |error| Error::io(format!("peer {me} cannot meet the others"), error);
    let mut line = UnixStream::connect(place.folder.join(SOCKET)).map_err(met)?;
    let all = meet(&mut line, place, &listener).map_err(met)?;
    let all: Vec<Addresses> =
        all.iter().map(|bytes| codec::decode(bytes, "addresses")).collect::<Result<_>>()?;
    line.set_read_timeout(Some(TICK)).map_err(met)?;
    let common = Common {
        job,
        host: host.clone(),
        pool: pool.clone(),
        abort: abort.clone(),
        repeat_after: REPEAT_AFTER,
        lost_after: place.lost_after,
        inbox_bytes_max: INBOX_BYTES_MAX,
        spill: None,
        span: Span::none(),
    };
    let refused = listener.refused();
    let end = mesh::connect(listener, me, &all, &common, Instant::now() + CONNECTED_WITHIN)?;
    let cancel = abort.cancel().clone();
    let count = place.count as usize;
    let mut peer = Peer::new(Seat {
        membership: Membership {
            id: me,
            count,
            host,
            pool,
            cancel,
            progress: None,
            counters: Counters::default(),
        },
        transport: Box::new(end),
        barrier: Arc::new(Far { line: Mutex::new(line), abort: abort.clone() }),
        tasks: Arc::new(Tasks::default()),
        abort: abort.clone(),
    });
    let ran = program.bsp(&mut peer);
    let output = ran.map_err(|error| match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::new(ErrorKind::Program, format!("peer {me} failed")).with_source(error),
    })?;
    peer.leave()?;
    tracing::debug!(connections = refused.connections(), frames = refused.frames(), "refused");
    Ok(output)
}

fn meet(line: &mut UnixStream, place: &Place, listener: &Listener) -> io::Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    codec::encode(listener.addresses(), "addresses", &mut bytes).map_err(io::Error::other)?;
    line.write_all(&place.index.to_le_bytes())?;
    write_bytes(line, &bytes)?;
    (0..place.count).map(|_| read_bytes(line)).collect()
}

fn read_number(line: &mut UnixStream) -> io::Result<u32> {
    let mut number = [0; 4];
    line.read_exact(&mut number)?;
    Ok(u32::from_le_bytes(number))
}

fn read_bytes(line: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; read_number(line)? as usize];
    line.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn write_bytes(line: &mut UnixStream, bytes: &[u8]) -> io::Result<()> {
    line.write_all(&(bytes.len() as u32).to_le_bytes())?;
    line.write_all(bytes)
}

/// The barrier, which is at the meeting. It knows no votes: programs that halt by them do not end.
struct Far {
    line: Mutex<UnixStream>,
    abort: Abort,
}

impl Barrier for Far {
    fn arrive(&self, peer: PeerId, _: u64, _: Vote) -> Result<()> {
        self.abort.check()?;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write_all(&[1]).map_err(|error| lost(error).and(&format!(": peer {peer} arrived")))
    }

    fn wait(&self, _: u64, help: &dyn Fn() -> bool) -> Result<Tally> {
        while help() {}
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.abort.check()?;
            match line.read_exact(&mut [0]) {
                Ok(()) => return Ok(Tally { halt: false, messages: 1 }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }

    fn wake(&self) {}
}

fn lost(error: io::Error) -> Error {
    Error::new(ErrorKind::PeerLost, "a peer left the meeting").with_source(error)
}
