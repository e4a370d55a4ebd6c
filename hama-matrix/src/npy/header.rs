//! The header of a `.npy` file: element type, order, shape.
//!
//! NumPy Enhancement Proposal 1, versions 1.0 to 3.0 of the format.

use std::io::Read;

use hama_core::{Error, ErrorKind, Result};
use hama_hdfs::{ElementType, Extent};

use crate::dense::DenseMatrix;
use crate::files::numbers::{Encoding, Numbers};
use crate::scalar::Scalar;

const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses longer headers unless told otherwise.
const HEADER_BYTES_MAX: usize = 10_000;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) encoding: Encoding,
    /// Whether a column lies in one piece, instead of a row.
    pub(crate) fortran_order: bool,
    pub(crate) rows: u64,
    pub(crate) cols: u64,
    /// Where the elements begin, in bytes.
    pub(crate) data_offset: u64,
}

impl Header {
    /// The shape of what lies there row by row: in Fortran order the transpose.
    pub(crate) fn stored_shape(&self) -> Extent {
        let (rows, cols) = if self.fortran_order { (self.cols, self.rows) } else { (self.rows, self.cols) };
        Extent { rows, cols }
    }

    /// Fails where header and elements do not make `length` bytes.
    pub(crate) fn check_length(&self, length: u64, what: &str) -> Result<()> {
        let Header { rows, cols, data_offset, encoding, .. } = *self;
        let size = encoding.size_bytes() as u64;
        let wanted =
            rows.checked_mul(cols).and_then(|n| n.checked_mul(size)).and_then(|n| n.checked_add(data_offset));
        if wanted == Some(length) {
            return Ok(());
        }
        let wanted = wanted.map_or("more than 2^64".into(), |bytes| bytes.to_string());
        Err(Error::data(format!(
            "cannot read {what}: {rows} x {cols} elements of {size} bytes make a file of {wanted} bytes, and it has {length}"
        )))
    }
}

/// Reads a header. `what` names the file in errors.
pub(crate) fn read(mut from: impl Read, what: &str) -> Result<Header> {
    let bad = |why: &str| Error::data(format!("cannot read {what}: {why}"));
    let mut take = |count: usize| {
        let mut bytes = vec![0; count];
        from.read_exact(&mut bytes).map(|()| bytes).map_err(|_| bad("it ends inside of the .npy header"))
    };
    let start = take(8).map_err(|_| bad("it is too short for a .npy file"))?;
    if &start[..6] != MAGIC {
        return Err(bad("it is no .npy file: the first bytes are not \\x93NUMPY"));
    }
    let (length_bytes, major) = match start[6] {
        1 => (2, 1),
        major @ (2 | 3) => (4, major),
        other => return Err(bad(&format!("version {other} of the .npy format is not known"))),
    };
    let length = take(length_bytes)?.iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > HEADER_BYTES_MAX {
        return Err(bad(&format!(
            "its header claims {length} bytes, and {HEADER_BYTES_MAX} are the most allowed"
        )));
    }
    let bytes = take(length)?;
    let text = match major {
        3 => String::from_utf8(bytes).map_err(|_| bad("its header is no UTF-8"))?,
        _ => bytes.into_iter().map(char::from).collect(),
    };
    parse(&text, (8 + length_bytes + length) as u64)
        .map_err(|Refused { kind, why }| Error::new(kind, format!("cannot read {what}: {why}")))
}

/// Why a header is refused: it is damaged, or what it says cannot be read.
pub(crate) struct Refused {
    kind: ErrorKind,
    why: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused { kind: ErrorKind::Data, why }
    }
}

impl From<&str> for Refused {
    fn from(why: &str) -> Refused {
        Refused::from(why.to_owned())
    }
}

fn unsupported(why: String) -> Refused {
    Refused { kind: ErrorKind::Invalid, why }
}

