//! Pixels of a palette, text among them, and the PNG file that they become.

use std::io::{self, BufWriter, Write};

use font8x8::legacy::BASIC_LEGACY;
use hama::{Buffer, Pool};

use crate::cli::colour::{self, Rgb};

/// A pixel: an index of the palette.
pub(super) type Ink = u8;

pub(super) const PAPER: Ink = 252;
pub(super) const TEXT: Ink = 253;
pub(super) const NAN: Ink = 254;
pub(super) const INFINITE: Ink = 255;
/// The inks below are those of magnitudes.
const RAMP: Ink = PAPER;

/// The side of a character, and of the square that it stands in.
pub(super) const CHARACTER: usize = 8;

/// A picture in memory, a byte a pixel.
pub(super) struct Canvas {
    width: usize,
    pixels: Buffer,
}

/// The ink of a share of the largest magnitude.
pub(super) fn ink_of(share: f64) -> Ink {
    (share.clamp(0.0, 1.0) * f64::from(RAMP - 1)).round() as Ink
}

impl Canvas {
    /// An empty one.
    ///
    /// # Errors
    /// `OutOfMemory` where the pool has no room for a byte a pixel.
    pub(super) fn new(pool: &Pool, width: usize, height: usize) -> hama::Result<Canvas> {
        let mut pixels = pool.take(width * height)?;
        pixels.fill(PAPER);
        Ok(Canvas { width, pixels })
    }

    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    /// Sets a pixel; outside of the picture nothing.
    pub(super) fn set(&mut self, (y, x): (usize, usize), ink: Ink) {
        if x < self.width && y < self.height() {
            self.pixels[y * self.width + x] = ink;
        }
    }

    /// The border of a box, just outside of it.
    pub(super) fn frame(&mut self, (top, left): (usize, usize), (height, width): (usize, usize)) {
        for x in left - 1..=left + width {
            self.set((top - 1, x), TEXT);
            self.set((top + height, x), TEXT);
        }
        for y in top - 1..=top + height {
            self.set((y, left - 1), TEXT);
            self.set((y, left + width), TEXT);
        }
    }

    /// Writes a line of text, each of its pixels a square of side `scale`; what does not fit is cut off, and that is seen.
    pub(super) fn write(&mut self, (y, x): (usize, usize), text: &str, ink: Ink, scale: usize) {
        let room = self.width.saturating_sub(x) / (CHARACTER * scale);
        let fits = text.chars().count() <= room;
        let text: String = match fits {
            true => text.into(),
            false => text.chars().take(room.saturating_sub(3)).chain("...".chars()).collect(),
        };
        for (index, character) in text.chars().enumerate() {
            let glyph = BASIC_LEGACY.get(character as usize).unwrap_or(&BASIC_LEGACY[usize::from(b'?')]);
            for (row, bits) in glyph.iter().enumerate() {
                for col in (0..CHARACTER).filter(|col| bits >> col & 1 == 1) {
                    self.square((y + row * scale, x + (index * CHARACTER + col) * scale), ink, scale);
                }
            }
        }
    }

    fn square(&mut self, (y, x): (usize, usize), ink: Ink, side: usize) {
        for down in 0..side {
            for across in 0..side {
                self.set((y + down, x + across), ink);
            }
        }
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn write_png(&self, to: impl Write) -> io::Result<()> {
        let mut to = BufWriter::new(to);
        let mut encoder = png::Encoder::new(&mut to, self.width as u32, self.height() as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette());
        let mut writer = encoder.write_header()?;
        let mut stream = writer.stream_writer()?;
        stream.write_all(&self.pixels)?;
        stream.finish()?;
        writer.finish()?;
        to.flush()
    }
}

fn palette() -> Vec<u8> {
    let ramp = (0..RAMP).map(|ink| colour::of_share(f64::from(ink) / f64::from(RAMP - 1)));
    let rest: [Rgb; 4] = [[255; 3], [30; 3], colour::NAN, colour::INFINITE];
    ramp.chain(rest).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_all_inks_and_only_theirs() {
        assert_eq!((ink_of(0.0), ink_of(1.0), ink_of(2.0), ink_of(f64::NAN)), (0, RAMP - 1, RAMP - 1, 0));
        assert_eq!(palette().len(), 3 * 256);
    }

    #[test]
    fn what_is_drawn_outside_is_not() {
        let mut canvas = Canvas::new(&Pool::new(1 << 20), 20, 20).unwrap();
        canvas.write((15, 3), "abcdef\u{77E9}", TEXT, 1);
        canvas.frame((1, 1), (30, 30));
        canvas.write((100, 100), "a", TEXT, 3);
        assert!(canvas.pixels.contains(&TEXT) && canvas.pixels.contains(&PAPER));
    }

    #[test]
    fn a_file_holds_the_pixels() {
        let mut canvas = Canvas::new(&Pool::new(1 << 20), 3, 2).unwrap();
        canvas.set((1, 2), NAN);
        let mut bytes = Vec::new();
        canvas.write_png(&mut bytes).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (3, 2));
        assert_eq!(pixels, [PAPER, PAPER, PAPER, PAPER, PAPER, NAN]);
    }
}
