//! Numbers as files hold them: floats, integers and booleans of either byte order.

use hama_core::Result;
use hama_hdfs::ElementType;

use crate::scalar::Scalar;

/// The types of numbers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    F64,
    F32,
    Signed(u8),
    Unsigned(u8),
    Bool,
}

/// A type of numbers, and the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) numbers: Numbers,
    pub(crate) big_endian: bool,
}

/// An integer that f64 cannot hold, and which of those in a row it is.
pub(crate) struct Inexact {
    pub(crate) index: usize,
    pub(crate) integer: i128,
}

impl Encoding {
    /// Bytes of a number.
    pub(crate) fn size_bytes(self) -> usize {
        match self.numbers {
            Numbers::F64 => 8,
            Numbers::F32 => 4,
            Numbers::Signed(size) | Numbers::Unsigned(size) => usize::from(size),
            Numbers::Bool => 1,
        }
    }

    /// The elements that they become: f32 stays, all others are f64.
    pub(crate) fn element(self) -> ElementType {
        if self.numbers == Numbers::F32 { ElementType::F32 } else { ElementType::F64 }
    }

    /// Whether the bytes are those of the elements.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self.numbers, Numbers::F64 | Numbers::F32) && !self.big_endian
    }

    /// The numbers of `bytes` as elements of [`element`](Self::element), in the bytes `into`.
    pub(crate) fn decode(self, bytes: &[u8], into: &mut [u8]) -> Result<(), Inexact> {
        if self.is_plain() {
            into.copy_from_slice(bytes);
            return Ok(());
        }
        match self.element() {
            ElementType::F64 => self.decode_as::<f64>(bytes, bytemuck::cast_slice_mut(into)),
            ElementType::F32 => self.decode_as::<f32>(bytes, bytemuck::cast_slice_mut(into)),
        }
    }

    /// The numbers of `bytes` as f64.
    pub(crate) fn values(self, bytes: &[u8], into: &mut [f64]) -> Result<(), Inexact> {
        self.decode_as(bytes, into)
    }

    fn decode_as<T: Scalar>(self, bytes: &[u8], into: &mut [T]) -> Result<(), Inexact> {
        for (index, (to, from)) in into.iter_mut().zip(bytes.chunks(self.size_bytes())).enumerate() {
            *to = self.number(from).map_err(|integer| Inexact { index, integer })?;
        }
        Ok(())
    }

    /// The number in these bytes.
    ///
    /// # Errors
    /// The integer, where f64 cannot hold it exactly.
    fn number<T: Scalar>(self, bytes: &[u8]) -> Result<T, i128> {
        let mut word = [0; 8];
        let word_part = &mut word[..bytes.len()];
        word_part.copy_from_slice(bytes);
        if self.big_endian {
            word_part.reverse();
        }
        let unsigned = u64::from_le_bytes(word);
        match self.numbers {
            Numbers::F64 => Ok(T::from_f64(f64::from_bits(unsigned))),
            Numbers::F32 => Ok(T::from_f32(f32::from_bits(unsigned as u32))),
            Numbers::Bool => Ok(T::from_f64(if unsigned == 0 { 0.0 } else { 1.0 })),
            Numbers::Unsigned(_) => exact(i128::from(unsigned)),
            Numbers::Signed(size) => {
                let unused = 64 - 8 * u32::from(size);
                exact(i128::from((unsigned << unused) as i64 >> unused))
            }
        }
    }
}

fn exact<T: Scalar>(integer: i128) -> Result<T, i128> {
    let float = integer as f64;
    if float as i128 == integer { Ok(T::from_f64(float)) } else { Err(integer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(numbers: Numbers, big_endian: bool, bytes: &[u8]) -> Result<Vec<f64>, i128> {
        let encoding = Encoding { numbers, big_endian };
        let mut into = vec![0.0f64; bytes.len() / encoding.size_bytes()];
        match encoding.decode(bytes, bytemuck::cast_slice_mut(&mut into)) {
            Ok(()) => Ok(into),
            Err(Inexact { index, integer }) => Err(integer + index as i128),
        }
    }

    #[test]
    fn every_type_in_either_order() {
        assert_eq!(decoded(Numbers::F64, true, &1.5f64.to_be_bytes()), Ok(vec![1.5]));
        assert_eq!(decoded(Numbers::F64, false, &(-0.0f64).to_le_bytes()).unwrap()[0].to_bits(), 1 << 63);
        assert_eq!(decoded(Numbers::Signed(2), true, &[0xff, 0xfe, 0, 1]), Ok(vec![-2.0, 1.0]));
        assert_eq!(decoded(Numbers::Unsigned(2), false, &[0xff, 0xff]), Ok(vec![65535.0]));
        assert_eq!(decoded(Numbers::Signed(1), false, &[0x80, 1]), Ok(vec![-128.0, 1.0]));
        assert_eq!(decoded(Numbers::Bool, false, &[0, 1, 2]), Ok(vec![0.0, 1.0, 1.0]));
        let most = (1i64 << 53).to_le_bytes();
        assert_eq!(decoded(Numbers::Signed(8), false, &most), Ok(vec![9007199254740992.0]));
        let more = (1i64 << 53) + 1;
        let both = [most, more.to_le_bytes()].concat();
        assert_eq!(decoded(Numbers::Signed(8), false, &both), Err(i128::from(more) + 1), "the second one");
    }
}
