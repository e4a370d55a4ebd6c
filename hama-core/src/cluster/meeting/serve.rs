//! The barrier of a job on one groom: between its peers there and the other grooms.

use tokio::sync::mpsc;

use super::Meeting;
use crate::barrier::Vote;
use crate::cluster::control::ToPeer;
use crate::cluster::gather::Gather;
use crate::cluster::model::error::WireError;
use crate::error::{Error, Result};
use crate::ids::PeerId;

/// What one peer says at the end of a superstep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: PeerId,
    pub(crate) superstep: u64,
    pub(crate) vote: Vote,
}

/// Brings the peers of a groom and the other grooms together, superstep by superstep, until nobody sends arrivals any more.
/// `tell` is for all peers of the groom.
///
/// # Errors
/// Why no superstep will end any more, as [`Meeting::meet`]. All peers and all grooms have been told.
pub(crate) async fn serve(
    meeting: &mut Meeting,
    peers: Vec<PeerId>,
    arrivals: &mut mpsc::Receiver<Arrival>,
    tell: impl Fn(&ToPeer),
) -> Result<()> {
    let outcome = supersteps(meeting, peers, arrivals, &tell).await;
    if let Err(error) = &outcome {
        tell(&ToPeer::Failed(WireError::from(error)));
        // Where ZooKeeper is gone too, the others hear of that.
        let _ = meeting.fail(error).await;
    }
    outcome
}

async fn supersteps(
    meeting: &mut Meeting,
    peers: Vec<PeerId>,
    arrivals: &mut mpsc::Receiver<Arrival>,
    tell: &impl Fn(&ToPeer),
) -> Result<()> {
    let mut gather = Gather::new(peers);
    loop {
        let arrival = tokio::select! {
            biased;
            arrival = arrivals.recv() => arrival,
            event = meeting.next() => {
                meeting.note(event).await?;
                continue;
            }
        };
        let Some(Arrival { peer, superstep, vote }) = arrival else { return Ok(()) };
        if let Some(summary) = gather.add(peer, superstep, vote)? {
            let tally = tokio::select! {
                tally = meeting.meet(superstep, summary) => tally?,
                early = arrivals.recv() => match early {
                    // The peers are gone, and with them the reason to wait.
                    None => return Ok(()),
                    Some(Arrival { peer, .. }) => return Err(Error::data(format!(
                        "peer {peer} is at a barrier again before superstep {superstep} has ended"
                    ))),
                },
            };
            tell(&ToPeer::Released { superstep, tally });
        }
    }
}
