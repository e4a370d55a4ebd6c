//! Which tiles of the factors a peer reads, sends to others and awaits from them.

use std::collections::BTreeSet;
use std::time::Instant;

use hama_core::{Outbox, Payload, PeerId, Result};

use super::panels::{Key, key};
use super::program::{Multiply, State, Tile};
use crate::plan::steps::{Need, Step};
use crate::scalar::Scalar;
use crate::source::Source;

impl<T: Scalar> Multiply<T> {
    /// The tiles that a peer needs in a step, and who reads them.
    fn needs(&self, peer: u64, step: Step) -> Vec<Need> {
        let needs = self.plan.needs(peer, step);
        match &self.sites {
            Some(sites) => sites.assign(&self.plan.problem, needs),
            None => needs,
        }
    }

    /// Starts reading the tiles of a step that this peer reads for all that share them.
    pub(super) fn request(&self, state: &State<T>, index: u64) -> Result<()> {
        if index >= self.plan.step_count() {
            return Ok(());
        }
        let needs = self.needs(state.me, self.plan.step(index));
        let own = needs.into_iter().filter(|need| need.reader == state.me);
        state.reader.request(own.collect())
    }

    /// Waits for this peer's share of a step's tiles, sends it to those that share them, and asks for the
    /// share of the step after.
    pub(super) fn pass_on(
        &self,
        state: &State<T>,
        index: u64,
        outbox: &mut Outbox<Tile>,
    ) -> Result<Vec<(Need, Payload)>> {
        if index >= self.plan.step_count() {
            return Ok(Vec::new());
        }
        let start = Instant::now();
        let read = state.reader.answer()?;
        outbox.add_read(start.elapsed(), read.iter().map(|(_, payload)| payload.len() as u64).sum());
        self.request(state, index + 1)?;
        for (need, payload) in &read {
            self.sites.iter().for_each(|sites| sites.count_read(outbox, &self.plan.problem, need));
            let others = need.sharers.iter().filter(|&&peer| peer != state.me);
            let others: Vec<PeerId> =
                others.map(|&peer| outbox.peer(peer as usize)).collect::<Result<_>>()?;
            let tile = Tile::Factor(need.operand, need.tile.row, need.tile.col);
            outbox.send_many_with(&others, &tile, payload)?;
        }
        Ok(read)
    }

    /// The tiles of a step that others read for this peer.
    pub(super) fn awaited(&self, me: u64, index: u64) -> BTreeSet<Key> {
        if index >= self.plan.step_count() {
            return BTreeSet::new();
        }
        let needs = self.needs(me, self.plan.step(index));
        needs.into_iter().filter(|need| need.reader != me).map(|need| key(need.operand, need.tile)).collect()
    }
}

/// How many readers a peer has, so that the `peers` of its process together have as many as the sources are best read by.
pub(super) fn readers_of_a_peer((a, b): &(Source, Source), peers: usize) -> usize {
    if a.scratch_bytes() + b.scratch_bytes() > 0 {
        return 1;
    }
    (a.readers_at_once().max(b.readers_at_once()) / peers).max(1)
}
