//! Anonymous memory in whole pages, aligned to huge pages where it is large.
#![expect(unsafe_code, reason = "maps memory; everything unsafe of the pool is in this file")]

use std::io;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

const PAGE: usize = 4096;
const HUGE: usize = 2 << 20;

/// `len` in whole pages: at least one; from 2 MiB on whole huge pages. Saturates.
pub(super) fn rounded(len: usize) -> usize {
    let unit = if len >= HUGE { HUGE } else { PAGE };
    len.max(1).checked_next_multiple_of(unit).unwrap_or(usize::MAX & !(HUGE - 1))
}

/// Mapped memory, owned. It is zeroed when mapped.
pub(super) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: `Pages` owns its mapping alone; nothing about it is bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: shared access only reads.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `len` bytes, a value of [`rounded`].
    pub(super) fn map(len: usize) -> io::Result<Pages> {
        // The kernel aligns to small pages, so for a huge one ask for one more and give back both ends.
        let slack = if len >= HUGE { HUGE } else { 0 };
        let total = len.checked_add(slack).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no other memory.
        let base = unsafe {
            mmap_anonymous(ptr::null_mut(), total, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)?
        };
        let base = base.cast::<u8>();
        let head = if slack == 0 { 0 } else { base.align_offset(HUGE) };
        let tail = slack - head;
        // SAFETY: both ranges lie inside the mapping just made, at page boundaries, and nobody uses them;
        // `head + len + tail == total`.
        unsafe {
            if head > 0 {
                munmap(base.cast(), head)?;
            }
            if tail > 0 {
                munmap(base.add(head + len).cast(), tail)?;
            }
        }
        // SAFETY: `head <= total`, so this points into the mapping.
        let start = unsafe { base.add(head) };
        #[cfg(target_os = "linux")]
        if slack > 0 {
            // SAFETY: advice about our own mapping. Without huge pages all works, only slower, so a refusal
            // is no error.
            let _ = unsafe { rustix::mm::madvise(start.cast(), len, rustix::mm::Advice::LinuxHugepage) };
        }
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Pages { start, len })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `start` points to `len` mapped bytes, initialised by the kernel, for as long as `self` lives.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes this the only access.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nobody refers to it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
