//! The kernel: C += A B on one pair of tiles, on one thread.
//!
//! A tile is **packed** once, when it has been read, and multiplied many times: its elements are put in the
//! order in which the innermost loop takes them. That loop, the **micro-kernel**, keeps a small rectangle of C
//! in registers while it walks along k. Around it the blocks are chosen by where they lie: a panel of A
//! in the first cache, a block of B in the second, C and the rest streaming past (Goto and van de Geijn,
//! "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008; Van Zee and van de Geijn, "BLIS",
//! ACM TOMS 41(3), 2015).

mod micro;
mod pack;
mod peak;

pub use peak::peak_flop_per_s;

use std::fmt;
use std::ops::Range;

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::scalar::Scalar;
use micro::MicroKernel;

pub(crate) use micro::Micros;
pub(crate) use pack::Packing;

/// The most of k that the micro-kernel walks along before it adds to C. The bits of a result depend on it.
const K_MAX: usize = 336;

/// Which kernel computes a product. The bits of a result depend on it, so it is part of a plan.
///
/// Each element of C is the sum of runs of at most 336 products along k, in ascending order, and each run a
/// chain of multiply-adds that begins at 0. Where its tile lies and which of A and B is transposed does not
/// matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelId {
    /// 512-bit vectors of x86-64 with fused multiply-add.
    Avx512,
    /// 256-bit vectors of x86-64 with fused multiply-add.
    Avx2,
    /// Fused multiply-add of AArch64.
    Neon,
    /// Products that are rounded before they are added, on any host.
    Portable,
}

impl KernelId {
    /// All of them, the fastest first.
    pub const ALL: [KernelId; 4] = [KernelId::Avx512, KernelId::Avx2, KernelId::Neon, KernelId::Portable];

    /// The fastest kernel that this host runs.
    pub fn of_this_host() -> KernelId {
        KernelId::ALL.into_iter().find(|id| id.runs_here()).unwrap_or(KernelId::Portable)
    }

    /// Whether each host runs it whose fastest kernel is `best`.
    pub(crate) fn runs_beside(self, best: KernelId) -> bool {
        self == best || self == KernelId::Portable || (self, best) == (KernelId::Avx2, KernelId::Avx512)
    }

    /// Whether this host has the instructions.
    pub fn runs_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            KernelId::Avx512 => is_x86_feature_detected!("avx512f") && KernelId::Avx2.runs_here(),
            #[cfg(target_arch = "x86_64")]
            KernelId::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            KernelId::Avx512 | KernelId::Avx2 => false,
            KernelId::Neon => cfg!(target_arch = "aarch64"),
            KernelId::Portable => true,
        }
    }
}

impl fmt::Display for KernelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KernelId::Avx512 => "avx512",
            KernelId::Avx2 => "avx2",
            KernelId::Neon => "neon",
            KernelId::Portable => "portable",
        })
    }
}

/// Which elements of C are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them.
    Whole,
    /// Those on and below the diagonal; of the others, whatever comes with them.
    Lower,
}

/// A kernel for elements of type T that this host has the instructions for.
#[derive(Clone, Copy)]
pub(crate) struct Kernel<T> {
    micro: MicroKernel<T>,
}

impl<T: Scalar> Kernel<T> {
    /// The kernel of an id.
    ///
    /// # Errors
    /// `Invalid` where this host lacks the instructions.
    pub(crate) fn new(id: KernelId) -> Result<Kernel<T>> {
        if !id.runs_here() {
            return Err(Error::invalid(format!("this host does not run the kernel {id}")));
        }
        Ok(Kernel { micro: T::micro_kernel(id) })
    }

    /// How A (m x k) is packed, stored in rows of `stride` elements, as it is or `transposed`.
    pub(crate) fn packing_a(&self, (m, k): (usize, usize), transposed: bool, stride: usize) -> Packing {
        Packing { width: self.micro.rows, lines: m, k, by_lines: !transposed, stride }
    }

    /// How B (k x n) is packed, stored in rows of `stride` elements, as it is or `transposed`.
    pub(crate) fn packing_b(&self, (k, n): (usize, usize), transposed: bool, stride: usize) -> Packing {
        Packing { width: self.micro.cols, lines: n, k, by_lines: transposed, stride }
    }

    /// C (m x n, row-major with rows of `c_stride`) = A B, or C += A B where `add` says so, of packed A and B.
    ///
    /// # Panics
    /// When the slices do not hold the shapes: plans are made so that they do.
    pub(crate) fn multiply(
        &self,
        c: &mut [T],
        c_stride: usize,
        (m, n, k): (usize, usize, usize),
        (a, b): (&[T], &[T]),
        (add, part): (bool, Part),
    ) {
        if m == 0 || n == 0 {
            return;
        }
        assert!(n <= c_stride && (m - 1) * c_stride + n <= c.len(), "C lies inside its slice");
        assert!(m * k <= a.len() && k * n <= b.len(), "packed A and B lie inside their slices");
        if k == 0 && !add {
            c.chunks_mut(c_stride).take(m).for_each(|row| row[..n].fill(T::ZERO));
        }
        for run in runs(k) {
            let (a, b) = (&a[run.start * m..run.end * m], &b[run.start * n..run.end * n]);
            let how = (add || run.start > 0, part);
            let block = (self.micro.block_bytes / size_of::<T>() / run.len() / self.micro.cols).max(1);
            for left in (0..n).step_by(block * self.micro.cols) {
                let right = (left + block * self.micro.cols).min(n);
                self.multiply_block(c, c_stride, left..right, run.len(), (a, b), how);
            }
        }
    }

    /// The columns `cols` of C over one run of k, which is `k` long: their part of B stays in the second cache.
    fn multiply_block(
        &self,
        c: &mut [T],
        c_stride: usize,
        cols: Range<usize>,
        k: usize,
        (a, b): (&[T], &[T]),
        (add, part): (bool, Part),
    ) {
        let m = a.len() / k;
        let mut next_b = b.get(cols.end * k..).unwrap_or_default();
        for top in (0..m).step_by(self.micro.rows) {
            let height = self.micro.rows.min(m - top);
            let panel_a = &a[top * k..(top + height) * k];
            let mut next_a = &a[(top + height) * k..];
            next_a = &next_a[..next_a.len().min(self.micro.rows * k)];
            for col in cols.clone().step_by(self.micro.cols) {
                let width = self.micro.cols.min(cols.end - col);
                if part == Part::Lower && col >= top + height {
                    break;
                }
                let panel_b = &b[col * k..(col + width) * k];
                // The next block of B is fetched towards the end of this one: two of them would crowd the cache.
                let next = match next_a {
                    [] if top + m / 8 >= m => &mut next_b,
                    _ => &mut next_a,
                };
                let (fetched, rest) = next.split_at(next.len().min(self.micro.prefetched(k)));
                *next = rest;
                let c = &mut c[top * c_stride + col..];
                self.micro.run(c, c_stride, (panel_a, panel_b), (height, width), (add, fetched));
            }
        }
    }
}

/// The runs that k is cut into: as few as there can be, nearly equal.
fn runs(k: usize) -> impl Iterator<Item = Range<usize>> {
    (0..k).step_by(run_length(k)).map(move |start| run_of(k, start))
}

/// The run that a step along k lies in.
fn run_of(k: usize, step: usize) -> Range<usize> {
    let length = run_length(k);
    let start = step / length * length;
    start..(start + length).min(k)
}

fn run_length(k: usize) -> usize {
    k.div_ceil(k.div_ceil(K_MAX).max(1)).max(1)
}

#[cfg(test)]
mod tests;
