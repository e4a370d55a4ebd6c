//! Packing: the elements of a tile in the order in which a micro-kernel takes them.
//!
//! The layout of A (m x k) for micro-kernels of `width` rows: k in the runs of the kernel, each run in panels
//! of `width` rows, the last perhaps narrower, each panel step by step along k. So run [s, e) begins at
//! m s, its panel of the rows from i on at m s + i (e - s), and a panel of w rows is w (e - s) elements. B is packed
//! as its transpose. There is no padding: a packed tile is as long as the tile.

use super::run_of;

/// How a tile lies in its table, and where its elements go. Rows of A and columns of B are its **lines**.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    /// Lines of a panel.
    pub(super) width: usize,
    /// Lines of the tile inside the matrix.
    pub(super) lines: usize,
    /// Its elements along k inside the matrix.
    pub(super) k: usize,
    /// Whether a stored row is a line, or a step along k.
    pub(super) by_lines: bool,
    /// Elements of a stored row, those outside of the matrix included.
    pub(super) stride: usize,
}

impl Packing {
    /// Bytes of a stored row.
    pub(crate) fn row_bytes<T>(&self) -> usize {
        self.stride * size_of::<T>()
    }

    /// Bytes of stored rows to pack at a time, at most `most` but for a single row: whole panels where they fit.
    pub(crate) fn part_bytes<T>(&self, most: usize) -> usize {
        let row = self.row_bytes::<T>();
        let rows = (most / row).max(1);
        let whole = if self.by_lines { rows / self.width * self.width } else { rows };
        row * if whole > 0 { whole } else { rows }
    }

    /// Puts the stored rows from row `first` on where they belong in `into`. Of the tile's rows, those outside of
    /// the matrix are left out.
    ///
    /// # Panics
    /// When `into` is shorter than the tile.
    pub(crate) fn pack<T: Copy>(&self, first: usize, rows: &[T], into: &mut [T]) {
        if self.by_lines {
            self.pack_lines(first, rows, into);
        } else {
            self.pack_steps(first, rows, into);
        }
    }

    fn pack_lines<T: Copy>(&self, first: usize, rows: &[T], into: &mut [T]) {
        let end = (first + rows.len() / self.stride).min(self.lines);
        let mut line = first;
        while line < end {
            let top = line / self.width * self.width;
            let height = self.width.min(self.lines - top);
            let lines = line..(top + height).min(end);
            for run in super::runs(self.k) {
                let start = self.lines * run.start + top * run.len();
                let panel = &mut into[start..start + height * run.len()];
                for line in lines.clone() {
                    let from = &rows[(line - first) * self.stride..][run.clone()];
                    let to = panel[line - top..].iter_mut().step_by(height);
                    to.zip(from).for_each(|(to, from)| *to = *from);
                }
            }
            line = lines.end;
        }
    }

    fn pack_steps<T: Copy>(&self, first: usize, rows: &[T], into: &mut [T]) {
        for (step, row) in (first..self.k).zip(rows.chunks_exact(self.stride)) {
            let run = run_of(self.k, step);
            for (index, from) in row[..self.lines].chunks(self.width).enumerate() {
                let panel = self.lines * run.start + index * self.width * run.len();
                let start = panel + (step - run.start) * from.len();
                into[start..start + from.len()].copy_from_slice(from);
            }
        }
    }
}
