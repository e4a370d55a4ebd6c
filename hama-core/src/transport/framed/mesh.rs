//! The connections of one peer process to all others of its job: by unix socket on one host, by TCP between hosts.
//!
//! Every peer listens, tells its addresses by another way, and is told those of all. Then each calls the peers before
//! it and is called by those behind it. Both ends say a [`hello`] before anything else. Once all are connected nobody
//! listens any more: no port is left for others to find, and a connection that breaks later is a lost peer, so there is
//! nothing to listen for.

mod dial;
mod door;
pub(crate) mod hello;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{At, Error, ErrorKind, Result};
use crate::ids::{Host, PeerId};
use crate::transport::framed::header::Route;
use crate::transport::framed::refused::Refused;
use crate::transport::framed::socket::{self, Socket};
use crate::transport::framed::wire::Wire;
use crate::transport::framed::{Common, Endpoint};
use dial::{Dial, near_path};
use door::Door;
use hello::{HELLO_BYTES, Hello, Pass, Stranger};

// So long it sleeps at most before it looks whether the job has ended.
const TICK: Duration = Duration::from_millis(50);

/// Where a peer is and listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// Peers with the same one try the unix socket first.
    pub(crate) host: Host,
    pub(crate) tcp: SocketAddr,
    pub(crate) unix: PathBuf,
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.host, self.tcp)
    }
}

#[cfg(feature = "cluster")]
impl Addresses {
    /// As those pass them on who have no use for them.
    pub(crate) fn to_words(&self) -> Vec<String> {
        // The socket's path is UTF-8: it was looked at when it was made.
        vec![self.host.name().to_owned(), self.tcp.to_string(), self.unix.to_string_lossy().into_owned()]
    }

    /// # Errors
    /// `Data` for others than those of [`to_words`](Addresses::to_words).
    pub(crate) fn of_words(words: &[String]) -> Result<Addresses> {
        let bad = || {
            Error::data(format!("cannot connect to a peer at {words:.3?}: this is no host, address and path"))
        };
        let [host, tcp, unix] = words else { return Err(bad()) };
        let host = host.parse().map_err(|_| bad())?;
        Ok(Addresses { host, tcp: tcp.parse().map_err(|_| bad())?, unix: unix.into() })
    }
}

/// A peer's two sockets, TCP and unix, before it is connected.
#[derive(Debug)]
pub(crate) struct Listener {
    door: Door,
    addresses: Addresses,
    pass: Pass,
    _file: SocketFile,
}

/// The file of a unix socket, which goes with it.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "the file of a socket is left behind");
        }
    }
}

impl Listener {
    /// Listens by TCP on a port of the system's choice of `data_address`, and by a unix socket of a new name in
    /// `folder`, for the peers of the run that `pass` is for. `host` is the name of the host that others know.
    ///
    /// # Errors
    /// `Invalid` when the address is not one that others can call or not of this host, or when the folder's path
    /// cannot travel; `NotFound`, `OutOfSpace`, `Unavailable` when the system refuses.
    pub(crate) fn bind(data_address: IpAddr, folder: &Path, host: &Host, pass: Pass) -> Result<Listener> {
        if data_address.is_unspecified() || data_address.is_multicast() {
            return Err(Error::invalid(format!(
                "cannot listen for other peers at {data_address}: name the address of this host that they call"
            )));
        }
        let tcp_refused = |error: io::Error| {
            let kind = match error.kind() {
                io::ErrorKind::AddrNotAvailable => ErrorKind::Invalid,
                _ => ErrorKind::of_io(&error),
            };
            Error::new(kind, format!("cannot listen for other peers at {data_address}")).with_source(error)
        };
        let tcp = TcpListener::bind((data_address, 0)).map_err(tcp_refused)?;
        let tcp_address = tcp.local_addr().map_err(tcp_refused)?;
        let unix_refused =
            |error| Error::io(format!("cannot make a socket for other peers in {}", folder.display()), error);
        let name = format!("data-{:.12}", Uuid::new_v4().simple());
        let path = std::path::absolute(folder).map_err(unix_refused)?.join(name);
        if path.to_str().is_none() {
            return Err(Error::invalid(format!(
                "cannot tell other peers of a socket in {}: it is not UTF-8",
                folder.display()
            )));
        }
        let near = near_path(&path).map_err(unix_refused)?;
        let unix = UnixListener::bind(&near.path).map_err(unix_refused)?;
        let file = SocketFile(path.clone());
        let door = Door::new(tcp, unix, Refused::default()).map_err(tcp_refused)?;
        let addresses = Addresses { host: host.clone(), tcp: tcp_address, unix: path };
        Ok(Listener { door, addresses, pass, _file: file })
    }

    /// Where it listens, to be told to all other peers.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What was refused here, and will be by the peer that is connected by this.
    pub(crate) fn refused(&self) -> Refused {
        self.door.refused()
    }
}

/// Connects the peer `me`, which listens at `listener`, with all others of its job, which listen at `all`. Returns once
/// every connection is there.
///
/// # Errors
/// `PeerLost` when a peer cannot be reached, or does not call, before the `deadline`; it names both and where they are.
/// `Cancelled` when the job ends; `Invalid` when `me` is not one of `all`; `Unavailable` when the system refuses sockets
/// or threads.
pub(crate) fn connect(
    listener: Listener,
    me: PeerId,
    all: &[Addresses],
    common: &Common,
    deadline: Instant,
) -> Result<Endpoint> {
    let at = At { host: common.host.clone(), peer: me, superstep: 0 };
    try_connect(listener, me, all, common, deadline).map_err(|error| error.at(at))
}

