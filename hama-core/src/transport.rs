//! The seam between peers: how bundles and payloads get from one to the others.

pub(crate) mod budget;
#[cfg(test)]
pub(crate) mod conformance;
pub(crate) mod framed;
#[cfg(feature = "testing")]
pub(crate) mod lying;
pub(crate) mod memory;

use crate::error::{Error, Result};
use crate::ids::PeerId;
use crate::message::bundler::Totals;
use crate::message::compress::Bundle;
use crate::pool::Payload;

/// One peer's end of a transport. Once the job has ended, nothing more can be sent or finished: `Cancelled`.
/// Everything of a superstep is sent, then finished; then comes the barrier;
/// then everything that the others sent is taken.
pub(crate) trait Transport: Send {
    /// Hands over a sealed bundle. It may block until there is room.
    fn send_bundle(&mut self, superstep: u64, to: PeerId, bundle: Vec<u8>) -> Result<()>;

    /// Hands a payload over to each of `to`. It may block until there is room.
    fn send_payload(&mut self, superstep: u64, to: &[PeerId], payload: &Payload) -> Result<()>;

    /// Tells every destination what was sent to it, and returns when each of them has all of it. Who was sent nothing is
    /// told nothing.
    fn finish(&mut self, superstep: u64, totals: &[Totals]) -> Result<()>;

    /// What was sent to this peer, ordered by sender, checked against what the senders told. Senders that sent
    /// nothing are left out. To be called after the barrier of the superstep.
    fn take(&mut self, superstep: u64) -> Result<Vec<Arrived>>;

    /// What the wire took of this peer so far.
    fn wire(&self) -> WireBytes {
        WireBytes::default()
    }
}

/// Bytes that sockets to other peers took: frames with their headers, acknowledgements, and what was sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WireBytes {
    /// To peers on other hosts.
    pub(crate) between_hosts: u64,
    /// To other peers on the same host.
    pub(crate) within_hosts: u64,
}

/// What came from one sender in one superstep.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) from: PeerId,
    /// In the order of sending.
    pub(crate) bundles: Vec<Bundle>,
    /// In the order of sending.
    pub(crate) payloads: Vec<Payload>,
    /// What the sender said that it sent.
    pub(crate) told: Totals,
}

impl Arrived {
    pub(crate) fn new(from: PeerId) -> Arrived {
        Arrived { from, bundles: Vec::new(), payloads: Vec::new(), told: Totals::default() }
    }

    /// Compares what arrived with what the sender told.
    pub(crate) fn check(&self, to: PeerId, superstep: u64) -> Result<()> {
        let told = &self.told;
        // Each takes a byte at least. After this the sums over all senders cannot overflow.
        if told.messages > told.bundle_bytes {
            return Err(Error::data(format!(
                "peer {} told peer {to} of {} messages in {} bytes in superstep {superstep}",
                self.from, told.messages, told.bundle_bytes
            )));
        }
        let bundles = (self.bundles.len() as u64, self.bundles.iter().map(Bundle::raw_bytes).sum());
        let payloads = (self.payloads.len() as u64, self.payloads.iter().map(|p| p.len() as u64).sum());
        if (told.bundles, told.bundle_bytes) == bundles && (told.payloads, told.payload_bytes) == payloads {
            return Ok(());
        }
        Err(Error::data(format!(
            "peer {} told peer {to} of {} bundles ({} bytes) and {} payloads ({} bytes) in superstep \
             {superstep}, {} ({} bytes) and {} ({} bytes) arrived",
            self.from,
            told.bundles,
            told.bundle_bytes,
            told.payloads,
            told.payload_bytes,
            bundles.0,
            bundles.1,
            payloads.0,
            payloads.1
        )))
    }
}
