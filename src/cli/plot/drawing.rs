//! What stands where in a picture: the matrix on the left, the scale on the right, text above and below.

use hama::Magnitudes;

use super::canvas::{CHARACTER, Canvas, INFINITE, Ink, NAN, TEXT, ink_of};
use crate::cli::colour;
use crate::cli::fitted::{cell_of, fitted, short};

/// Characters of the longest number beside the scale: `1.80e308`.
const NUMBER: usize = 8;
/// Numbers beside the scale.
const NUMBERS: usize = 5;

/// Where things are, in pixels.
pub(super) struct Layout {
    /// A pixel of text is a square of this side.
    scale: usize,
    /// Of the matrix: top and left, height and width.
    at: (usize, usize),
    size: (usize, usize),
    /// The left edge of the scale, its width and its height.
    bar: (usize, usize, usize),
}

/// A matrix, about to be drawn.
pub(super) struct Drawing<'a> {
    pub(super) layout: &'a Layout,
    pub(super) found: &'a Magnitudes,
    pub(super) shape: (u64, u64),
    pub(super) title: String,
}

impl Layout {
    /// For a matrix of `shape` in a picture of so many pixels, height and width.
    pub(super) fn of(shape: (u64, u64), (height, width): (u64, u64)) -> Layout {
        let (height, width) = (height as usize, width as usize);
        let scale = if width.min(height) < 500 { 1 } else { 2 };
        let line = CHARACTER * scale;
        let (margin, bar) = (line, 2 * line);
        // A line above, two below, and as much air.
        let (top, below) = (3 * line, 5 * line);
        let right = margin + bar + line / 2 + NUMBER * line + margin;
        let room = ((height - top - below) as u64, (width - margin - margin - right) as u64);
        let (high, wide) = fitted(shape, room, u64::MAX);
        let size = (high as usize, wide as usize);
        // A flat matrix stands in the middle, and its scale is as high as there is room.
        let at = (top + (room.0 as usize - size.0) / 2, margin);
        Layout { scale, at, size, bar: (margin + size.1 + margin, bar, room.0 as usize) }
    }

    /// Height and width of the matrix.
    pub(super) fn box_size(&self) -> (u64, u64) {
        (self.size.0 as u64, self.size.1 as u64)
    }

    fn line(&self) -> usize {
        CHARACTER * self.scale
    }
}

impl Drawing<'_> {
    pub(super) fn draw(&self, canvas: &mut Canvas) {
        let Layout { scale, at, size, .. } = *self.layout;
        let line = self.layout.line();
        canvas.write((line, at.1), &self.title, TEXT, scale);
        let (rows, cols) = self.found.shape();
        canvas.frame(at, size);
        for y in 0..size.0 {
            let row = y as u64 * rows / size.0 as u64;
            for x in 0..size.1 {
                let cell = self.found.cell(row, x as u64 * cols / size.1 as u64);
                canvas.set((at.0 + y, at.1 + x), self.ink(cell));
            }
        }
        self.draw_scale(canvas);
        let mut below = 3 * line + self.layout.bar.2 + line;
        canvas.write((below, at.1), &cell_of(self.shape, self.found.shape()), TEXT, scale);
        below += 3 * line / 2;
        let nans = format!("NaN: {}", self.found.nans);
        let infinities = format!("infinite: {}", self.found.infinities);
        if self.found.nans > 0 {
            canvas.write((below, at.1), &nans, NAN, scale);
        }
        if self.found.infinities > 0 {
            let left = if self.found.nans > 0 { (nans.len() + 2) * line } else { 0 };
            canvas.write((below, at.1 + left), &infinities, INFINITE, scale);
        }
    }

    fn draw_scale(&self, canvas: &mut Canvas) {
        let (left, width, height) = self.layout.bar;
        let (line, top) = (self.layout.line(), 3 * self.layout.line());
        canvas.frame((top, left), (height, width));
        for y in 0..height {
            let ink = ink_of(1.0 - y as f64 / (height - 1) as f64);
            (0..width).for_each(|x| canvas.set((top + y, left + x), ink));
        }
        for number in 0..NUMBERS {
            let share = number as f64 / (NUMBERS - 1) as f64;
            let y = top + ((1.0 - share) * (height - 1) as f64).round() as usize;
            (0..line / 4).for_each(|x| canvas.set((y, left + width + x), TEXT));
            let text = short(self.found.largest * share);
            canvas.write((y - line / 2, left + width + line / 2), &text, TEXT, self.layout.scale);
        }
    }

    fn ink(&self, cell: f64) -> Ink {
        match cell {
            x if x.is_nan() => NAN,
            x if x.is_infinite() => INFINITE,
            x => ink_of(colour::share(x, self.found.largest)),
        }
    }
}
