//! The barrier of a job whose peers are threads here, and whose grooms are tasks here, each with a session of its own.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::runtime;
use crate::abort::Abort;
use crate::barrier::groom::GroomBarrier;
use crate::barrier::{Barrier, Tally, Vote};
use crate::cluster::control::{Decoder, FromPeer, ToPeer, frame};
use crate::cluster::gather::Participant;
use crate::cluster::meeting::serve::{Arrival, serve};
use crate::cluster::meeting::{Meant, Meeting};
use crate::cluster::zookeeper::ZooKeeper;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Host, JobId, PeerId};

/// All peers of a job behind one barrier.
pub(super) struct Job {
    id: u64,
    peers: Vec<Arc<GroomBarrier>>,
    streams: Vec<UnixStream>,
    grooms: Vec<JoinHandle<Result<()>>>,
}

thread_local! {
    /// Of which peers a thread has told that they arrived, by job: they are those for whom it waits.
    static ARRIVED: RefCell<HashMap<u64, VecDeque<PeerId>>> = RefCell::default();
}

impl Job {
    /// One of so many peers, dealt to the grooms of these sessions in turns.
    pub(super) fn start(sessions: &[ZooKeeper], count: usize, abort: &Abort) -> Job {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let grooms = sessions.len().min(count);
        let peers_of =
            |groom: usize| (groom..count).step_by(grooms).map(|peer| PeerId::from_index(peer as u32));
        let participants: Vec<Participant> = (0..grooms)
            .map(|groom| Participant {
                host: Host::new(format!("dn{groom}")),
                peers: peers_of(groom).count() as u32,
            })
            .collect();
        let meant = Meant { job: JobId::random(), attempt: 0, epoch: 1 };
        let mut streams = Vec::new();
        let mut peers: Vec<(PeerId, Arc<GroomBarrier>)> = Vec::new();
        let mut tasks = Vec::new();
        for (groom, zookeeper) in sessions.iter().take(grooms).enumerate() {
            let (sender, arrivals) = mpsc::channel(count);
            let mut told = Vec::new();
            for peer in peers_of(groom) {
                let (ours, theirs) = UnixStream::pair().expect("sockets can be made");
                let clone = |stream: &UnixStream| stream.try_clone().expect("descriptors are left");
                let barrier = Arc::new(GroomBarrier::new(peer, Box::new(clone(&ours)), abort));
                listen(clone(&ours), {
                    let barrier = Arc::clone(&barrier);
                    move |message: Option<ToPeer>| match message {
                        Some(message) => barrier.told(message),
                        None => barrier.lost(Error::new(ErrorKind::PeerLost, "the groom is gone")),
                    }
                });
                let sender = Mutex::new(Some(sender.clone()));
                listen(clone(&theirs), move |message: Option<FromPeer>| {
                    let mut sender = sender.lock().expect("it does not panic");
                    match (message, &*sender) {
                        (Some(FromPeer::Arrive { superstep, vote }), Some(arrivals)) => {
                            let _ = arrivals.blocking_send(Arrival { peer, superstep, vote });
                        }
                        _ => *sender = None,
                    }
                });
                told.push(Mutex::new(clone(&theirs)));
                streams.push(ours);
                peers.push((peer, barrier));
            }
            let part = (zookeeper.clone(), participants.clone(), groom, peers_of(groom).collect());
            tasks.push(runtime().spawn(run(meant, part, arrivals, told)));
        }
        peers.sort_by_key(|(peer, _)| *peer);
        let peers = peers.into_iter().map(|(_, barrier)| barrier).collect();
        Job { id: NEXT.fetch_add(1, Ordering::Relaxed), peers, streams, grooms: tasks }
    }

    /// Ends it, and says what came of each groom.
    pub(super) fn end(mut self) -> Vec<Result<()>> {
        self.hang_up();
        let grooms = std::mem::take(&mut self.grooms);
        grooms.into_iter().map(|task| super::block_on(task).expect("a groom does not panic")).collect()
    }

    fn hang_up(&self) {
        for stream in &self.streams {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Barrier for Job {
    fn arrive(&self, peer: PeerId, superstep: u64, vote: Vote) -> Result<()> {
        self.peers[peer.index()].arrive(peer, superstep, vote)?;
        ARRIVED.with_borrow_mut(|arrived| arrived.entry(self.id).or_default().push_back(peer));
        Ok(())
    }

    fn wait(&self, superstep: u64, help: &dyn Fn() -> bool) -> Result<Tally> {
        let peer = ARRIVED.with_borrow_mut(|arrived| arrived.entry(self.id).or_default().pop_front());
        self.peers[peer.expect("who waits has arrived").index()].wait(superstep, help)
    }

    fn wake(&self) {
        self.peers.iter().for_each(|peer| peer.wake());
    }
}

type Part = (ZooKeeper, Vec<Participant>, usize, Vec<PeerId>);

/// What a groom does for the barrier of a job.
async fn run(
    meant: Meant,
    (zookeeper, participants, me, peers): Part,
    mut arrivals: mpsc::Receiver<Arrival>,
    told: Vec<Mutex<UnixStream>>,
) -> Result<()> {
    let tell = |message: &ToPeer| {
        let bytes = frame(message).expect("it is short");
        for stream in &told {
            // A peer that is gone needs no word.
            let _ = stream.lock().expect("it does not panic").write_all(&bytes);
        }
    };
    let opened = Meeting::open(&zookeeper, meant, participants, me).await;
    let mut meeting = opened.inspect_err(|error| {
        tell(&ToPeer::Failed(crate::cluster::model::error::WireError::from(error)));
    })?;
    let outcome = serve(&mut meeting, peers, &mut arrivals, tell).await;
    let closed = meeting.close().await;
    outcome.and(closed)
}

/// Reads messages on a thread of its own until the connection ends.
fn listen<T: DeserializeOwned>(mut stream: UnixStream, take: impl Fn(Option<T>) + Send + 'static) {
    thread::spawn(move || {
        let (mut decoder, mut bytes) = (Decoder::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            decoder.push(&bytes[..count]);
            loop {
                match decoder.next() {
                    Ok(Some(message)) => take(Some(message)),
                    Ok(None) => break,
                    Err(_) => return take(None),
                }
            }
        }
        take(None);
    });
}
