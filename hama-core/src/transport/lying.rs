//! A peer that tells of more than it sent, over any transport: for tests.

use crate::error::Result;
use crate::ids::PeerId;
use crate::message::bundler::Totals;
use crate::pool::Payload;
use crate::transport::{Arrived, Transport, WireBytes};

/// An end that lies once.
pub(crate) struct Liar {
    pub(crate) inner: Box<dyn Transport>,
    /// In this superstep it tells everybody of one bundle more.
    pub(crate) superstep: u64,
}

impl Transport for Liar {
    fn send_bundle(&mut self, superstep: u64, to: PeerId, bundle: Vec<u8>) -> Result<()> {
        self.inner.send_bundle(superstep, to, bundle)
    }

    fn send_payload(&mut self, superstep: u64, to: &[PeerId], payload: &Payload) -> Result<()> {
        self.inner.send_payload(superstep, to, payload)
    }

    fn finish(&mut self, superstep: u64, totals: &[Totals]) -> Result<()> {
        let mut totals = totals.to_vec();
        if superstep == self.superstep {
            totals.iter_mut().for_each(|totals| totals.bundles += 1);
        }
        self.inner.finish(superstep, &totals)
    }

    fn wire(&self) -> WireBytes {
        self.inner.wire()
    }

    fn take(&mut self, superstep: u64) -> Result<Vec<Arrived>> {
        self.inner.take(superstep)
    }
}
