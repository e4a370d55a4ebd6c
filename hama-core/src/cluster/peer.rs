//! What runs in the process of a peer: its groom tells it what to run, its executable knows how.
//!
//! The groom is at the other end of standard input. When that ends, so does the process, with all that it has started.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::abort::Abort;
use crate::barrier::groom::GroomBarrier;
use crate::bsp::Bsp;
use crate::cluster::client_job::ClientOnCluster;
use crate::cluster::control::{Begin, Decoder, FromPeer, ToPeer, frame};
use crate::cluster::model::error::WireError;
use crate::cluster::model::task::Returned;
use crate::context::Membership;
use crate::error::{At, Error, ErrorKind, Result};
use crate::help::Tasks;
use crate::metrics::{Counters, Progress};
use crate::peer::Seat;
use crate::pool::Pool;
use crate::programs;
use crate::runner::program::{Left, Program};
use crate::transport::budget::INBOX_BYTES_MAX;
use crate::transport::framed::mesh::{self, Addresses, Listener};
use crate::transport::framed::{self, Common};

/// What a groom sets for the processes that it starts.
pub(crate) const VARIABLE: &str = "HAMA_PEER";
/// How long the groom may take to say what to do.
const BEGIN_MAX: Duration = Duration::from_secs(30);
/// How long all peers of a job may take to listen.
const CONNECT_MAX: Duration = Duration::from_secs(300);
/// How often its progress is told.
const PROGRESS: Duration = Duration::from_millis(500);
/// How long they may take to reach each other then.
const REACH_MAX: Duration = Duration::from_secs(10);

/// Makes this process a peer where a groom has started it as one: then it runs the program that it is told, one of
/// `programs`, and ends. To be called first in `main`; elsewhere it returns at once.
///
/// ```no_run
/// # use hama_core::{Bsp, BoxError, Peer, programs};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct PiEstimate;
/// # impl Bsp for PiEstimate {
/// #     const NAME: &'static str = "pi-estimate";
/// #     type Message = u64;
/// #     type Output = ();
/// #     fn bsp(&self, _: &mut Peer<u64>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// fn main() {
///     hama_core::peer_main(programs![PiEstimate]);
///     // Only the client comes here.
/// }
/// ```
pub fn peer_main(programs: impl AsRef<[Program]>) {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    // What a peer has started inherits the variable, and not the connection.
    let Ok(groom) = groom() else { return };
    let programs = [programs.as_ref(), &programs![ClientOnCluster]].concat();
    let code = match Process::start(groom) {
        Ok(process) => process.run(&programs),
        Err(_) => 1,
    };
    std::process::exit(code);
}

/// The connection to the groom, which nobody else reads from now on.
fn groom() -> io::Result<UnixStream> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // It is none where standard input is a file or a terminal.
    stream.peer_addr()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(stream)
}

/// One that writes whole messages, for all who have something to say.
#[derive(Clone, Debug)]
struct Line(Arc<Mutex<UnixStream>>);

impl Line {
    fn say(&self, message: &FromPeer) -> Result<()> {
        let lost = |e| Error::new(ErrorKind::PeerLost, "the groom is gone").with_source(e);
        let bytes = frame(message)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes).map_err(lost)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The barrier gives whole messages.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The process of a peer.
struct Process {
    line: Line,
    /// What the groom says, but for what is the barrier's.
    told: Receiver<ToPeer>,
    /// Set once: a process is one peer.
    barrier: Arc<OnceLock<Arc<GroomBarrier>>>,
}

impl Process {
    fn start(groom: UnixStream) -> io::Result<Process> {
        let line = Line(Arc::new(Mutex::new(groom.try_clone()?)));
        let (tell, told) = mpsc::channel();
        let barrier = Arc::new(OnceLock::new());
        let hears = Arc::clone(&barrier);
        thread::Builder::new().name("groom".into()).spawn(move || {
            let why = listen(groom, &tell, &hears);
            tracing::debug!(%why, "the groom is gone");
            // Nobody wants the result any more, and nobody else would end what this process has started.
            let _ = rustix::process::kill_current_process_group(Signal::KILL);
        })?;
        Ok(Process { line, told, barrier })
    }

    /// Runs the peer to its end, and says how it ended.
    fn run(self, programs: &[Program]) -> i32 {
        let said = match self.try_run(programs) {
            Ok(returned) => FromPeer::Returned(returned),
            Err(error) => FromPeer::Failed(WireError::from(&error)),
        };
        // A groom that is gone needs no answer.
        i32::from(self.line.say(&said).is_err())
    }

    fn try_run(&self, programs: &[Program]) -> Result<Returned> {
        let begin = match self.hear(BEGIN_MAX, "what to run")? {
            ToPeer::Begin(begin) => begin,
            other => return Err(odd(&other)),
        };
        let at = At { host: begin.host.clone(), peer: begin.peer, superstep: 0 };
        self.begin(*begin, programs).map_err(|error| error.at(at))
    }

