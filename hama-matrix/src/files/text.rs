//! Numbers as text, and as elements.

use hama_core::{Error, Result};

use crate::scalar::Scalar;

/// A number of more bytes is none.
pub(super) const NUMBER_BYTES_MAX: usize = 512;

/// The number that a field holds, spaces around it aside. Digits that are too large for f64 are none: only the word is
/// infinite.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(field).ok()?.trim().parse().ok()?;
    let digits = field.iter().any(u8::is_ascii_digit);
    (value.is_finite() || !digits).then_some(value)
}

/// A field as an error shows it.
pub(super) fn shown(field: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(field).chars().take(40).collect();
    format!("{text:?}")
}

/// The bytes that all elements of a matrix take as text at least: such as `0.0`, and what separates it from the next.
pub(super) fn least_text_bytes((rows, cols): (u64, u64)) -> u64 {
    rows.saturating_mul(cols).saturating_mul(4)
}

/// The element nearest to a number.
///
/// # Errors
/// `Data` where the number is finite and the element would not be.
pub(super) fn narrowed<T: Scalar>(value: f64, what: &str, (row, col): (u64, u64)) -> Result<T> {
    let element = T::from_f64(value);
    if value.is_finite() && !element.to_f64().is_finite() {
        return Err(Error::data(format!(
            "cannot read {what} as {}: element ({row}, {col}) is {value:e}, which is too large for it",
            T::TYPE
        )));
    }
    Ok(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_are_infinite() {
        assert_eq!(number(b" -inf "), Some(f64::NEG_INFINITY));
        assert_eq!(number(b"Infinity"), Some(f64::INFINITY));
        assert!(number(b"nan").is_some_and(f64::is_nan));
        assert_eq!(number(b"1e308"), Some(1e308));
        assert_eq!((number(b"1e400"), number(b"-1e400")), (None, None));
    }
}
