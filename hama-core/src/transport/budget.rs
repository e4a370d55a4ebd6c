//! How much memory messages may take between their arrival at a peer and the barrier that hands them out.
//!
//! Payloads lie in the pool, which has a cap of its own; bundles do not: the first of a superstep lie in memory, the others on
//! the disk, where there is one, until the superstep's messages are handed out.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::PeerId;

/// The most bytes of messages, without payloads, that one peer can be sent in one superstep. Those of the next one may
/// come before it has been given these: it holds twice as many at most.
pub const INBOX_BYTES_MAX: u64 = 256 << 20;

// What a bundle or a payload takes beside its bytes: so that very many empty ones are bounded too.
const ITEM_BYTES: u64 = 128;

/// So many of them are held in memory; where there is a disk, those beyond wait there.
pub(crate) const IN_MEMORY_BYTES_MAX: u64 = 64 << 20;

/// What one peer holds of messages that it has not been given yet, by superstep.
#[derive(Debug)]
pub(crate) struct Budget {
    to: PeerId,
    bytes_max: u64,
    held: BTreeMap<u64, u64>,
}

impl Budget {
    /// For the peer `to`, which may hold `bytes_max`.
    pub(crate) fn new(to: PeerId, bytes_max: u64) -> Budget {
        Budget { to, bytes_max, held: BTreeMap::new() }
    }

    /// Whether there is room for an item of `bytes` from a sender.
    ///
    /// # Errors
    /// `OutOfMemory` where there is not.
    pub(crate) fn check(&self, superstep: u64, from: PeerId, bytes: u64) -> Result<()> {
        let held = self.held(superstep);
        if bytes.saturating_add(ITEM_BYTES) <= self.bytes_max.saturating_sub(held) {
            return Ok(());
        }
        let Budget { to, bytes_max, .. } = self;
        Err(Error::new(
            ErrorKind::OutOfMemory,
            format!(
                "peer {to} cannot take {bytes} more bytes of messages from peer {from}: it holds {held} of \
                 at most {bytes_max}; send large things as payloads or in more supersteps"
            ),
        ))
    }

    /// The bytes that are held of a superstep.
    pub(crate) fn held(&self, superstep: u64) -> u64 {
        self.held.get(&superstep).copied().unwrap_or_default()
    }

    /// Takes room for an item that a sender sent in a superstep.
    ///
    /// # Errors
    /// As for [`check`](Budget::check).
    pub(crate) fn book(&mut self, superstep: u64, from: PeerId, bytes: u64) -> Result<()> {
        self.check(superstep, from, bytes)?;
        *self.held.entry(superstep).or_default() += bytes + ITEM_BYTES;
        Ok(())
    }

    /// Frees what was taken for the supersteps up to this one.
    pub(crate) fn release(&mut self, superstep: u64) {
        self.held.retain(|held, _| *held > superstep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_until_it_is_released() {
        let from = PeerId::from_index(1);
        let mut budget = Budget::new(PeerId::from_index(0), 1000);
        budget.book(3, from, 100).unwrap();
        budget.book(4, from, 872 - ITEM_BYTES).unwrap();
        budget.check(4, from, 0).unwrap();
        for bytes in [1, 1000, u64::MAX] {
            let error = budget.book(4, from, bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
            let says =
                format!("peer 0 cannot take {bytes} more bytes of messages from peer 1: it holds 872 of");
            assert!(error.to_string().starts_with(&says), "{error}");
        }
        // Those of another superstep do not count.
        budget.book(3, from, 1000 - 2 * ITEM_BYTES - 100).unwrap();
        assert!(budget.book(3, from, 1).is_err());
        budget.release(3);
        assert!(budget.book(4, from, 1).is_err());
        budget.book(5, from, 872).unwrap();
    }

    #[test]
    fn items_without_bytes_are_bounded_too() {
        let mut budget = Budget::new(PeerId::from_index(0), 10 * ITEM_BYTES);
        let booked = (0..100).take_while(|_| budget.book(0, PeerId::from_index(1), 0).is_ok());
        assert_eq!(booked.count(), 10);
    }
}
