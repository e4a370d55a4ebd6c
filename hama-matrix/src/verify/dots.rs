//! Products of a tile and vectors, in f64.

use super::norm::Norm;
use crate::scalar::Scalar;

const LANES: usize = 8;

/// The dot product, in eight sums that are added at the end.
pub(super) fn dot<T: Scalar>(row: &[T], x: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (rows, xs) = (row.chunks_exact(LANES), x.chunks_exact(LANES));
    let rest: f64 = rows.remainder().iter().zip(xs.remainder()).map(|(a, x)| a.to_f64() * x).sum();
    for (a, x) in rows.zip(xs) {
        for lane in 0..LANES {
            sums[lane] += a[lane].to_f64() * x[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// y += factor * row.
fn add<T: Scalar>(row: &[T], factor: f64, y: &mut [f64]) {
    y.iter_mut().zip(row).for_each(|(y, a)| *y += a.to_f64() * factor);
}

/// A tile as it lies in its table, with the orientation that it enters the product in.
#[derive(Clone, Copy)]
pub(super) struct Oriented<'a, T> {
    /// Row-major, rows of `stride` elements.
    pub(super) elements: &'a [T],
    pub(super) stride: usize,
    /// Rows and columns inside the matrix, as stored.
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) transposed: bool,
}

impl<'a, T: Scalar> Oriented<'a, T> {
    fn stored_rows(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let cols = self.cols;
        self.elements.chunks(self.stride).take(self.rows).map(move |row| &row[..cols])
    }

    /// For each vector v: ys[v] += op(tile) xs[v].
    pub(super) fn apply(&self, xs: &[&[f64]], ys: &mut [Vec<f64>]) {
        for (index, row) in self.stored_rows().enumerate() {
            for (x, y) in xs.iter().zip(ys.iter_mut()) {
                match self.transposed {
                    false => y[index] += dot(row, x),
                    true => add(row, x[index], y),
                }
            }
        }
    }

    /// Adds row i of op(tile) to norm i.
    pub(super) fn add_rows(&self, norms: &mut [Norm]) {
        for (index, row) in self.stored_rows().enumerate() {
            match self.transposed {
                false => norms[index] = norms[index].and(Norm::of(row)),
                true => norms.iter_mut().zip(row).for_each(|(norm, a)| *norm = norm.and(Norm::of(&[*a]))),
            }
        }
    }

    /// The Frobenius norm.
    pub(super) fn norm(&self) -> Norm {
        self.stored_rows().map(Norm::of).fold(Norm::default(), Norm::and)
    }
}
