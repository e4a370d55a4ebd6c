//! A frame that is to be sent: a header and the body that it describes.

use std::sync::Arc;

use crate::message::bundler::{TOTALS_BYTES, Totals};
use crate::message::compress::compress;
use crate::pool::Payload;
use crate::transport::framed::header::{Header, Kind, Route};

/// A header and its body. Clones share the body.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) body: Body,
}

/// The bytes of a body, where they lie.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Totals([u8; TOTALS_BYTES]),
    Bundle(Arc<Vec<u8>>),
    Payload(Payload),
}

impl Frame {
    /// A frame with a bundle, compressed where that pays.
    pub(crate) fn bundle(route: Route, superstep: u64, bundle: Vec<u8>) -> Frame {
        let raw_length = bundle.len() as u64;
        let compressed = compress(&bundle);
        let is_compressed = compressed.is_some();
        let bytes = compressed.unwrap_or(bundle);
        let header = Header::new(Kind::Bundle, route, superstep, 0, &bytes);
        let header = Header { compressed: is_compressed, raw_length, ..header };
        Frame { header, body: Body::Bundle(Arc::new(bytes)) }
    }

    /// A frame with a payload.
    pub(crate) fn payload(route: Route, superstep: u64, payload: Payload) -> Frame {
        let header = Header::new(Kind::Payload, route, superstep, 0, &payload);
        Frame { header, body: Body::Payload(payload) }
    }

    /// The frame that ends a superstep.
    pub(crate) fn end_of_step(route: Route, superstep: u64, totals: Totals) -> Frame {
        let bytes = totals.to_bytes();
        let header = Header::new(Kind::EndOfStep, route, superstep, 0, &bytes);
        Frame { header, body: Body::Totals(bytes) }
    }

    /// The memory that it takes by itself.
    pub(crate) fn own_bytes(&self) -> u64 {
        self.body.own_bytes()
    }

    /// A frame that is a header only.
    pub(crate) fn control(header: Header) -> Frame {
        Frame { header, body: Body::Empty }
    }

    /// The frame that says that nothing more comes.
    pub(crate) fn goodbye(route: Route) -> Frame {
        Frame::control(Header::new(Kind::Goodbye, route, 0, 0, &[]))
    }
}

impl Body {
    /// The bytes that it takes by itself. A payload's memory is its pool's.
    fn own_bytes(&self) -> u64 {
        match self {
            Body::Bundle(bytes) => bytes.len() as u64,
            Body::Empty | Body::Totals(_) | Body::Payload(_) => 0,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Body::Empty => &[],
            Body::Totals(bytes) => bytes,
            Body::Bundle(bytes) => bytes,
            Body::Payload(payload) => payload,
        }
    }
}
