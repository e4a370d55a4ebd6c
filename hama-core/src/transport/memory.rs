//! A transport between threads: references are handed over, nothing is copied.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abort::Abort;
use crate::error::{At, Result};
use crate::ids::{Host, PeerId};
use crate::message::bundler::Totals;
use crate::message::compress::Bundle;
use crate::pool::Payload;
use crate::transport::budget::Budget;
use crate::transport::{Arrived, Transport};

/// One peer's end.
pub(crate) struct Endpoint {
    id: PeerId,
    shared: Arc<Shared>,
}

struct Shared {
    mailboxes: Vec<Mutex<Mailbox>>,
    host: Host,
    abort: Abort,
}

/// What has been sent to one peer and not been taken.
struct Mailbox {
    // By superstep and sender: a sender may be one superstep ahead of a destination that has not yet taken what
    // the barrier released.
    steps: BTreeMap<u64, BTreeMap<PeerId, Arrived>>,
    budget: Budget,
}

/// The ends for `count` peers, by index. Each may hold `inbox_bytes_max` of messages.
pub(crate) fn connect(count: u32, host: &Host, abort: &Abort, inbox_bytes_max: u64) -> Vec<Endpoint> {
    let peers = (0..count).map(PeerId::from_index);
    let mailbox = |to| Mailbox { steps: BTreeMap::new(), budget: Budget::new(to, inbox_bytes_max) };
    let mailboxes = peers.clone().map(|to| Mutex::new(mailbox(to))).collect();
    let shared = Arc::new(Shared { mailboxes, host: host.clone(), abort: abort.clone() });
    peers.map(|id| Endpoint { id, shared: Arc::clone(&shared) }).collect()
}

impl Endpoint {
    /// Leaves an item of `bytes` for `to`. Where `to` has no room for it, that ends the job there.
    fn deposit(
        &self,
        superstep: u64,
        to: PeerId,
        bytes: u64,
        change: impl FnOnce(&mut Arrived),
    ) -> Result<()> {
        self.shared.abort.check()?;
        let booked = {
            let mut mailbox = self.shared.mailbox(to);
            let booked = mailbox.budget.book(superstep, self.id, bytes);
            if booked.is_ok() {
                change(mailbox.arrived(superstep, self.id));
            }
            booked
        };
        booked.or_else(|error| {
            let at = At { host: self.shared.host.clone(), peer: to, superstep };
            self.shared.abort.end(Some(to), error.at(at));
            self.shared.abort.check()
        })
    }
}

impl Shared {
    fn mailbox(&self, of: PeerId) -> MutexGuard<'_, Mailbox> {
        self.mailboxes[of.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    fn arrived(&mut self, superstep: u64, from: PeerId) -> &mut Arrived {
        let senders = self.steps.entry(superstep).or_default();
        senders.entry(from).or_insert_with(|| Arrived::new(from))
    }
}

impl Transport for Endpoint {
    fn send_bundle(&mut self, superstep: u64, to: PeerId, bundle: Vec<u8>) -> Result<()> {
        let bytes = bundle.len() as u64;
        self.deposit(superstep, to, bytes, |arrived| arrived.bundles.push(Bundle::Raw(bundle)))
    }

    fn send_payload(&mut self, superstep: u64, to: &[PeerId], payload: &Payload) -> Result<()> {
        for &to in to {
            self.deposit(superstep, to, 0, |arrived| arrived.payloads.push(payload.clone()))?;
        }
        Ok(())
    }

    fn finish(&mut self, superstep: u64, totals: &[Totals]) -> Result<()> {
        self.shared.abort.check()?;
        for (index, told) in (0..).zip(totals) {
            if !told.is_nothing() {
                let to = PeerId::from_index(index);
                self.shared.mailbox(to).arrived(superstep, self.id).told = *told;
            }
        }
        Ok(())
    }

    fn take(&mut self, superstep: u64) -> Result<Vec<Arrived>> {
        let senders = {
            let mut mailbox = self.shared.mailbox(self.id);
            mailbox.budget.release(superstep);
            mailbox.steps.remove(&superstep).unwrap_or_default()
        };
        let arrived: Vec<Arrived> = senders.into_values().collect();
        for from in &arrived {
            from.check(self.id, superstep)?;
        }
        Ok(arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::conformance;

    #[test]
    fn it_conforms() {
        conformance::run(|count, trial| {
            let ends = connect(count, &Host::local(), &trial.abort, trial.inbox_bytes_max);
            ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
        });
    }
}