fn parse(text: &str, data_offset: u64) -> Result<Header, Refused> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = Rest(text.trim());
    rest.expect("{")?;
    while !rest.take("}") {
        let key = rest.string()?;
        rest.expect(":")?;
        match key {
            "descr" => descr = Some(rest.descr()?),
            "fortran_order" => fortran_order = Some(rest.boolean()?),
            "shape" => shape = Some(rest.shape()?),
            other => return Err(format!("its header has the unknown key {other:?}").into()),
        }
        if !rest.take(",") {
            rest.expect("}")?;
            break;
        }
    }
    if !rest.0.is_empty() {
        return Err("there is something behind its header's dictionary".into());
    }
    let encoding = encoding(descr.ok_or("its header has no descr")?)?;
    let (rows, cols) = match shape.ok_or("its header has no shape")?[..] {
        [rows, cols] => (rows, cols),
        ref other => {
            return Err(unsupported(format!(
                "it has {} dimensions, and a matrix has 2: try numpy's reshape((-1, 1)) before saving",
                other.len()
            )));
        }
    };
    let fortran_order = fortran_order.ok_or("its header has no fortran_order")?;
    Ok(Header { encoding, fortran_order, rows, cols, data_offset })
}

pub(crate) fn encoding(descr: &str) -> Result<Encoding, Refused> {
    let refused = |what: &str| {
        Err(unsupported(format!(
            "its elements are {what} ({descr:?}), and f64, f32, integers and booleans can be read"
        )))
    };
    let (order, kind) = descr.split_at_checked(1).ok_or("its descr is empty")?;
    let big_endian = match order {
        "<" | "|" => false,
        ">" => true,
        "=" => cfg!(target_endian = "big"),
        _ => return refused("of an unknown byte order"),
    };
    let numbers = match kind {
        "f8" => Numbers::F64,
        "f4" => Numbers::F32,
        "i1" => Numbers::Signed(1),
        "i2" => Numbers::Signed(2),
        "i4" => Numbers::Signed(4),
        "i8" => Numbers::Signed(8),
        "u1" => Numbers::Unsigned(1),
        "u2" => Numbers::Unsigned(2),
        "u4" => Numbers::Unsigned(4),
        "u8" => Numbers::Unsigned(8),
        "b1" => Numbers::Bool,
        _ => {
            return refused(match kind.as_bytes().first() {
                Some(b'O') => "Python objects",
                Some(b'c') => "complex",
                Some(b'U' | b'S' | b'a') => "text",
                Some(b'M' | b'm') => "times",
                Some(b'V') => "records",
                Some(b'f') => "floats of another size",
                _ => "of an unknown type",
            });
        }
    };
    Ok(Encoding { numbers, big_endian })
}

/// What is left of the header's text.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, token: &str) -> bool {
        match self.0.strip_prefix(token) {
            Some(rest) => {
                self.0 = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            Ok(())
        } else {
            Err(format!("its header lacks {token:?} before {:?}", self.start()))
        }
    }

    fn start(&self) -> String {
        self.0.chars().take(20).collect()
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let quote = if self.0.starts_with('"') { "\"" } else { "'" };
        self.expect(quote)?;
        let (text, rest) = self.0.split_once(quote).ok_or("its header has a string without an end")?;
        self.0 = rest.trim_start();
        Ok(text)
    }

    fn descr(&mut self) -> Result<&'a str, Refused> {
        if self.0.starts_with('[') {
            return Err("its elements are records, and f64, f32, integers and booleans can be read".into());
        }
        Ok(self.string()?)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.take("True") {
            Ok(true)
        } else if self.take("False") {
            Ok(false)
        } else {
            Err(format!("its header has {:?} where True or False is wanted", self.start()))
        }
    }

    fn shape(&mut self) -> Result<Vec<u64>, String> {
        self.expect("(")?;
        let mut shape = Vec::new();
        while !self.take(")") {
            let digits = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let number = self.0[..digits].parse();
            shape.push(number.map_err(|_| format!("its header has {:?} in the shape", self.start()))?);
            self.0 = self.0[digits..].trim_start();
            // NumPy for Python 2 wrote 3L.
            self.take("L");
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }
}

