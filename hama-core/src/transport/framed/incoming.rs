//! Frames out of a socket: headers by way of a small buffer, large bodies straight to where they stay.

use crate::message::bundler::TOTALS_BYTES;
use crate::pool::Buffer;
use crate::transport::framed::fault::Fault;
use crate::transport::framed::header::{HEADER_BYTES, Header, body_crc};
use crate::transport::framed::socket::{Moved, Socket};
use crate::transport::framed::spill::Spilled;

const BUFFER_BYTES: usize = 64 << 10;
// The checksum finds what was read at once still in the cache.
const READ_BYTES_MAX: usize = 256 << 10;

/// The receiving side of a connection.
#[derive(Debug)]
pub(crate) struct Incoming {
    buffer: Box<[u8]>,
    // What of the buffer is read from the socket and not used yet.
    start: usize,
    end: usize,
    body: Option<Partial>,
    /// Something was read; who looks resets it.
    pub(crate) has_read: bool,
}

/// A frame whose body is being read.
#[derive(Debug)]
struct Partial {
    header: Header,
    sink: Sink,
    filled: u64,
    crc: u32,
}

/// Where a body goes. What has memory has as much as the header says.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Nowhere: the frame is not wanted.
    Skip,
    /// Nowhere: the header says it all.
    Control,
    Totals([u8; TOTALS_BYTES]),
    Bundle(Vec<u8>),
    Payload(Buffer),
    /// To the disk: the pool has no room.
    Spilled(Spilled),
}

/// What came of reading.
#[derive(Debug)]
pub(crate) enum Event {
    /// A whole frame, with the checksum that its body has.
    Frame { header: Header, sink: Sink, crc: u32 },
    /// No more for now.
    Blocked,
    /// The other end is closed.
    Closed,
}

impl Incoming {
    pub(crate) fn new() -> Incoming {
        Incoming { buffer: vec![0; BUFFER_BYTES].into(), start: 0, end: 0, body: None, has_read: false }
    }

    /// Reads up to the end of the next frame. `sink_for` says where the body of a header goes.
    pub(crate) fn next(
        &mut self,
        socket: &Socket,
        mut sink_for: impl FnMut(&Header) -> Result<Sink, Fault>,
    ) -> Result<Event, Fault> {
        loop {
            let moved = match &mut self.body {
                None => match self.buffered().first_chunk::<HEADER_BYTES>() {
                    Some(bytes) => {
                        let header = Header::decode(bytes)?;
                        self.start += HEADER_BYTES;
                        let sink = sink_for(&header)?;
                        self.body = Some(Partial { header, sink, filled: 0, crc: 0 });
                        continue;
                    }
                    None => self.refill(socket)?,
                },
                Some(partial) if partial.filled == partial.header.length => {
                    let Partial { header, sink, crc, .. } =
                        self.body.take().expect("matched as there just before");
                    return Ok(Event::Frame { header, sink, crc });
                }
                Some(partial) if self.start < self.end => {
                    self.start += partial.put(&self.buffer[self.start..self.end])?;
                    continue;
                }
                Some(partial) if partial.missing() >= BUFFER_BYTES as u64 => {
                    partial.fill(socket, &mut self.buffer)?
                }
                Some(_) => self.refill(socket)?,
            };
            match moved {
                Moved::Bytes(_) => self.has_read = true,
                Moved::Blocked => return Ok(Event::Blocked),
                Moved::Closed => return Ok(Event::Closed),
            }
        }
    }

    fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads into the buffer, behind what is there: less than a header.
    fn refill(&mut self, socket: &Socket) -> Result<Moved, Fault> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let moved = socket.read(&mut self.buffer[self.end..])?;
        if let Moved::Bytes(count) = moved {
            self.end += count;
        }
        Ok(moved)
    }
}

impl Partial {
    fn missing(&self) -> u64 {
        self.header.length - self.filled
    }

    /// Takes of `bytes` what belongs to the body; says how many.
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let count = bytes.len().min(usize::try_from(self.missing()).unwrap_or(usize::MAX));
        let bytes = &bytes[..count];
        if let Sink::Spilled(spilled) = &self.sink {
            spilled.write(self.filled, bytes).map_err(Fault::Memory)?;
            self.crc = body_crc(self.crc, bytes);
        } else if let Some(rest) = self.sink.rest(self.filled) {
            rest[..count].copy_from_slice(bytes);
            self.crc = body_crc(self.crc, bytes);
        }
        self.filled += count as u64;
        Ok(count)
    }

    /// Reads from the socket straight into the body. What does not stay in memory goes by way of `scratch`, which is
    /// not longer than what is missing.
    fn fill(&mut self, socket: &Socket, scratch: &mut [u8]) -> Result<Moved, Fault> {
        let filled = self.filled;
        let moved = match self.sink.rest(filled) {
            Some(rest) => {
                let limit = rest.len().min(READ_BYTES_MAX);
                let moved = socket.read(&mut rest[..limit])?;
                if let Moved::Bytes(count) = moved {
                    self.crc = body_crc(self.crc, &rest[..count]);
                }
                moved
            }
            None => {
                let moved = socket.read(scratch)?;
                if let Moved::Bytes(count) = moved {
                    self.put(&scratch[..count])?;
                }
                return Ok(moved);
            }
        };
        if let Moved::Bytes(count) = moved {
            self.filled += count as u64;
        }
        Ok(moved)
    }
}

impl Sink {
    fn rest(&mut self, filled: u64) -> Option<&mut [u8]> {
        let bytes: &mut [u8] = match self {
            Sink::Skip | Sink::Control | Sink::Spilled(_) => return None,
            Sink::Totals(bytes) => bytes,
            Sink::Bundle(bytes) => bytes,
            Sink::Payload(buffer) => buffer,
        };
        // What is filled is at most the length of the memory.
        Some(&mut bytes[filled as usize..])
    }
}
