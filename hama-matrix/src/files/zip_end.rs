//! The end of a zip file, read before the library reads the file: it reserves memory by what is said there.
//!
//! Accepted is what programs write: the directory ends where the record that describes it begins. Then the library takes
//! that record and no other, and what it holds of the directory is bounded by its bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A directory of more entries is refused.
const ENTRIES_MAX: u64 = 1 << 16;
/// A directory of more bytes is refused.
const DIRECTORY_BYTES_MAX: u64 = 16 << 20;

const RECORD: &[u8] = b"PK\x05\x06";
const RECORD_BYTES: usize = 22;
const RECORD_64: &[u8] = b"PK\x06\x06";
const RECORD_64_BYTES: usize = 56;
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_64_BYTES: usize = 20;
const HEADER: &[u8] = b"PK\x01\x02";
/// The least bytes of an entry.
const HEADER_BYTES: usize = 46;
const COMMENT_BYTES_MAX: u64 = 1 << 16;

/// What the end of an archive says of its directory.
struct Directory {
    entries: u64,
    bytes: u64,
    start: u64,
    /// Where the record begins that says it.
    end: u64,
}

/// Says why the directory of an archive of `len` bytes is not read, where it is not.
///
/// # Errors
/// What the file system says.
pub(super) fn refused(file: &File, len: u64) -> io::Result<Option<String>> {
    let Some(Directory { entries, bytes, start, end }) = directory(file, len)? else {
        return Ok(Some("it has no end record as zip files have it".into()));
    };
    if entries > ENTRIES_MAX || bytes > DIRECTORY_BYTES_MAX {
        return Ok(Some(format!(
            "its directory has {entries} entries in {bytes} bytes, and {ENTRIES_MAX} in {DIRECTORY_BYTES_MAX} are the most"
        )));
    }
    let inside =
        start.checked_add(bytes).is_some_and(|after| after <= end) && entries * HEADER_BYTES as u64 <= bytes;
    let begins = entries == 0 || {
        let at = end.checked_sub(bytes).filter(|_| inside);
        at.is_some_and(|at| read(file, at, HEADER.len()).is_ok_and(|found| found == HEADER))
    };
    Ok((!inside || !begins).then(|| {
        format!("its directory of {bytes} bytes at {start} is not in the {end} bytes before its end record")
    }))
}

fn directory(file: &File, len: u64) -> io::Result<Option<Directory>> {
    let tail_bytes = len.min(RECORD_BYTES as u64 + COMMENT_BYTES_MAX);
    let tail = read(file, len - tail_bytes, tail_bytes as usize)?;
    let Some(at) = tail.windows(RECORD.len()).rposition(|part| part == RECORD) else { return Ok(None) };
    let Some(record) = tail.get(at..at + RECORD_BYTES) else { return Ok(None) };
    if at + RECORD_BYTES + number(record, 20, 2) as usize > tail.len() {
        return Ok(None);
    }
    let end = len - tail_bytes + at as u64;
    let locator = end.checked_sub(LOCATOR_64_BYTES as u64);
    if let Some(locator_at) = locator.filter(|_| is_full(record)) {
        let locator = read(file, locator_at, LOCATOR_64_BYTES)?;
        if locator.starts_with(LOCATOR_64) {
            return directory_64(file, &locator, locator_at);
        }
    }
    let entries = number(record, 10, 2);
    if number(record, 4, 4) != 0 || number(record, 8, 2) != entries {
        return Ok(None);
    }
    Ok(Some(Directory { entries, bytes: number(record, 12, 4), start: number(record, 16, 4), end }))
}

