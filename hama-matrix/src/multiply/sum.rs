//! The work on one tile of C in one step: products that are added to its sum.

use hama_core::{Buffer, Context, Payload, Result};

use crate::kernel::{Kernel, Part};
use crate::scalar::Scalar;

/// A tile of C, and the products of the panel at hand that it sums up. Any thread may do it.
pub(super) struct Sum<T> {
    pub(super) at: (u64, u64),
    /// The sum so far, or none.
    pub(super) sum: Option<Buffer>,
    /// Bytes of the whole tile.
    pub(super) tile_bytes: usize,
    /// Elements of a row of it.
    pub(super) stride: usize,
    pub(super) kernel: Kernel<T>,
    pub(super) part: Part,
    /// Ascending along k.
    pub(super) products: Vec<Product>,
}

/// A product of two packed tiles.
pub(super) struct Product {
    pub(super) a: Payload,
    pub(super) b: Payload,
    /// Elements along m, n and k.
    pub(super) shape: (usize, usize, usize),
    pub(super) flop: u64,
}

impl<T: Scalar> Sum<T> {
    /// Adds the products up, and books them for the peer that does it. Returns which tile it is, and its sum.
    pub(super) fn run(self, context: &Context) -> Result<((u64, u64), Buffer)> {
        let (mut add, mut sum) = match self.sum {
            Some(sum) => (true, sum),
            None => (false, context.pool().take(self.tile_bytes)?),
        };
        for Product { a, b, shape, flop } in self.products {
            context.cancel().check()?;
            let packed = (a.elements(), b.elements());
            self.kernel.multiply(sum.elements_mut::<T>(), self.stride, shape, packed, (add, self.part));
            add = true;
            context.add_work(flop);
            context.progress(flop);
        }
        Ok((self.at, sum))
    }
}
