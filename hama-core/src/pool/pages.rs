//! Anonymous memory in whole pages, aligned to huge pages where it is large.
#![expect(unsafe_code, reason = "maps memory; everything unsafe of the pool is in this file")]

use std::io;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

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
        let start = NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // From here on its drop gives back what is left, whatever fails.
        let mut pages = Pages { start, len: total };
        if slack > 0 {
            pages.cut_to_huge(len)?;
            // SAFETY: advice about our own mapping. Without huge pages all works, only slower, so a refusal
            // is no error.
            let _ = unsafe { madvise(pages.start.as_ptr().cast(), len, Advice::LinuxHugepage) };
        }
        Ok(pages)
    }

    /// Gives back what lies before the first huge page, and behind `len` bytes from there.
    fn cut_to_huge(&mut self, len: usize) -> io::Result<()> {
        let head = self.start.as_ptr().align_offset(HUGE);
        if head > 0 {
            // SAFETY: the first `head` bytes are ours, end at a page's boundary, and nobody uses them; there
            // is a huge page more than `len` bytes, so what is left begins inside the mapping.
            self.start = unsafe {
                munmap(self.start.as_ptr().cast(), head)?;
                self.start.add(head)
            };
            self.len -= head;
        }
        if self.len > len {
            // SAFETY: what lies behind `len` bytes is ours, begins at a page's boundary, and nobody uses it.
            unsafe { munmap(self.start.as_ptr().add(len).cast(), self.len - len)? };
            self.len = len;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_to_pages_and_from_2_mib_to_huge_ones() {
        for (len, expected) in [
            (0, PAGE),
            (1, PAGE),
            (PAGE - 1, PAGE),
            (PAGE, PAGE),
            (PAGE + 1, 2 * PAGE),
            (HUGE - PAGE, HUGE - PAGE),
            (HUGE - 1, HUGE),
            (HUGE, HUGE),
            (HUGE + 1, 2 * HUGE),
            (usize::MAX, usize::MAX - HUGE + 1),
        ] {
            assert_eq!(rounded(len), expected, "{len}");
        }
    }

    #[test]
    fn every_byte_of_a_mapping_is_there_zeroed_and_aligned() {
        for len in [0, 1, PAGE - 1, PAGE, PAGE + 1, HUGE - 1, HUGE, HUGE + 1] {
            let mut pages = Pages::map(rounded(len)).unwrap();
            assert_eq!(pages.len(), rounded(len));
            assert!(pages.bytes().iter().all(|byte| *byte == 0));
            pages.bytes_mut().fill(0xa5);
            assert!(pages.bytes().iter().all(|byte| *byte == 0xa5));
            let unit = if len >= HUGE { HUGE } else { PAGE };
            assert!((pages.bytes().as_ptr() as usize).is_multiple_of(unit), "{len}");
        }
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        for len in [usize::MAX, usize::MAX / 2] {
            assert!(Pages::map(rounded(len)).is_err());
        }
    }
}
