//! How values become bytes and values again. The only place that names the serialiser.
//!
//! Integers take their full width: encoding is faster than with variable lengths, a value's size on the wire
//! is about its size in memory, and the decoder's limit counts exactly the bytes that are there.

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// The most bytes that one message (without its payload) or one program may have, encoded.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// The most bytes that a word of the cluster may have, encoded: a program or an output, and what goes with it.
#[cfg(feature = "cluster")]
pub(crate) const WORD_BYTES_MAX: usize = 20 << 20;

const CONFIG: Configuration<LittleEndian, Fixint> = bincode::config::standard().with_fixed_int_encoding();

/// Appends a value to `bytes`. `what` names it in the error. On an error `bytes` is as it was.
///
/// # Errors
/// `Invalid` when it has more than `MESSAGE_BYTES_MAX` bytes, `Program` when it refuses to be serialised.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, what: &str, bytes: &mut Vec<u8>) -> Result<()> {
    encode_within::<T, MESSAGE_BYTES_MAX>(value, what, bytes)
}

/// The same where there may be more bytes.
#[cfg(feature = "cluster")]
pub(crate) fn encode_word<T: Serialize + ?Sized>(value: &T, what: &str, bytes: &mut Vec<u8>) -> Result<()> {
    encode_within::<T, WORD_BYTES_MAX>(value, what, bytes)
}

fn encode_within<T: Serialize + ?Sized, const MOST: usize>(
    value: &T,
    what: &str,
    bytes: &mut Vec<u8>,
) -> Result<()> {
    let start = bytes.len();
    let mut writer = Limited { bytes, written: 0, most: MOST };
    let result = bincode::serde::encode_into_writer(value, &mut writer, CONFIG);
    let written = writer.written;
    let error = match result {
        Ok(()) if written <= MOST => return Ok(()),
        Ok(()) => {
            Error::invalid(format!("cannot encode {what}: it has {written} bytes, the limit is {MOST}"))
        }
        Err(error) => {
            Error::new(ErrorKind::Program, format!("cannot encode {what}")).with_source(encode_cause(error))
        }
    };
    bytes.truncate(start);
    Err(error)
}

/// The value that `bytes` stand for, all of them.
///
/// # Errors
/// `Data` when they stand for no such value, or have bytes left over.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    decode_within::<T, MESSAGE_BYTES_MAX>(bytes, what)
}

/// The same for what [`encode_word`] made.
#[cfg(feature = "cluster")]
pub(crate) fn decode_word<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    decode_within::<T, WORD_BYTES_MAX>(bytes, what)
}

fn decode_within<T: DeserializeOwned, const MOST: usize>(bytes: &[u8], what: &str) -> Result<T> {
    let config = CONFIG.with_limit::<MOST>();
    match bincode::serde::decode_from_slice::<T, _>(bytes, config) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => {
            Err(Error::data(format!("cannot decode {what}: it uses {used} of its {} bytes", bytes.len())))
        }
        Err(error) => Err(Error::data(format!("cannot decode {what} from {} bytes", bytes.len()))
            .with_source(error.to_string())),
    }
}

/// Stops storing at the limit and goes on counting, so that the error can name the size.
struct Limited<'a> {
    bytes: &'a mut Vec<u8>,
    written: usize,
    most: usize,
}

impl Writer for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.written += bytes.len();
        if self.written <= self.most {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// What the value's own serialiser said, without the names of the library.
fn encode_cause(error: EncodeError) -> String {
    match error {
        EncodeError::OtherString(message) => message,
        EncodeError::Other(message) => message.to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>> {
        let mut bytes = vec![7];
        encode(value, "a value", &mut bytes)?;
        assert_eq!(bytes.remove(0), 7);
        Ok(bytes)
    }

    #[test]
    fn the_encoding_is_pinned() {
        let value = (1u16, -2i64, "ab", Some(0.5f64), vec![3u32]);
        let golden = [
            &[1, 0][..],
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b'],
            &[1, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f],
            &[1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0],
        ];
        assert_eq!(encoded(&value).unwrap(), golden.concat());
    }

    #[test]
    fn a_value_at_the_limit_passes_and_one_over_it_does_not() {
        // A vector of bytes has its length, 8 bytes, before it.
        let fits = vec![1u8; MESSAGE_BYTES_MAX - 8];
        let bytes = encoded(&fits).unwrap();
        assert_eq!(decode::<Vec<u8>>(&bytes, "a value").unwrap(), fits);
        let error = encoded(&vec![1u8; MESSAGE_BYTES_MAX - 7]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.to_string(), "cannot encode a value: it has 16777217 bytes, the limit is 16777216");
    }

    #[test]
    fn a_value_that_refuses_leaves_nothing_behind() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeTuple;
                serializer.serialize_tuple(2)?.serialize_element(&1u64)?;
                Err(serde::ser::Error::custom("not today"))
            }
        }
        let mut bytes = vec![1, 2];
        let error = encode(&Refuses, "a value", &mut bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Program);
        assert_eq!(error.to_string(), "cannot encode a value: not today");
        assert_eq!(bytes, [1, 2]);
    }

    #[test]
    fn hostile_lengths_are_errors() {
        for len in [1u64 << 20, 1 << 40, u64::MAX] {
            let bytes = [&len.to_le_bytes()[..], &[0; 32]].concat();
            assert_eq!(decode::<Vec<u8>>(&bytes, "x").unwrap_err().kind(), ErrorKind::Data);
            assert_eq!(decode::<String>(&bytes, "x").unwrap_err().kind(), ErrorKind::Data);
            assert_eq!(decode::<Vec<u64>>(&bytes, "x").unwrap_err().kind(), ErrorKind::Data);
            assert_eq!(decode::<Vec<Vec<u64>>>(&bytes, "x").unwrap_err().kind(), ErrorKind::Data);
        }
        assert_eq!(decode::<u8>(&[1, 2], "x").unwrap_err().kind(), ErrorKind::Data);
        assert_eq!(decode::<u64>(&[1, 2], "x").unwrap_err().kind(), ErrorKind::Data);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn values_come_back(value: (u64, i32, String, Vec<Option<f64>>, [u8; 3])) {
            let bytes = encoded(&value).unwrap();
            let back: (u64, i32, String, Vec<Option<f64>>, [u8; 3]) = decode(&bytes, "x").unwrap();
            prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            let _ = decode::<(Vec<String>, Option<Vec<u64>>, bool)>(&bytes, "x");
        }
    }
}