/// The header of the file that a matrix becomes. The rows of what is stored are the columns of its transpose, so the
/// bytes are the same.
pub(crate) fn of<T: Scalar>(matrix: &DenseMatrix<T>) -> Vec<u8> {
    let (rows, cols) = matrix.shape();
    written(&format!("<f{}", T::TYPE.size_bytes()), matrix.is_transposed(), rows, cols)
}

/// The header of a file of elements in rows.
pub(crate) fn in_rows(element: ElementType, shape: Extent) -> Vec<u8> {
    written(&format!("<f{}", element.size_bytes()), false, shape.rows, shape.cols)
}

/// The header of a file of rows x cols elements, in columns where `fortran_order` says so, version 1.0.
fn written(descr: &str, fortran_order: bool, rows: u64, cols: u64) -> Vec<u8> {
    let fortran_order = if fortran_order { "True" } else { "False" };
    let mut text =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': ({rows}, {cols}), }}");
    // Elements begin at a multiple of 64 bytes.
    let unpadded = MAGIC.len() + 4 + text.len() + 1;
    text.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_text(text: &str) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    fn message(text: &str) -> String {
        read(&with_text(text)[..], "x.npy").unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written("<f8", false, 1797, 64);
        assert_eq!(bytes.len() % 64, 0);
        let header = read(&bytes[..], "x.npy").unwrap();
        let expected = Header {
            encoding: Encoding { numbers: Numbers::F64, big_endian: false },
            fortran_order: false,
            rows: 1797,
            cols: 64,
            data_offset: 128,
        };
        assert_eq!(header, expected);
    }

    #[test]
    fn types_orders_and_versions() {
        let text = "{'descr': '>u2', 'fortran_order': True, 'shape': (3, 4)}\n";
        let header = read(&with_text(text)[..], "x").unwrap();
        let unsigned = Encoding { numbers: Numbers::Unsigned(2), big_endian: true };
        assert!(header.fortran_order && header.encoding == unsigned);
        let mut second = b"\x93NUMPY\x02\x00".to_vec();
        second.extend((text.len() as u32).to_le_bytes());
        second.extend(text.as_bytes());
        assert_eq!(read(&second[..], "x").unwrap().rows, 3);
    }

    #[test]
    fn what_cannot_be_imported_says_why() {
        let header = |descr: &str, shape: &str| {
            message(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"))
        };
        assert!(header("'|O'", "(2, 2)").contains("Python objects"));
        assert!(header("'<c16'", "(2, 2)").contains("complex"));
        assert!(header("[('a', '<f8')]", "(2, 2)").contains("records"));
        assert!(header("'<f2'", "(2, 2)").contains("another size"));
        assert!(header("'<f8'", "(2,)").contains("1 dimensions"));
        assert!(header("'<f8'", "()").contains("0 dimensions"));
        assert!(header("'<f8'", "(2, -2)").contains("shape"));
        assert!(header("'<f8'", "(99999999999999999999, 2)").contains("shape"));
        assert!(message("{'fortran_order': False, 'shape': (1, 1)}").contains("no descr"));
        assert!(message("{'descr': '<f8', 'fortran_order': 1, 'shape': (1, 1)}").contains("True or False"));
        assert!(message("{'descr': '<f8', 'x': 1}").contains("unknown key"));
        assert!(message("(((((((((((((((((").contains("lacks"));
    }

    #[test]
    fn what_is_no_npy_file_is_refused() {
        assert!(read(&b""[..], "x").unwrap_err().to_string().contains("too short"));
        assert!(read(&b"PK\x03\x04abcdefgh"[..], "x").unwrap_err().to_string().contains("no .npy file"));
        assert!(read(&b"\x93NUMPY\x09\x00ab"[..], "x").unwrap_err().to_string().contains("version 9"));
        let huge = b"\x93NUMPY\x02\x00\xff\xff\xff\xff";
        assert!(read(&huge[..], "x").unwrap_err().to_string().contains("4294967295"));
        assert!(
            read(&with_text("{'descr': '<f8'")[..12], "x").unwrap_err().to_string().contains("ends inside")
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,120}") {
            let _ = read(&bytes[..], "x");
            let _ = read(&with_text(&text)[..], "x");
        }
    }
}
