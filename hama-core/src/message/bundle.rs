//! The format of a bundle: many small messages of one sender to one destination, one after the other.
//!
//! Each message is a LEB128 number, `length of the body << 1 | has a payload`, and then its body. The k-th
//! message with a payload belongs to the k-th payload that the sender sent there in the superstep.

use crate::error::{Error, Result};
use crate::message::codec::MESSAGE_BYTES_MAX;

/// A bundle of this many bytes is closed and sent.
pub(crate) const BUNDLE_BYTES_SEALED: usize = 4 << 20;

/// The most bytes that a bundle can have: one message more than a bundle that is not closed yet.
pub(crate) const BUNDLE_BYTES_MAX: usize = BUNDLE_BYTES_SEALED + HEAD_BYTES_MAX + MESSAGE_BYTES_MAX;

// 16 MiB << 1 has 26 bits.
const HEAD_BYTES_MAX: usize = 4;

/// Appends a message to a bundle.
pub(crate) fn append(bundle: &mut Vec<u8>, body: &[u8], has_payload: bool) {
    let mut head = (body.len() << 1) | usize::from(has_payload);
    while head >= 0x80 {
        bundle.push(head as u8 | 0x80);
        head >>= 7;
    }
    bundle.push(head as u8);
    bundle.extend_from_slice(body);
}

/// The messages of a bundle. It ends after the first error.
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

/// One message of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) has_payload: bool,
}

impl<'a> Messages<'a> {
    pub(crate) fn of(bundle: &'a [u8]) -> Messages<'a> {
        Messages { rest: bundle }
    }

    fn split(&mut self) -> Result<Packed<'a>> {
        let head = self.head()?;
        let len = head >> 1;
        if len > MESSAGE_BYTES_MAX {
            return Err(Error::data(format!(
                "cannot read a bundle: a message of {len} bytes, the limit is {MESSAGE_BYTES_MAX}"
            )));
        }
        let Some((body, rest)) = self.rest.split_at_checked(len) else {
            return Err(Error::data(format!(
                "cannot read a bundle: a message of {len} bytes, {} are left",
                self.rest.len()
            )));
        };
        self.rest = rest;
        Ok(Packed { body, has_payload: head & 1 == 1 })
    }

    fn head(&mut self) -> Result<usize> {
        let mut head = 0;
        for index in 0..HEAD_BYTES_MAX {
            let Some((&byte, rest)) = self.rest.split_first() else { break };
            self.rest = rest;
            head |= usize::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(head);
            }
        }
        Err(Error::data("cannot read a bundle: a message's length does not end"))
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Packed<'a>>;

    fn next(&mut self) -> Option<Result<Packed<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.split();
        if message.is_err() {
            self.rest = &[];
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use proptest::prelude::*;

    #[test]
    fn the_format_is_pinned() {
        let mut bundle = Vec::new();
        append(&mut bundle, b"ab", false);
        append(&mut bundle, b"", true);
        append(&mut bundle, &[9; 200], true);
        assert_eq!(bundle[..6], [4, b'a', b'b', 1, 0x91, 0x03]);
        assert_eq!(bundle.len(), 206);
    }

    #[test]
    fn the_longest_message_fits_the_head() {
        let mut bundle = Vec::new();
        append(&mut bundle, &vec![0; MESSAGE_BYTES_MAX], true);
        assert_eq!(bundle.len(), MESSAGE_BYTES_MAX + HEAD_BYTES_MAX);
        let message = Messages::of(&bundle).next().unwrap().unwrap();
        assert_eq!(message.body.len(), MESSAGE_BYTES_MAX);
    }

    #[test]
    fn bad_bundles_are_refused_once() {
        let bad: [&[u8]; 5] =
            [&[6, 1, 2], &[0x80], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0xff, 0x7f], &[2]];
        for bundle in bad {
            let messages: Vec<_> = Messages::of(bundle).collect();
            assert_eq!(messages.len(), 1, "{bundle:?}");
            assert_eq!(messages[0].as_ref().unwrap_err().kind(), ErrorKind::Data);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn messages_come_back(messages: Vec<(Vec<u8>, bool)>) {
            let mut bundle = Vec::new();
            for (body, has_payload) in &messages {
                append(&mut bundle, body, *has_payload);
            }
            let back: Vec<_> = Messages::of(&bundle)
                .map(|message| message.map(|m| (m.body.to_vec(), m.has_payload)))
                .collect::<Result<_>>().unwrap();
            prop_assert_eq!(back, messages);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Messages::of(&bytes).count();
        }
    }
}
