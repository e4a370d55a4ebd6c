//! Packing: the elements of a tile in the order in which a micro-kernel takes them.
//!
//! The layout of A (m x k) for micro-kernels of `width` rows: k in the runs of the kernel, each run in panels
//! of `width` rows, the last perhaps narrower, each panel step by step along k. So run [s, e) begins at
//! m s, its panel of the rows from i on at m s + i (e - s), and a panel of w rows is w (e - s) elements. B is packed
//! as its transpose. There is no padding: a packed tile is as long as the tile.

use super::{View, runs};

/// Packs a matrix (lines x k) into panels of `width` lines.
///
/// # Panics
/// When `into` does not hold it.
pub(super) fn pack<T: Copy>(width: usize, from: View<'_, T>, into: &mut [T]) {
    let (lines, k) = (from.rows, from.cols);
    for run in runs(k) {
        let into = &mut into[lines * run.start..lines * run.end];
        if from.col_stride == 1 {
            let rows = |line: usize| &from.data[line * from.row_stride..][run.start..run.end];
            for (index, panel) in into.chunks_mut(width * run.len()).enumerate() {
                let height = panel.len() / run.len();
                for row in 0..height {
                    let column = panel[row..].iter_mut().step_by(height);
                    column.zip(rows(index * width + row)).for_each(|(to, from)| *to = *from);
                }
            }
        } else {
            for (step, at) in run.clone().enumerate() {
                let row = &from.data[at * from.col_stride..][..lines];
                for (index, from) in row.chunks(width).enumerate() {
                    let start = index * width * run.len() + step * from.len();
                    into[start..start + from.len()].copy_from_slice(from);
                }
            }
        }
    }
}
