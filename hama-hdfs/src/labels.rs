//! The labels of rows and columns: coordinate arrays beside the elements, as xarray expects them.

use hama_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The most bytes of the labels along one dimension.
pub(crate) const LABELS_BYTES_MAX: u64 = 64 << 20;

/// A dimension of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// That of the rows.
    Rows,
    /// That of the columns.
    Columns,
}

impl Dimension {
    /// Both.
    pub const ALL: [Dimension; 2] = [Dimension::Rows, Dimension::Columns];

    /// What its coordinate array and the dimension itself are called in Zarr.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Rows => "row",
            Dimension::Columns => "column",
        }
    }
}

/// The labels along one dimension, one for each row or column.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Words.
    Text(Vec<String>),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Numbers.
    Numbers(Vec<f64>),
}

/// What kind labels are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LabelKind {
    Text,
    Integers,
    Numbers,
}

/// What a manifest says of the labels along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabelRecord {
    pub(crate) kind: LabelKind,
    /// The length of their file.
    pub(crate) len: u64,
    /// The CRC-32C of all bytes of their file, its own checksum included.
    pub(crate) crc32c: u32,
}

/// What a manifest says of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabelRecords {
    pub(crate) row: Option<LabelRecord>,
    pub(crate) column: Option<LabelRecord>,
}

impl LabelRecords {
    pub(crate) fn of(&self, dimension: Dimension) -> Option<LabelRecord> {
        match dimension {
            Dimension::Rows => self.row,
            Dimension::Columns => self.column,
        }
    }
}

impl Labels {
    /// The labels in the lines of a text: whole numbers where all are, else numbers where all are, else words.
    pub fn of_lines<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> Labels {
        // What reads as a number and is written otherwise, such as 007, is a word.
        let integer = |line: &str| line.parse::<i64>().ok().filter(|number| number.to_string() == line);
        if let Some(integers) = lines.clone().map(integer).collect() {
            return Labels::Integers(integers);
        }
        // Of a word of digits nothing may be lost: neither zeros before it nor its last digits.
        let number = |line: &str| {
            let digits = line.strip_prefix('-').unwrap_or(line);
            let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
            let exact = integer(line).is_some_and(|number| number.unsigned_abs() <= 1 << 53);
            let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
            let starts = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
            let reads = starts && !padded && (exact || !whole);
            line.parse::<f64>().ok().filter(|number| reads && number.is_finite())
        };
        match lines.clone().map(number).collect() {
            Some(numbers) => Labels::Numbers(numbers),
            None => Labels::Text(lines.map(str::to_owned).collect()),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Labels::Text(words) => words.len(),
            Labels::Integers(numbers) => numbers.len(),
            Labels::Numbers(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn kind(&self) -> LabelKind {
        match self {
            Labels::Text(_) => LabelKind::Text,
            Labels::Integers(_) => LabelKind::Integers,
            Labels::Numbers(_) => LabelKind::Numbers,
        }
    }

    /// The bytes of their chunk: numbers little-endian, or the words' count and each word after its length (`vlen-utf8`),
    /// then the CRC-32C of that.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Labels::Integers(numbers) => {
                numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
            }
            Labels::Numbers(numbers) => {
                numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
            }
            Labels::Text(words) => {
                bytes.extend_from_slice(&(words.len() as u32).to_le_bytes());
                for word in words {
                    bytes.extend_from_slice(&(word.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(word.as_bytes());
                }
            }
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        if bytes.len() as u64 > LABELS_BYTES_MAX {
            return Err(Error::invalid(format!(
                "cannot write labels of {} bytes: {LABELS_BYTES_MAX} are the most",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// The `count` labels in these bytes of the file `shown`.
    pub(crate) fn decode(
        bytes: &[u8],
        kind: LabelKind,
        count: u64,
        shown: &dyn std::fmt::Display,
    ) -> Result<Labels> {
        let bad = |why: &str| Error::data(format!("cannot read {shown}: {why}"));
        let Some((body, checksum)) = bytes.split_last_chunk::<4>() else {
            return Err(bad("it is too short"));
        };
        if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
            return Err(bad("it is damaged, its checksum is another"));
        }
        if kind != LabelKind::Text && !body.len().is_multiple_of(8) {
            return Err(bad("it ends inside of a number"));
        }
        let labels = match kind {
            LabelKind::Integers => Labels::Integers(numbers(body).map(i64::from_le_bytes).collect()),
            LabelKind::Numbers => Labels::Numbers(numbers(body).map(f64::from_le_bytes).collect()),
            LabelKind::Text => Labels::Text(
                words(body, count).ok_or_else(|| bad(&format!("it does not hold {count} words")))?,
            ),
        };
        if labels.len() as u64 != count {
            return Err(bad(&format!("it has {} labels and should have {count}", labels.len())));
        }
        Ok(labels)
    }
}

fn numbers(body: &[u8]) -> impl Iterator<Item = [u8; 8]> {
    body.as_chunks::<8>().0.iter().copied()
}

/// The words, where there are so many.
fn words(mut body: &[u8], expected: u64) -> Option<Vec<String>> {
    let length = |rest: &mut &[u8]| {
        let (first, behind) = rest.split_first_chunk::<4>()?;
        *rest = behind;
        Some(u32::from_le_bytes(*first) as usize)
    };
    let count = length(&mut body).filter(|count| *count as u64 == expected)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let len = length(&mut body)?;
        let (word, behind) = body.split_at_checked(len)?;
        words.push(std::str::from_utf8(word).ok()?.to_owned());
        body = behind;
    }
    body.is_empty().then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&'static str]) -> Labels {
        Labels::of_lines(lines.iter().copied())
    }

    #[test]
    fn lines_are_what_all_of_them_are() {
        assert_eq!(of(&["1", "-7"]), Labels::Integers(vec![1, -7]));
        assert_eq!(of(&["1", "2.5"]), Labels::Numbers(vec![1.0, 2.5]));
        let large = "18446744073709551615";
        for words in [
            ["1", "x"],
            ["007", "008"],
            ["-07", "1.5"],
            ["nan", "inf"],
            ["1", ""],
            [large, "1"],
            ["1.5", large],
        ] {
            assert_eq!(of(&words), Labels::Text(words.map(str::to_owned).to_vec()));
        }
        assert_eq!(of(&["0.5", "-0.25"]), Labels::Numbers(vec![0.5, -0.25]));
    }

    #[test]
    fn bytes_are_these() {
        let words = of(&["a", "bc"]).encode().unwrap();
        assert_eq!(words[..words.len() - 4], *b"\x02\0\0\0\x01\0\0\0a\x02\0\0\0bc");
        let integers = of(&["258"]).encode().unwrap();
        assert_eq!(integers[..8], [2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for labels in [of(&["a", "", "ä"]), of(&["1", "2"]), of(&["1.5", "2"])] {
            let (bytes, count) = (labels.encode().unwrap(), labels.len() as u64);
            let decode = |bytes: &[u8], count| Labels::decode(bytes, labels.kind(), count, &"c.0");
            assert_eq!(decode(&bytes, count).unwrap(), labels);
            assert!(decode(&bytes, count + 1).is_err());
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert!(decode(&bad, count).is_err());
                assert!(decode(&bytes[..at], count).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), count in 0..9u64) {
            let crc = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&crc.to_le_bytes());
            for kind in [LabelKind::Text, LabelKind::Integers, LabelKind::Numbers] {
                let _ = Labels::decode(&bytes, kind, count, &"c.0");
            }
        }
    }
}
