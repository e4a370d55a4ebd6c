//! For benches: the kernel and the generator alone, without tables, messages or supersteps.

use std::time::{Duration, Instant};

use hama_core::{Buffer, Pool, Result};
use hama_hdfs::tile_extent;

pub use crate::kernel::peak_flop_per_s;
use crate::kernel::{Kernel, KernelId, Part, View};
use crate::problem::Operand;
use crate::random::{Seed, fill_row};
use crate::scalar::Scalar;

/// Seconds that `threads` threads take to pack and multiply two n x n matrices of tiles in memory by the kernel
/// of this host: what a product from file to file is measured against. Tiles to pack, and then rows of tiles, are
/// shared out in turns.
///
/// # Errors
/// `OutOfMemory` where the three matrices do not fit.
pub fn multiply_in_memory<T: Scalar>(n: usize, threads: usize) -> Result<Duration> {
    let tile = tile_extent(n as u64) as usize;
    let count = n.div_ceil(tile);
    let pool = Pool::new(usize::MAX >> 1);
    let matrix = |seed| -> Result<Vec<Buffer>> {
        (0..count * count).map(|index| filled::<T>(&pool, tile, Seed(seed + index as u64))).collect()
    };
    let (a, b, mut c) = (matrix(1)?, matrix(1 << 32)?, matrix(1 << 33)?);
    let (mut packed_a, mut packed_b) = (matrix(1)?, matrix(1)?);
    let kernel = &Kernel::<T>::new(KernelId::of_this_host())?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, packed) in packed_a.iter_mut().zip(&mut packed_b).enumerate() {
            shares[index % threads].push((index, packed));
        }
        for share in shares {
            let (a, b) = (&a, &b);
            scope.spawn(move || {
                for (index, (packed_a, packed_b)) in share {
                    let place = (index / count, index % count);
                    kernel.pack_a(view::<T>(&a[index], n, tile, place), packed_a.elements_mut());
                    kernel.pack_b(view::<T>(&b[index], n, tile, place), packed_b.elements_mut());
                }
            });
        }
    });
    std::thread::scope(|scope| {
        let mut rows: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (row, tiles) in c.chunks_mut(count).enumerate() {
            rows[row % threads].push((row, tiles));
        }
        for rows in rows {
            let (a, b) = (&packed_a, &packed_b);
            scope.spawn(move || {
                for (row, tiles) in rows {
                    for (col, c) in tiles.iter_mut().enumerate() {
                        for inner in 0..count {
                            let valid = |index: usize| tile.min(n - index * tile);
                            let shape = (valid(row), valid(col), valid(inner));
                            let packed =
                                (a[row * count + inner].elements(), b[inner * count + col].elements());
                            let how = (inner > 0, Part::Whole);
                            kernel.multiply(c.elements_mut::<T>(), tile, shape, packed, how);
                        }
                    }
                }
            });
        }
    });
    Ok(start.elapsed())
}

/// Fills `into` with the elements of `row` of a random matrix from column `col` on, on this thread.
pub fn fill_random<T: Scalar>(seed: Seed, row: u64, col: u64, into: &mut [T]) {
    fill_row(seed, row, col, into);
}

/// What of tile (row, col) lies inside an n x n matrix.
fn view<T: Scalar>(buffer: &Buffer, n: usize, tile: usize, (row, col): (usize, usize)) -> View<'_, T> {
    let valid = |index: usize| tile.min(n - index * tile);
    View::of_tile(buffer.elements(), valid(row), valid(col), tile)
}

fn filled<T: Scalar>(pool: &Pool, tile: usize, seed: Seed) -> Result<Buffer> {
    let mut buffer = pool.take(tile * tile * size_of::<T>())?;
    for (row, elements) in buffer.elements_mut::<T>().chunks_mut(tile).enumerate() {
        fill_row(seed, row as u64, 0, elements);
    }
    Ok(buffer)
}

/// Seconds that one thread takes to pack `count` square tiles of `extent`, as A or as B, stored as they are or
/// as their transposes. The tiles come from memory, not from a cache.
///
/// # Errors
/// `OutOfMemory` where the tiles do not fit.
pub fn pack_in_memory<T: Scalar>(
    extent: usize,
    operand: Operand,
    transposed: bool,
    count: usize,
) -> Result<Duration> {
    let pool = Pool::new(usize::MAX >> 1);
    let tiles: Vec<Buffer> =
        (0..8).map(|index| filled::<T>(&pool, extent, Seed(index))).collect::<Result<_>>()?;
    let mut packed = filled::<T>(&pool, extent, Seed(0))?;
    let kernel = Kernel::<T>::new(KernelId::of_this_host())?;
    let start = Instant::now();
    for tile in tiles.iter().cycle().take(count) {
        let view = View::of_tile(tile.elements(), extent, extent, extent);
        let view = if transposed { view.t() } else { view };
        match operand {
            Operand::A => kernel.pack_a(view, packed.elements_mut()),
            Operand::B => kernel.pack_b(view, packed.elements_mut()),
        }
    }
    Ok(start.elapsed())
}
