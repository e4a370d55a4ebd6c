//! Square tiles turned over their diagonal.

use std::ops::Range;

/// Elements of a block along each side: the lines of two blocks stay in the cache.
const BLOCK: usize = 16;

/// `to` becomes the transpose of `from`, both n x n and row-major.
pub(crate) fn transpose<T: Copy>(from: &[T], to: &mut [T], n: usize) {
    for rows in blocks(n) {
        for cols in blocks(n) {
            for row in rows.clone() {
                for col in cols.clone() {
                    to[row * n + col] = from[col * n + row];
                }
            }
        }
    }
}

/// Copies what is below the diagonal of the upper left n x n of a matrix with rows of `stride` elements to above it.
pub(crate) fn mirror_lower<T: Copy>(matrix: &mut [T], n: usize, stride: usize) {
    for rows in blocks(n) {
        for cols in blocks(n).take_while(|cols| cols.start <= rows.start) {
            for row in rows.clone() {
                for col in cols.start..cols.end.min(row) {
                    matrix[col * stride + row] = matrix[row * stride + col];
                }
            }
        }
    }
}

fn blocks(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 10] = [0, 1, 2, 3, 15, 16, 17, 31, 33, 100];

    #[test]
    fn tiles_of_every_size_are_transposed() {
        for n in SIZES {
            let from: Vec<usize> = (0..n * n).collect();
            let mut to = vec![usize::MAX; n * n];
            transpose(&from, &mut to, n);
            for (index, element) in to.into_iter().enumerate() {
                assert_eq!(element, index % n * n + index / n, "element {index} of {n} x {n}");
            }
        }
    }

    #[test]
    fn the_lower_triangle_of_every_size_is_mirrored() {
        for n in SIZES {
            for stride in [n, n + 3] {
                let before: Vec<usize> = (0..n * stride).collect();
                let mut matrix = before.clone();
                mirror_lower(&mut matrix, n, stride);
                for (index, element) in matrix.into_iter().enumerate() {
                    let (row, col) = (index / stride, index % stride);
                    let above = row < col && col < n;
                    let expected = if above { col * stride + row } else { index };
                    assert_eq!(element, expected, "({row}, {col}) of {n} x {n} in rows of {stride}");
                }
            }
        }
    }
}
