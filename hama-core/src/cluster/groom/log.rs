//! What a peer prints, kept in two files that take turns: the newest bytes stay, and no more than a bound.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How much of what a peer prints is kept: up to twice this.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// What is read from a peer at a time.
const PART_BYTES: usize = 16 << 10;

/// The names of the file that is written and of the one before it.
const NEW: &str = "log";
const OLD: &str = "log.1";

/// Copies what a peer prints into the log in `folder`, until it has closed its end. Where the disk takes no more, `lost` is told
/// that at once, and the rest is read and dropped, so that the peer is not held up.
pub(crate) fn keep(folder: &Path, mut from: impl Read, lost: impl FnOnce(io::Error)) {
    let mut lost = Some(lost);
    let mut tell = |error| {
        if let Some(lost) = lost.take() {
            lost(error);
        }
    };
    let mut log = Log::open(folder).map_err(&mut tell).ok();
    let mut part = vec![0; PART_BYTES];
    loop {
        let count = match from.read(&mut part) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return tell(error),
        };
        if let Some(open) = &mut log
            && let Err(error) = open.write(&part[..count])
        {
            tell(error);
            log = None;
        }
    }
}

struct Log {
    folder: PathBuf,
    file: File,
    len: u64,
}

impl Log {
    fn open(folder: &Path) -> io::Result<Log> {
        let file = OpenOptions::new().create(true).append(true).open(folder.join(NEW))?;
        let len = file.metadata()?.len();
        Ok(Log { folder: folder.to_owned(), file, len })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.len + bytes.len() as u64 > FILE_BYTES_MAX && self.len > 0 {
            fs::rename(self.folder.join(NEW), self.folder.join(OLD))?;
            *self = Log::open(&self.folder)?;
        }
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// The last bytes of the log in `folder`, at most so many; none where there is no log.
pub(crate) fn tail(folder: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    for name in [NEW, OLD] {
        let mut file = match File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let wanted = bytes_max - found.len() as u64;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(wanted)))?;
        let mut bytes = Vec::new();
        // A peer may print meanwhile.
        file.take(wanted).read_to_end(&mut bytes)?;
        bytes.append(&mut found);
        found = bytes;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_bytes_stay_and_no_more_than_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(tail(folder.path(), 10).unwrap(), b"");
        let printed: Vec<u8> = (0..3 * FILE_BYTES_MAX / 4).flat_map(|i| (i as u32).to_le_bytes()).collect();
        let keep = |printed: &[u8]| keep(folder.path(), printed, |error| unreachable!("{error}"));
        keep(&printed);
        let kept: u64 =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!((FILE_BYTES_MAX..=2 * FILE_BYTES_MAX).contains(&kept), "{kept}");
        for len in [0, 10, FILE_BYTES_MAX] {
            assert_eq!(tail(folder.path(), len).unwrap(), printed[printed.len() - len as usize..]);
        }
        keep(b"more");
        assert!(tail(folder.path(), 1 << 30).unwrap().ends_with(b"more"));
    }

    #[test]
    fn a_log_that_cannot_be_written_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut printed = io::Cursor::new(vec![1; 100_000]);
        let mut lost = None;
        keep(&folder.path().join("not there"), &mut printed, |error| lost = Some(error.kind()));
        assert_eq!(lost, Some(io::ErrorKind::NotFound));
        assert_eq!(printed.position(), 100_000);
    }
}
