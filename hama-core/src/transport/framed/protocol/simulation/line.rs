//! One direction between two peers: what flies there, what is late, and what it does to frames.

use crate::transport::framed::faulty::Random;
use crate::transport::framed::header::{HEADER_BYTES, Header, body_crc};

/// How many frames may overtake one.
const OVERTAKERS: u64 = 5;
/// How many turns a frame may be late.
const LATE_MAX: u64 = 100;
/// Frames of long ago that may come again.
const SEEN_MAX: usize = 200;

#[derive(Default)]
pub(super) struct Line {
    pub(super) flying: Vec<Vec<u8>>,
    /// With the turns in which they come.
    late: Vec<(u64, Vec<u8>)>,
    /// What once flew here, in this attempt or one before.
    seen: Vec<Vec<u8>>,
    pub(super) faults: u64,
}

impl Line {
    /// Whether nothing would arrive any more.
    pub(super) fn is_still(&self) -> bool {
        self.flying.is_empty() && self.late.is_empty()
    }

    /// The frame that arrives in this turn, if one does. Of a hundred, `rate` each are lost, late, damaged, doubled;
    /// in `rate` of a hundred turns an old one comes; then others overtake them too.
    pub(super) fn arrive(&mut self, random: &mut Random, rate: u64, turn: u64) -> Option<Vec<u8>> {
        if rate == 0 {
            return (!self.flying.is_empty()).then(|| self.flying.remove(0));
        }
        // Rare enough on a line that is still: an old frame wakes those who wait for silence.
        if !self.seen.is_empty() && !self.flying.is_empty() && random.below(100) < rate {
            self.faults += 1;
            return Some(self.seen[random.below(self.seen.len() as u64) as usize].clone());
        }
        if let Some(at) = self.late.iter().position(|(due, _)| *due <= turn) {
            return Some(self.late.swap_remove(at).1);
        }
        if self.flying.is_empty() {
            return None;
        }
        let which = random.below(OVERTAKERS.min(self.flying.len() as u64)) as usize;
        self.faults += u64::from(which > 0);
        let frame = self.flying.remove(which);
        if self.seen.len() < SEEN_MAX {
            self.seen.push(frame.clone());
        }
        self.fate(frame, random, rate, turn)
    }

    fn fate(&mut self, mut frame: Vec<u8>, random: &mut Random, rate: u64, turn: u64) -> Option<Vec<u8>> {
        let fate = random.below(1000) / (rate * 10);
        self.faults += u64::from(fate < 4);
        match fate {
            0 => return None,
            1 => {
                self.late.push((turn + 1 + random.below(LATE_MAX), frame));
                return None;
            }
            2 => {
                let bit = random.below(frame.len() as u64 * 8);
                frame[bit as usize / 8] ^= 1 << (bit % 8);
            }
            3 => self.flying.push(frame.clone()),
            _ => {}
        }
        Some(frame)
    }
}

/// Changes a bit of a frame's body, and the checksums so that they are right.
pub(super) fn forge(frame: &mut [u8], random: &mut Random) {
    let Some((head, body)) = frame.split_first_chunk_mut::<HEADER_BYTES>() else { return };
    let Ok(header) = Header::decode(head) else { return };
    if body.is_empty() || random.below(4) > 0 {
        return;
    }
    let bit = random.below(body.len() as u64 * 8) as usize;
    body[bit / 8] ^= 1 << (bit % 8);
    *head = Header { body_crc: body_crc(0, body), ..header }.encode();
}
