//! A transport between threads: references are handed over, nothing is copied.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::ids::PeerId;
use crate::message::bundler::Totals;
use crate::pool::Payload;
use crate::transport::{Arrived, Transport};

/// One peer's end.
pub(crate) struct Endpoint {
    id: PeerId,
    mailboxes: Arc<[Mailbox]>,
}

/// What has been sent to one peer and not been taken, by superstep and sender.
///
/// A sender may be one superstep ahead of a destination that has not yet taken what the barrier released.
#[derive(Default)]
struct Mailbox(Mutex<BTreeMap<u64, BTreeMap<PeerId, Arrived>>>);

/// The ends for `count` peers, by index.
pub(crate) fn connect(count: u32) -> Vec<Endpoint> {
    let mailboxes: Arc<[Mailbox]> = (0..count).map(|_| Mailbox::default()).collect();
    (0..count)
        .map(|index| Endpoint { id: PeerId::from_index(index), mailboxes: Arc::clone(&mailboxes) })
        .collect()
}

impl Endpoint {
    fn deposit(&self, superstep: u64, to: PeerId, change: impl FnOnce(&mut Arrived)) {
        let mut steps = self.mailboxes[to.index()].lock();
        let senders = steps.entry(superstep).or_default();
        change(senders.entry(self.id).or_insert_with(|| Arrived::new(self.id)));
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, BTreeMap<PeerId, Arrived>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Endpoint {
    fn send_bundle(&mut self, superstep: u64, to: PeerId, bundle: Vec<u8>) -> Result<()> {
        self.deposit(superstep, to, |arrived| arrived.bundles.push(bundle));
        Ok(())
    }

    fn send_payload(&mut self, superstep: u64, to: &[PeerId], payload: &Payload) -> Result<()> {
        for &to in to {
            self.deposit(superstep, to, |arrived| arrived.payloads.push(payload.clone()));
        }
        Ok(())
    }

    fn finish(&mut self, superstep: u64, totals: &[Totals]) -> Result<()> {
        for (index, told) in (0..).zip(totals) {
            if !told.is_nothing() {
                self.deposit(superstep, PeerId::from_index(index), |arrived| arrived.told = *told);
            }
        }
        Ok(())
    }

    fn take(&mut self, superstep: u64) -> Result<Vec<Arrived>> {
        let senders = self.mailboxes[self.id.index()].lock().remove(&superstep).unwrap_or_default();
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
        conformance::run(|count, _| {
            connect(count).into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
        });
    }
}
