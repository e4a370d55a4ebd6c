//! Frames into a socket, each whole before the next.

use std::io::{IoSlice, Result};

use crate::transport::framed::frame::{Body, Frame};
use crate::transport::framed::header::HEADER_BYTES;
use crate::transport::framed::socket::{Moved, Socket};

// After this much it is the turn of another connection.
const TURN_BYTES: usize = 4 << 20;

/// The sending side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    current: Option<Writing>,
    /// Bytes that the socket took since somebody asked.
    written: u64,
}

#[derive(Debug)]
struct Writing {
    header: [u8; HEADER_BYTES],
    body: Body,
    written: usize,
}

/// What came of a turn of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All is written.
    Done,
    /// The turn is over, there may be more.
    More,
    /// The socket takes no more for now.
    Blocked,
    /// The other end is closed.
    Closed,
}

impl Outgoing {
    /// Whether no frame is half written.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    /// The bytes that the socket took since this was last asked.
    pub(crate) fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.written)
    }

    /// Writes frames as long as `next` has some, the socket takes them and the turn lasts.
    pub(crate) fn write(&mut self, socket: &Socket, mut next: impl FnMut() -> Option<Frame>) -> Result<Turn> {
        let mut left = TURN_BYTES;
        loop {
            let Some(writing) = &mut self.current else {
                match next() {
                    Some(frame) => self.current = Some(Writing::of(frame)),
                    None => return Ok(Turn::Done),
                }
                continue;
            };
            let (header, body) = writing.rest();
            match socket.write(&[IoSlice::new(header), IoSlice::new(body)])? {
                Moved::Blocked => return Ok(Turn::Blocked),
                Moved::Closed => return Ok(Turn::Closed),
                Moved::Bytes(count) => {
                    writing.written += count;
                    self.written += count as u64;
                    left = left.saturating_sub(count);
                }
            }
            if writing.is_done() {
                self.current = None;
            }
            if left == 0 {
                return Ok(Turn::More);
            }
        }
    }
}

impl Writing {
    fn of(frame: Frame) -> Writing {
        Writing { header: frame.header.encode(), body: frame.body, written: 0 }
    }

    fn rest(&self) -> (&[u8], &[u8]) {
        let header = &self.header[self.written.min(HEADER_BYTES)..];
        let body = &self.body.bytes()[self.written.saturating_sub(HEADER_BYTES)..];
        (header, body)
    }

    fn is_done(&self) -> bool {
        self.written == HEADER_BYTES + self.body.bytes().len()
    }
}