fn try_connect(
    listener: Listener,
    me: PeerId,
    all: &[Addresses],
    common: &Common,
    deadline: Instant,
) -> Result<Endpoint> {
    let pass = listener.pass.clone();
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    if me.index() >= all.len() || pass.job != common.job {
        return Err(Error::invalid(format!(
            "cannot connect peer {me} of {count} of job {} for job {}",
            pass.job, common.job
        )));
    }
    let refused = listener.refused();
    let mut joining = Joining::new(listener, me, all, common);
    joining.run(common, deadline)?;
    let wires = (0..).map(PeerId::from_index).zip(joining.sockets).zip(all);
    let wires = wires.filter_map(|((other, socket), far)| {
        let wire = socket.map(|socket| Wire::new(other, socket))?;
        Some(wire.to(far.to_string(), deadline))
    });
    let route =
        Route { job: pass.job, attempt: pass.attempt, epoch: pass.epoch, sender: me, destination: me };
    let hosts = all.iter().map(|addresses| addresses.host.clone()).collect();
    Ok(Endpoint::start(route, count, wires.collect(), common, refused)?.with_hosts(hosts))
}

/// A peer that is being connected.
struct Joining<'a> {
    me: PeerId,
    all: &'a [Addresses],
    lost_after: Duration,
    /// The hello to a peer of any index.
    hello: Hello,
    listener: Listener,
    /// To peers that are not connected yet.
    dials: Vec<Dial<'a>>,
    /// By peer.
    sockets: Vec<Option<Socket>>,
}

impl<'a> Joining<'a> {
    fn new(listener: Listener, me: PeerId, all: &'a [Addresses], common: &Common) -> Joining<'a> {
        let pass = listener.pass.clone();
        let hello = Hello { pass, from: me, to: me, peers: all.len() as u32 };
        let near = &listener.addresses.host;
        let others = (0..).map(PeerId::from_index).zip(all).take(me.index());
        let dials = others.map(|(to, far)| {
            Dial::new(Hello { to, ..hello.clone() }, far, far.host == *near, common.lost_after)
        });
        let dials = dials.collect();
        let sockets = all.iter().map(|_| None).collect();
        Joining { me, all, lost_after: common.lost_after, hello, listener, dials, sockets }
    }

    fn run(&mut self, common: &Common, deadline: Instant) -> Result<()> {
        let begun = Instant::now();
        loop {
            common.abort.check()?;
            self.call();
            self.answer()?;
            if self.missing().next().is_none() {
                return Ok(());
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(self.lost(now - begun));
            }
            self.wait(deadline - now)?;
        }
    }

    /// Goes on with the connections to the peers before this one.
    fn call(&mut self) {
        let sockets = &mut self.sockets;
        self.dials.retain_mut(|dial| match dial.go_on() {
            Some(socket) => {
                sockets[dial.hello.to.index()] = Some(socket);
                false
            }
            None => true,
        });
    }

    /// Lets in the peers behind this one.
    fn answer(&mut self) -> Result<()> {
        let (me, hello) = (self.me, &self.hello);
        let check = |bytes: &[u8; HELLO_BYTES], sockets: &[Option<Socket>]| {
            let from = hello.answered_by(bytes)?;
            // A connection that broke before its end was told is made again.
            let is_connected = sockets[from.index()].as_ref().is_some_and(|socket| !socket.is_closed());
            if from < me || is_connected {
                return Err(Stranger::Unexpected(from));
            }
            Ok((from, Hello { to: from, ..hello.clone() }.encode()))
        };
        let opened = self.listener.door.open(self.lost_after, check, &mut self.sockets);
        opened.map_err(|error| {
            Error::io(format!("peer {me} cannot accept the connections of other peers"), error)
        })
    }

    /// The peers that are not connected.
    fn missing(&self) -> impl Iterator<Item = PeerId> {
        let others = (0..).map(PeerId::from_index).zip(&self.sockets);
        others.filter(|(other, socket)| *other != self.me && socket.is_none()).map(|(other, _)| other)
    }

    /// Waits until something can go on, for `at_most` so long.
    fn wait(&self, at_most: Duration) -> Result<()> {
        let now = Instant::now();
        let again = self.dials.iter().filter_map(Dial::again_at).min();
        let until_again = again.map_or(TICK, |again| again.saturating_duration_since(now));
        let timeout = TICK.min(until_again).min(at_most);
        let dials = self.dials.iter().filter_map(Dial::waits_for);
        let mut sockets: Vec<_> = self.listener.door.waits_for().chain(dials).collect();
        // Not less than a tick of the clock: it would wait in vain for nothing.
        socket::wait(&mut sockets, timeout.as_millis() as u32 + 1)
            .map_err(|error| Error::io(format!("peer {} cannot wait for the other peers", self.me), error))
    }

    fn lost(&self, waited: Duration) -> Error {
        let (me, near) = (self.me, &self.all[self.me.index()]);
        let missing: Vec<PeerId> = self.missing().collect();
        // Who is called says more than who does not call.
        let mut message = match (self.dials.first(), missing.first()) {
            (Some(dial), _) => format!(
                "peer {me} on {near} cannot reach peer {} on {} within {:.1} s: {}",
                dial.hello.to,
                dial.far,
                waited.as_secs_f64(),
                dial.trouble
            ),
            (None, Some(other)) => format!(
                "peer {me} on {near} was not reached by peer {other} on {} within {:.1} s",
                self.all[other.index()],
                waited.as_secs_f64()
            ),
            (None, None) => format!("peer {me} on {near} reached all others too late"),
        };
        if missing.len() > 1 {
            message.push_str(&format!("; {} other peers are not connected either", missing.len() - 1));
        }
        Error::new(ErrorKind::PeerLost, message)
    }
}
