//! Reads the tiles of factors, straight into the order in which the kernel takes them.

use hama_core::{Cancel, Payload, Pool, Result};

use crate::kernel::{Kernel, KernelId, Packing};
use crate::plan::steps::Need;
use crate::problem::{Operand, Problem};
use crate::scalar::Scalar;
use crate::source::{Source, TileReader};

/// Bytes of a tile that are read and packed at a time, while they are in the second cache.
pub(crate) const PART_BYTES: usize = 256 << 10;

/// What reads and packs the tiles of a product.
pub(super) struct Reader<T> {
    problem: Problem,
    a: TileReader,
    b: TileReader,
    kernel: Kernel<T>,
    pool: Pool,
    cancel: Cancel,
    // Beside the pool: see `MemoryUse`.
    part: Vec<T>,
}

impl<T: Scalar> Reader<T> {
    /// # Errors
    /// `Invalid` where this host does not run the kernel, `OutOfMemory` where a source needs more than the pool has.
    pub(super) fn new(
        problem: Problem,
        (a, b): &(Source, Source),
        kernel: KernelId,
        (pool, cancel): (Pool, Cancel),
    ) -> Result<Reader<T>> {
        let (a, b) = (a.reader(&pool)?, b.reader(&pool)?);
        let (kernel, part) = (Kernel::new(kernel)?, vec![T::ZERO; PART_BYTES / size_of::<T>()]);
        Ok(Reader { problem, a, b, kernel, pool, cancel, part })
    }

    /// A tile, packed.
    pub(super) fn read(&mut self, need: Need) -> Result<(Need, Payload)> {
        self.cancel.check()?;
        let packing = self.packing(&need);
        let source = match need.operand {
            Operand::A => &mut self.a,
            Operand::B => &mut self.b,
        };
        let row_bytes = packing.row_bytes::<T>();
        let mut packed = self.pool.take(source.spec().tile_bytes())?;
        let part = &mut self.part[..packing.part_bytes::<T>(PART_BYTES) / size_of::<T>()];
        let tile = self.problem.stored(need.operand, need.tile);
        source.read_tile_in_parts(tile, bytemuck::cast_slice_mut(part), |offset, bytes| {
            packing.pack::<T>(offset / row_bytes, bytemuck::cast_slice(bytes), packed.elements_mut());
        })?;
        Ok((need, packed.freeze()))
    }

    fn packing(&self, need: &Need) -> Packing {
        let (tile, at) = (self.problem.tile(), need.tile);
        let (m, n, k) = match need.operand {
            Operand::A => self.problem.valid_of(at.row, 0, at.col),
            Operand::B => self.problem.valid_of(0, at.col, at.row),
        };
        match need.operand {
            Operand::A => {
                let stride = if self.problem.transpose_a { tile.m } else { tile.k };
                self.kernel.packing_a((m, k), self.problem.transpose_a, stride as usize)
            }
            Operand::B => {
                let stride = if self.problem.transpose_b { tile.k } else { tile.n };
                self.kernel.packing_b((k, n), self.problem.transpose_b, stride as usize)
            }
        }
    }
}
