//! The lines of a file of text, one after another.

use std::io::BufRead;

use hama_core::{Error, Result};

/// Lines of more bytes are refused, but for comments.
const LINE_BYTES_MAX: usize = 1024;

/// Lines of bounded length.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    /// Of the line at hand, counted from 1.
    number: u64,
}

impl<R> Lines<R> {
    pub(super) fn new(from: R) -> Lines<R> {
        Lines { from, line: Vec::new(), number: 0 }
    }

    /// The line at hand.
    pub(super) fn text(&self) -> &[u8] {
        &self.line
    }

    /// The words of the line at hand.
    pub(super) fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
    }

    /// An error of the line at hand.
    pub(super) fn bad(&self, why: &str) -> Error {
        Error::data(format!("line {} {why}", self.number))
    }
}

impl<R: BufRead> Lines<R> {
    /// Goes to the next line; with `passing` to the next one that is no comment and not empty. False at the end.
    pub(super) fn next_line(&mut self, passing: bool) -> Result<bool> {
        loop {
            self.number += 1;
            if !self.read_line(passing)? {
                return Ok(false);
            }
            if !passing || self.words().next().is_some() {
                return Ok(true);
            }
        }
    }

    /// Reads a line. Of a comment nothing is kept.
    fn read_line(&mut self, passing: bool) -> Result<bool> {
        self.line.clear();
        let (mut comment, mut any) = (false, false);
        loop {
            let bytes = self.from.fill_buf().map_err(|e| Error::io(format!("line {}", self.number), e))?;
            if bytes.is_empty() {
                return Ok(any);
            }
            comment |= passing && !any && bytes[0] == b'%';
            any = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if !comment {
                if self.line.len() + part.len() > LINE_BYTES_MAX {
                    return Err(self.bad(&format!("has more than {LINE_BYTES_MAX} bytes")));
                }
                self.line.extend_from_slice(part);
            }
            let count = part.len() + usize::from(end.is_some());
            self.from.consume(count);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}
