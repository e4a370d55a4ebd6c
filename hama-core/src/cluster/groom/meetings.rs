//! The barriers of the jobs that a groom has peers of: each a task that meets the other grooms in ZooKeeper.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc};

use crate::cluster::control::{ToPeer, frame};
use crate::cluster::meeting::serve::{Arrival, serve};
use crate::cluster::meeting::{Meant, Meeting};
use crate::cluster::model::action::Roster;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::RunId;
use crate::cluster::zookeeper::{Settings, State, ZooKeeper};
use crate::error::{Error, Result};
use crate::ids::PeerId;

/// The session of a groom with ZooKeeper: begun when it is needed, and again when it has ended.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    settings: Settings,
    current: Arc<Mutex<Option<ZooKeeper>>>,
}

/// A barrier in which peers of this groom take part.
#[derive(Debug)]
pub(crate) struct Barrier {
    arrivals: mpsc::Sender<Arrival>,
    /// How many supersteps have ended.
    ended: Arc<AtomicU64>,
}

/// What tells a peer something.
pub(crate) type Line = mpsc::UnboundedSender<Arc<Vec<u8>>>;

impl Sessions {
    pub(crate) fn new(settings: Settings) -> Sessions {
        Sessions { settings, current: Arc::default() }
    }

    /// The session that there is, or a new one.
    ///
    /// # Errors
    /// `Unavailable` where no server answers within the session's time.
    pub(crate) async fn get(&self) -> Result<ZooKeeper> {
        let mut current = self.current.lock().await;
        if let Some(zookeeper) =
            current.as_ref().filter(|zookeeper| *zookeeper.state().borrow() != State::Ended)
        {
            return Ok(zookeeper.clone());
        }
        *current = None;
        Ok(current.insert(ZooKeeper::connect(&self.settings).await?).clone())
    }
}

impl Barrier {
    /// Opens the barrier of a run launched in `epoch`, for these peers of this groom, which is number `me`. It ends when this
    /// is dropped.
    pub(crate) fn open(
        sessions: &Sessions,
        run: RunId,
        epoch: u64,
        (me, roster): (u32, &Roster),
        peers: BTreeMap<PeerId, Line>,
    ) -> Barrier {
        // A peer arrives once before it is released: who says more than that is refused.
        let (arrivals, arrived) = mpsc::channel(2 * peers.len() + 1);
        let (sessions, grooms) = (sessions.clone(), roster.grooms.clone());
        let ended = Arc::new(AtomicU64::new(0));
        let ends = Arc::clone(&ended);
        tokio::spawn(async move {
            let meant = Meant { job: run.job, attempt: run.attempt, epoch };
            let tell = |message: &ToPeer| {
                if let ToPeer::Released { superstep, .. } = message {
                    ends.store(superstep + 1, Ordering::Release);
                }
                tell_all(&peers, message);
            };
            let opened = async {
                let zookeeper = sessions.get().await?;
                Meeting::open(&zookeeper, meant, grooms, me as usize).await
            };
            let met = match opened.await {
                Ok(meeting) => meet(meeting, &peers, arrived, tell).await,
                Err(error) => {
                    tell(&ToPeer::Failed(WireError::from(&error)));
                    Err(error)
                }
            };
            if let Err(error) = met {
                tracing::info!(%run, %error, "the barrier of a job has failed");
            }
        });
        Barrier { arrivals, ended }
    }

    /// How many supersteps have ended: in that one are all peers that have not arrived.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// A peer of this groom has arrived.
    ///
    /// # Errors
    /// `Data` for one that has arrived already.
    pub(crate) fn arrive(&self, arrival: Arrival) -> Result<()> {
        use mpsc::error::TrySendError::{Closed, Full};
        match self.arrivals.try_send(arrival) {
            // A barrier that has failed has said so.
            Ok(()) | Err(Closed(_)) => Ok(()),
            Err(Full(arrival)) => Err(Error::data(format!(
                "peer {} arrives at barriers that it was not released from",
                arrival.peer
            ))),
        }
    }
}

async fn meet(
    mut meeting: Meeting,
    peers: &BTreeMap<PeerId, Line>,
    mut arrived: mpsc::Receiver<Arrival>,
    tell: impl Fn(&ToPeer),
) -> Result<()> {
    let met = serve(&mut meeting, peers.keys().copied().collect(), &mut arrived, tell).await;
    met.and(meeting.close().await)
}

fn tell_all(peers: &BTreeMap<PeerId, Line>, message: &ToPeer) {
    match frame(message) {
        Ok(bytes) => {
            let bytes = Arc::new(bytes);
            for line in peers.values() {
                // It may have ended.
                let _ = line.send(Arc::clone(&bytes));
            }
        }
        Err(error) => tracing::error!(%error, "peers are not told how a superstep ended"),
    }
}
