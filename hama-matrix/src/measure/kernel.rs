//! The kernel alone, without tables, messages or supersteps.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hama_core::{Buffer, Cancel, Error, Pool, Result};
use hama_hdfs::tile_extent;

use crate::kernel::{Kernel, KernelId, Part};
use crate::random::{Seed, fill_row};
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
    if n == 0 || threads == 0 {
        return Err(Error::invalid(format!("cannot multiply {n} x {n} in memory on {threads} threads")));
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
    let kernel = &Kernel::<T>::new(KernelId::of_this_host())?;
    let start = Instant::now();
    in_turns(packed_a.iter_mut().zip(&mut packed_b), threads, cancel, |index, (packed_a, packed_b)| {
        let shape = (valid(index / count), valid(index % count));
        kernel.packing_a(shape, false, tile).pack(0, a[index].elements::<T>(), packed_a.elements_mut());
        kernel.packing_b(shape, false, tile).pack(0, b[index].elements::<T>(), packed_b.elements_mut());
    });
    in_turns(c.iter_mut(), threads, cancel, |index, c| {
        let (row, col) = (index / count, index % count);
        for inner in 0..count {
            let shape = (valid(row), valid(col), valid(inner));
            let (a, b) = (&packed_a[row * count + inner], &packed_b[inner * count + col]);
            let how = (inner > 0, Part::Whole);
            kernel.multiply(c.elements_mut::<T>(), tile, shape, (a.elements(), b.elements()), how);
        }
    });
    let elapsed = start.elapsed();
    cancel.check()?;
    Ok(elapsed)
}

/// Does `work` on every item and its index until it is cancelled: a thread that is free takes the next item, so that
/// none waits for one that is slower.
fn in_turns<I: Send>(
    items: impl Iterator<Item = I> + Send,
    threads: usize,
    cancel: &Cancel,
    work: impl Fn(usize, I) + Sync,
) {
    let items = Mutex::new(items.enumerate());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let going = std::iter::from_fn(next).take_while(|_| !cancel.is_cancelled());
                going.for_each(|(index, item)| work(index, item));
            });
        }
    });
}

/// A tile of random elements.
pub(crate) fn filled<T: Scalar>(pool: &Pool, tile: usize, seed: Seed) -> Result<Buffer> {
    let mut buffer = pool.take(tile * tile * size_of::<T>())?;
    for (row, elements) in buffer.elements_mut::<T>().chunks_mut(tile).enumerate() {
        fill_row(seed, row as u64, 0, elements);
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
    fn who_is_free_takes_the_next_item() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let (done, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
        in_turns(0..7, 2, &Cancel::new(), |index, item| {
            assert_eq!(index, item);
            let start = Instant::now();
            // The first one takes as long as all others.
            while index == 0 && done.load(Ordering::SeqCst) < 6 && start.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
            if index == 0 {
                others.store(done.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            done.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!((others.into_inner(), done.into_inner()), (6, 7));
    }

    #[test]
    fn bad_input_and_a_cancelled_one_are_errors() {
        use hama_core::ErrorKind;
        let (go, stop) = (Cancel::new(), Cancel::new());
        stop.cancel();
        let kind = |n, threads, cancel| multiply_in_memory::<f32>(n, threads, cancel).map_err(|e| e.kind());
        assert_eq!(kind(0, 1, &go), Err(ErrorKind::Invalid));
        assert_eq!(kind(1, 0, &go), Err(ErrorKind::Invalid));
        assert_eq!(kind(10, 1, &stop), Err(ErrorKind::Cancelled));
        assert!(kind(1, 3, &go).is_ok());
        assert!(multiply_in_memory::<f64>(1100, 2, &go).is_ok());
    }
}
