//! Writes large files past the page cache (`O_DIRECT`), where the file system can.
//!
//! A result is written once and has to be on the disk before it counts. By way of the page cache each of its bytes
//! is copied into a page that was just taken, by a core that has a kernel to run; past it the disk fetches them from
//! the buffer that they were computed in.

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// What offsets, lengths and addresses are multiples of.
const PAGE_BYTES: usize = 4096;
/// Smaller files are of more use in the page cache.
const DIRECT_BYTES_MIN: u64 = 1 << 20;

/// A file that is written from its beginning to its end.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    // Bytes that do not fill a page yet; none where the file is written by way of the page cache.
    page: Option<Box<Page>>,
}

#[derive(Debug)]
#[repr(align(4096))]
struct Page {
    bytes: [u8; PAGE_BYTES],
    filled: usize,
}

impl Output {
    /// Writes to an empty file that will be about `len` bytes long.
    pub(super) fn new(file: File, len: u64) -> Output {
        let is_direct = len >= DIRECT_BYTES_MIN && set_direct(&file, true).is_ok();
        let page = is_direct.then(|| Box::new(Page { bytes: [0; PAGE_BYTES], filled: 0 }));
        Output { file, page }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether what was written is not in the page cache.
    pub(super) fn is_direct(&self) -> bool {
        self.page.is_some()
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(page) = self.page.as_mut().filter(|_| !bytes.is_empty()) {
            if page.filled > 0 || bytes.len() < PAGE_BYTES {
                let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - page.filled));
                page.bytes[page.filled..page.filled + now.len()].copy_from_slice(now);
                page.filled += now.len();
                bytes = later;
                if page.filled == PAGE_BYTES {
                    if write_pages(&mut self.file, &page.bytes)? {
                        page.filled = 0;
                    } else {
                        self.page = None;
                    }
                }
            } else if bytes.as_ptr().addr().is_multiple_of(PAGE_BYTES) {
                let (now, later) = bytes.split_at(bytes.len() / PAGE_BYTES * PAGE_BYTES);
                if !write_pages(&mut self.file, now)? {
                    self.page = None;
                }
                bytes = later;
            } else {
                self.end_pages()?;
            }
        }
        self.file.write_all(bytes)
    }

    /// Writes what does not fill a page. What follows goes by way of the page cache.
    pub(super) fn end_pages(&mut self) -> io::Result<()> {
        let Some(page) = self.page.take() else { return Ok(()) };
        set_direct(&self.file, false)?;
        self.file.write_all(&page.bytes[..page.filled])
    }
}

/// Writes whole pages. Returns whether more can be written like this: where the file system refuses, the bytes went
/// by way of the page cache.
fn write_pages(file: &mut File, mut bytes: &[u8]) -> io::Result<bool> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if Errno::from_io_error(&e) == Some(Errno::INVAL) => {
                set_direct(file, false)?;
                file.write_all(bytes)?;
                return Ok(false);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

fn set_direct(file: &File, direct: bool) -> Result<(), Errno> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    fcntl_setfl(file, flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that begin `shift` bytes behind a page.
    struct Source(Vec<Page>);

    impl Source {
        fn new(pages: usize) -> Source {
            let page = |number: usize| {
                let byte = |at: usize| (number * 31 + at * 7 + at / 251) as u8;
                Page { bytes: std::array::from_fn(byte), filled: 0 }
            };
            Source((0..pages).map(page).collect())
        }

        /// `len` bytes from a page's beginning plus `shift` on.
        fn slice(&self, number: usize, shift: usize, len: usize) -> &[u8] {
            &self.0[number % self.0.len()].bytes[shift..shift + len]
        }
    }

    #[test]
    fn what_is_written_is_in_the_file_in_pieces_of_any_size_and_place() {
        let directory = tempfile::tempdir().unwrap();
        let source = Source::new(7);
        let sizes = [0, 1, 8, 512, 3584, 4095, 4096, 4000, 96, 4096];
        for len_hint in [0, DIRECT_BYTES_MIN] {
            for start in 0..sizes.len() {
                for shift in [0, 8] {
                    let path = directory.path().join(format!("{len_hint}-{start}-{shift}"));
                    let mut output = Output::new(File::create_new(&path).unwrap(), len_hint);
                    let mut expected = Vec::new();
                    for (number, size) in sizes.iter().cycle().skip(start).take(40).enumerate() {
                        // Every seventh piece lies elsewhere in memory.
                        let shift = if number % 7 == 6 { shift } else { 0 };
                        let piece = source.slice(number, shift, (*size).min(PAGE_BYTES - shift));
                        output.write(piece).unwrap();
                        expected.extend_from_slice(piece);
                    }
                    output.end_pages().unwrap();
                    output.write(b"end").unwrap();
                    expected.extend_from_slice(b"end");
                    assert!(std::fs::read(&path).unwrap() == expected, "{len_hint}, {start}, {shift}");
                }
            }
        }
    }

    #[test]
    fn small_files_go_by_way_of_the_page_cache() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::create_new(directory.path().join("a")).unwrap();
        assert!(!Output::new(file, DIRECT_BYTES_MIN - 1).is_direct());
    }

    #[test]
    fn where_pages_are_refused_the_page_cache_takes_them() {
        // An offset that is no multiple of a page, as on a file system that wants larger ones.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let mut file = File::create_new(&path).unwrap();
        file.write_all(b"12345").unwrap();
        let mut output = Output::new(file, DIRECT_BYTES_MIN);
        let source = Source::new(2);
        output.write(source.slice(0, 0, PAGE_BYTES)).unwrap();
        output.write(source.slice(1, 0, PAGE_BYTES)).unwrap();
        output.end_pages().unwrap();
        let expected = [b"12345", source.slice(0, 0, PAGE_BYTES), source.slice(1, 0, PAGE_BYTES)].concat();
        assert!(std::fs::read(&path).unwrap() == expected);
    }
}
