//! The peers of a groom as processes: started, spoken with, and watched until both the process and its connection are gone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::bsp::Bsp;
use crate::cluster::client_job::ClientOnCluster;
use crate::cluster::control::{Begin, Decoder, FromPeer, ToPeer, frame};
use crate::cluster::groom::log;
use crate::cluster::groom::process::{Ending, Process, Start};
use crate::cluster::model::action::Launch;
use crate::cluster::model::bounds::LOG_BYTES_MAX;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::TaskId;
use crate::cluster::model::task::How;
use crate::cluster::peer::VARIABLE;
use crate::error::{Error, Result};
use crate::ids::Host;
use crate::transport::framed::mesh::hello::{Pass, Secret};

/// How many files a peer may have open.
const FILES_MAX: u64 = 65_536;
/// How long the connection of a process that is gone may take to end: what it has started may hold it.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// What is read of a peer at a time.
const PART_BYTES: usize = 64 << 10;

/// What happens to a peer.
#[derive(Debug)]
pub(crate) enum PeerEvent {
    Said(FromPeer),
    /// It says nothing any more, and here is why.
    Closed(String),
    /// Its process is gone.
    Gone(Ending),
    /// Its connection did not end with it.
    Overdue,
}

/// A peer whose process was started.
#[derive(Debug)]
pub(crate) struct LivePeer {
    process: Process,
    folder: PathBuf,
    says: mpsc::UnboundedSender<Arc<Vec<u8>>>,
    /// What it said last of how it ended.
    left: Option<How>,
    closed: Option<String>,
    gone: Option<Ending>,
}

/// Where peers run, and who hears of them.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) host: Host,
    pub(crate) data_address: IpAddr,
    /// The variables by which clients find the master from here.
    pub(crate) way_to_master: Vec<(String, String)>,
    pub(crate) tasks: PathBuf,
    pub(crate) events: mpsc::Sender<(TaskId, PeerEvent)>,
}

impl Home {
    /// The directory of a task.
    pub(crate) fn folder(&self, task: TaskId) -> PathBuf {
        self.tasks.join(format!("{}-{}-{}", task.job, task.attempt, task.peer.index()))
    }

    /// Starts a peer's process and tells it what to run. To be called within a runtime.
    ///
    /// # Errors
    /// Those of the system: no process, no disk.
    pub(crate) fn fork(&self, task: TaskId, launch: &Launch, executable: PathBuf) -> Result<LivePeer> {
        let (spec, folder) = (&launch.submission.spec, self.folder(task));
        let mut environment: BTreeMap<String, String> = spec.environment.clone();
        environment.insert(VARIABLE.to_owned(), "1".to_owned());
        if spec.program == ClientOnCluster::NAME {
            environment.extend(self.way_to_master.clone());
        }
        let start = Start {
            executable,
            folder: folder.clone(),
            environment: environment.into_iter().collect(),
            memory_bytes: spec.memory_bytes,
            files_max: FILES_MAX,
        };
        let (events, runtime) = (self.events.clone(), tokio::runtime::Handle::current());
        let (process, stream) = start.start(move |ending| {
            // The daemon may have ended.
            let _ = events.blocking_send((task, PeerEvent::Gone(ending)));
            runtime.spawn(async move {
                tokio::time::sleep(CLOSE_MAX).await;
                let _ = events.send((task, PeerEvent::Overdue)).await;
            });
        })?;
        let refused = |e| Error::io(format!("cannot speak with {task}"), e);
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(stream))
            .inspect_err(|_| process.kill())
            .map_err(refused)?;
        let (reads, writes) = stream.into_split();
        let (says, said) = mpsc::unbounded_channel();
        tokio::spawn(listen(task, reads, self.events.clone()));
        tokio::spawn(speak(writes, said));
        let peer = LivePeer { process, folder, says, left: None, closed: None, gone: None };
        peer.tell(&ToPeer::Begin(Box::new(self.begin(task, launch))));
        Ok(peer)
    }

    fn begin(&self, task: TaskId, launch: &Launch) -> Begin {
        let spec = &launch.submission.spec;
        Begin {
            program: spec.program.clone(),
            arguments: spec.arguments.to_vec(),
            peer: task.peer,
            host: self.host.clone(),
            data_address: self.data_address,
            pool_bytes: spec.pool_bytes,
            pass: Pass {
                job: task.job,
                attempt: task.attempt,
                epoch: launch.epoch.0,
                secret: Secret::from_bytes(launch.submission.secret.0),
            },
        }
    }
}

