//! What the master answers to a groom, and what it tells it to do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::gather::Participant;
use crate::cluster::model::bounds;
use crate::cluster::model::error::WireError;
use crate::cluster::model::ids::{Epoch, RunId, Session, validate_host};
use crate::cluster::model::report::validate_addresses;
use crate::cluster::model::spec::Submission;
use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::runner::threads::PEERS_MAX;

/// The answer to a request of a groom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The session is open, and this is to be done.
    Orders(Orders),
    /// The master does not know the session, or leads since later than the groom knew: open another.
    Reregister { epoch: Epoch, session: Session },
    /// The master does not want it.
    Refused { epoch: Epoch, session: Session, error: WireError },
}

/// What a groom is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) epoch: Epoch,
    pub(crate) session: Session,
    /// The last report of the session that the master has heard.
    pub(crate) heard: u64,
    /// All that the groom has not said to have seen, or the first of them; in the order of their ids.
    pub(crate) actions: Vec<Action>,
}

/// One thing to do, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Action {
    /// Its number in the session, from 1.
    pub(crate) id: u64,
    /// Of the master that says so.
    pub(crate) epoch: Epoch,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// Start a process for each of these peers.
    Launch(Launch),
    /// All peers of a run listen. The groom is number `me` of those that take part.
    Connect { run: RunId, me: u32, roster: Arc<Roster> },
    /// End all tasks of a run.
    Kill { run: RunId, why: String },
    /// Nobody will ask for the ends of these tasks any more.
    Forget { run: RunId },
    /// Expect no more tasks, and perhaps an end when there are none.
    Drain { stop: bool },
    /// The groom is not needed any more.
    Stop,
}

/// Who takes part in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Roster {
    /// Where each peer listens, by index.
    pub(crate) addresses: Vec<Vec<String>>,
    /// The grooms, as they meet at the barrier.
    pub(crate) grooms: Vec<Participant>,
}

/// What a groom has to know of a run of which it gets tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) run: RunId,
    /// Of the master that first launched the run: its frames carry it.
    pub(crate) epoch: Epoch,
    pub(crate) submission: Arc<Submission>,
    /// Those that the groom gets.
    pub(crate) peers: Vec<PeerId>,
}

impl Answer {
    /// Whether a master can have said that.
    ///
    /// # Errors
    /// `Invalid`, naming what cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        match self {
            Answer::Orders(orders) => {
                bounds::at_most("an answer, in actions,", orders.actions.len(), bounds::ACTIONS_MAX)?;
                orders.actions.iter().try_for_each(|action| action.what.validate())
            }
            Answer::Reregister { .. } => Ok(()),
            Answer::Refused { error, .. } => error.validate(),
        }
    }
}

impl What {
    /// About how many bytes it takes, where they are many.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            What::Launch(launch) => launch.submission.spec.arguments.len() + bounds::ENVIRONMENT_BYTES_MAX,
            What::Connect { roster, .. } => roster.bytes(),
            What::Kill { .. } | What::Forget { .. } | What::Drain { .. } | What::Stop => 0,
        }
    }

    fn validate(&self) -> Result<()> {
        match self {
            What::Launch(launch) => launch.validate(),
            What::Connect { me, roster, .. } => {
                roster.validate()?;
                let grooms = roster.grooms.len() as u64;
                bounds::between("the grooms of a run", grooms, u64::from(*me) + 1, PEERS_MAX as u64)
            }
            What::Kill { why, .. } => bounds::text("the reason of a kill", why, bounds::MESSAGE_BYTES_MAX),
            What::Forget { .. } | What::Drain { .. } | What::Stop => Ok(()),
        }
    }
}

impl Roster {
    fn bytes(&self) -> usize {
        let addresses: usize = self.addresses.iter().flatten().map(|address| address.len() + 16).sum();
        addresses + self.grooms.iter().map(|groom| groom.host.name().len() + 16).sum::<usize>()
    }

    fn validate(&self) -> Result<()> {
        bounds::at_most("a run, in peers,", self.addresses.len(), PEERS_MAX)?;
        bounds::at_most("a run, in grooms,", self.grooms.len(), self.addresses.len())?;
        self.addresses.iter().try_for_each(|addresses| validate_addresses(addresses))?;
        self.grooms.iter().try_for_each(|groom| validate_host(&groom.host))
    }
}

impl Launch {
    fn validate(&self) -> Result<()> {
        let spec = &self.submission.spec;
        spec.validate()?;
        if self.submission.job != self.run.job {
            return Err(Error::invalid(format!("cannot launch job {} as {}", self.submission.job, self.run)));
        }
        bounds::at_most("a launch, in peers,", self.peers.len(), spec.peers as usize)?;
        match self.peers.iter().find(|peer| peer.index() >= spec.peers as usize) {
            Some(peer) => Err(Error::invalid(format!(
                "cannot launch peer {peer} of {}: it has {}",
                self.run, spec.peers
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::model::ids::Secret;
    use crate::cluster::model::spec::tests::spec;
    use crate::ids::{Host, JobId};

    fn orders(whats: Vec<What>) -> Answer {
        let actions = (1..).zip(whats).map(|(id, what)| Action { id, epoch: Epoch(1), what }).collect();
        Answer::Orders(Orders {
            epoch: Epoch(1),
            session: Session { start: 1, number: 1 },
            heard: 0,
            actions,
        })
    }

    fn roster(addresses: Vec<Vec<String>>) -> Roster {
        let grooms =
            addresses.iter().take(1).map(|_| Participant { host: Host::local(), peers: 1 }).collect();
        Roster { addresses, grooms }
    }

    #[test]
    fn orders_that_cannot_be_are_named() {
        let run = RunId { job: JobId::from_bytes([1; 16]), attempt: 0 };
        let launch = |job: u8, spec, peers: &[u32]| {
            let job = JobId::from_bytes([job; 16]);
            let submission = Submission { job, spec: Arc::new(spec), secret: Secret([0; 32]) };
            let peers = peers.iter().copied().map(PeerId::from_index).collect();
            What::Launch(Launch { run, epoch: Epoch(1), submission: Arc::new(submission), peers })
        };
        let connect = |addresses| What::Connect { run, me: 0, roster: Arc::new(roster(addresses)) };
        let fine = vec![
            launch(1, spec(2), &[0, 1]),
            connect(vec![vec!["a:1".to_owned()]; 1024]),
            What::Drain { stop: true },
        ];
        assert!(orders(fine).validate().is_ok());
        for (wrong, says) in [
            (launch(2, spec(2), &[0]), "as job"),
            (launch(1, spec(2), &[2]), "peer 2"),
            (launch(1, spec(2), &[0, 1, 1]), "has 3"),
            (launch(1, spec(0), &[]), "number of peers"),
            (connect(vec![Vec::new(); 1025]), "1025"),
            (connect(vec![vec![String::new()]]), "address"),
            (connect(vec![vec!["a".to_owned(); 5]]), "has 5"),
            (What::Kill { run, why: "x".repeat(9000) }, "reason"),
        ] {
            let error = orders(vec![wrong]).validate().unwrap_err();
            assert!(error.message().contains(says), "{error} does not say {says}");
        }
        assert!(orders(vec![What::Stop; bounds::ACTIONS_MAX + 1]).validate().is_err());
    }
}
