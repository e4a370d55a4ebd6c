//! The kernel alone, without tables, messages or supersteps.

use std::time::{Duration, Instant};

use hama_core::{Buffer, Cancel, Error, ErrorKind, Pool, Result};
use hama_hdfs::tile_extent;

use super::turns::in_turns;
use crate::kernel::{Kernel, KernelId, Part};
use crate::random::{Distribution, Seed, fill_row};
use crate::scalar::Scalar;

/// How long `threads` threads take to pack and multiply two n x n matrices of tiles in memory by the kernel of
/// this host: what a product from file to file is measured against. Of the tiles to pack, and then of those of the
/// product, whichever thread is free takes the next one.
///
/// # Cost
/// The memory of five matrices, those packed too, beside any pool; making them is not in the time.
///
/// # Errors
/// `Invalid` for no rows or no threads, `OutOfMemory` where the matrices do not fit, `Cancelled`.
pub fn multiply_in_memory<T: Scalar>(n: usize, threads: usize, cancel: &Cancel) -> Result<Duration> {
    multiply_by::<T>(KernelId::of_this_host(), n, threads, cancel)
}

/// The same by a kernel, which may be one that this host does not run: `Invalid`.
pub(crate) fn multiply_by<T: Scalar>(
    kernel: KernelId,
    n: usize,
    threads: usize,
    cancel: &Cancel,
) -> Result<Duration> {
    if n == 0 || threads == 0 {
        return Err(Error::invalid(format!("cannot multiply {n} x {n} in memory on {threads} threads")));
    }
    if n.checked_mul(n).and_then(|elements| elements.checked_mul(size_of::<T>())).is_none() {
        return Err(Error::new(ErrorKind::OutOfMemory, format!("no memory holds {n} x {n} elements")));
    }
    let tile = tile_extent(n as u64) as usize;
    let count = n.div_ceil(tile);
    // What of a tile lies inside of the matrix.
    let valid = |index: usize| tile.min(n - index * tile);
    let pool = Pool::new(usize::MAX >> 1);
    let matrix = |seed| -> Result<Vec<Buffer>> {
        let random = filled::<T>(&pool, tile, Seed(seed))?;
        (0..count * count).map(|_| cancel.check().and_then(|()| copied(&pool, &random))).collect()
    };
    let (a, b, mut c) = (matrix(1)?, matrix(2)?, matrix(3)?);
    let (mut packed_a, mut packed_b) = (matrix(1)?, matrix(2)?);
    let kernel = &Kernel::<T>::new(kernel)?;
    let start = Instant::now();
    let pack = |index: usize, (packed_a, packed_b): (&mut Buffer, &mut Buffer)| {
        let shape = (valid(index / count), valid(index % count));
        kernel.packing_a(shape, false, tile).pack(0, a[index].elements::<T>(), packed_a.elements_mut());
        kernel.packing_b(shape, false, tile).pack(0, b[index].elements::<T>(), packed_b.elements_mut());
        cancel.check()
    };
    let tiles = packed_a.iter_mut().zip(&mut packed_b).enumerate();
    in_turns(0..threads, tiles, |_, (index, packed)| pack(index, packed))?;
    let multiply = |index: usize, c: &mut Buffer| {
        let (row, col) = (index / count, index % count);
        for inner in 0..count {
            let shape = (valid(row), valid(col), valid(inner));
            let (a, b) = (&packed_a[row * count + inner], &packed_b[inner * count + col]);
            let how = (inner > 0, Part::Whole);
            kernel.multiply(c.elements_mut::<T>(), tile, shape, (a.elements(), b.elements()), how);
        }
        cancel.check()
    };
    in_turns(0..threads, c.iter_mut().enumerate(), |_, (index, c)| multiply(index, c))?;
    Ok(start.elapsed())
}

/// A tile of random elements.
pub(crate) fn filled<T: Scalar>(pool: &Pool, tile: usize, seed: Seed) -> Result<Buffer> {
    let mut buffer = pool.take(tile * tile * size_of::<T>())?;
    for (row, elements) in buffer.elements_mut::<T>().chunks_mut(tile).enumerate() {
        fill_row(Distribution::Uniform, seed, row as u64, 0, elements);
    }
    Ok(buffer)
}

fn copied(pool: &Pool, from: &Buffer) -> Result<Buffer> {
    let mut buffer = pool.take(from.len())?;
    buffer.copy_from_slice(from);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_and_a_cancelled_one_are_errors() {
        let (go, stop) = (Cancel::new(), Cancel::new());
        stop.cancel();
        let kind = |n, threads, cancel| multiply_in_memory::<f32>(n, threads, cancel).map_err(|e| e.kind());
        assert_eq!(kind(0, 1, &go), Err(ErrorKind::Invalid));
        assert_eq!(kind(1, 0, &go), Err(ErrorKind::Invalid));
        assert_eq!(kind(usize::MAX, 1, &go), Err(ErrorKind::OutOfMemory));
        assert_eq!(kind(10, 1, &stop), Err(ErrorKind::Cancelled));
        assert!(kind(1, 3, &go).is_ok());
        assert!(multiply_in_memory::<f64>(1100, 2, &go).is_ok());
    }
}
