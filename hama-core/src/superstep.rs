//! The loop that runs a [`SuperstepProgram`] over a peer.

use serde::{Deserialize, Serialize};

use crate::bsp::{Bsp, Flow, SuperstepProgram};
use crate::error::BoxError;
use crate::peer::Peer;

/// A [`SuperstepProgram`] as a [`Bsp`] program, which runners take: `runner.run(&Supersteps(program))`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Supersteps<P>(pub P);

impl<P: SuperstepProgram> Bsp for Supersteps<P> {
    const NAME: &'static str = P::NAME;
    type Message = P::Message;
    type Output = P::Output;

    fn bsp(&self, peer: &mut Peer<P::Message>) -> Result<P::Output, BoxError> {
        let mut state = self.0.init(peer.outbox())?;
        let mut inbox = peer.sync()?;
        loop {
            let flow = self.0.superstep(&mut state, inbox, peer.outbox())?;
            let (next, tally) = peer.sync_with(flow == Flow::Halt)?;
            if tally.halt && tally.messages == 0 {
                return self.0.finish(state, peer);
            }
            inbox = next;
        }
    }
}
