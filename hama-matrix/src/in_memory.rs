//! For benches: packing and the generator alone, without tables, messages or supersteps.

use std::time::{Duration, Instant};

use hama_core::{Buffer, Pool, Result};

use crate::kernel::{Kernel, KernelId};
use crate::measure::kernel::filled;
use crate::problem::Operand;
use crate::random::{Distribution, Seed, fill_row};
use crate::scalar::Scalar;

/// Fills `into` with the elements of `row` of a random matrix from column `col` on, on this thread.
pub fn fill_random<T: Scalar>(seed: Seed, row: u64, col: u64, into: &mut [T]) {
    fill_row(Distribution::Uniform, seed, row, col, into);
}

/// The same of a matrix of standard normal elements.
pub fn fill_random_normal<T: Scalar>(seed: Seed, row: u64, col: u64, into: &mut [T]) {
    fill_row(Distribution::Normal, seed, row, col, into);
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
    let packing = match operand {
        Operand::A => kernel.packing_a((extent, extent), transposed, extent),
        Operand::B => kernel.packing_b((extent, extent), transposed, extent),
    };
    for tile in tiles.iter().cycle().take(count) {
        packing.pack(0, tile.elements::<T>(), packed.elements_mut());
    }
    Ok(start.elapsed())
}