    fn begin(&self, begin: Begin, programs: &[Program]) -> Result<Returned> {
        let program = named(&begin.program, programs)?;
        let folder = std::env::current_dir().map_err(|e| Error::io("cannot find the peer's directory", e))?;
        let listener = Listener::bind(begin.data_address, &folder, &begin.host, begin.pass.clone())?;
        // The barrier may fail as soon as the groom knows that this peer is ready.
        let abort = Abort::new();
        let barrier = Arc::new(GroomBarrier::new(begin.peer, Box::new(self.line.clone()), &abort));
        let barrier = Arc::clone(self.barrier.get_or_init(|| barrier));
        self.line.say(&FromPeer::Ready { addresses: listener.addresses().to_words() })?;
        let addresses = match self.hear(CONNECT_MAX, "where the other peers listen")? {
            ToPeer::Connect { addresses } => addresses,
            other => return Err(odd(&other)),
        };
        let addresses: Vec<Addresses> =
            addresses.iter().map(|words| Addresses::of_words(words)).collect::<Result<_>>()?;
        let refused = listener.refused();
        let seat = self.seat(&begin, (listener, barrier, abort), &addresses, &folder)?;
        let left = program.run(&begin.arguments, seat)?;
        let mut counters = named_counts(left.counters);
        let strange = [("refused connections", refused.connections()), ("refused frames", refused.frames())];
        counters.extend(
            strange.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.into(), count)),
        );
        let Left { output, supersteps, records, .. } = left;
        let returned = Returned { output, counters, supersteps, records };
        let at = At { host: begin.host, peer: begin.peer, superstep: supersteps };
        returned.validate().map_err(|error| error.at(at))?;
        Ok(returned)
    }

    fn seat(
        &self,
        begin: &Begin,
        (listener, barrier, abort): (Listener, Arc<GroomBarrier>, Abort),
        addresses: &[Addresses],
        folder: &Path,
    ) -> Result<Seat> {
        let pool = Pool::new(begin.pool_bytes as usize);
        let (progress, counters) = (Arc::new(Progress::new()), Counters::default());
        self.tell_progress(Arc::clone(&progress), counters.clone())?;
        let common = Common {
            job: begin.pass.job,
            host: begin.host.clone(),
            pool: pool.clone(),
            abort: abort.clone(),
            repeat_after: framed::REPEAT_AFTER,
            lost_after: framed::LOST_AFTER,
            inbox_bytes_max: INBOX_BYTES_MAX,
            spill: Some(folder.to_owned()),
            span: tracing::info_span!("job", job = %begin.pass.job),
        };
        let transport = mesh::connect(listener, begin.peer, addresses, &common, Instant::now() + REACH_MAX)?;
        Ok(Seat {
            membership: Membership {
                id: begin.peer,
                count: addresses.len(),
                host: begin.host.clone(),
                pool,
                cancel: abort.cancel().clone(),
                progress: Some(progress),
                counters,
            },
            transport: Box::new(transport),
            barrier,
            tasks: Arc::new(Tasks::default()),
            abort,
        })
    }

    /// Tells the groom now and then how much is done, and counted.
    fn tell_progress(&self, progress: Arc<Progress>, counters: Counters) -> Result<()> {
        let line = self.line.clone();
        let tell = move || {
            let mut told = (0, BTreeMap::new());
            loop {
                thread::sleep(PROGRESS);
                let now = (progress.done(), counters.counts());
                if now == told {
                    continue;
                }
                told = now.clone();
                let (units, counters) = (now.0, named_counts(now.1));
                if line.say(&FromPeer::Progress { units, counters }).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("progress".into()).spawn(tell);
        started.map(drop).map_err(|e| Error::io("cannot start a thread", e))
    }

    fn hear(&self, limit: Duration, what: &str) -> Result<ToPeer> {
        self.told.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => Error::new(
                ErrorKind::PeerLost,
                format!("the groom has not told {what} within {} s", limit.as_secs()),
            ),
            RecvTimeoutError::Disconnected => Error::new(ErrorKind::PeerLost, "the groom is gone"),
        })
    }
}

/// Hears what the groom says until it is gone. Says why.
fn listen(mut groom: UnixStream, tell: &Sender<ToPeer>, barrier: &OnceLock<Arc<GroomBarrier>>) -> String {
    let (mut decoder, mut part) = (Decoder::new(), vec![0; 16 << 10]);
    loop {
        match groom.read(&mut part) {
            Ok(0) => return "it has closed".into(),
            Ok(count) => decoder.push(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return error.to_string(),
        }
        loop {
            match (decoder.next(), barrier.get()) {
                (Ok(Some(message @ (ToPeer::Released { .. } | ToPeer::Failed(_)))), Some(barrier)) => {
                    barrier.told(message);
                }
                (Ok(Some(message)), _) => {
                    // The peer may have ended meanwhile.
                    let _ = tell.send(message);
                }
                (Ok(None), _) => break,
                (Err(error), _) => return error.to_string(),
            }
        }
    }
}

fn named_counts(counts: BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The program of this name.
fn named<'a>(name: &str, programs: &'a [Program]) -> Result<&'a Program> {
    programs.iter().find(|program| program.name() == name).ok_or_else(|| {
        let own = programs.iter().map(Program::name).filter(|name| *name != ClientOnCluster::NAME);
        let names: Vec<&str> = own.collect();
        Error::invalid(format!(
            "this executable has no program {name}: peer_main was given programs![{}]",
            names.join(", ")
        ))
    })
}

fn odd(message: &ToPeer) -> Error {
    Error::internal(format!("the groom said what a peer does not expect now: {message:.100?}"))
}
