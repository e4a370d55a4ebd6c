//! The bundles that a peer is filling, one for each destination, and what it has sent in this superstep.

use crate::message::bundle::{self, BUNDLE_BYTES_SEALED};

/// How many bytes totals have on the wire.
pub(crate) const TOTALS_BYTES: usize = 40;

/// What one peer has sent to another in one superstep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) messages: u64,
    pub(crate) bundles: u64,
    pub(crate) bundle_bytes: u64,
    pub(crate) payloads: u64,
    pub(crate) payload_bytes: u64,
}

impl Totals {
    pub(crate) fn bytes(&self) -> u64 {
        self.bundle_bytes + self.payload_bytes
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Totals::default()
    }

    /// The bytes that stand for it on the wire.
    pub(crate) fn to_bytes(self) -> [u8; TOTALS_BYTES] {
        let mut bytes = [0; TOTALS_BYTES];
        let fields = [self.messages, self.bundles, self.bundle_bytes, self.payloads, self.payload_bytes];
        for (chunk, field) in bytes.chunks_exact_mut(8).zip(fields) {
            chunk.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// The totals that these bytes stand for.
    pub(crate) fn from_bytes(bytes: &[u8; TOTALS_BYTES]) -> Totals {
        let (fields, _) = bytes.as_chunks::<8>();
        let [messages, bundles, bundle_bytes, payloads, payload_bytes] =
            std::array::from_fn(|index| u64::from_le_bytes(fields[index]));
        Totals { messages, bundles, bundle_bytes, payloads, payload_bytes }
    }

    pub(crate) fn add(&mut self, other: &Totals) {
        self.messages += other.messages;
        self.bundles += other.bundles;
        self.bundle_bytes += other.bundle_bytes;
        self.payloads += other.payloads;
        self.payload_bytes += other.payload_bytes;
    }
}

/// The open bundles of a peer and the totals of what it sent.
#[derive(Debug)]
pub(crate) struct Bundler {
    open: Vec<Vec<u8>>,
    // The lengths of the last bundles: the next are probably alike, and need not grow by copying.
    expected: Vec<usize>,
    totals: Vec<Totals>,
    sealed_at: usize,
}

impl Bundler {
    /// One for `count` destinations.
    pub(crate) fn new(count: usize) -> Bundler {
        Bundler::with_limit(count, BUNDLE_BYTES_SEALED)
    }

    fn with_limit(count: usize, sealed_at: usize) -> Bundler {
        Bundler {
            open: vec![Vec::new(); count],
            expected: vec![0; count],
            totals: vec![Totals::default(); count],
            sealed_at,
        }
    }

    /// Adds a message. Returns the bundle where that makes it full.
    pub(crate) fn push(&mut self, to: usize, body: &[u8], payload_bytes: Option<u64>) -> Option<Vec<u8>> {
        let totals = &mut self.totals[to];
        totals.messages += 1;
        if let Some(bytes) = payload_bytes {
            totals.payloads += 1;
            totals.payload_bytes += bytes;
        }
        let open = &mut self.open[to];
        if open.capacity() == 0 {
            open.reserve(self.expected[to]);
        }
        bundle::append(open, body, payload_bytes.is_some());
        if open.len() >= self.sealed_at { self.seal(to) } else { None }
    }

    /// Closes the open bundle of a destination, if there is one.
    pub(crate) fn seal(&mut self, to: usize) -> Option<Vec<u8>> {
        if self.open[to].is_empty() {
            return None;
        }
        let bundle = std::mem::take(&mut self.open[to]);
        self.expected[to] = bundle.len();
        self.totals[to].bundles += 1;
        self.totals[to].bundle_bytes += bundle.len() as u64;
        Some(bundle)
    }

    /// What was sent to each destination in this superstep. Complete once all bundles are sealed.
    pub(crate) fn totals(&self) -> &[Totals] {
        &self.totals
    }

    /// How many messages were sent in this superstep.
    pub(crate) fn message_count(&self) -> u64 {
        self.totals.iter().map(|totals| totals.messages).sum()
    }

    /// Begins the next superstep.
    pub(crate) fn reset(&mut self) {
        debug_assert!(
            self.open.iter().all(Vec::is_empty),
            "all bundles are sealed at the end of a superstep"
        );
        self.totals.fill(Totals::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::bundle::Messages;
    use proptest::prelude::*;

    #[test]
    fn totals_on_the_wire_are_pinned() {
        let totals =
            Totals { messages: 1, bundles: 2, bundle_bytes: 3, payloads: 4, payload_bytes: 0x0506_0708 };
        let bytes = totals.to_bytes();
        assert_eq!(bytes[..9], [1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(bytes[32..], [8, 7, 6, 5, 0, 0, 0, 0]);
        assert_eq!(Totals::from_bytes(&bytes), totals);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn all_messages_leave_in_order_and_are_counted(
            messages in prop::collection::vec((0usize..3, 0usize..60, prop::option::of(0u64..9)), 0..200)
        ) {
            let mut bundler = Bundler::with_limit(3, 100);
            let mut sent = vec![Vec::new(); 3];
            for (index, (to, len, payload)) in messages.iter().enumerate() {
                sent[*to].extend(bundler.push(*to, &vec![index as u8; *len], *payload));
            }
            for (to, bundles) in sent.iter_mut().enumerate() {
                bundles.extend(bundler.seal(to));
                prop_assert!(bundler.seal(to).is_none());
            }
            for (to, bundles) in sent.iter().enumerate() {
                let totals = bundler.totals()[to];
                let expected: Vec<_> = messages.iter().enumerate().filter(|(_, m)| m.0 == to)
                    .map(|(index, (_, len, payload))| (vec![index as u8; *len], payload.is_some())).collect();
                let got: Vec<_> = bundles.iter().flat_map(|bundle| Messages::of(bundle))
                    .map(|m| m.map(|m| (m.body.to_vec(), m.has_payload)).unwrap()).collect();
                prop_assert_eq!(got, expected);
                prop_assert!(bundles.iter().all(|bundle| bundle.len() < 100 + 61));
                prop_assert_eq!(totals.bundles, bundles.len() as u64);
                prop_assert_eq!(totals.bundle_bytes, bundles.iter().map(|b| b.len() as u64).sum::<u64>());
            }
            prop_assert_eq!(bundler.message_count(), messages.len() as u64);
            bundler.reset();
            prop_assert!(bundler.totals().iter().all(Totals::is_nothing));
        }
    }
}