impl LivePeer {
    /// Tells it something, in its turn.
    pub(crate) fn tell(&self, message: &ToPeer) {
        match frame(message) {
            Ok(bytes) => self.tell_framed(Arc::new(bytes)),
            // It was bounded where it came from.
            Err(error) => tracing::error!(%error, "a peer is not told something"),
        }
    }

    /// The same for a message that is framed already.
    pub(crate) fn tell_framed(&self, bytes: Arc<Vec<u8>>) {
        // It may have ended.
        let _ = self.says.send(bytes);
    }

    /// What tells it, for others.
    pub(crate) fn line(&self) -> mpsc::UnboundedSender<Arc<Vec<u8>>> {
        self.says.clone()
    }

    /// Ends its process.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// It said how it ended. What it may not say is how it failed: the master would refuse all of the groom's report.
    pub(crate) fn leaves(&mut self, how: How) {
        let how = how.validate().map_or_else(|error| How::Failed(WireError::from(&error)), |()| how);
        self.left.get_or_insert(how);
    }

    /// It says nothing any more: a process that lives on is of no use.
    pub(crate) fn closed(&mut self, why: String) {
        if self.gone.is_none() && self.left.is_none() {
            self.process.kill();
        }
        self.closed.get_or_insert(why);
    }

    /// Its process is gone.
    pub(crate) fn gone(&mut self, ending: Ending) {
        self.gone.get_or_insert(ending);
    }

    /// How it ended and the last that it printed, once all of it is gone.
    pub(crate) fn end(&self) -> Option<(How, Arc<[u8]>)> {
        let (Some(ending), Some(_)) = (&self.gone, &self.closed) else { return None };
        let how = match (ending, &self.left) {
            (Ending::MemoryLimit(bytes), _) => How::MemoryLimit { bytes: *bytes },
            (Ending::Unlogged { kind, message }, _) => {
                How::Failed(WireError::from(&Error::new(*kind, message.clone())))
            }
            (_, Some(how @ How::Failed(_))) | (Ending::Exited(0), Some(how)) => how.clone(),
            (Ending::Exited(code), _) => How::Exited { code: *code },
            (Ending::Signalled(signal), _) => How::Signalled { signal: *signal },
        };
        let printed = log::tail(&self.folder, LOG_BYTES_MAX as u64).unwrap_or_else(|error| {
            tracing::debug!(folder = %self.folder.display(), %error, "a log cannot be read");
            Vec::new()
        });
        Some((how, printed.into()))
    }
}

/// Hears what a peer says until it has closed or says what nobody understands.
async fn listen(task: TaskId, mut from: OwnedReadHalf, events: mpsc::Sender<(TaskId, PeerEvent)>) {
    let (mut decoder, mut part) = (Decoder::<FromPeer>::new(), vec![0; PART_BYTES]);
    let why = 'heard: loop {
        match from.read(&mut part).await {
            Ok(0) => break "it has closed".to_owned(),
            Ok(count) => decoder.push(&part[..count]),
            Err(error) => break error.to_string(),
        }
        loop {
            match decoder.next() {
                Ok(Some(message)) => {
                    if events.send((task, PeerEvent::Said(message))).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => break 'heard error.to_string(),
            }
        }
    };
    let _ = events.send((task, PeerEvent::Closed(why))).await;
}

/// Tells a peer what it is to hear. It ends with the peer, or when nobody says anything any more.
async fn speak(mut to: OwnedWriteHalf, mut said: mpsc::UnboundedReceiver<Arc<Vec<u8>>>) {
    while let Some(bytes) = said.recv().await {
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
