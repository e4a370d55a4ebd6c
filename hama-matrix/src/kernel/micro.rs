//! Micro-kernels: a rectangle of C in registers, over one run of k. Everything unsafe of the kernel is here.
#![expect(
    unsafe_code,
    reason = "vectors are loaded and stored by pointers, in functions that want instructions that not every host has"
)]

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::kernel::KernelId;

/// Steps along k for each cache line that is prefetched.
const STEPS_A_LINE: usize = 4;
const LINE_BYTES: usize = 64;

/// What a micro-kernel works on: C (rows x cols) = A B or C += A B, A packed in columns, B in rows.
struct Work<T> {
    k: usize,
    rows: usize,
    cols: usize,
    a: *const T,
    b: *const T,
    c: *mut T,
    c_stride: usize,
    add: bool,
    // Fetched into the second cache meanwhile, a line every few steps; it need not be memory of anybody.
    next: *const T,
}

/// A micro-kernel, and the largest rectangle of C that it computes.
#[derive(Clone, Copy)]
pub struct MicroKernel<T> {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Bytes of a block of B that stay in the second cache of the hosts that have these instructions.
    pub(super) block_bytes: usize,
    // Needs the instructions of its id, and pointers to all that the shapes of the work name.
    run: unsafe fn(&Work<T>),
}

impl<T> MicroKernel<T> {
    /// How many elements it prefetches while it takes `k` steps.
    pub(super) fn prefetched(&self, k: usize) -> usize {
        k.saturating_sub(self.rows) / STEPS_A_LINE * (LINE_BYTES / size_of::<T>())
    }

    /// C (height x width, rows of `c_stride`) = A B, or += where `add`, of packed panels. `next` is prefetched.
    ///
    /// # Panics
    /// When the slices do not hold the shapes.
    pub(super) fn run(
        &self,
        c: &mut [T],
        c_stride: usize,
        (a, b): (&[T], &[T]),
        (rows, cols): (usize, usize),
        (add, next): (bool, &[T]),
    ) {
        let k = a.len() / rows;
        assert!((1..=self.rows).contains(&rows) && (1..=self.cols).contains(&cols), "a micro-kernel's shape");
        assert!(a.len() == rows * k && b.len() == cols * k, "panels hold k steps");
        assert!(cols <= c_stride && (rows - 1) * c_stride + cols <= c.len(), "C lies inside its slice");
        let (a, b, c, next) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), next.as_ptr());
        // SAFETY: the assertions keep every element that the shapes name inside the three slices, and C, which
        // is borrowed mutably, overlaps neither A nor B. A `MicroKernel` is made only for a host that runs it.
        unsafe { (self.run)(&Work { k, rows, cols, a, b, c, c_stride, add, next }) }
    }
}

/// An element type that there are micro-kernels for.
pub trait Micros: Sized {
    /// The micro-kernel of an id.
    ///
    /// # Panics
    /// When this host does not run it.
    fn micro_kernel(id: KernelId) -> MicroKernel<Self>;
}

macro_rules! micros {
    ($element:ident) => {
        impl Micros for $element {
            fn micro_kernel(id: KernelId) -> MicroKernel<$element> {
                assert!(id.runs_here(), "the kernel {id} runs on this host");
                match id {
                    #[cfg(target_arch = "x86_64")]
                    KernelId::Avx512 => x86::avx512::$element::KERNEL,
                    #[cfg(target_arch = "x86_64")]
                    KernelId::Avx2 => x86::avx2::$element::KERNEL,
                    KernelId::Neon => portable::$element::FUSED,
                    _ => portable::$element::KERNEL,
                }
            }
        }
    };
}

micros!(f64);
micros!(f32);