/// What the larger record says, which the small one has no room for.
fn directory_64(file: &File, locator: &[u8], locator_at: u64) -> io::Result<Option<Directory>> {
    let end = number(locator, 8, 8);
    if end.checked_add(RECORD_64_BYTES as u64).is_none_or(|after| after > locator_at) {
        return Ok(None);
    }
    let record = read(file, end, RECORD_64_BYTES)?;
    // Its length is that of what follows it.
    let whole = number(&record, 4, 8).checked_add(12) == Some(locator_at - end);
    let entries = number(&record, 32, 8);
    let one_disk = number(&record, 16, 8) == 0 && number(&record, 24, 8) == entries;
    if !record.starts_with(RECORD_64)
        || !whole
        || !one_disk
        || number(locator, 4, 4) != 0
        || number(locator, 16, 4) > 1
    {
        return Ok(None);
    }
    let (bytes, start) = (number(&record, 40, 8), number(&record, 48, 8));
    // Only a directory that ends here keeps the library from looking for another record where it is damaged.
    Ok((start.checked_add(bytes) == Some(end)).then_some(Directory { entries, bytes, start, end }))
}

/// Whether a field says that the larger record has its number.
fn is_full(record: &[u8]) -> bool {
    [(10, 2), (12, 4), (16, 4)].into_iter().any(|(at, size)| {
        number(record, at, size) == if size == 2 { u64::from(u16::MAX) } else { u64::from(u32::MAX) }
    })
}

/// The little-endian number of `size` bytes at `at`; its caller has that many.
fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    bytes[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn read(file: &File, at: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn why(bytes: &[u8]) -> Option<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        refused(&file, bytes.len() as u64).unwrap()
    }

    fn record(entries: u16, bytes: u32, start: u32) -> Vec<u8> {
        let [count, size, at] = [&entries.to_le_bytes()[..], &bytes.to_le_bytes(), &start.to_le_bytes()];
        [RECORD, &[0; 4], count, count, size, at, &[0; 2]].concat()
    }

    fn record_64(entries: u64, bytes: u64, start: u64, at: u64) -> Vec<u8> {
        let count = entries.to_le_bytes();
        let (size, start) = (bytes.to_le_bytes(), start.to_le_bytes());
        let larger = [RECORD_64, &44u64.to_le_bytes(), &[0; 12], &count, &count, &size, &start].concat();
        let locator = [LOCATOR_64, &[0; 4], &at.to_le_bytes(), &1u32.to_le_bytes()].concat();
        [larger, locator, record(u16::MAX, u32::MAX, u32::MAX)].concat()
    }

    #[test]
    fn directories_that_are_there_pass() {
        let entry = [HEADER, &[0; 42]].concat();
        assert_eq!(why(&record(0, 0, 0)), None);
        assert_eq!(why(&[&entry[..], &record(1, 46, 0)].concat()), None);
        assert_eq!(why(&[b"prefix", &entry[..], &record(1, 46, 0)].concat()), None);
        assert_eq!(why(&[&entry[..], &record_64(1, 46, 0, 46)].concat()), None);
    }

    #[test]
    fn directories_that_cannot_be_are_refused() {
        let entry = [HEADER, &[0; 42]].concat();
        let with = |record: Vec<u8>| why(&[&entry[..], &record].concat()).unwrap();
        assert!(with(record_64(65537, 46, 0, 46)).contains("65537 entries"));
        assert!(with(record_64(1 << 40, 1 << 50, 0, 46)).contains("no end record"));
        assert!(with(record(1, 17 << 20, 0)).contains("are the most"));
        assert!(with(record(1, 46, 1)).contains("not in the 46 bytes"));
        assert!(with(record(1, 40, 0)).contains("not in the 46 bytes"), "it begins with no header");
        assert!(with(record_64(1, 46, u64::MAX, 46)).contains("no end record"));
        assert!(with(record(2, 46, 0)).contains("not in the 46 bytes"), "no room for two entries");
        assert!(with(record_64(1, 46, 0, 40)).contains("no end record"));
        assert!(why(b"").unwrap().contains("no end record"));
        assert!(why(b"PK\x05\x06").unwrap().contains("no end record"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            numbers: (u64, u64, u64, u64),
            small: (u16, u32, u32),
        ) {
            why(&[&bytes[..], &record(small.0, small.1, small.2)].concat());
            why(&[&bytes[..], &record_64(numbers.0, numbers.1, numbers.2, numbers.3)].concat());
            why(&[&bytes[..], &record_64(numbers.0, numbers.1, numbers.2, bytes.len() as u64)].concat());
        }
    }
}
